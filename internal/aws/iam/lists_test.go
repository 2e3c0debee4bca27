package iam_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/totp"
)

// page is what a list's answer has in common with all others.
type page struct {
	items  []string
	marker *string
	more   bool
}

// Every list, by pages of every size, shows each item once; an odd marker or a
// page of no items is refused.
func TestListsByPages(t *testing.T) {
	a, ctx := open(t), t.Context()
	want := populate(t, a)
	// Never given, given by no list, and altered.
	odd := []string{"!", "zzz", "YWxwaGE", base64.RawURLEncoding.EncodeToString([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00alpha"))}
	for name, list := range lists(a.admin) {
		t.Run(name, func(t *testing.T) {
			expected, ok := want[name]
			if !ok {
				t.Fatal("the test has nothing to expect")
			}
			for size := int32(1); size <= int32(len(expected))+1; size++ {
				var got []string
				var marker *string
				for pages := 0; ; pages++ {
					p, err := list(ctx, marker, &size)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, p.items...)
					if p.more != (p.marker != nil) || p.more && len(p.items) != int(size) || pages > len(expected) {
						t.Fatalf("page %d of %d items, at most %d: truncated %v, marker %v", pages, len(p.items), size, p.more, aws.ToString(p.marker))
					}
					if marker = p.marker; !p.more {
						break
					}
				}
				if !slices.Equal(got, expected) {
					t.Errorf("by %d: %v, want %v", size, got, expected)
				}
			}
			for _, marker := range odd {
				_, err := list(ctx, &marker, nil)
				refused(t, err, "ValidationError", "Invalid Marker.")
			}
			for _, size := range []int32{0, 1001} {
				_, err := list(ctx, nil, &size)
				refused(t, err, "ValidationError", "'maxItems' failed to satisfy constraint: Member must have value")
			}
		})
	}
}

// populate makes what the lists show, in the order in which they show it.
func populate(t *testing.T, a *account) map[string][]string {
	ctx := t.Context()
	names := strings.Split("Alpha beta delta gamma", " ")
	want := map[string][]string{
		"users": {"admin"}, "aliases": {"alias"}, "keys": nil, "versions": {"v3", "v2", "v1"},
		"policies": nil, "entities": nil,
	}
	alpha, provider := aws.String("Alpha"), a.provider(t, "https://idp.example")
	for _, n := range names {
		path := aws.String("/" + strings.ToLower(n[:1]) + "/")
		ok(t)(a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: &n}))
		ok(t)(a.admin.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: &n, AssumeRolePolicyDocument: aws.String(trustEC2), Path: path}))
		ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: &n, Path: path}))
		ok(t)(a.admin.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: &n}))
		ok(t)(a.admin.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: &n, RoleName: alpha}))
		ok(t)(a.admin.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: &n, Path: path, PolicyDocument: aws.String(allow("s3:*"))}))
		policy := aws.String(arn("policy" + *path + n))
		document := aws.String(allow("s3:*"))
		ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: alpha, PolicyArn: policy}))
		ok(t)(a.admin.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: alpha, PolicyArn: policy}))
		ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: alpha, PolicyArn: policy}))
		ok(t)(a.admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: alpha, PolicyName: &n, PolicyDocument: document}))
		ok(t)(a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: alpha, PolicyName: &n, PolicyDocument: document}))
		ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: alpha, PolicyName: &n, PolicyDocument: document}))
		ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: &n, UserName: alpha}))
		if n != "Alpha" {
			ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: alpha, UserName: &n}))
		}
		tag := []types.Tag{{Key: &n, Value: aws.String("")}}
		ok(t)(a.admin.TagUser(ctx, &awsiam.TagUserInput{UserName: alpha, Tags: tag}))
		ok(t)(a.admin.TagRole(ctx, &awsiam.TagRoleInput{RoleName: alpha, Tags: tag}))
		ok(t)(a.admin.TagPolicy(ctx, &awsiam.TagPolicyInput{PolicyArn: aws.String(arn("policy/a/Alpha")), Tags: tag}))
		ok(t)(a.admin.TagInstanceProfile(ctx, &awsiam.TagInstanceProfileInput{InstanceProfileName: alpha, Tags: tag}))
		seed, now := a.device(t, n), time.Now()
		step := totp.Step(now)
		ok(t)(a.admin.EnableMFADevice(ctx, &awsiam.EnableMFADeviceInput{UserName: alpha, SerialNumber: aws.String(arn("mfa/" + n)),
			AuthenticationCode1: aws.String(totp.Code(seed, step-1)), AuthenticationCode2: aws.String(totp.Code(seed, step))}))
		ok(t)(a.admin.TagMFADevice(ctx, &awsiam.TagMFADeviceInput{SerialNumber: aws.String(arn("mfa/Alpha")), Tags: tag}))
		want["devices"] = append(want["devices"], arn("mfa/"+n))
		ok(t)(a.admin.TagOpenIDConnectProvider(ctx, &awsiam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: provider, Tags: tag}))
		want["policies"] = append(want["policies"], arn("policy"+*path+n))
		want["users"] = append(want["users"], n)
	}
	slices.SortFunc(want["users"], func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	for _, same := range []string{"roles", "groups", "profiles", "profiles of a role", "members", "groups of a user", "attached to a user", "attached to a role",
		"attached to a group", "inline of a user", "inline of a role", "inline of a group", "tags of a user", "tags of a role", "tags of a policy", "tags of a profile", "tags of a provider", "tags of a device"} {
		want[same] = names
	}
	for range 2 {
		key, err := a.admin.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: alpha})
		if err != nil {
			t.Fatal(err)
		}
		want["keys"] = append(want["keys"], *key.AccessKey.AccessKeyId)
		ok(t)(a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: aws.String(arn("policy/a/Alpha")), PolicyDocument: aws.String(allow("s3:*"))}))
	}
	slices.Sort(want["keys"])
	want["devices of a user"] = want["devices"]
	ok(t)(a.admin.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: aws.String("beta"), PermissionsBoundary: aws.String(arn("policy/a/Alpha"))}))
	want["entities"] = []string{"group Alpha", "role Alpha", "role beta", "user Alpha"}
	ok(t)(a.admin.CreateAccountAlias(ctx, &awsiam.CreateAccountAliasInput{AccountAlias: aws.String("alias")}))
	return want
}

