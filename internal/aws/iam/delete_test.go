package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

// step is something to be undone before a deletion succeeds.
type step struct {
	text string // of the DeleteConflict while it stands
	undo func() (any, error)
}

// deletes checks that each step hinders the deletion, whichever is left, and that
// it succeeds without any.
func deletes(t *testing.T, del func() (any, error), steps ...step) {
	t.Helper()
	for _, s := range steps {
		_, err := del()
		refused(t, err, "DeleteConflict", s.text)
		ok(t)(s.undo())
	}
	ok(t)(del())
	_, err := del()
	refused(t, err, "NoSuchEntity", "")
}

func TestWhatHindersADeletion(t *testing.T) {
	a, ctx := open(t), t.Context()
	n, document := aws.String("n"), aws.String(allow("s3:*"))
	policy := a.policy(t, "n", allow("s3:*"))
	ok(t)(a.admin.CreateUser(ctx, &awsiam.CreateUserInput{UserName: n}))
	a.role(t, "n", trustEC2)
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: n}))
	ok(t)(a.admin.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: n}))
	ok(t)(a.admin.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: n, RoleName: n}))
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: n, UserName: n}))
	ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: n, PolicyArn: policy}))
	ok(t)(a.admin.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: n, PolicyArn: policy}))
	ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: n, PolicyArn: policy}))
	ok(t)(a.admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: n, PolicyName: n, PolicyDocument: document}))
	ok(t)(a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: n, PolicyName: n, PolicyDocument: document}))
	ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: n, PolicyName: n, PolicyDocument: document}))
	key, err := a.admin.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: n})
	if err != nil {
		t.Fatal(err)
	}

	del := func() (any, error) { return a.admin.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: policy}) }
	_, err = del()
	refused(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	_, err = a.admin.DeleteGroup(ctx, &awsiam.DeleteGroupInput{GroupName: n})
	refused(t, err, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	_, err = a.admin.DeleteInstanceProfile(ctx, &awsiam.DeleteInstanceProfileInput{InstanceProfileName: n})
	refused(t, err, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")

	deletes(t, func() (any, error) { return a.admin.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: n}) },
		step{"Cannot delete entity, must detach all policies first.", func() (any, error) {
			return a.admin.DetachUserPolicy(ctx, &awsiam.DetachUserPolicyInput{UserName: n, PolicyArn: policy})
		}},
		step{"Cannot delete entity, must delete policies first.", func() (any, error) {
			return a.admin.DeleteUserPolicy(ctx, &awsiam.DeleteUserPolicyInput{UserName: n, PolicyName: n})
		}},
		step{"Cannot delete entity, must delete access keys first.", func() (any, error) {
			return a.admin.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: n, AccessKeyId: key.AccessKey.AccessKeyId})
		}},
		step{"Cannot delete entity, must remove users from group first.", func() (any, error) {
			return a.admin.RemoveUserFromGroup(ctx, &awsiam.RemoveUserFromGroupInput{GroupName: n, UserName: n})
		}})
	deletes(t, func() (any, error) { return a.admin.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: n}) },
		step{"Cannot delete entity, must remove roles from instance profile first.", func() (any, error) {
			return a.admin.RemoveRoleFromInstanceProfile(ctx, &awsiam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: n, RoleName: n})
		}},
		step{"Cannot delete entity, must detach all policies first.", func() (any, error) {
			return a.admin.DetachRolePolicy(ctx, &awsiam.DetachRolePolicyInput{RoleName: n, PolicyArn: policy})
		}},
		step{"Cannot delete entity, must delete policies first.", func() (any, error) {
			return a.admin.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: n, PolicyName: n})
		}})
	deletes(t, func() (any, error) { return a.admin.DeleteGroup(ctx, &awsiam.DeleteGroupInput{GroupName: n}) },
		step{"Cannot delete entity, must detach all policies first.", func() (any, error) {
			return a.admin.DetachGroupPolicy(ctx, &awsiam.DetachGroupPolicyInput{GroupName: n, PolicyArn: policy})
		}},
		step{"Cannot delete entity, must delete policies first.", func() (any, error) {
			return a.admin.DeleteGroupPolicy(ctx, &awsiam.DeleteGroupPolicyInput{GroupName: n, PolicyName: n})
		}})
	deletes(t, func() (any, error) {
		return a.admin.DeleteInstanceProfile(ctx, &awsiam.DeleteInstanceProfileInput{InstanceProfileName: n})
	})
	deletes(t, del)
}
