package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/store"
)

// DescribeVpcAttribute shows one attribute of a VPC.
func (s *Service) DescribeVpcAttribute(_ context.Context, in *ec2.DescribeVpcAttributeInput) (*ec2.DescribeVpcAttributeOutput, error) {
	v, err := s.vpcFamily.seek(aws.ToString(in.VpcId))
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcAttributeOutput{VpcId: aws.String(v.ID)}
	switch in.Attribute {
	case types.VpcAttributeNameEnableDnsSupport:
		out.EnableDnsSupport = flag(!v.NoDNS)
	case types.VpcAttributeNameEnableDnsHostnames:
		out.EnableDnsHostnames = flag(v.DNSNames)
	case types.VpcAttributeNameEnableNetworkAddressUsageMetrics:
		out.EnableNetworkAddressUsageMetrics = flag(v.NAUMetrics)
	default:
		return nil, invalid("Value (%s) for parameter attribute is invalid. Unknown attribute.", in.Attribute)
	}
	return out, nil
}

// ModifyVpcAttribute changes one attribute of a VPC.
func (s *Service) ModifyVpcAttribute(ctx context.Context, in *ec2.ModifyVpcAttributeInput) (*ec2.ModifyVpcAttributeOutput, error) {
	given := 0
	for _, v := range []*types.AttributeBooleanValue{in.EnableDnsSupport, in.EnableDnsHostnames, in.EnableNetworkAddressUsageMetrics} {
		if v != nil {
			given++
		}
	}
	if given > 1 {
		return nil, refuse("InvalidParameterCombination", "Fields for multiple attribute types specified")
	}
	if given == 0 {
		return nil, refuse("InvalidParameterCombination", "No attributes specified.")
	}
	return &ec2.ModifyVpcAttributeOutput{}, s.change(ctx, func(tx *store.Tx) error {
		v, err := s.vpcFamily.find(tx, aws.ToString(in.VpcId))
		if err != nil {
			return err
		}
		switch {
		case in.EnableDnsSupport != nil && !aws.ToBool(in.EnableDnsSupport.Value) && s.runs(v.ID):
			return unsupported("Turning the DNS resolver of the VPC off that this machine runs")
		case in.EnableDnsSupport != nil:
			v.NoDNS = !aws.ToBool(in.EnableDnsSupport.Value)
		case in.EnableDnsHostnames != nil:
			if v.DNSNames = aws.ToBool(in.EnableDnsHostnames.Value); v.DNSNames && v.NoDNS {
				return invalid("enableDnsHostnames can't be true while enableDnsSupport is false.")
			}
		default:
			v.NAUMetrics = aws.ToBool(in.EnableNetworkAddressUsageMetrics.Value)
		}
		s.vpcFamily.put(tx, v.ID, v)
		return nil
	}, aws.ToString(in.VpcId))
}

// vpcChange is which attribute a call changes, as condition keys name it.
func vpcChange(in *ec2.ModifyVpcAttributeInput) (name string, value *string) {
	for _, a := range []struct {
		name  string
		value *types.AttributeBooleanValue
	}{
		{"EnableDnsSupport", in.EnableDnsSupport}, {"EnableDnsHostnames", in.EnableDnsHostnames},
		{"EnableNetworkAddressUsageMetrics", in.EnableNetworkAddressUsageMetrics},
	} {
		if a.value != nil {
			return a.name, aws.String(strconv.FormatBool(aws.ToBool(a.value.Value)))
		}
	}
	return "", nil
}

func flag(v bool) *types.AttributeBooleanValue {
	return &types.AttributeBooleanValue{Value: aws.Bool(v)}
}

// AssociateVpcCidrBlock gives a VPC a further block. The VPC that this machine runs
// has one block: its router is made for it.
func (s *Service) AssociateVpcCidrBlock(ctx context.Context, in *ec2.AssociateVpcCidrBlockInput) (*ec2.AssociateVpcCidrBlockOutput, error) {
	switch {
	case in.Ipv4IpamPoolId != nil || in.Ipv6IpamPoolId != nil || in.Ipv4NetmaskLength != nil || in.Ipv6NetmaskLength != nil:
		return nil, unsupported("A block of an IPAM pool")
	case aws.ToBool(in.AmazonProvidedIpv6CidrBlock) || in.Ipv6CidrBlock != nil || in.Ipv6Pool != nil:
		return nil, unsupported("An IPv6 block of a VPC")
	case in.CidrBlock == nil:
		return nil, absent("cidrBlock")
	}
	block, err := vpcBlock("cidrBlock", *in.CidrBlock)
	if err != nil {
		return nil, err
	}
	id := aws.ToString(in.VpcId)
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		v, err := s.vpcFamily.find(tx, id)
		switch {
		case err != nil:
			return err
		case s.runs(id):
			return unsupported("A second block of %s, the VPC that this machine runs,", id)
		case slices.ContainsFunc(v.CIDRs, block.Overlaps):
			return refuse("InvalidVpc.Range", "The CIDR '%s' conflicts with another CIDR block of the VPC.", block)
		case len(v.CIDRs) >= maxCIDRs:
			return refuse("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", id, maxCIDRs)
		}
		v.CIDRs = append(slices.Clone(v.CIDRs), block)
		s.vpcFamily.put(tx, id, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	view := blockView(id, block, types.VpcCidrBlockStateCodeAssociating)
	return &ec2.AssociateVpcCidrBlockOutput{VpcId: aws.String(id), CidrBlockAssociation: &view}, nil
}

// DisassociateVpcCidrBlock takes a block away that no subnet is in.
func (s *Service) DisassociateVpcCidrBlock(ctx context.Context, in *ec2.DisassociateVpcCidrBlockInput) (*ec2.DisassociateVpcCidrBlockOutput, error) {
	id := aws.ToString(in.AssociationId)
	v, block, ok := s.vpcOfBlock(id)
	if !ok {
		return nil, refuse("InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist", id)
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		now, err := s.vpcFamily.find(tx, v.ID)
		if err != nil {
			return err
		}
		if now.CIDRs[0] == block {
			return refuse("OperationNotPermitted", "The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", id)
		}
		for _, n := range s.subnetFamily.list(tx) {
			if n.VPC == v.ID && block.Overlaps(n.CIDR) {
				return refuse("InvalidCidrBlock.InUse", "The vpc %s currently has a subnet within CIDR block %s", v.ID, block)
			}
		}
		now.CIDRs = slices.DeleteFunc(slices.Clone(now.CIDRs), func(p netip.Prefix) bool { return p == block })
		s.vpcFamily.put(tx, v.ID, now)
		return nil
	})
	if err != nil {
		return nil, err
	}
	view := blockView(v.ID, block, types.VpcCidrBlockStateCodeDisassociating)
	return &ec2.DisassociateVpcCidrBlockOutput{VpcId: aws.String(v.ID), CidrBlockAssociation: &view}, nil
}

// vpcOfBlock finds a block by the id of its association.
func (s *Service) vpcOfBlock(id string) (VPC, netip.Prefix, bool) {
	for _, v := range s.vpcFamily.all() {
		for _, b := range v.CIDRs {
			if blockID(v.ID, b) == id {
				return v, b, true
			}
		}
	}
	return VPC{}, netip.Prefix{}, false
}
