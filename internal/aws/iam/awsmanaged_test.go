package iam_test

import (
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Every document is one that the evaluator reads: one that it can't would deny
// everything.
func TestAWSManagedPolicies(t *testing.T) {
	a, ctx := open(t), t.Context()
	list, err := a.admin.ListPolicies(ctx, &awsiam.ListPoliciesInput{Scope: "AWS", MaxItems: aws.Int32(1000)})
	if err != nil || len(list.Policies) < 40 || list.IsTruncated {
		t.Fatalf("%d policies, %v", len(list.Policies), err)
	}
	for _, p := range list.Policies {
		v, err := a.admin.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: p.DefaultVersionId})
		if err != nil {
			t.Fatal(err)
		}
		text, err := url.QueryUnescape(*v.PolicyVersion.Document)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Parse(policy.Managed, text); err != nil {
			t.Errorf("%s: %v", *p.Arn, err)
		}
		if !v.PolicyVersion.IsDefaultVersion || len(*p.PolicyId) != 21 || p.CreateDate.After(*p.UpdateDate) {
			t.Errorf("%s: %+v", *p.Arn, p)
		}
	}
}
