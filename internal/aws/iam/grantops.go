package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// The operations on the policies of users, roles and groups: all alike, see
// grants.go.

func (i *IAM) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
	return &iam.AttachUserPolicyOutput{}, i.userHolder().attach(ctx, "userName", in.UserName, in.PolicyArn)
}

func (i *IAM) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
	return &iam.DetachUserPolicyOutput{}, i.userHolder().detach(ctx, "userName", in.UserName, in.PolicyArn)
}

func (i *IAM) ListAttachedUserPolicies(_ context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
	p, err := i.userHolder().attached("userName", in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
	return &iam.PutUserPolicyOutput{}, i.userHolder().put(ctx, "userName", in.UserName, in.PolicyName, in.PolicyDocument)
}

func (i *IAM) GetUserPolicy(_ context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
	text, err := i.userHolder().inline("userName", in.UserName, in.PolicyName)
	return &iam.GetUserPolicyOutput{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

func (i *IAM) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
	return &iam.DeleteUserPolicyOutput{}, i.userHolder().drop(ctx, "userName", in.UserName, in.PolicyName)
}

func (i *IAM) ListUserPolicies(_ context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
	p, err := i.userHolder().inlineNames("userName", in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesOutput{PolicyNames: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
	return &iam.AttachRolePolicyOutput{}, i.roleHolder().attach(ctx, "roleName", in.RoleName, in.PolicyArn)
}

func (i *IAM) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
	return &iam.DetachRolePolicyOutput{}, i.roleHolder().detach(ctx, "roleName", in.RoleName, in.PolicyArn)
}

func (i *IAM) ListAttachedRolePolicies(_ context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	p, err := i.roleHolder().attached("roleName", in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
	return &iam.PutRolePolicyOutput{}, i.roleHolder().put(ctx, "roleName", in.RoleName, in.PolicyName, in.PolicyDocument)
}

func (i *IAM) GetRolePolicy(_ context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	text, err := i.roleHolder().inline("roleName", in.RoleName, in.PolicyName)
	return &iam.GetRolePolicyOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

func (i *IAM) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
	return &iam.DeleteRolePolicyOutput{}, i.roleHolder().drop(ctx, "roleName", in.RoleName, in.PolicyName)
}

func (i *IAM) ListRolePolicies(_ context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	p, err := i.roleHolder().inlineNames("roleName", in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesOutput{PolicyNames: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyInput) (*iam.AttachGroupPolicyOutput, error) {
	return &iam.AttachGroupPolicyOutput{}, i.groupHolder().attach(ctx, "groupName", in.GroupName, in.PolicyArn)
}

func (i *IAM) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyInput) (*iam.DetachGroupPolicyOutput, error) {
	return &iam.DetachGroupPolicyOutput{}, i.groupHolder().detach(ctx, "groupName", in.GroupName, in.PolicyArn)
}

func (i *IAM) ListAttachedGroupPolicies(_ context.Context, in *iam.ListAttachedGroupPoliciesInput) (*iam.ListAttachedGroupPoliciesOutput, error) {
	p, err := i.groupHolder().attached("groupName", in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedGroupPoliciesOutput{AttachedPolicies: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyInput) (*iam.PutGroupPolicyOutput, error) {
	return &iam.PutGroupPolicyOutput{}, i.groupHolder().put(ctx, "groupName", in.GroupName, in.PolicyName, in.PolicyDocument)
}

func (i *IAM) GetGroupPolicy(_ context.Context, in *iam.GetGroupPolicyInput) (*iam.GetGroupPolicyOutput, error) {
	text, err := i.groupHolder().inline("groupName", in.GroupName, in.PolicyName)
	return &iam.GetGroupPolicyOutput{GroupName: in.GroupName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

func (i *IAM) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyInput) (*iam.DeleteGroupPolicyOutput, error) {
	return &iam.DeleteGroupPolicyOutput{}, i.groupHolder().drop(ctx, "groupName", in.GroupName, in.PolicyName)
}

func (i *IAM) ListGroupPolicies(_ context.Context, in *iam.ListGroupPoliciesInput) (*iam.ListGroupPoliciesOutput, error) {
	p, err := i.groupHolder().inlineNames("groupName", in.GroupName, in.Marker, in.MaxItems)
	return &iam.ListGroupPoliciesOutput{PolicyNames: p.items, Marker: p.marker, IsTruncated: p.more}, err
}
