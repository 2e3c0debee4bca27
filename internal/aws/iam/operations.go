package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// The operations, each with the resources that policies are matched against, and
// those that have condition keys of their own with these: see service.go. Both are
// from the service authorization reference,
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html

func (i *IAM) addRoleOperations(s *api.Service) {
	creating(i, s, "Role", i.CreateRole, func(_ context.Context, in *iam.CreateRoleInput) []string { return i.made("role", in.Path, in.RoleName) },
		func(in *iam.CreateRoleInput) (*string, []types.Tag) { return in.PermissionsBoundary, in.Tags })
	guarded(i, s, "GetRole", i.GetRole, func(_ context.Context, in *iam.GetRoleInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.GetRoleInput) map[string][]string { return i.ofRole(in.RoleName) })
	api.Add(s, "ListRoles", i.ListRoles, func(_ context.Context, in *iam.ListRolesInput) []string { return i.under("role", in.PathPrefix) })
	guarded(i, s, "UpdateRole", i.UpdateRole, func(_ context.Context, in *iam.UpdateRoleInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.UpdateRoleInput) map[string][]string { return i.ofRole(in.RoleName) })
	guarded(i, s, "DeleteRole", i.DeleteRole, func(_ context.Context, in *iam.DeleteRoleInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.DeleteRoleInput) map[string][]string { return i.ofRole(in.RoleName) })
	guarded(i, s, "TagRole", i.TagRole, func(_ context.Context, in *iam.TagRoleInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.TagRoleInput) map[string][]string { return tagKeysOf(in.Tags) })
	guarded(i, s, "UntagRole", i.UntagRole, func(_ context.Context, in *iam.UntagRoleInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.UntagRoleInput) map[string][]string { return untagKeysOf(in.TagKeys) })
	api.Add(s, "ListRoleTags", i.ListRoleTags, func(_ context.Context, in *iam.ListRoleTagsInput) []string { return i.roleOf(in.RoleName) })
	guarded(i, s, "PutRolePermissionsBoundary", i.PutRolePermissionsBoundary, func(_ context.Context, in *iam.PutRolePermissionsBoundaryInput) []string {
		return i.roleOf(in.RoleName)
	},
		func(in *iam.PutRolePermissionsBoundaryInput) map[string][]string {
			return keysOf(in.PermissionsBoundary, nil)
		})
	guarded(i, s, "DeleteRolePermissionsBoundary", i.DeleteRolePermissionsBoundary, func(_ context.Context, in *iam.DeleteRolePermissionsBoundaryInput) []string {
		return i.roleOf(in.RoleName)
	},
		func(in *iam.DeleteRolePermissionsBoundaryInput) map[string][]string { return i.ofRole(in.RoleName) })
	guarded(i, s, "AttachRolePolicy", i.AttachRolePolicy, func(_ context.Context, in *iam.AttachRolePolicyInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.AttachRolePolicyInput) map[string][]string {
			return withPolicy(i.ofRole(in.RoleName), in.PolicyArn)
		})
	guarded(i, s, "DetachRolePolicy", i.DetachRolePolicy, func(_ context.Context, in *iam.DetachRolePolicyInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.DetachRolePolicyInput) map[string][]string {
			return withPolicy(i.ofRole(in.RoleName), in.PolicyArn)
		})
	api.Add(s, "ListAttachedRolePolicies", i.ListAttachedRolePolicies, func(_ context.Context, in *iam.ListAttachedRolePoliciesInput) []string { return i.roleOf(in.RoleName) })
	guarded(i, s, "PutRolePolicy", i.PutRolePolicy, func(_ context.Context, in *iam.PutRolePolicyInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.PutRolePolicyInput) map[string][]string { return i.ofRole(in.RoleName) })
	api.Add(s, "GetRolePolicy", i.GetRolePolicy, func(_ context.Context, in *iam.GetRolePolicyInput) []string { return i.roleOf(in.RoleName) })
	guarded(i, s, "DeleteRolePolicy", i.DeleteRolePolicy, func(_ context.Context, in *iam.DeleteRolePolicyInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.DeleteRolePolicyInput) map[string][]string { return i.ofRole(in.RoleName) })
	api.Add(s, "ListRolePolicies", i.ListRolePolicies, func(_ context.Context, in *iam.ListRolePoliciesInput) []string { return i.roleOf(in.RoleName) })
	guarded(i, s, "UpdateRoleDescription", i.UpdateRoleDescription, func(_ context.Context, in *iam.UpdateRoleDescriptionInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.UpdateRoleDescriptionInput) map[string][]string { return i.ofRole(in.RoleName) })
	guarded(i, s, "UpdateAssumeRolePolicy", i.UpdateAssumeRolePolicy, func(_ context.Context, in *iam.UpdateAssumeRolePolicyInput) []string { return i.roleOf(in.RoleName) },
		func(in *iam.UpdateAssumeRolePolicyInput) map[string][]string { return i.ofRole(in.RoleName) })
	guarded(i, s, "CreateServiceLinkedRole", i.CreateServiceLinkedRole, func(_ context.Context, in *iam.CreateServiceLinkedRoleInput) []string {
		return []string{i.linkedARN(value(in.AWSServiceName), in.CustomSuffix)}
	},
		func(in *iam.CreateServiceLinkedRoleInput) map[string][]string {
			return map[string][]string{"iam:AWSServiceName": {value(in.AWSServiceName)}}
		})
	api.Add(s, "DeleteServiceLinkedRole", i.DeleteServiceLinkedRole, func(_ context.Context, in *iam.DeleteServiceLinkedRoleInput) []string { return i.roleOf(in.RoleName) })
	api.Add(s, "GetServiceLinkedRoleDeletionStatus", i.GetServiceLinkedRoleDeletionStatus, func(_ context.Context, in *iam.GetServiceLinkedRoleDeletionStatusInput) []string {
		return i.deletedRole(in.DeletionTaskId)
	})
}

