package iam_test

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/iam"
)

// listedAccount is an account with an admin, who asks.
func listedAccount(t testing.TB) (*iam.IAM, context.Context) {
	t.Helper()
	i := doortest.New(t).IAM
	u, _ := i.UserByName("admin")
	return i, api.WithCaller(t.Context(), &api.Caller{
		Type: api.User, Partition: "aws", AccountID: "111122223333", ARN: i.UserARN(&u), PrincipalARN: i.UserARN(&u), PrincipalID: u.ID, UserID: u.ID, Name: u.Name,
	})
}

// listed is what ListRoles says of one role: its description and trust policy.
func listed(t *testing.T, i *iam.IAM, ctx context.Context, name string) (description, trust string) {
	t.Helper()
	out, err := i.ListRoles(ctx, &awsiam.ListRolesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out.Roles {
		if *r.RoleName != name {
			continue
		}
		if r.Tags != nil {
			t.Errorf("a list has the tags of %s", name)
		}
		trust, err := url.QueryUnescape(*r.AssumeRolePolicyDocument)
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(r.Description), trust
	}
	t.Fatalf("%s is not listed", name)
	return "", ""
}

// TestListsAreNeverStale: what the index keeps ready for lists follows every
// change, and who is named in a trust policy is told at the time.
func TestListsAreNeverStale(t *testing.T) {
	i, ctx := listedAccount(t)
	trusting := func(principal string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{` + principal + `},"Action":"sts:AssumeRole"}]}`)
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	role, bob := aws.String("r"), "arn:aws:iam::111122223333:user/bob"
	must(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("bob")}))
	must(i.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: trusting(`"Service":"ec2.amazonaws.com"`)}))
	if d, trust := listed(t, i, ctx, "r"); d != "" || !strings.Contains(trust, "ec2.amazonaws.com") {
		t.Errorf("new: %q, %s", d, trust)
	}
	must(i.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: role, Description: aws.String("changed")}))
	if d, trust := listed(t, i, ctx, "r"); d != "changed" || !strings.Contains(trust, "ec2.amazonaws.com") {
		t.Errorf("described anew: %q, %s", d, trust)
	}
	must(i.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: trusting(`"AWS":"` + bob + `"`)}))
	if _, trust := listed(t, i, ctx, "r"); !strings.Contains(trust, bob) {
		t.Errorf("trusting bob: %s", trust)
	}
	must(i.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: aws.String("bob")}))
	if _, trust := listed(t, i, ctx, "r"); strings.Contains(trust, bob) || !strings.Contains(trust, `"AIDA`) {
		t.Errorf("bob is gone: %s", trust)
	}
	must(i.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: trusting(`"Service":"eks.amazonaws.com"`)}))
	must(i.TagRole(ctx, &awsiam.TagRoleInput{RoleName: role}))
	if _, trust := listed(t, i, ctx, "r"); !strings.Contains(trust, "eks.amazonaws.com") || strings.Contains(trust, "AIDA") {
		t.Errorf("trusting EKS: %s", trust)
	}
}

// TestGlobalConditionKeys: each global condition key is told from the caller,
// and is missing where AWS has none.
func TestGlobalConditionKeys(t *testing.T) {
	i, ctx := listedAccount(t)
	name := aws.String("u")
	if _, err := i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name}); err != nil {
		t.Fatal(err)
	}
	u, _ := i.UserByName("u")
	who := api.Caller{
		Type: api.User, Partition: "aws", AccountID: "111122223333", ARN: i.UserARN(&u), PrincipalARN: i.UserARN(&u), PrincipalID: u.ID, UserID: u.ID, Name: "u",
		SourceIP: netip.MustParseAddr("127.0.0.1"), UserAgent: "aws-cli/2", Region: "us-west-2", RequestedRegion: "us-east-1",
	}
	for condition, want := range map[string]bool{
		`"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`:                               true,
		`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`:                                false,
		`"StringEquals":{"aws:RequestedRegion":"us-east-1"}`:                       true,
		`"StringEquals":{"aws:RequestedRegion":"us-west-2"}`:                       false,
		`"Bool":{"aws:SecureTransport":"false"}`:                                   true,
		`"StringLike":{"aws:UserAgent":"aws-cli/*"}`:                               true,
		`"StringEquals":{"aws:username":"u","aws:userid":"` + u.ID + `"}`:          true,
		`"ArnEquals":{"aws:PrincipalArn":"` + i.UserARN(&u) + `"}`:                 true,
		`"StringEquals":{"aws:PrincipalAccount":"111122223333"}`:                   true,
		`"StringEquals":{"aws:PrincipalType":"User"}`:                              true,
		`"Bool":{"aws:ViaAWSService":"false","aws:PrincipalIsAWSService":"false"}`: true,
		`"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`:             true,
		`"NumericGreaterThan":{"aws:EpochTime":"1767225600"}`:                      true,
		`"Null":{"aws:TokenIssueTime":"true","aws:MultiFactorAuthPresent":"true"}`: true,
	} {
		_, err := i.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Authorize(ctx, &who, "iam:ListRoles", nil, nil); (err == nil) != want {
			t.Errorf("{%s}: %v, want allowed %t", condition, err, want)
		}
	}
}

// BenchmarkListRoles20 is IAM's part in a call.
func BenchmarkListRoles20(b *testing.B) {
	i, ctx := listedAccount(b)
	for _, name := range strings.Split("abcdefghijklmnopqrst", "") {
		_, err := i.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if out, err := i.ListRoles(ctx, &awsiam.ListRolesInput{}); err != nil || len(out.Roles) != 20 {
			b.Fatal(out, err)
		}
	}
}

// BenchmarkAuthorize asks one user's policies, with conditions, for one call.
func BenchmarkAuthorize(b *testing.B) {
	i, ctx := listedAccount(b)
	who := api.CallerFrom(ctx)
	who.SourceIP, who.RequestedRegion = netip.MustParseAddr("127.0.0.1"), "us-east-1"
	_, err := i.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: aws.String("admin"), PolicyName: aws.String("guardrails"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}},
		{"Effect":"Deny","NotAction":"sts:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-west-2","us-east-1"]}}}]}`)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := i.Authorize(ctx, who, "iam:ListRoles", nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
