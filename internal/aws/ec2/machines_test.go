package ec2_test

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// machine records an instance in a VPC that runs.
func (p *place) machine(t *testing.T, id string, state ec2.State) {
	t.Helper()
	if p.ground.vpc == "" {
		p.ground.vpc = p.vpc(t, "10.0.0.0/16")
	}
	ip := netip.AddrFrom4([4]byte{10, 0, 1, byte(len(p.service.Instances()) + 10)})
	err := p.service.PutInstance(t.Context(), ec2.Instance{
		ID: id, Reservation: "r-" + id, State: state, Type: "m5.large", Arch: "x86_64", Zone: "us-west-2a", VPC: p.ground.vpc, PrivateIP: ip,
		Interfaces: []ec2.Interface{{ID: "eni-" + id, IP: ip}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Orders are given to machines in states that fit, to all or to none.
func TestOrders(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	p.machine(t, "i-1", ec2.Running)
	p.machine(t, "i-2", ec2.Stopped)
	doortest.Must(t)(c.RebootInstances(ctx, &awsec2.RebootInstancesInput{InstanceIds: []string{"i-1"}}))
	_, err := c.RebootInstances(ctx, &awsec2.RebootInstancesInput{InstanceIds: []string{"i-1", "i-2"}})
	doortest.Refused(t, err, "IncorrectInstanceState", "The instance 'i-2' is not in a state from which it can be rebooted.")
	stopped := got(c.StopInstances(ctx, &awsec2.StopInstancesInput{InstanceIds: []string{"i-1", "i-2"}})).StoppingInstances
	if len(stopped) != 2 || stopped[0].CurrentState.Name != types.InstanceStateNameStopping || stopped[1].CurrentState.Name != types.InstanceStateNameStopped {
		t.Errorf("%+v", stopped)
	}
	doortest.Must(t)(c.StartInstances(ctx, &awsec2.StartInstancesInput{InstanceIds: []string{"i-2"}}))
	doortest.Must(t)(c.ModifyInstanceAttribute(ctx, &awsec2.ModifyInstanceAttributeInput{InstanceId: aws.String("i-2"), DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	if a := got(c.DescribeInstanceAttribute(ctx, &awsec2.DescribeInstanceAttributeInput{InstanceId: aws.String("i-2"), Attribute: "disableApiTermination"})); !*a.DisableApiTermination.Value {
		t.Error("the instance is not protected")
	}
	_, err = c.TerminateInstances(ctx, &awsec2.TerminateInstancesInput{InstanceIds: []string{"i-1", "i-2"}})
	doortest.Refused(t, err, "OperationNotPermitted", "The instance 'i-2' may not be terminated.")
	doortest.Must(t)(c.TerminateInstances(ctx, &awsec2.TerminateInstancesInput{InstanceIds: []string{"i-1"}}))
	if want := []string{"reboot i-1", "stop i-1", "start i-2", "terminate i-1"}; !slices.Equal(p.ground.machines, want) {
		t.Errorf("%q, want %q", p.ground.machines, want)
	}
	_, err = c.TerminateInstances(ctx, &awsec2.TerminateInstancesInput{InstanceIds: []string{"i-9"}})
	doortest.Refused(t, err, "InvalidInstanceID.NotFound", "The instance ID 'i-9' does not exist")
	_, err = c.ModifyInstanceAttribute(ctx, &awsec2.ModifyInstanceAttributeInput{InstanceId: aws.String("i-1"), InstanceType: &types.AttributeValue{Value: aws.String("m5.xlarge")}})
	doortest.Refused(t, err, "UnsupportedOperation", "InstanceType")
	out := got(c.GetConsoleOutput(ctx, &awsec2.GetConsoleOutputInput{InstanceId: aws.String("i-1")}))
	if text := got(base64.StdEncoding.DecodeString(*out.Output)); string(text) != "boot of i-1\n" {
		t.Errorf("%q", text)
	}
	p.ground.fail = errors.New("no machine")
	_, err = c.RebootInstances(ctx, &awsec2.RebootInstancesInput{InstanceIds: []string{"i-1"}})
	doortest.Refused(t, err, "InternalError", "")
}

// A terminated instance is shown without its addresses, and gives them back.
func TestTerminated(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	p.machine(t, "i-1", ec2.Running)
	p.machine(t, "i-2", ec2.Running)
	eip := got(c.AllocateAddress(ctx, &awsec2.AllocateAddressInput{}))
	doortest.Must(t)(c.AssociateAddress(ctx, &awsec2.AssociateAddressInput{AllocationId: eip.AllocationId, InstanceId: aws.String("i-1")}))
	i := got(c.DescribeInstances(ctx, &awsec2.DescribeInstancesInput{InstanceIds: []string{"i-1"}})).Reservations[0].Instances[0]
	if *i.PublicIpAddress != *eip.PublicIp || p.service.Layout(p.ground.vpc).Public[netip.MustParseAddr(*i.PrivateIpAddress)].String() != *eip.PublicIp {
		t.Errorf("%+v", i)
	}
	moved := got(c.AssociateAddress(ctx, &awsec2.AssociateAddressInput{AllocationId: eip.AllocationId, NetworkInterfaceId: aws.String("eni-i-2")}))
	if *moved.AssociationId == "" || got(c.DescribeInstances(ctx, &awsec2.DescribeInstancesInput{InstanceIds: []string{"i-1"}})).Reservations[0].Instances[0].PublicIpAddress != nil {
		t.Error("the address was not moved")
	}
	statuses := func() int {
		return len(got(c.DescribeInstanceStatus(ctx, &awsec2.DescribeInstanceStatusInput{})).InstanceStatuses)
	}
	if statuses() != 2 {
		t.Errorf("%d instances run", statuses())
	}
	if err := p.service.SetState(ctx, "i-2", ec2.Terminated, "User initiated"); err != nil {
		t.Fatal(err)
	}
	i = got(c.DescribeInstances(ctx, &awsec2.DescribeInstancesInput{InstanceIds: []string{"i-2"}})).Reservations[0].Instances[0]
	if i.State.Name != types.InstanceStateNameTerminated || i.PrivateIpAddress != nil || len(i.NetworkInterfaces) != 0 || *i.StateTransitionReason != "User initiated" {
		t.Errorf("%+v", i)
	}
	if statuses() != 1 {
		t.Errorf("%d instances run", statuses())
	}
	doortest.Must(t)(c.ReleaseAddress(ctx, &awsec2.ReleaseAddressInput{AllocationId: eip.AllocationId}))
}
