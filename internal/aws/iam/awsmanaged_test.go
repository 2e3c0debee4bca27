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
	if err != nil || len(list.Policies) < 190 || list.IsTruncated {
		t.Fatalf("%d policies, %v", len(list.Policies), err)
	}
	pager := awsiam.NewListPoliciesPaginator(a.admin, &awsiam.ListPoliciesInput{Scope: "AWS", MaxItems: aws.Int32(7)})
	for n := 0; pager.HasMorePages(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Policies {
			if *p.Arn != *list.Policies[n].Arn {
				t.Fatalf("by pages, %s is number %d, in one call %s", *p.Arn, n, *list.Policies[n].Arn)
			}
			n++
		}
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
		doc, err := policy.Parse(policy.Managed, text)
		if err != nil {
			t.Errorf("%s: %v", *p.Arn, err)
			continue
		}
		if compiled := policy.Compile(doc); len(compiled.Document().Statements) == 0 {
			t.Errorf("%s: it says nothing", *p.Arn)
		}
		if !v.PolicyVersion.IsDefaultVersion || len(*p.PolicyId) != 21 || p.CreateDate.After(*p.UpdateDate) {
			t.Errorf("%s: %+v", *p.Arn, p)
		}
	}
}

// What a user of a cluster looks for is there, and what can be attached is.
func TestAWSManagedPoliciesAroundEKS(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "u", "")
	for path, attachable := range map[string]bool{
		"AdministratorAccess": true, "PowerUserAccess": true, "ReadOnlyAccess": true, "SecurityAudit": true, "job-function/ViewOnlyAccess": true,
		"AmazonEKSClusterPolicy": true, "AmazonEKSWorkerNodePolicy": true, "AmazonEKS_CNI_Policy": true, "AmazonEKSVPCResourceController": true,
		"AmazonEC2ContainerRegistryReadOnly": true, "AmazonEC2ContainerRegistryPullOnly": true, "AmazonSSMManagedInstanceCore": true,
		"AmazonS3FullAccess": true, "AmazonS3ReadOnlyAccess": true, "CloudWatchAgentServerPolicy": true, "CloudWatchLogsFullAccess": true,
		"SecretsManagerReadWrite": true, "ElasticLoadBalancingFullAccess": true, "AmazonRoute53FullAccess": true, "AmazonVPCFullAccess": true,
		"AWSCloudFormationFullAccess": true, "IAMFullAccess": true, "service-role/AWSLambdaBasicExecutionRole": true, "service-role/AmazonEBSCSIDriverPolicy": true,
		"aws-service-role/AmazonEKSServiceRolePolicy": false, "aws-service-role/AWSServiceRoleForAmazonEKSNodegroup": false,
	} {
		p := aws.String("arn:aws:iam::aws:policy/" + path)
		got, err := a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: p})
		if err != nil || got.Policy.IsAttachable != attachable {
			t.Errorf("%s: %+v, %v", path, got, err)
			continue
		}
		_, err = a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: p})
		if attachable != (err == nil) {
			t.Errorf("%s: %v", path, err)
		}
		if attachable {
			ok(t)(a.admin.DetachUserPolicy(ctx, &awsiam.DetachUserPolicyInput{UserName: aws.String("u"), PolicyArn: p}))
		}
	}
}
