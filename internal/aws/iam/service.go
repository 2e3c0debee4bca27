package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
)

// Service lists the operations for the front door, each with the resources that
// policies are matched against. A resource that is there has its path.
func (i *IAM) Service() *api.Service {
	s := &api.Service{ID: "iam", Action: "iam"}
	i.addRoles(s)
	i.addUsers(s)
	i.addPolicies(s)
	i.addProfiles(s)
	return s
}

func (i *IAM) roleOf(name *string) []string {
	if r, ok := i.RoleByName(value(name)); ok {
		return []string{i.roleARN(&r)}
	}
	return []string{i.arn("role", "/", value(name))}
}

func (i *IAM) userOf(ctx context.Context, name *string) []string {
	if who := api.CallerFrom(ctx); name == nil && who.Type == api.User {
		return []string{who.PrincipalARN}
	}
	if u, ok := i.UserByName(value(name)); ok {
		return []string{i.userARN(&u)}
	}
	return []string{i.arn("user", "/", value(name))}
}

func (i *IAM) profileOf(name *string) []string {
	if p, ok := i.profiles.Get(key(value(name))); ok {
		return []string{i.profileARN(&p)}
	}
	return []string{i.arn("instance-profile", "/", value(name))}
}

func made(i *IAM, kind string, path, name *string) []string {
	p := value(path)
	if p == "" {
		p = "/"
	}
	return []string{i.arn(kind, p, value(name))}
}