type list func(ctx context.Context, marker *string, max *int32) (page, error)

// pages makes a page of an answer.
func pages[T any](items []T, name func(T) *string, marker *string, more bool, err error) (page, error) {
	p := page{marker: marker, more: more}
	for _, i := range items {
		p.items = append(p.items, *name(i))
	}
	return p, err
}

func itself(s string) *string                     { return &s }
func tagKey(t types.Tag) *string                  { return t.Key }
func attachedName(p types.AttachedPolicy) *string { return p.PolicyName }
func profileName(p types.InstanceProfile) *string { return p.InstanceProfileName }
func groupName(g types.Group) *string             { return g.GroupName }
func userName(u types.User) *string               { return u.UserName }

// lists are all lists of the service. An answer beside an error is empty.
func lists(c *awsiam.Client) map[string]list {
	alpha, policy := aws.String("Alpha"), aws.String(arn("policy/a/Alpha"))
	return map[string]list{
		"users": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListUsers(ctx, &awsiam.ListUsersInput{Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Users, userName, o.Marker, o.IsTruncated, err)
		},
		"roles": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListRoles(ctx, &awsiam.ListRolesInput{Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Roles, func(r types.Role) *string { return r.RoleName }, o.Marker, o.IsTruncated, err)
		},
		"groups": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListGroups(ctx, &awsiam.ListGroupsInput{Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Groups, groupName, o.Marker, o.IsTruncated, err)
		},
		"members": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Users, userName, o.Marker, o.IsTruncated, err)
		},
		"groups of a user": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListGroupsForUser(ctx, &awsiam.ListGroupsForUserInput{UserName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Groups, groupName, o.Marker, o.IsTruncated, err)
		},
		"policies": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListPolicies(ctx, &awsiam.ListPoliciesInput{Scope: "Local", Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Policies, func(p types.Policy) *string { return p.Arn }, o.Marker, o.IsTruncated, err)
		},
		"versions": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListPolicyVersions(ctx, &awsiam.ListPolicyVersionsInput{PolicyArn: policy, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Versions, func(v types.PolicyVersion) *string { return v.VersionId }, o.Marker, o.IsTruncated, err)
		},
		"entities": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListEntitiesForPolicy(ctx, &awsiam.ListEntitiesForPolicyInput{PolicyArn: policy, Marker: m, MaxItems: n})
			o = or(o)
			return pages(holders(o), itself, o.Marker, o.IsTruncated, err)
		},
		"profiles": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListInstanceProfiles(ctx, &awsiam.ListInstanceProfilesInput{Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.InstanceProfiles, profileName, o.Marker, o.IsTruncated, err)
		},
		"profiles of a role": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListInstanceProfilesForRole(ctx, &awsiam.ListInstanceProfilesForRoleInput{RoleName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.InstanceProfiles, profileName, o.Marker, o.IsTruncated, err)
		},
		"attached to a user": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListAttachedUserPolicies(ctx, &awsiam.ListAttachedUserPoliciesInput{UserName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.AttachedPolicies, attachedName, o.Marker, o.IsTruncated, err)
		},
		"attached to a role": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.AttachedPolicies, attachedName, o.Marker, o.IsTruncated, err)
		},
		"attached to a group": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListAttachedGroupPolicies(ctx, &awsiam.ListAttachedGroupPoliciesInput{GroupName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.AttachedPolicies, attachedName, o.Marker, o.IsTruncated, err)
		},
		"inline of a user": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.PolicyNames, itself, o.Marker, o.IsTruncated, err)
		},
		"inline of a role": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.PolicyNames, itself, o.Marker, o.IsTruncated, err)
		},
		"inline of a group": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListGroupPolicies(ctx, &awsiam.ListGroupPoliciesInput{GroupName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.PolicyNames, itself, o.Marker, o.IsTruncated, err)
		},
		"tags of a user": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListUserTags(ctx, &awsiam.ListUserTagsInput{UserName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Tags, tagKey, o.Marker, o.IsTruncated, err)
		},
		"tags of a role": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListRoleTags(ctx, &awsiam.ListRoleTagsInput{RoleName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Tags, tagKey, o.Marker, o.IsTruncated, err)
		},
		"tags of a policy": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListPolicyTags(ctx, &awsiam.ListPolicyTagsInput{PolicyArn: policy, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Tags, tagKey, o.Marker, o.IsTruncated, err)
		},
		"tags of a profile": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListInstanceProfileTags(ctx, &awsiam.ListInstanceProfileTagsInput{InstanceProfileName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Tags, tagKey, o.Marker, o.IsTruncated, err)
		},
		"tags of a provider": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListOpenIDConnectProviderTags(ctx, &awsiam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: aws.String(arn("oidc-provider/idp.example")), Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Tags, tagKey, o.Marker, o.IsTruncated, err)
		},
		"devices": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListVirtualMFADevices(ctx, &awsiam.ListVirtualMFADevicesInput{Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.VirtualMFADevices, func(d types.VirtualMFADevice) *string { return d.SerialNumber }, o.Marker, o.IsTruncated, err)
		},
		"devices of a user": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListMFADevices(ctx, &awsiam.ListMFADevicesInput{UserName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.MFADevices, func(d types.MFADevice) *string { return d.SerialNumber }, o.Marker, o.IsTruncated, err)
		},
		"tags of a device": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListMFADeviceTags(ctx, &awsiam.ListMFADeviceTagsInput{SerialNumber: aws.String(arn("mfa/Alpha")), Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.Tags, tagKey, o.Marker, o.IsTruncated, err)
		},
		"keys": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: alpha, Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.AccessKeyMetadata, func(k types.AccessKeyMetadata) *string { return k.AccessKeyId }, o.Marker, o.IsTruncated, err)
		},
		"aliases": func(ctx context.Context, m *string, n *int32) (page, error) {
			o, err := c.ListAccountAliases(ctx, &awsiam.ListAccountAliasesInput{Marker: m, MaxItems: n})
			o = or(o)
			return pages(o.AccountAliases, itself, o.Marker, o.IsTruncated, err)
		},
	}
}

