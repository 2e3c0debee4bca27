package iam_test

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// details gathers all pages of that size, and says how many entities there are.
func details(t *testing.T, a *account, size int32, filter ...types.EntityType) (all awsiam.GetAccountAuthorizationDetailsOutput, n int) {
	t.Helper()
	pager := awsiam.NewGetAccountAuthorizationDetailsPaginator(a.admin, &awsiam.GetAccountAuthorizationDetailsInput{Filter: filter, MaxItems: &size})
	for pager.HasMorePages() {
		o, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := len(o.UserDetailList) + len(o.RoleDetailList) + len(o.GroupDetailList) + len(o.Policies)
		if o.IsTruncated && got != int(size) || o.IsTruncated != (o.Marker != nil) {
			t.Fatalf("a page of %d, at most %d: truncated %v", got, size, o.IsTruncated)
		}
		n += got
		all.UserDetailList = append(all.UserDetailList, o.UserDetailList...)
		all.RoleDetailList = append(all.RoleDetailList, o.RoleDetailList...)
		all.GroupDetailList = append(all.GroupDetailList, o.GroupDetailList...)
		all.Policies = append(all.Policies, o.Policies...)
	}
	return all, n
}

// unescaped is a document as it was before it was put into an answer.
func unescaped(t *testing.T, text *string) string {
	t.Helper()
	if strings.ContainsAny(*text, `+ {":`) {
		t.Errorf("%s is not escaped as RFC 3986 says", *text)
	}
	plain, err := url.QueryUnescape(*text)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestAccountAuthorizationDetails(t *testing.T) {
	a, ctx := open(t), t.Context()
	populate(t, a)
	ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: aws.String("beta"), PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
	ok(t)(a.admin.DetachGroupPolicy(ctx, &awsiam.DetachGroupPolicyInput{GroupName: aws.String("beta"), PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
	all, n := details(t, a, 1000)
	if n != 5+4+4+4+1 { // users with the admin, roles, groups, policies, AdministratorAccess
		t.Fatalf("%d entities", n)
	}
	for size := int32(1); size <= 4; size++ {
		if got, _ := details(t, a, size); !reflect.DeepEqual(got, all) {
			t.Errorf("pages of %d give something else than one call", size)
		}
	}
	decoded := func(text *string) string { t.Helper(); return unescaped(t, text) }

	u := all.UserDetailList[slices.IndexFunc(all.UserDetailList, func(u types.UserDetail) bool { return *u.UserName == "Alpha" })]
	if !slices.Equal(u.GroupList, []string{"Alpha", "beta", "delta", "gamma"}) || len(u.AttachedManagedPolicies) != 4 || len(u.UserPolicyList) != 4 || len(u.Tags) != 4 ||
		decoded(u.UserPolicyList[0].PolicyDocument) != allow("s3:*") || *u.Arn != arn("user/Alpha") || u.PermissionsBoundary != nil {
		t.Errorf("%+v", u)
	}
	r := all.RoleDetailList[0]
	if *r.RoleName != "Alpha" || decoded(r.AssumeRolePolicyDocument) != trustEC2 || len(r.RolePolicyList) != 4 || len(r.AttachedManagedPolicies) != 4 || len(r.Tags) != 4 ||
		len(r.InstanceProfileList) != 4 || *r.InstanceProfileList[0].Roles[0].RoleName != "Alpha" || r.RoleLastUsed == nil {
		t.Errorf("%+v", r)
	}
	if b := all.RoleDetailList[1].PermissionsBoundary; b == nil || *b.PermissionsBoundaryArn != arn("policy/a/Alpha") {
		t.Errorf("role beta: boundary %+v", b)
	}
	if g := all.GroupDetailList[0]; *g.GroupName != "Alpha" || len(g.GroupPolicyList) != 4 || len(g.AttachedManagedPolicies) != 4 {
		t.Errorf("%+v", g)
	}
	p := all.Policies[0]
	if *p.PolicyName != "Alpha" || len(p.PolicyVersionList) != 3 || *p.PolicyVersionList[0].VersionId != "v3" || !p.PolicyVersionList[2].IsDefaultVersion ||
		decoded(p.PolicyVersionList[0].Document) != allow("s3:*") || *p.AttachmentCount != 3 || *p.PermissionsBoundaryUsageCount != 1 {
		t.Errorf("%+v", p)
	}
	if last := all.Policies[len(all.Policies)-1]; *last.Arn != "arn:aws:iam::aws:policy/AdministratorAccess" {
		t.Errorf("%s is in use", *last.Arn)
	}
}

func TestAccountAuthorizationDetailsFilters(t *testing.T) {
	a, ctx := open(t), t.Context()
	populate(t, a)
	for _, c := range []struct {
		filter                         []types.EntityType
		users, roles, groups, policies int
	}{
		{[]types.EntityType{"User"}, 5, 0, 0, 0},
		{[]types.EntityType{"Role"}, 0, 4, 0, 0},
		{[]types.EntityType{"Group"}, 0, 0, 4, 0},
		{[]types.EntityType{"LocalManagedPolicy"}, 0, 0, 0, 4},
		{[]types.EntityType{"AWSManagedPolicy"}, 0, 0, 0, 1},
		{[]types.EntityType{"Group", "User", "Group"}, 5, 0, 4, 0},
	} {
		got, _ := details(t, a, 2, c.filter...)
		if len(got.UserDetailList) != c.users || len(got.RoleDetailList) != c.roles || len(got.GroupDetailList) != c.groups || len(got.Policies) != c.policies {
			t.Errorf("%v: %d users, %d roles, %d groups, %d policies", c.filter, len(got.UserDetailList), len(got.RoleDetailList), len(got.GroupDetailList), len(got.Policies))
		}
	}

	// The texts are as AWS was seen to say them.
	_, err := a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"user"}})
	refused(t, err, "ValidationError", "Member must satisfy enum value set")
	_, err = a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(1001)})
	refused(t, err, "ValidationError", "1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000")
	first, err := a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"User", "Group"}, MaxItems: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	ok(t)(a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"Group", "User"}, Marker: first.Marker}))
	_, err = a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"Group"}, Marker: first.Marker})
	refused(t, err, "ValidationError", "Marker and Filter do not match")
	_, err = a.admin.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{Marker: first.Marker})
	refused(t, err, "ValidationError", "Invalid Marker.")
	_, err = a.admin.ListUsers(ctx, &awsiam.ListUsersInput{Marker: first.Marker})
	refused(t, err, "ValidationError", "Invalid Marker.")
}