func (i *IAM) addRoles(s *api.Service) {
	api.Add(s, "CreateRole", i.CreateRole, func(_ context.Context, in *iam.CreateRoleInput) []string {
		return made(i, "role", in.Path, in.RoleName)
	})
	api.Add(s, "GetRole", i.GetRole, func(_ context.Context, in *iam.GetRoleInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "ListRoles", i.ListRoles, nil)
	api.Add(s, "UpdateRole", i.UpdateRole, func(_ context.Context, in *iam.UpdateRoleInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "UpdateAssumeRolePolicy", i.UpdateAssumeRolePolicy, func(_ context.Context, in *iam.UpdateAssumeRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "DeleteRole", i.DeleteRole, func(_ context.Context, in *iam.DeleteRoleInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "TagRole", i.TagRole, func(_ context.Context, in *iam.TagRoleInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "UntagRole", i.UntagRole, func(_ context.Context, in *iam.UntagRoleInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "ListRoleTags", i.ListRoleTags, func(_ context.Context, in *iam.ListRoleTagsInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "AttachRolePolicy", i.AttachRolePolicy, func(_ context.Context, in *iam.AttachRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "DetachRolePolicy", i.DetachRolePolicy, func(_ context.Context, in *iam.DetachRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "ListAttachedRolePolicies", i.ListAttachedRolePolicies, func(_ context.Context, in *iam.ListAttachedRolePoliciesInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "PutRolePolicy", i.PutRolePolicy, func(_ context.Context, in *iam.PutRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "GetRolePolicy", i.GetRolePolicy, func(_ context.Context, in *iam.GetRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "DeleteRolePolicy", i.DeleteRolePolicy, func(_ context.Context, in *iam.DeleteRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "ListRolePolicies", i.ListRolePolicies, func(_ context.Context, in *iam.ListRolePoliciesInput) []string { return i.roleOf(in.RoleName) })
}

func (i *IAM) addUsers(s *api.Service) {
	api.Add(s, "CreateUser", i.CreateUser, func(_ context.Context, in *iam.CreateUserInput) []string {
		return made(i, "user", in.Path, in.UserName)
	})
	api.Add(s, "GetUser", i.GetUser, func(ctx context.Context, in *iam.GetUserInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListUsers", i.ListUsers, nil)
	api.Add(s, "DeleteUser", i.DeleteUser, func(ctx context.Context, in *iam.DeleteUserInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "TagUser", i.TagUser, func(ctx context.Context, in *iam.TagUserInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "UntagUser", i.UntagUser, func(ctx context.Context, in *iam.UntagUserInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListUserTags", i.ListUserTags, func(ctx context.Context, in *iam.ListUserTagsInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "CreateAccessKey", i.CreateAccessKey, func(ctx context.Context, in *iam.CreateAccessKeyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListAccessKeys", i.ListAccessKeys, func(ctx context.Context, in *iam.ListAccessKeysInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "UpdateAccessKey", i.UpdateAccessKey, func(ctx context.Context, in *iam.UpdateAccessKeyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "DeleteAccessKey", i.DeleteAccessKey, func(ctx context.Context, in *iam.DeleteAccessKeyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "AttachUserPolicy", i.AttachUserPolicy, func(ctx context.Context, in *iam.AttachUserPolicyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "DetachUserPolicy", i.DetachUserPolicy, func(ctx context.Context, in *iam.DetachUserPolicyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListAttachedUserPolicies", i.ListAttachedUserPolicies, func(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) []string {
		return i.userOf(ctx, in.UserName)
	})
	api.Add(s, "PutUserPolicy", i.PutUserPolicy, func(ctx context.Context, in *iam.PutUserPolicyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "GetUserPolicy", i.GetUserPolicy, func(ctx context.Context, in *iam.GetUserPolicyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "DeleteUserPolicy", i.DeleteUserPolicy, func(ctx context.Context, in *iam.DeleteUserPolicyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListUserPolicies", i.ListUserPolicies, func(ctx context.Context, in *iam.ListUserPoliciesInput) []string { return i.userOf(ctx, in.UserName) })
}

func (i *IAM) addPolicies(s *api.Service) {
	given := func(arn *string) []string { return []string{value(arn)} }
	api.Add(s, "CreatePolicy", i.CreatePolicy, func(_ context.Context, in *iam.CreatePolicyInput) []string {
		return made(i, "policy", in.Path, in.PolicyName)
	})
	api.Add(s, "GetPolicy", i.GetPolicy, func(_ context.Context, in *iam.GetPolicyInput) []string { return given(in.PolicyArn) })
	api.Add(s, "GetPolicyVersion", i.GetPolicyVersion, func(_ context.Context, in *iam.GetPolicyVersionInput) []string { return given(in.PolicyArn) })
	api.Add(s, "ListPolicyVersions", i.ListPolicyVersions, func(_ context.Context, in *iam.ListPolicyVersionsInput) []string { return given(in.PolicyArn) })
	api.Add(s, "ListPolicies", i.ListPolicies, nil)
	api.Add(s, "DeletePolicy", i.DeletePolicy, func(_ context.Context, in *iam.DeletePolicyInput) []string { return given(in.PolicyArn) })
}

func (i *IAM) addProfiles(s *api.Service) {
	api.Add(s, "CreateInstanceProfile", i.CreateInstanceProfile, func(_ context.Context, in *iam.CreateInstanceProfileInput) []string {
		return made(i, "instance-profile", in.Path, in.InstanceProfileName)
	})
	api.Add(s, "GetInstanceProfile", i.GetInstanceProfile, func(_ context.Context, in *iam.GetInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "ListInstanceProfiles", i.ListInstanceProfiles, nil)
	api.Add(s, "ListInstanceProfilesForRole", i.ListInstanceProfilesForRole, func(_ context.Context, in *iam.ListInstanceProfilesForRoleInput) []string {
		return i.roleOf(in.RoleName)
	})
	api.Add(s, "AddRoleToInstanceProfile", i.AddRoleToInstanceProfile, func(_ context.Context, in *iam.AddRoleToInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "RemoveRoleFromInstanceProfile", i.RemoveRoleFromInstanceProfile, func(_ context.Context, in *iam.RemoveRoleFromInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "DeleteInstanceProfile", i.DeleteInstanceProfile, func(_ context.Context, in *iam.DeleteInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
}
