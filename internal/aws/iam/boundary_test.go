package iam_test

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
)

const trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + number + `"},"Action":"sts:AssumeRole"}]}`

// assume makes a session of a role with the credentials of cfg.
func (a *account) assume(t *testing.T, cfg aws.Config, role string) aws.Config {
	t.Helper()
	out, err := awssts.NewFromConfig(cfg).AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
	if err != nil {
		t.Fatal(err)
	}
	return a.Config(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
}

// The four corners of identity policy and boundary, for a user and for a role.
func TestABoundaryLimits(t *testing.T) {
	a, ctx := open(t), t.Context()
	bound := a.policy(t, "bound", allow("iam:ListUsers,iam:ListGroups"))
	ok(t)(a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("u"), PermissionsBoundary: bound}))
	ok(t)(a.admin.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustAccount), PermissionsBoundary: bound}))
	identity := aws.String(allow("iam:ListUsers,iam:ListRoles"))
	ok(t)(a.admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: aws.String("u"), PolicyName: aws.String("p"), PolicyDocument: identity}))
	ok(t)(a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p"), PolicyDocument: identity}))

	for name, who := range map[string]struct {
		client *awsiam.Client
		arn    string
	}{
		"user": {awsiam.NewFromConfig(a.Keys(t, "u")), arn("user/u")},
		"role": {awsiam.NewFromConfig(a.assume(t, a.root, arn("role/r"))), "arn:aws:sts::" + number + ":assumed-role/r/me"},
	} {
		t.Run(name, func(t *testing.T) {
			ok(t)(who.client.ListUsers(ctx, nil)) // both
			_, err := who.client.ListRoles(ctx, nil)
			denied(t, err, "User: "+who.arn+" is not authorized to perform: iam:ListRoles on resource: "+arn("role/")+
				" because no permissions boundary allows the iam:ListRoles action")
			_, err = who.client.ListGroups(ctx, nil) // the boundary alone grants nothing
			denied(t, err, "because no identity-based policy allows the iam:ListGroups action")
			_, err = who.client.ListPolicies(ctx, nil)
			denied(t, err, "on resource: policy path / because no identity-based policy allows the iam:ListPolicies action")
		})
	}
}

func TestABoundaryIsChanged(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := a.user(t, "u", allow("iam:*"))
	list := func() error { _, err := client.ListUsers(ctx, nil); return err }
	bound := a.policy(t, "bound", allow("s3:*"))
	name := aws.String("u")
	uses := func(arn *string) int32 {
		t.Helper()
		p, err := a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		return *p.Policy.PermissionsBoundaryUsageCount
	}

	ok(t)(nil, list())
	for range 2 { // the second time changes nothing
		ok(t)(a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: bound}))
	}
	if n := uses(bound); n != 1 {
		t.Errorf("%d uses", n)
	}
	denied(t, list(), "because no permissions boundary allows the iam:ListUsers action")
	u, err := a.admin.GetUser(ctx, &awsiam.GetUserInput{UserName: name})
	if err != nil || *u.User.PermissionsBoundary.PermissionsBoundaryArn != *bound || u.User.PermissionsBoundary.PermissionsBoundaryType != "PermissionsBoundaryPolicy" {
		t.Errorf("%+v, %v", u.User.PermissionsBoundary, err)
	}
	// What a boundary says is its default version.
	ok(t)(a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: bound, PolicyDocument: aws.String(allow("iam:*")), SetAsDefault: true}))
	ok(t)(nil, list())
	ok(t)(a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: bound, PolicyDocument: aws.String(deny("iam:*")), SetAsDefault: true}))
	denied(t, list(), "with an explicit deny in a permissions boundary: "+*bound)

	_, err = a.admin.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: bound})
	refused(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	readOnly := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	ok(t)(a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: readOnly}))
	if uses(bound) != 0 || uses(readOnly) != 1 {
		t.Errorf("uses %d, %d", uses(bound), uses(readOnly))
	}
	ok(t)(nil, list())
	ok(t)(a.admin.DeleteUserPermissionsBoundary(ctx, &awsiam.DeleteUserPermissionsBoundaryInput{UserName: name}))
	if uses(readOnly) != 0 {
		t.Errorf("%d uses", uses(readOnly))
	}
	_, err = a.admin.DeleteUserPermissionsBoundary(ctx, &awsiam.DeleteUserPermissionsBoundaryInput{UserName: name})
	refused(t, err, "NoSuchEntity", "The user with name u does not have a permissions boundary.")

	// An entity that goes gives its boundary back.
	role := aws.String("r")
	ok(t)(a.admin.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(trustAccount)}))
	ok(t)(a.admin.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: role, PermissionsBoundary: bound}))
	r, err := a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: role})
	if err != nil || *r.Role.PermissionsBoundary.PermissionsBoundaryArn != *bound || uses(bound) != 1 {
		t.Errorf("%+v, %v, %d uses", r.Role.PermissionsBoundary, err, uses(bound))
	}
	ok(t)(a.admin.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: role}))
	if uses(bound) != 0 {
		t.Errorf("%d uses", uses(bound))
	}
}

