package iam

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// What was passed to sessions is joined once, until a managed policy changes.
func TestPassedPoliciesAreJoinedOnce(t *testing.T) {
	i, err := New(store.NewMemory(), api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	const one, other = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}`
	made, err := i.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(one)})
	if err != nil {
		t.Fatal(err)
	}
	s := func(text string) *api.Session {
		return &api.Session{Policies: []string{text}, PolicyARNs: []string{*made.Policy.Arn}}
	}
	first := i.passed(s(one))
	if i.passed(s(one)) != first || i.passed(s(other)) == first {
		t.Error("the same policies make two programs, or others the same")
	}
	if _, err := i.CreatePolicyVersion(t.Context(), &iam.CreatePolicyVersionInput{PolicyArn: made.Policy.Arn, PolicyDocument: aws.String(other), SetAsDefault: true}); err != nil {
		t.Fatal(err)
	}
	if now := i.passed(s(one)); now == first || now.Sources()[1].Policy.Document().Text != other {
		t.Errorf("after a change: %+v", now.Sources())
	}
}
