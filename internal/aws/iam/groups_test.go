package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

func TestAGroupsPoliciesCountForItsUsers(t *testing.T) {
	a, ctx := open(t), t.Context()
	carol := a.user(t, "carol", "")
	list := func() error { _, err := carol.ListUsers(ctx, nil); return err }
	sentence := "User: " + arn("user/carol") + " is not authorized to perform: iam:ListUsers on resource: " + arn("user/") +
		" because no identity-based policy allows the iam:ListUsers action"
	group, name := aws.String("readers"), aws.String("carol")

	made, err := a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: group, Path: aws.String("/team/")})
	if err != nil || *made.Group.Arn != arn("group/team/readers") || !strings.HasPrefix(*made.Group.GroupId, "AGPA") {
		t.Fatalf("%+v, %v", made, err)
	}
	denied(t, list(), sentence)
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: group, UserName: name}))
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: group, UserName: name})) // again: no error
	denied(t, list(), sentence)

	t.Run("inline", func(t *testing.T) {
		ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("iam:ListUsers"))}))
		ok(t)(nil, list())
		ok(t)(a.admin.DeleteGroupPolicy(ctx, &awsiam.DeleteGroupPolicyInput{GroupName: group, PolicyName: aws.String("p")}))
		denied(t, list(), sentence)
	})
	managed := a.policy(t, "readers", allow("iam:ListUsers"))
	t.Run("managed", func(t *testing.T) {
		ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: group, PolicyArn: managed}))
		ok(t)(nil, list())
	})
	t.Run("renamed", func(t *testing.T) {
		// Names that sort before and after the old one: the store tells of the
		// changes in the order of keys.
		for _, renamed := range []string{"zebras", "aardvarks", "Aardvarks", "readers"} {
			ok(t)(a.admin.UpdateGroup(ctx, &awsiam.UpdateGroupInput{GroupName: group, NewGroupName: &renamed}))
			group = &renamed
			ok(t)(nil, list())
			if out, err := a.admin.ListGroupsForUser(ctx, &awsiam.ListGroupsForUserInput{UserName: name}); err != nil || len(out.Groups) != 1 || *out.Groups[0].GroupName != renamed || *out.Groups[0].GroupId != *made.Group.GroupId {
				t.Errorf("%+v, %v", out, err)
			}
		}
	})
	t.Run("a deny of a group", func(t *testing.T) {
		ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String("limited")}))
		ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: aws.String("limited"), PolicyName: aws.String("d"), PolicyDocument: aws.String(deny("iam:List*"))}))
		ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: aws.String("limited"), UserName: name}))
		denied(t, list(), "with an explicit deny in an identity-based policy")
		ok(t)(a.admin.RemoveUserFromGroup(ctx, &awsiam.RemoveUserFromGroupInput{GroupName: aws.String("limited"), UserName: name}))
		ok(t)(nil, list())
	})
	ok(t)(a.admin.RemoveUserFromGroup(ctx, &awsiam.RemoveUserFromGroupInput{GroupName: group, UserName: name}))
	denied(t, list(), sentence)
	if out, err := a.admin.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: group}); err != nil || len(out.Users) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestARenamedUserStaysTheSame(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := a.user(t, "mike", allow("iam:GetUser,iam:ListAccessKeys,iam:UpdateUser"))
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String("g")}))
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: aws.String("g"), UserName: aws.String("mike")}))
	before, err := client.GetUser(ctx, &awsiam.GetUserInput{})
	if err != nil {
		t.Fatal(err)
	}
	role := a.role(t, "trusting", strings.Replace(trustEC2, `"Service":"ec2.amazonaws.com"`, `"AWS":"`+arn("user/mike")+`"`, 1))
	old := "mike"
	for _, c := range []struct{ name, path, want string }{
		{"zoe", "", "user/zoe"}, {"anna", "/x/", "user/x/anna"}, {"Anna", "", "user/x/Anna"}, {"mike", "/", "user/mike"},
	} {
		in := &awsiam.UpdateUserInput{UserName: &old, NewUserName: &c.name}
		if c.path != "" {
			in.NewPath = &c.path
		}
		ok(t)(client.UpdateUser(ctx, in)) // with its own key, which stays good
		old = c.name
		got, err := client.GetUser(ctx, &awsiam.GetUserInput{})
		if err != nil {
			t.Fatalf("as %s: %v", c.name, err)
		}
		if *got.User.Arn != arn(c.want) || *got.User.UserId != *before.User.UserId {
			t.Errorf("%s, %s", *got.User.Arn, *got.User.UserId)
		}
		if keys, err := client.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{}); err != nil || len(keys.AccessKeyMetadata) != 1 {
			t.Errorf("%+v, %v", keys, err)
		}
		members, err := a.admin.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: aws.String("g")})
		if err != nil || len(members.Users) != 1 || *members.Users[0].UserName != c.name {
			t.Errorf("%+v, %v", members, err)
		}
		trust, err := a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("trusting")})
		if err != nil || !strings.Contains(*trust.Role.AssumeRolePolicyDocument, strings.NewReplacer(":", "%3A", "/", "%2F").Replace(arn(c.want))) {
			t.Errorf("%s: %v, %v", role, aws.ToString(trust.Role.AssumeRolePolicyDocument), err)
		}
	}
	a.user(t, "taken", "")
	_, err = a.admin.UpdateUser(ctx, &awsiam.UpdateUserInput{UserName: aws.String("mike"), NewUserName: aws.String("TAKEN")})
	refused(t, err, "EntityAlreadyExists", "User with name TAKEN already exists.")
}

