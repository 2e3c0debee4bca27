package iam_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func TestTheDefaultVersionIsInForceAtOnce(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := a.user(t, "u", "")
	policy := a.policy(t, "p", allow("iam:ListUsers"))
	ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: policy}))
	list := func() error { _, err := client.ListUsers(ctx, nil); return err }
	ok(t)(nil, list())

	made, err := a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: policy, PolicyDocument: aws.String(allow("iam:ListRoles"))})
	if err != nil || *made.PolicyVersion.VersionId != "v2" || made.PolicyVersion.IsDefaultVersion {
		t.Fatalf("%+v, %v", made, err)
	}
	ok(t)(nil, list()) // not the default yet
	ok(t)(a.admin.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: policy, VersionId: aws.String("v2")}))
	denied(t, list(), "because no identity-based policy allows the iam:ListUsers action")
	ok(t)(a.admin.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: policy, VersionId: aws.String("v1")}))
	ok(t)(nil, list())
	ok(t)(a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: policy, PolicyDocument: aws.String(deny("iam:*")), SetAsDefault: true}))
	denied(t, list(), "with an explicit deny in an identity-based policy: "+*policy)

	got, err := a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: policy})
	if err != nil || *got.Policy.DefaultVersionId != "v3" || *got.Policy.AttachmentCount != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	text, err := a.admin.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: policy, VersionId: aws.String("v2")})
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := url.QueryUnescape(*text.PolicyVersion.Document); err != nil || plain != allow("iam:ListRoles") || text.PolicyVersion.IsDefaultVersion {
		t.Errorf("%s, %v, %v", plain, err, text.PolicyVersion.IsDefaultVersion)
	}
}

// Versions are numbered on, whatever was deleted, and at most five.
func TestPolicyVersions(t *testing.T) {
	a, ctx := open(t), t.Context()
	policy := a.policy(t, "p", allow("s3:*"))
	add := func() (*awsiam.CreatePolicyVersionOutput, error) {
		return a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: policy, PolicyDocument: aws.String(allow("s3:*")), SetAsDefault: true})
	}
	for range 4 {
		ok(t)(add())
	}
	_, err := add()
	refused(t, err, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	for n := 1; n <= 6; n++ {
		ok(t)(a.admin.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: policy, VersionId: aws.String(fmt.Sprintf("v%d", n))}))
		ok(t)(add())
	}
	list, err := a.admin.ListPolicyVersions(ctx, &awsiam.ListPolicyVersionsInput{PolicyArn: policy})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, v := range list.Versions {
		ids = append(ids, *v.VersionId)
		if v.IsDefaultVersion != (*v.VersionId == "v11") {
			t.Errorf("%s default: %v", *v.VersionId, v.IsDefaultVersion)
		}
	}
	if got := strings.Join(ids, " "); got != "v11 v10 v9 v8 v7" {
		t.Errorf("versions %s", got)
	}
	for _, c := range []struct{ id, code, text string }{
		{"v11", "DeleteConflict", "Cannot delete the default version of a policy."},
		{"v1", "NoSuchEntity", "Policy " + *policy + " version v1 does not exist or is not attachable."},
		{"1", "ValidationError", "Value at 'versionId' failed to satisfy constraint"},
	} {
		_, err := a.admin.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: policy, VersionId: &c.id})
		refused(t, err, c.code, c.text)
	}
	_, err = a.admin.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: policy, VersionId: aws.String("v1")})
	refused(t, err, "NoSuchEntity", "Policy "+*policy+" version v1 does not exist")
	_, err = a.admin.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: policy})
	refused(t, err, "DeleteConflict", "This policy has more than one version.")
}

