package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestAnUpdateIsCancelled while one of its calls is on its way.
func TestAnUpdateIsCancelled(t *testing.T) {
	a := open(t)
	id := a.create(t, "s", "Resources:\n"+role("A", ", RoleName: one, Description: before"))
	reached, release := holdAt("UpdateRole", &a.door.hold)
	done := make(chan error, 1)
	go func() { done <- a.update(t, "s", "Resources:\n"+role("A", ", RoleName: one, Description: after")) }()
	<-reached
	_, err := a.client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: aws.String("Resources:\n" + role("A", "")), Capabilities: iamCapability})
	doortest.Refused(t, err, "ValidationError", "Stack:"+id+" is in UPDATE_IN_PROGRESS state and can not be updated.")
	doortest.Must(t)(a.client.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: aws.String("s")}))
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-a.stacks.Settled(id)
	a.is(t, "s", types.StackStatusUpdateRollbackComplete)
	got, err := a.iam.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("one")})
	if err != nil || *got.Role.Description != "before" {
		t.Errorf("the role is %+v, %v", got, err)
	}
	_, err = a.client.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: aws.String("s")})
	doortest.Refused(t, err, "ValidationError", "CancelUpdateStack cannot be called from current stack status")
}

// TestACreationIsDeleted while one of its calls is on its way: what that call makes is
// deleted too.
func TestACreationIsDeleted(t *testing.T) {
	a := open(t)
	reached, release := holdAt("CreateRole", &a.door.hold)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: aws.String("Resources:\n" + role("A", "") + "  B: {Type: AWS::S3::Bucket, DependsOn: A}\n"), Capabilities: iamCapability})
	}()
	<-reached
	id := *a.stack(t, "s").StackId
	deleted := make(chan error, 1)
	go func() {
		_, err := a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
		deleted <- err
	}()
	for a.stack(t, id).StackStatus != types.StackStatusDeleteInProgress {
	}
	close(release)
	<-done
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	a.is(t, id, types.StackStatusDeleteComplete)
	if got := a.roles(t); len(got) != 0 {
		t.Errorf("roles are left: %v", got)
	}
}

// TestARollbackFailsAndIsContinued: what it goes back to was taken away by hand.
func TestARollbackFailsAndIsContinued(t *testing.T) {
	a := open(t)
	a.create(t, "s", "Resources:\n"+role("A", ", RoleName: one, Description: before"))
	reached, release := holdAt("CreateInstanceProfile", &a.door.hold)
	done := make(chan error, 1)
	go func() {
		done <- a.update(t, "s", "Resources:\n"+role("A", ", RoleName: one, Description: after")+"  B: {Type: AWS::IAM::InstanceProfile, DependsOn: A, Properties: {Roles: [nobody]}}\n")
	}()
	<-reached
	doortest.Must(t)(a.iam.DeleteRole(t.Context(), &awsiam.DeleteRoleInput{RoleName: aws.String("one")}))
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.is(t, "s", types.StackStatusUpdateRollbackFailed)
	if s := a.stack(t, "s"); !strings.Contains(aws.ToString(s.StackStatusReason), "The following resource(s) failed to update: [A]. ") {
		t.Errorf("the reason is %q", aws.ToString(s.StackStatusReason))
	}
	doortest.Must(t)(a.client.ContinueUpdateRollback(t.Context(), &cloudformation.ContinueUpdateRollbackInput{StackName: aws.String("s"), ResourcesToSkip: []string{"A"}}))
	a.is(t, "s", types.StackStatusUpdateRollbackComplete)
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")}))
	profiles, err := a.iam.ListInstanceProfiles(t.Context(), &awsiam.ListInstanceProfilesInput{})
	if err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("profiles are left: %+v, %v", profiles, err)
	}
}

// TestAStackUnderReviewIsDeleted, as CDK does after a diff, and a failed one by OnFailure.
func TestAStackUnderReviewIsDeleted(t *testing.T) {
	a := open(t)
	d := a.propose(t, "s", "c", "Resources: {M: {Type: AWS::CDK::Metadata}}", types.ChangeSetTypeCreate)
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")}))
	a.is(t, *d.StackId, types.StackStatusDeleteComplete)
	_, err := a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{ChangeSetName: d.ChangeSetId})
	doortest.Refused(t, err, "ChangeSetNotFound", "does not exist")
	id := a.create(t, "f", "Resources:\n  P: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [nobody]}}\n", func(in *cloudformation.CreateStackInput) { in.OnFailure = types.OnFailureDelete })
	a.is(t, id, types.StackStatusDeleteComplete)
}