// A user is renamed by whoever may change what it was and what it becomes.
func TestRenamingNeedsBothNames(t *testing.T) {
	a, ctx := open(t), t.Context()
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String("bobs")}))
	a.user(t, "bob", "")
	client := a.user(t, "clerk", allow("iam:UpdateUser,iam:UpdateGroup", `"Resource":["`+arn("user/bob")+`","`+arn("group/bobs")+`"]`))
	_, err := client.UpdateUser(ctx, &awsiam.UpdateUserInput{UserName: aws.String("bob"), NewUserName: aws.String("robert")})
	denied(t, err, "iam:UpdateUser on resource: "+arn("user/robert"))
	_, err = client.UpdateUser(ctx, &awsiam.UpdateUserInput{UserName: aws.String("bob"), NewPath: aws.String("/boss/")})
	denied(t, err, "iam:UpdateUser on resource: "+arn("user/boss/bob"))
	_, err = client.UpdateGroup(ctx, &awsiam.UpdateGroupInput{GroupName: aws.String("bobs"), NewGroupName: aws.String("admins")})
	denied(t, err, "iam:UpdateGroup on resource: "+arn("group/admins"))
}

func TestRefusalsAboutGroups(t *testing.T) {
	a, ctx := open(t), t.Context()
	g, u, none, p := aws.String("g"), aws.String("u"), aws.String("none"), aws.String("p")
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: g}))
	a.user(t, "u", "")
	ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: g, PolicyName: p, PolicyDocument: aws.String(allow("s3:*"))}))
	linked := "arn:aws:iam::aws:policy/aws-service-role/AmazonEKSServiceRolePolicy"
	for name, c := range map[string]struct {
		call       func() (any, error)
		code, text string
	}{
		"made twice": {func() (any, error) {
			return a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String("G")})
		},
			"EntityAlreadyExists", "Group with name G already exists."},
		"no such group": {func() (any, error) { return a.admin.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: none}) },
			"NoSuchEntity", "The group with name none cannot be found."},
		"other case": {func() (any, error) { return a.admin.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: aws.String("G")}) },
			"NoSuchEntity", "The group with name G cannot be found."},
		"member of none": {func() (any, error) {
			return a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: none, UserName: u})
		}, "NoSuchEntity", "The group with name none cannot be found."},
		"none as member": {func() (any, error) {
			return a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: g, UserName: none})
		}, "NoSuchEntity", "The user with name none cannot be found."},
		"renamed to none": {func() (any, error) {
			return a.admin.UpdateGroup(ctx, &awsiam.UpdateGroupInput{GroupName: none, NewGroupName: g})
		}, "NoSuchEntity", "The group with name none cannot be found."},
		"unknown before malformed": {func() (any, error) {
			return a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: none, PolicyName: p, PolicyDocument: aws.String("{")})
		}, "NoSuchEntity", "The group with name none cannot be found."},
		"malformed": {func() (any, error) {
			return a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: g, PolicyName: p, PolicyDocument: aws.String("{")})
		}, "MalformedPolicyDocument", "Syntax errors in policy."},
		"too much": {func() (any, error) {
			return a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: g, PolicyName: aws.String("q"), PolicyDocument: aws.String(allow("s3:" + strings.Repeat("x", 5000)))})
		}, "LimitExceeded", "Maximum policy size of 5120 bytes exceeded for group g"},
		"no such policy": {func() (any, error) {
			return a.admin.GetGroupPolicy(ctx, &awsiam.GetGroupPolicyInput{GroupName: g, PolicyName: none})
		}, "NoSuchEntity", "The group policy with name none cannot be found."},
		"attached none": {func() (any, error) {
			return a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: g, PolicyArn: aws.String(arn("policy/none"))})
		}, "NoSuchEntity", "Policy " + arn("policy/none") + " does not exist or is not attachable."},
		"attached a service role's": {func() (any, error) {
			return a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: g, PolicyArn: &linked})
		}, "PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Group."},
		"detached none": {func() (any, error) {
			return a.admin.DetachGroupPolicy(ctx, &awsiam.DetachGroupPolicyInput{GroupName: g, PolicyArn: aws.String(arn("policy/none"))})
		}, "NoSuchEntity", "Policy " + arn("policy/none") + " was not found."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.call()
			refused(t, err, c.code, c.text)
		})
	}
	document, err := a.admin.GetGroupPolicy(ctx, &awsiam.GetGroupPolicyInput{GroupName: g, PolicyName: p})
	if err != nil || !strings.Contains(*document.PolicyDocument, "s3%3A%2A") {
		t.Errorf("after the refusals: %+v, %v", document, err)
	}
}

func TestQuotasOfMembership(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "u", "")
	for _, name := range strings.Split("a b c d e f g h i j k", " ") {
		ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: &name}))
		_, err := a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: &name, UserName: aws.String("u")})
		if name == "k" {
			refused(t, err, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
		} else if err != nil {
			t.Fatal(err)
		}
		arn := a.policy(t, name, allow("s3:*"))
		_, err = a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: aws.String("a"), PolicyArn: arn})
		if name == "k" {
			refused(t, err, "LimitExceeded", "Cannot exceed quota for PoliciesPerGroup: 10")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	out, err := a.admin.ListEntitiesForPolicy(ctx, &awsiam.ListEntitiesForPolicyInput{PolicyArn: aws.String(arn("policy/k"))})
	if err != nil || len(out.PolicyGroups) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	p, err := a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String(arn("policy/k"))})
	if err != nil || *p.Policy.AttachmentCount != 0 || p.Policy.Description != nil {
		t.Errorf("%+v, %v", p, err)
	}
}