func TestRefusalsAboutBoundaries(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "u", "")
	none, p := arn("policy/none"), a.policy(t, "p", allow("s3:*"))
	linked := "arn:aws:iam::aws:policy/aws-service-role/AmazonEKSServiceRolePolicy"
	for name, c := range map[string]struct {
		call       func() (any, error)
		code, text string
	}{
		"unknown user": {func() (any, error) {
			return a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: aws.String("none"), PermissionsBoundary: &none})
		}, "NoSuchEntity", "The user with name none cannot be found."},
		"unknown policy": {func() (any, error) {
			return a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: aws.String("u"), PermissionsBoundary: &none})
		}, "NoSuchEntity", "Scope ARN: " + none + " does not exist or is not attachable."},
		"a linked role's": {func() (any, error) {
			return a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: aws.String("u"), PermissionsBoundary: &linked})
		}, "NoSuchEntity", "Scope ARN: " + linked + " does not exist or is not attachable."},
		"a new role's": {func() (any, error) {
			return a.admin.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustAccount), PermissionsBoundary: &none})
		}, "NoSuchEntity", "Scope ARN: " + none},
		"no ARN": {func() (any, error) {
			return a.admin.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: aws.String("none"), PermissionsBoundary: aws.String("p")})
		}, "ValidationError", "Value at 'permissionsBoundary' failed to satisfy constraint: Member must have length greater than or equal to 20"},
		"none to remove": {func() (any, error) {
			return a.admin.DeleteRolePermissionsBoundary(ctx, &awsiam.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("none")})
		}, "NoSuchEntity", "The role with name none cannot be found."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.call()
			refused(t, err, c.code, c.text)
		})
	}
	if _, err := a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("r")}); err == nil {
		t.Error("the role with an unknown boundary was made")
	}
	ok(t)(a.admin.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p}))
}

// Someone may be let manage the bounded alone, and make none but bounded ones.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func TestDelegationByBoundary(t *testing.T) {
	a, ctx := open(t), t.Context()
	bound := a.policy(t, "bound", allow("s3:*"))
	only := `"Condition":{"StringEquals":{"iam:PermissionsBoundary":"` + *bound + `"}}`
	zhang := a.user(t, "zhang", allow("iam:CreateUser,iam:DeleteUserPolicy,iam:AttachUserPolicy,iam:PutUserPermissionsBoundary,iam:PutUserPolicy,iam:CreateRole,iam:PutRolePolicy,iam:UpdateAssumeRolePolicy,iam:DeleteRole", `"Resource":"*"`, only))
	a.user(t, "free", "")
	a.role(t, "free", trustAccount)
	free, mine, p, document := aws.String("free"), aws.String("mine"), aws.String("p"), aws.String(allow("s3:*"))
	readOnly := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")

	_, err := zhang.CreateUser(ctx, &awsiam.CreateUserInput{UserName: mine})
	denied(t, err, "iam:CreateUser on resource: "+arn("user/mine"))
	_, err = zhang.CreateUser(ctx, &awsiam.CreateUserInput{UserName: mine, PermissionsBoundary: readOnly})
	denied(t, err, "iam:CreateUser")
	ok(t)(zhang.CreateUser(ctx, &awsiam.CreateUserInput{UserName: mine, PermissionsBoundary: bound}))
	ok(t)(zhang.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: mine, PolicyName: p, PolicyDocument: document}))
	ok(t)(zhang.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: mine, PolicyArn: readOnly}))
	ok(t)(zhang.DeleteUserPolicy(ctx, &awsiam.DeleteUserPolicyInput{UserName: mine, PolicyName: p}))
	ok(t)(zhang.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: mine, AssumeRolePolicyDocument: aws.String(trustAccount), PermissionsBoundary: bound}))
	ok(t)(zhang.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: mine, PolicyName: p, PolicyDocument: document}))
	ok(t)(zhang.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: mine, PolicyDocument: aws.String(trustEC2)}))

	_, err = zhang.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: free, PolicyName: p, PolicyDocument: document})
	denied(t, err, "iam:PutUserPolicy on resource: "+arn("user/free"))
	_, err = zhang.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: free, PolicyArn: readOnly})
	denied(t, err, "iam:AttachUserPolicy")
	_, err = zhang.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: mine, PermissionsBoundary: readOnly})
	denied(t, err, "iam:PutUserPermissionsBoundary")
	_, err = zhang.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: free, PolicyName: p, PolicyDocument: document})
	denied(t, err, "iam:PutRolePolicy on resource: "+arn("role/free"))
	_, err = zhang.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: free})
	denied(t, err, "iam:DeleteRole")
	_, err = zhang.DeleteUserPermissionsBoundary(ctx, &awsiam.DeleteUserPermissionsBoundaryInput{UserName: aws.String("zhang")})
	denied(t, err, "iam:DeleteUserPermissionsBoundary")
}

// Calls that touch one policy at once conflict in the store and are run again:
// each counts once.
func TestUsesAreCountedUnderConflict(t *testing.T) {
	a, ctx := open(t), t.Context()
	bound := a.policy(t, "bound", allow("s3:*"))
	const n = 24
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() {
			name := aws.String(string(rune('a' + k)))
			if _, err := a.iam.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trustEC2), PermissionsBoundary: bound}); err != nil {
				t.Error(err)
			}
			if _, err := a.iam.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: bound}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p, err := a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: bound})
	if err != nil || *p.Policy.PermissionsBoundaryUsageCount != n || *p.Policy.AttachmentCount != n {
		t.Errorf("%d boundaries, %d attachments, %v", *p.Policy.PermissionsBoundaryUsageCount, *p.Policy.AttachmentCount, err)
	}
}
