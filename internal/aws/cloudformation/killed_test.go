package cloudformation_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	awsec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awss3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestTheDaemonIsKilledAfterACall whose result has neither a name nor a token: it is found
// by its tags.
func TestTheDaemonIsKilledAfterACall(t *testing.T) {
	const template = `
Resources:
  VPC: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.7.0.0/16}}
  Gateway: {Type: AWS::EC2::InternetGateway, DependsOn: VPC}
  Address: {Type: AWS::EC2::EIP, DependsOn: Gateway, Properties: {Domain: vpc}}
`
	for _, operation := range []string{"CreateVpc", "CreateInternetGateway", "AllocateAddress"} {
		t.Run(operation, func(t *testing.T) {
			a, ctx := open(t), t.Context()
			count := func() string {
				t.Helper()
				client := awsec2.NewFromConfig(a.Admin)
				vpcs, err1 := client.DescribeVpcs(ctx, &awsec2.DescribeVpcsInput{Filters: []awsec2types.Filter{{Name: aws.String("cidr"), Values: []string{"10.7.0.0/16"}}}})
				gateways, err2 := client.DescribeInternetGateways(ctx, &awsec2.DescribeInternetGatewaysInput{Filters: []awsec2types.Filter{{Name: aws.String("tag:aws:cloudformation:logical-id"), Values: []string{"Gateway"}}}})
				addresses, err3 := client.DescribeAddresses(ctx, &awsec2.DescribeAddressesInput{})
				if err := errors.Join(err1, err2, err3); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(len(vpcs.Vpcs), len(gateways.InternetGateways), len(addresses.Addresses))
			}
			reached, release := holdAt(operation, &a.door.after)
			done := make(chan error, 1)
			go func() {
				_, err := a.client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: aws.String(template)})
				done <- err
			}()
			<-reached
			id := *a.stack(t, "s").StackId
			closed := make(chan struct{})
			go func() { a.stacks.Close(); close(closed) }()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			close(release)
			<-closed
			a.again(t, id)
			a.is(t, id, types.StackStatusCreateComplete)
			if got := count(); got != "1 1 1" {
				t.Errorf("VPCs, gateways and addresses are %s", got)
			}
		})
	}
}

var here = &awss3types.CreateBucketConfiguration{LocationConstraint: awss3types.BucketLocationConstraintUsWest2}

// TestTheDaemonIsKilled: in the middle of an operation, before a call or between the call
// and the note of what it did. What was stored is all that is left; it goes on.
func TestTheDaemonIsKilled(t *testing.T) {
	attach := `, ManagedPolicyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]`
	one := "Resources:\n" + role("A", ", RoleName: given"+attach) + "  B: {Type: AWS::S3::Bucket, DependsOn: A}\n"
	broken := one + "  C: {Type: AWS::IAM::InstanceProfile, DependsOn: B, Properties: {Roles: [nobody]}}\n"
	create := func(text string) func(*account, *testing.T) error {
		return func(a *account, t *testing.T) error {
			_, err := a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: &text, Capabilities: iamCapability})
			return err
		}
	}
	update := func(text string) func(*account, *testing.T) error {
		return func(a *account, t *testing.T) error { return a.update(t, "s", text) }
	}
	remove := func(a *account, t *testing.T) error {
		_, err := a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
		return err
	}
	for _, tc := range []struct {
		name   string
		before string // the stack before
		act    func(*account, *testing.T) error
		at     string // the call
		after  bool   // it was made
		status types.StackStatus
		roles  []string
		events []string
	}{
		{"a creation", "", create(one), "AttachRolePolicy", false, types.StackStatusCreateComplete, []string{"given"},
			[]string{"A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS Resource creation Initiated", "A CREATE_COMPLETE", "B CREATE_COMPLETE", "s CREATE_COMPLETE"}},
		{"a role of a given name", "", create(one), "CreateRole", true, types.StackStatusCreateComplete, []string{"given"}, nil},
		{"a bucket of a made name", "", create(one), "CreateBucket", true, types.StackStatusCreateComplete, []string{"given"}, nil},
		{"a rollback", "", create(broken), "DeleteRole", true, types.StackStatusRollbackComplete, nil, []string{"C CREATE_FAILED", "A DELETE_COMPLETE", "s ROLLBACK_COMPLETE"}},
		{"an update", one, update(strings.Replace(one, "given"+attach, "given, Description: other", 1)), "DetachRolePolicy", true, types.StackStatusUpdateComplete, []string{"given"}, nil},
		{"a replacement", one, update(strings.Replace(one, "given", "other", 1)), "CreateRole", true, types.StackStatusUpdateComplete, []string{"other"}, nil},
		{"a cleanup", one, update(strings.Replace(one, "given", "other", 1)), "DeleteRole", true, types.StackStatusUpdateComplete, []string{"other"}, nil},
		{"an update's rollback", one, update(strings.Replace(broken, "given"+attach, "given, Description: other", 1)), "CreateInstanceProfile", true, types.StackStatusUpdateRollbackComplete, []string{"given"}, nil},
		{"a deletion", one, remove, "DeleteRole", true, types.StackStatusDeleteComplete, nil, []string{"A DELETE_COMPLETE", "s DELETE_COMPLETE"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := open(t)
			if tc.before != "" {
				a.create(t, "s", tc.before)
			}
			at := &a.door.hold
			if tc.after {
				at = &a.door.after
			}
			reached, release := holdAt(tc.at, at)
			done := make(chan error, 1)
			go func() { done <- tc.act(a, t) }()
			<-reached
			id := *a.stack(t, "s").StackId
			closed := make(chan struct{})
			go func() { a.stacks.Close(); close(closed) }()
			if err := <-done; err != nil { // the call ends with the daemon
				t.Fatal(err)
			}
			close(release)
			<-closed
			a.again(t, id)
			a.is(t, id, tc.status)
			follows(t, a.events(t, id), tc.events...)
			if got := a.roles(t); !slices.Equal(got, tc.roles) {
				t.Errorf("roles are %v, want %v", got, tc.roles)
			}
			buckets, err := a.s3.ListBuckets(t.Context(), &awss3.ListBucketsInput{})
			if err != nil || len(buckets.Buckets) != len(tc.roles) {
				t.Errorf("buckets are %+v, %v", buckets.Buckets, err)
			}
		})
	}
}

// again restarts the service, and waits for what it goes on with.
func (a *account) again(t *testing.T, id string) {
	t.Helper()
	a.door.hold, a.door.after = nil, nil
	next := a.stacks.Again()
	t.Cleanup(next.Close)
	if err := next.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-next.Settled(id)
}

// holdAt makes the door hold a call, which is then reached, until it is released.
func holdAt(held string, at *func(string) <-chan struct{}) (reached, release chan struct{}) {
	reached, release = make(chan struct{}), make(chan struct{})
	var once sync.Once
	*at = func(operation string) <-chan struct{} {
		if operation != held {
			return nil
		}
		once.Do(func() { close(reached) })
		return release
	}
	return reached, release
}