// or is the answer, or an empty one beside an error.
func or[T any](o *T) *T {
	if o == nil {
		return new(T)
	}
	return o
}

func holders(o *awsiam.ListEntitiesForPolicyOutput) []string {
	var list []string
	for _, g := range o.PolicyGroups {
		list = append(list, "group "+*g.GroupName)
	}
	for _, r := range o.PolicyRoles {
		list = append(list, "role "+*r.RoleName)
	}
	for _, u := range o.PolicyUsers {
		list = append(list, "user "+*u.UserName)
	}
	return list
}

// Every operation that lists is among the lists above.
func TestEveryListIsTested(t *testing.T) {
	a := open(t)
	n := 1 // GetGroup, which lists members
	for name := range a.iam.Service().Operations {
		unpaged := name == "ListPoliciesGrantingServiceAccess" || name == "ListOpenIDConnectProviders"
		if strings.HasPrefix(name, "List") && !unpaged { // which take no size of page
			n++
		}
	}
	if got := len(lists(a.admin)); got != n {
		t.Errorf("%d lists are tested, %d there are", got, n)
	}
}

func TestFiltersOfLists(t *testing.T) {
	a, ctx := open(t), t.Context()
	populate(t, a)
	readOnly := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	ok(t)(a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: aws.String("delta"), PermissionsBoundary: readOnly}))
	policies := func(in awsiam.ListPoliciesInput) string {
		t.Helper()
		in.MaxItems = aws.Int32(1000)
		o, err := a.admin.ListPolicies(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range o.Policies {
			names = append(names, *p.PolicyName)
		}
		return strings.Join(names, " ")
	}
	entities := func(in awsiam.ListEntitiesForPolicyInput) string {
		t.Helper()
		in.PolicyArn = aws.String(arn("policy/a/Alpha"))
		o, err := a.admin.ListEntitiesForPolicy(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(holders(o), ", ")
	}
	for _, c := range []struct{ got, want string }{
		{policies(awsiam.ListPoliciesInput{OnlyAttached: true}), "AdministratorAccess Alpha beta delta gamma"},
		{policies(awsiam.ListPoliciesInput{OnlyAttached: true, Scope: "AWS"}), "AdministratorAccess"},
		{policies(awsiam.ListPoliciesInput{Scope: "Local", PathPrefix: aws.String("/d/")}), "delta"},
		{policies(awsiam.ListPoliciesInput{PolicyUsageFilter: "PermissionsBoundary"}), "Alpha ReadOnlyAccess"},
		{policies(awsiam.ListPoliciesInput{PolicyUsageFilter: "PermissionsPolicy", Scope: "Local"}), "Alpha beta delta gamma"},
		{entities(awsiam.ListEntitiesForPolicyInput{EntityFilter: "Role"}), "role Alpha, role beta"},
		{entities(awsiam.ListEntitiesForPolicyInput{PolicyUsageFilter: "PermissionsBoundary"}), "role beta"},
		{entities(awsiam.ListEntitiesForPolicyInput{PolicyUsageFilter: "PermissionsPolicy"}), "group Alpha, role Alpha, user Alpha"},
		{entities(awsiam.ListEntitiesForPolicyInput{PathPrefix: aws.String("/b/")}), "role beta"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	for _, in := range []awsiam.ListPoliciesInput{{Scope: "Other"}, {PolicyUsageFilter: "Other"}, {PathPrefix: aws.String("d")}} {
		_, err := a.admin.ListPolicies(ctx, &in)
		refused(t, err, "ValidationError", "")
	}
	// Lists leave out tags and boundaries.
	users, err := a.admin.ListUsers(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users.Users {
		if u.Tags != nil || u.PermissionsBoundary != nil {
			t.Errorf("%s: %v, %v", *u.UserName, u.Tags, u.PermissionsBoundary)
		}
	}
}

// Two policies of one name, told apart by path, are two items of a page of one.
func TestPagesOfPoliciesWithOneName(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "u", "")
	a.policy(t, "ReadOnlyAccess", allow("s3:*")) // AWS's has the name, too
	for _, p := range []string{arn("policy/ReadOnlyAccess"), "arn:aws:iam::aws:policy/ReadOnlyAccess"} {
		ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: &p}))
	}
	pager := awsiam.NewListAttachedUserPoliciesPaginator(a.admin, &awsiam.ListAttachedUserPoliciesInput{UserName: aws.String("u"), MaxItems: aws.Int32(1)})
	var got []string
	for pager.HasMorePages() {
		o, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.AttachedPolicies {
			got = append(got, *p.PolicyArn)
		}
	}
	if want := fmt.Sprint([]string{arn("policy/ReadOnlyAccess"), "arn:aws:iam::aws:policy/ReadOnlyAccess"}); fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
