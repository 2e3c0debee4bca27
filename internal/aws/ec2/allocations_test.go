package ec2

import (
	"net/netip"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// A load balancer's interface has its Elastic IP address until it goes, and nobody can
// take it away or have it beside.
func TestBalancersAddress(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	out, err := s.AllocateAddress(ctx, &ec2.AllocateAddressInput{})
	if err != nil {
		t.Fatal(err)
	}
	eni := NetworkInterface{ID: "eni-lb", VPC: "vpc-1", Subnet: "subnet-a", IP: netip.MustParseAddr("10.0.0.9"), PublicIP: netip.MustParseAddr(*out.PublicIp), Allocation: *out.AllocationId}
	for range 2 {
		if err := s.PutNetworkInterface(ctx, eni); err != nil {
			t.Fatal(err)
		}
	}
	shown := func() (eni, private, association string) {
		all, err := s.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{*out.AllocationId}})
		if err != nil {
			t.Fatal(err)
		}
		a := all.Addresses[0]
		return aws.ToString(a.NetworkInterfaceId), aws.ToString(a.PrivateIpAddress), aws.ToString(a.AssociationId)
	}
	at, private, association := shown()
	if at != "eni-lb" || private != "10.0.0.9" || association == "" {
		t.Errorf("address of %s, %s, %s", at, private, association)
	}
	second := eni
	second.ID = "eni-other"
	wantError(t, s.PutNetworkInterface(ctx, second), "Resource.AlreadyAssociated", "resource "+*out.AllocationId+" is already associated with associate-id "+association)
	_, err = s.DisassociateAddress(ctx, &ec2.DisassociateAddressInput{AssociationId: &association})
	wantError(t, err, "AuthFailure", "You do not have permission to access the specified resource.")
	_, err = s.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: out.AllocationId, InstanceId: aws.String(theInstance)})
	wantError(t, err, "Resource.AlreadyAssociated", "resource "+*out.AllocationId+" is already associated with associate-id "+association)
	_, err = s.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: out.AllocationId})
	wantError(t, err, "InvalidIPAddress.InUse", "Address "+*out.PublicIp+" is in use.")
	if err := s.DeleteInterfaces(ctx, "eni-lb"); err != nil {
		t.Fatal(err)
	}
	if at, _, association := shown(); at != "" || association != "" {
		t.Errorf("still of %s, %s", at, association)
	}
	if _, err := s.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: out.AllocationId}); err != nil {
		t.Error(err)
	}
}
