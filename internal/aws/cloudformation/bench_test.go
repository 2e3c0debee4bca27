package cloudformation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// TestLargeStacks: as many resources as a template can have are made within the time that
// a call waits. What it took is logged.
func TestLargeStacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	a := open(t)
	var template strings.Builder
	template.WriteString("Resources:\n")
	for n := range 500 {
		fmt.Fprintf(&template, "  R%d: {Type: AWS::CDK::Metadata, Properties: {Analytics: %q}}\n", n, strings.Repeat("x", 20))
	}
	began := time.Now()
	id := a.create(t, "large", template.String())
	t.Logf("500 resources: %.1f s", time.Since(began).Seconds())
	a.is(t, "large", types.StackStatusCreateComplete)
	if got := len(a.events(t, "large")); got != 1502 {
		t.Errorf("%d events, want 1502: three of each resource, two of the stack", got)
	}
	began = time.Now()
	if _, err := a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("large")}); err != nil {
		t.Fatal(err)
	}
	a.is(t, id, types.StackStatusDeleteComplete)
	t.Logf("deleted: %.1f s", time.Since(began).Seconds())
}

// BenchmarkRole is a stack of one role, as eksctl makes for a service account: from
// CreateStack to the answer of DescribeStacks, and its deletion.
func BenchmarkRole(b *testing.B) {
	a := open(b)
	template := "Resources:\n" + role("A", `, ManagedPolicyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]`)
	for b.Loop() {
		a.create(b, "s", template)
		if s := a.stack(b, "s"); s.StackStatus != types.StackStatusCreateComplete {
			b.Fatal(s.StackStatus)
		}
		if _, err := a.client.DeleteStack(b.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")}); err != nil {
			b.Fatal(err)
		}
	}
}