func TestRefusalsAboutPolicies(t *testing.T) {
	a, ctx := open(t), t.Context()
	policy := a.policy(t, "p", allow("s3:*"))
	aws1, none := "arn:aws:iam::aws:policy/ReadOnlyAccess", arn("policy/none")
	bad := aws.String(`{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	for name, c := range map[string]struct {
		call       func() (any, error)
		code, text string
	}{
		"made twice": {func() (any, error) {
			return a.admin.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String("P"), PolicyDocument: aws.String(allow("s3:*"))})
		}, "EntityAlreadyExists", "A policy called P already exists. Duplicate names are not allowed."},
		"unknown before malformed": {func() (any, error) {
			return a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: &none, PolicyDocument: bad})
		}, "NoSuchEntity", "Policy " + none + " was not found."},
		"malformed": {func() (any, error) {
			return a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: policy, PolicyDocument: bad})
		}, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater."},
		"too long": {func() (any, error) {
			return a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: policy, PolicyDocument: aws.String(allow("s3:" + strings.Repeat("x", 6144)))})
		}, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144"},
		"AWS's": {func() (any, error) {
			return a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: &aws1, PolicyDocument: aws.String(allow("s3:*"))})
		}, "AccessDenied", "The policy " + aws1 + " is managed by AWS"},
		"AWS's default": {func() (any, error) {
			return a.admin.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: &aws1, VersionId: aws.String("v1")})
		}, "AccessDenied", "is managed by AWS"},
		"AWS's tags": {func() (any, error) {
			return a.admin.TagPolicy(ctx, &awsiam.TagPolicyInput{PolicyArn: &aws1, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
		}, "AccessDenied", "is managed by AWS"},
		"AWS's deleted": {func() (any, error) { return a.admin.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: &aws1}) },
			"AccessDenied", "is managed by AWS"},
		"none's entities": {func() (any, error) {
			return a.admin.ListEntitiesForPolicy(ctx, &awsiam.ListEntitiesForPolicyInput{PolicyArn: &none})
		}, "NoSuchEntity", "Policy " + none + " was not found."},
		"other path": {func() (any, error) {
			return a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String(arn("policy/x/p"))})
		}, "NoSuchEntity", "Policy " + arn("policy/x/p") + " was not found."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.call()
			refused(t, err, c.code, c.text)
		})
	}
}

func TestTags(t *testing.T) {
	a, ctx := open(t), t.Context()
	policy, profile, name := a.policy(t, "p", allow("s3:*")), aws.String("prof"), aws.String("n")
	a.role(t, "n", trustEC2)
	ok(t)(a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name}))
	ok(t)(a.admin.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: profile}))
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	kinds := map[string]struct {
		tag   func(...types.Tag) error
		untag func(...string) error
		list  func() ([]types.Tag, error)
	}{
		"user": {
			func(tags ...types.Tag) error {
				_, err := a.admin.TagUser(ctx, &awsiam.TagUserInput{UserName: name, Tags: tags})
				return err
			},
			func(keys ...string) error {
				_, err := a.admin.UntagUser(ctx, &awsiam.UntagUserInput{UserName: name, TagKeys: keys})
				return err
			},
			func() ([]types.Tag, error) {
				out, err := a.admin.ListUserTags(ctx, &awsiam.ListUserTagsInput{UserName: name})
				return out.Tags, err
			},
		},
		"role": {
			func(tags ...types.Tag) error {
				_, err := a.admin.TagRole(ctx, &awsiam.TagRoleInput{RoleName: name, Tags: tags})
				return err
			},
			func(keys ...string) error {
				_, err := a.admin.UntagRole(ctx, &awsiam.UntagRoleInput{RoleName: name, TagKeys: keys})
				return err
			},
			func() ([]types.Tag, error) {
				out, err := a.admin.ListRoleTags(ctx, &awsiam.ListRoleTagsInput{RoleName: name})
				return out.Tags, err
			},
		},
		"policy": {
			func(tags ...types.Tag) error {
				_, err := a.admin.TagPolicy(ctx, &awsiam.TagPolicyInput{PolicyArn: policy, Tags: tags})
				return err
			},
			func(keys ...string) error {
				_, err := a.admin.UntagPolicy(ctx, &awsiam.UntagPolicyInput{PolicyArn: policy, TagKeys: keys})
				return err
			},
			func() ([]types.Tag, error) {
				out, err := a.admin.ListPolicyTags(ctx, &awsiam.ListPolicyTagsInput{PolicyArn: policy})
				return out.Tags, err
			},
		},
		"instance profile": {
			func(tags ...types.Tag) error {
				_, err := a.admin.TagInstanceProfile(ctx, &awsiam.TagInstanceProfileInput{InstanceProfileName: profile, Tags: tags})
				return err
			},
			func(keys ...string) error {
				_, err := a.admin.UntagInstanceProfile(ctx, &awsiam.UntagInstanceProfileInput{InstanceProfileName: profile, TagKeys: keys})
				return err
			},
			func() ([]types.Tag, error) {
				out, err := a.admin.ListInstanceProfileTags(ctx, &awsiam.ListInstanceProfileTagsInput{InstanceProfileName: profile})
				return out.Tags, err
			},
		},
	}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			show := func() string {
				tags, err := k.list()
				if err != nil {
					t.Fatal(err)
				}
				var out []string
				for _, x := range tags {
					out = append(out, *x.Key+"="+*x.Value)
				}
				return strings.Join(out, " ")
			}
			ok(t)(nil, k.tag(tag("team", "a"), tag("cost", "1")))
			ok(t)(nil, k.tag(tag("TEAM", "b"))) // keys ignore case
			if got := show(); got != "TEAM=b cost=1" {
				t.Errorf("tags %s", got)
			}
			ok(t)(nil, k.untag("team", "none"))
			if got := show(); got != "cost=1" {
				t.Errorf("tags %s", got)
			}
			refused(t, k.tag(tag("x", "1"), tag("X", "2")), "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
			var many []types.Tag
			for n := range 50 {
				many = append(many, tag(fmt.Sprint("k", n), ""))
			}
			refused(t, k.tag(many...), "LimitExceeded", "The number of tags has reached the maximum limit.")
		})
	}
}

// A policy put under a name that is there replaces it, and counts once.
func TestInlinePolicies(t *testing.T) {
	a, ctx := open(t), t.Context()
	n, p := aws.String("n"), aws.String("p")
	ok(t)(a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: n}))
	a.role(t, "n", trustEC2)
	for name, c := range map[string]struct {
		put   func(document string) error
		get   func() (*string, error)
		quota int
	}{
		"user": {func(document string) error {
			_, err := a.admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: n, PolicyName: p, PolicyDocument: &document})
			return err
		}, func() (*string, error) {
			out, err := a.admin.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: n, PolicyName: p})
			return out.PolicyDocument, err
		}, 2048},
		"role": {func(document string) error {
			_, err := a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: n, PolicyName: p, PolicyDocument: &document})
			return err
		}, func() (*string, error) {
			out, err := a.admin.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: n, PolicyName: p})
			return out.PolicyDocument, err
		}, 10240},
	} {
		t.Run(name, func(t *testing.T) {
			long := func(size int) string { return allow("s3:" + strings.Repeat("x", size-len(allow("s3:")))) }
			for _, document := range []string{allow("s3:*"), long(c.quota), "\n" + long(c.quota-1)} {
				ok(t)(nil, c.put(document))
				got, err := c.get()
				if err != nil {
					t.Fatal(err)
				}
				if plain, err := url.QueryUnescape(*got); err != nil || plain != document {
					t.Errorf("got %s, %v", plain, err)
				}
			}
			refused(t, c.put(long(c.quota+1)), "LimitExceeded", fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s n", c.quota, name))
		})
	}
}
