package cloudformation_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awss3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var here = &awss3types.CreateBucketConfiguration{LocationConstraint: awss3types.BucketLocationConstraintUsWest2}

// TestTheDaemonIsKilled: a call was made, the daemon died before it knew, and what comes
// after the start finds what was made, and goes on.
func TestTheDaemonIsKilled(t *testing.T) {
	a := open(t)
	reached, release := holdAt("AttachRolePolicy", &a.door.hold)
	template := "Resources:\n" + role("A", `, ManagedPolicyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]`) +
		"  B: {Type: AWS::S3::Bucket, DependsOn: A}\n"
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: &template, Capabilities: iamCapability})
	}()
	<-reached
	// The store as it is now is all that is left.
	closed := make(chan struct{})
	go func() { a.stacks.Close(); close(closed) }()
	time.Sleep(50 * time.Millisecond)
	close(release)
	<-closed
	<-done
	a.is(t, "s", types.StackStatusCreateInProgress)
	a.again(t)
	a.is(t, "s", types.StackStatusCreateComplete)
	follows(t, a.events(t, "s"), "A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS Resource creation Initiated", "A CREATE_COMPLETE", "B CREATE_COMPLETE", "s CREATE_COMPLETE")
	if got := a.roles(t); len(got) != 1 {
		t.Errorf("roles are %v", got)
	}
}

// TestTheDaemonIsKilledBeforeItKnows: the role was made, but the order's report was not
// stored.
func TestTheDaemonIsKilledBeforeItKnows(t *testing.T) {
	a := open(t)
	reached, release := holdAt("CreateRole", &a.door.after)
	template := "Resources:\n" + role("A", `, RoleName: given`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: &template, Capabilities: iamCapability})
	}()
	<-reached
	closed := make(chan struct{})
	go func() { a.stacks.Close(); close(closed) }()
	time.Sleep(50 * time.Millisecond)
	close(release)
	<-closed
	<-done
	a.again(t)
	a.is(t, "s", types.StackStatusCreateComplete)
	if got := a.roles(t); len(got) != 1 || got[0] != "given" {
		t.Errorf("roles are %v", got)
	}
}

// again restarts the service, and waits for what it goes on with.
func (a *account) again(t *testing.T) {
	t.Helper()
	a.door.hold, a.door.after = nil, nil
	next := a.stacks.Again()
	t.Cleanup(next.Close)
	if err := next.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-next.Settled(*a.stack(t, "s").StackId)
}

// holdAt makes the door hold a call, which is then reached, until it is released.
func holdAt(held string, at *func(string) <-chan struct{}) (reached, release chan struct{}) {
	reached, release = make(chan struct{}), make(chan struct{})
	*at = func(operation string) <-chan struct{} {
		if operation != held {
			return nil
		}
		close(reached)
		return release
	}
	return reached, release
}