func (i *IAM) addUserOperations(s *api.Service) {
	creating(i, s, "User", i.CreateUser, func(_ context.Context, in *iam.CreateUserInput) []string { return i.made("user", in.Path, in.UserName) },
		func(in *iam.CreateUserInput) (*string, []types.Tag) { return in.PermissionsBoundary, in.Tags })
	api.Add(s, "GetUser", i.GetUser, func(ctx context.Context, in *iam.GetUserInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListUsers", i.ListUsers, func(_ context.Context, in *iam.ListUsersInput) []string { return i.under("user", in.PathPrefix) })
	api.Add(s, "UpdateUser", i.UpdateUser, i.renamedUser)
	api.Add(s, "DeleteUser", i.DeleteUser, func(ctx context.Context, in *iam.DeleteUserInput) []string { return i.userOf(ctx, in.UserName) })
	guarded(i, s, "TagUser", i.TagUser, func(ctx context.Context, in *iam.TagUserInput) []string { return i.userOf(ctx, in.UserName) },
		func(in *iam.TagUserInput) map[string][]string { return tagKeysOf(in.Tags) })
	guarded(i, s, "UntagUser", i.UntagUser, func(ctx context.Context, in *iam.UntagUserInput) []string { return i.userOf(ctx, in.UserName) },
		func(in *iam.UntagUserInput) map[string][]string { return untagKeysOf(in.TagKeys) })
	api.Add(s, "ListUserTags", i.ListUserTags, func(ctx context.Context, in *iam.ListUserTagsInput) []string { return i.userOf(ctx, in.UserName) })
	guarded(i, s, "PutUserPermissionsBoundary", i.PutUserPermissionsBoundary, func(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) []string {
		return i.userOf(ctx, in.UserName)
	},
		func(in *iam.PutUserPermissionsBoundaryInput) map[string][]string {
			return keysOf(in.PermissionsBoundary, nil)
		})
	guarded(i, s, "DeleteUserPermissionsBoundary", i.DeleteUserPermissionsBoundary, func(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) []string {
		return i.userOf(ctx, in.UserName)
	},
		func(in *iam.DeleteUserPermissionsBoundaryInput) map[string][]string { return i.ofUser(in.UserName) })
	guarded(i, s, "AttachUserPolicy", i.AttachUserPolicy, func(ctx context.Context, in *iam.AttachUserPolicyInput) []string { return i.userOf(ctx, in.UserName) },
		func(in *iam.AttachUserPolicyInput) map[string][]string {
			return withPolicy(i.ofUser(in.UserName), in.PolicyArn)
		})
	guarded(i, s, "DetachUserPolicy", i.DetachUserPolicy, func(ctx context.Context, in *iam.DetachUserPolicyInput) []string { return i.userOf(ctx, in.UserName) },
		func(in *iam.DetachUserPolicyInput) map[string][]string {
			return withPolicy(i.ofUser(in.UserName), in.PolicyArn)
		})
	api.Add(s, "ListAttachedUserPolicies", i.ListAttachedUserPolicies, func(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) []string {
		return i.userOf(ctx, in.UserName)
	})
	guarded(i, s, "PutUserPolicy", i.PutUserPolicy, func(ctx context.Context, in *iam.PutUserPolicyInput) []string { return i.userOf(ctx, in.UserName) },
		func(in *iam.PutUserPolicyInput) map[string][]string { return i.ofUser(in.UserName) })
	api.Add(s, "GetUserPolicy", i.GetUserPolicy, func(ctx context.Context, in *iam.GetUserPolicyInput) []string { return i.userOf(ctx, in.UserName) })
	guarded(i, s, "DeleteUserPolicy", i.DeleteUserPolicy, func(ctx context.Context, in *iam.DeleteUserPolicyInput) []string { return i.userOf(ctx, in.UserName) },
		func(in *iam.DeleteUserPolicyInput) map[string][]string { return i.ofUser(in.UserName) })
	api.Add(s, "ListUserPolicies", i.ListUserPolicies, func(ctx context.Context, in *iam.ListUserPoliciesInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "CreateAccessKey", i.CreateAccessKey, func(ctx context.Context, in *iam.CreateAccessKeyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListAccessKeys", i.ListAccessKeys, func(ctx context.Context, in *iam.ListAccessKeysInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "UpdateAccessKey", i.UpdateAccessKey, func(ctx context.Context, in *iam.UpdateAccessKeyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "DeleteAccessKey", i.DeleteAccessKey, func(ctx context.Context, in *iam.DeleteAccessKeyInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "GetAccessKeyLastUsed", i.GetAccessKeyLastUsed, func(ctx context.Context, in *iam.GetAccessKeyLastUsedInput) []string {
		return i.keyOwnerOf(ctx, in.AccessKeyId)
	})
}

func (i *IAM) addGroupOperations(s *api.Service) {
	api.Add(s, "CreateGroup", i.CreateGroup, func(_ context.Context, in *iam.CreateGroupInput) []string {
		return i.made("group", in.Path, in.GroupName)
	})
	api.Add(s, "GetGroup", i.GetGroup, func(_ context.Context, in *iam.GetGroupInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "ListGroups", i.ListGroups, func(_ context.Context, in *iam.ListGroupsInput) []string { return i.under("group", in.PathPrefix) })
	api.Add(s, "UpdateGroup", i.UpdateGroup, i.renamedGroup)
	api.Add(s, "DeleteGroup", i.DeleteGroup, func(_ context.Context, in *iam.DeleteGroupInput) []string { return i.groupOf(in.GroupName) })
	guarded(i, s, "AttachGroupPolicy", i.AttachGroupPolicy, func(_ context.Context, in *iam.AttachGroupPolicyInput) []string { return i.groupOf(in.GroupName) },
		func(in *iam.AttachGroupPolicyInput) map[string][]string { return policyKey(in.PolicyArn) })
	guarded(i, s, "DetachGroupPolicy", i.DetachGroupPolicy, func(_ context.Context, in *iam.DetachGroupPolicyInput) []string { return i.groupOf(in.GroupName) },
		func(in *iam.DetachGroupPolicyInput) map[string][]string { return policyKey(in.PolicyArn) })
	api.Add(s, "ListAttachedGroupPolicies", i.ListAttachedGroupPolicies, func(_ context.Context, in *iam.ListAttachedGroupPoliciesInput) []string {
		return i.groupOf(in.GroupName)
	})
	api.Add(s, "PutGroupPolicy", i.PutGroupPolicy, func(_ context.Context, in *iam.PutGroupPolicyInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "GetGroupPolicy", i.GetGroupPolicy, func(_ context.Context, in *iam.GetGroupPolicyInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "DeleteGroupPolicy", i.DeleteGroupPolicy, func(_ context.Context, in *iam.DeleteGroupPolicyInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "ListGroupPolicies", i.ListGroupPolicies, func(_ context.Context, in *iam.ListGroupPoliciesInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "AddUserToGroup", i.AddUserToGroup, func(_ context.Context, in *iam.AddUserToGroupInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "RemoveUserFromGroup", i.RemoveUserFromGroup, func(_ context.Context, in *iam.RemoveUserFromGroupInput) []string { return i.groupOf(in.GroupName) })
	api.Add(s, "ListGroupsForUser", i.ListGroupsForUser, func(ctx context.Context, in *iam.ListGroupsForUserInput) []string { return i.userOf(ctx, in.UserName) })
}

func (i *IAM) addPolicyOperations(s *api.Service) {
	creating(i, s, "Policy", i.CreatePolicy, func(_ context.Context, in *iam.CreatePolicyInput) []string {
		return i.made("policy", in.Path, in.PolicyName)
	},
		func(in *iam.CreatePolicyInput) (*string, []types.Tag) { return nil, in.Tags })
	api.Add(s, "GetPolicy", i.GetPolicy, func(_ context.Context, in *iam.GetPolicyInput) []string { return given(in.PolicyArn) })
	api.Add(s, "DeletePolicy", i.DeletePolicy, func(_ context.Context, in *iam.DeletePolicyInput) []string { return given(in.PolicyArn) })
	api.Add(s, "CreatePolicyVersion", i.CreatePolicyVersion, func(_ context.Context, in *iam.CreatePolicyVersionInput) []string { return given(in.PolicyArn) })
	api.Add(s, "GetPolicyVersion", i.GetPolicyVersion, func(_ context.Context, in *iam.GetPolicyVersionInput) []string { return given(in.PolicyArn) })
	api.Add(s, "ListPolicyVersions", i.ListPolicyVersions, func(_ context.Context, in *iam.ListPolicyVersionsInput) []string { return given(in.PolicyArn) })
	api.Add(s, "SetDefaultPolicyVersion", i.SetDefaultPolicyVersion, func(_ context.Context, in *iam.SetDefaultPolicyVersionInput) []string { return given(in.PolicyArn) })
	api.Add(s, "DeletePolicyVersion", i.DeletePolicyVersion, func(_ context.Context, in *iam.DeletePolicyVersionInput) []string { return given(in.PolicyArn) })
	api.Add(s, "ListEntitiesForPolicy", i.ListEntitiesForPolicy, func(_ context.Context, in *iam.ListEntitiesForPolicyInput) []string { return given(in.PolicyArn) })
	api.Add(s, "ListPolicyTags", i.ListPolicyTags, func(_ context.Context, in *iam.ListPolicyTagsInput) []string { return given(in.PolicyArn) })
	guarded(i, s, "TagPolicy", i.TagPolicy, func(_ context.Context, in *iam.TagPolicyInput) []string { return given(in.PolicyArn) },
		func(in *iam.TagPolicyInput) map[string][]string { return tagKeysOf(in.Tags) })
	guarded(i, s, "UntagPolicy", i.UntagPolicy, func(_ context.Context, in *iam.UntagPolicyInput) []string { return given(in.PolicyArn) },
		func(in *iam.UntagPolicyInput) map[string][]string { return untagKeysOf(in.TagKeys) })
	api.Add(s, "ListPolicies", i.ListPolicies, func(_ context.Context, in *iam.ListPoliciesInput) []string { return i.under("policy", in.PathPrefix) })
}

func (i *IAM) addProfileOperations(s *api.Service) {
	creating(i, s, "InstanceProfile", i.CreateInstanceProfile, func(_ context.Context, in *iam.CreateInstanceProfileInput) []string {
		return i.made("instance-profile", in.Path, in.InstanceProfileName)
	},
		func(in *iam.CreateInstanceProfileInput) (*string, []types.Tag) { return nil, in.Tags })
	api.Add(s, "GetInstanceProfile", i.GetInstanceProfile, func(_ context.Context, in *iam.GetInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "DeleteInstanceProfile", i.DeleteInstanceProfile, func(_ context.Context, in *iam.DeleteInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "AddRoleToInstanceProfile", i.AddRoleToInstanceProfile, func(_ context.Context, in *iam.AddRoleToInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "RemoveRoleFromInstanceProfile", i.RemoveRoleFromInstanceProfile, func(_ context.Context, in *iam.RemoveRoleFromInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	api.Add(s, "ListInstanceProfileTags", i.ListInstanceProfileTags, func(_ context.Context, in *iam.ListInstanceProfileTagsInput) []string {
		return i.profileOf(in.InstanceProfileName)
	})
	guarded(i, s, "TagInstanceProfile", i.TagInstanceProfile, func(_ context.Context, in *iam.TagInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	},
		func(in *iam.TagInstanceProfileInput) map[string][]string { return tagKeysOf(in.Tags) })
	guarded(i, s, "UntagInstanceProfile", i.UntagInstanceProfile, func(_ context.Context, in *iam.UntagInstanceProfileInput) []string {
		return i.profileOf(in.InstanceProfileName)
	},
		func(in *iam.UntagInstanceProfileInput) map[string][]string { return untagKeysOf(in.TagKeys) })
	api.Add(s, "ListInstanceProfiles", i.ListInstanceProfiles, func(_ context.Context, in *iam.ListInstanceProfilesInput) []string {
		return i.under("instance-profile", in.PathPrefix)
	})
	api.Add(s, "ListInstanceProfilesForRole", i.ListInstanceProfilesForRole, func(_ context.Context, in *iam.ListInstanceProfilesForRoleInput) []string {
		return i.roleOf(in.RoleName)
	})
}

func (i *IAM) addSimulationOperations(s *api.Service) {
	api.Add(s, "SimulateCustomPolicy", i.SimulateCustomPolicy, nil)
	api.Add(s, "SimulatePrincipalPolicy", i.SimulatePrincipalPolicy, func(_ context.Context, in *iam.SimulatePrincipalPolicyInput) []string {
		return given(in.PolicySourceArn)
	})
	api.Add(s, "GetContextKeysForCustomPolicy", i.GetContextKeysForCustomPolicy, nil)
	api.Add(s, "GetContextKeysForPrincipalPolicy", i.GetContextKeysForPrincipalPolicy, func(_ context.Context, in *iam.GetContextKeysForPrincipalPolicyInput) []string {
		return given(in.PolicySourceArn)
	})
}

func (i *IAM) addAccountOperations(s *api.Service) {
	api.Add(s, "ListPoliciesGrantingServiceAccess", i.ListPoliciesGrantingServiceAccess, func(_ context.Context, in *iam.ListPoliciesGrantingServiceAccessInput) []string {
		return given(in.Arn)
	})
	api.Add(s, "CreateAccountAlias", i.CreateAccountAlias, nil)
	api.Add(s, "DeleteAccountAlias", i.DeleteAccountAlias, nil)
	api.Add(s, "ListAccountAliases", i.ListAccountAliases, nil)
	api.Add(s, "GetAccountSummary", i.GetAccountSummary, nil)
	api.Add(s, "GetAccountAuthorizationDetails", i.GetAccountAuthorizationDetails, nil)
	api.Add(s, "GenerateCredentialReport", i.GenerateCredentialReport, nil)
	api.Add(s, "GetCredentialReport", i.GetCredentialReport, nil)
}
