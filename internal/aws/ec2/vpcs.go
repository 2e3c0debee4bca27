package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Quotas, the most that AWS raises them to where it does.
// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
const (
	maxVPCs           = 100
	maxSubnets        = 200  // of a VPC
	maxRouteTables    = 200  // of a VPC
	maxRoutes         = 1000 // of a route table
	maxCIDRs          = 50   // of a VPC
	maxNATGateways    = 100  // of a zone
	maxLaunchTemplate = 5000
)

func (s *Service) addVPCs(svc *api.Service) {
	add(s, svc, "CreateVpc", s.CreateVpc, func(*ec2.CreateVpcInput) []string { return s.on("vpc", made) })
	add(s, svc, "DeleteVpc", s.DeleteVpc, func(in *ec2.DeleteVpcInput) []string { return s.on("vpc", in.VpcId) })
	add(s, svc, "DescribeVpcs", s.DescribeVpcs, nil)
	add(s, svc, "DescribeVpcAttribute", s.DescribeVpcAttribute, func(in *ec2.DescribeVpcAttributeInput) []string { return s.on("vpc", in.VpcId) })
	add(s, svc, "ModifyVpcAttribute", s.ModifyVpcAttribute, func(in *ec2.ModifyVpcAttributeInput) []string { return s.on("vpc", in.VpcId) })
	keyed(svc, "ModifyVpcAttribute", func(in *ec2.ModifyVpcAttributeInput, key string) policy.Values {
		name, value := vpcChange(in)
		return changed(key, name, value)
	})
	add(s, svc, "AssociateVpcCidrBlock", s.AssociateVpcCidrBlock, func(in *ec2.AssociateVpcCidrBlockInput) []string { return s.on("vpc", in.VpcId) })
	add(s, svc, "DisassociateVpcCidrBlock", s.DisassociateVpcCidrBlock, func(in *ec2.DisassociateVpcCidrBlockInput) []string {
		v, _, ok := s.vpcOfBlock(aws.ToString(in.AssociationId))
		if !ok {
			return s.on("vpc", made)
		}
		return s.on("vpc", &v.ID)
	})
}

// CreateVpc makes a VPC with what AWS makes beside it: a main route table, a
// default security group and a default network ACL.
func (s *Service) CreateVpc(ctx context.Context, in *ec2.CreateVpcInput) (*ec2.CreateVpcOutput, error) {
	switch {
	case in.Ipv4IpamPoolId != nil || in.Ipv6IpamPoolId != nil || in.Ipv4NetmaskLength != nil || in.Ipv6NetmaskLength != nil:
		return nil, unsupported("A VPC with a block of an IPAM pool")
	case aws.ToBool(in.AmazonProvidedIpv6CidrBlock) || in.Ipv6CidrBlock != nil || in.Ipv6Pool != nil:
		return nil, unsupported("A VPC with IPv6")
	case in.VpcEncryptionControl != nil:
		return nil, unsupported("VPC encryption control")
	case in.CidrBlock == nil:
		return nil, absent("cidrBlock")
	}
	block, err := vpcBlock("cidrBlock", *in.CidrBlock)
	if err != nil {
		return nil, err
	}
	tags, err := tagsFor(ctx, types.ResourceTypeVpc, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	v := VPC{ID: newID("vpc-"), CIDRs: []netip.Prefix{block}, Tags: tags, Tenancy: string(in.InstanceTenancy)}
	if v.Tenancy == string(types.TenancyHost) {
		return nil, invalid("Value (host) for parameter instanceTenancy is invalid.")
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if len(s.vpcFamily.list(tx)) >= maxVPCs {
			return refuse("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
		}
		v.Runs = s.canRun(tx, block)
		v = s.found(tx, v, VPCParts{})
		return nil
	})
	if err == nil {
		err = s.settle(ctx, v.ID)
	}
	if err != nil {
		return nil, err
	}
	view := s.vpcView(v)
	view.State = types.VpcStatePending // as AWS answers; it is available when it is asked for
	return &ec2.CreateVpcOutput{Vpc: &view}, nil
}

// defaultDescription is that of the security group that a VPC is made with.
const defaultDescription = "default VPC security group"

// VPCParts are the ids of what a VPC is made with; those left out are drawn.
type VPCParts struct{ RouteTable, Association, ACL, Group string }

// found puts a VPC and what comes with it.
func (s *Service) found(tx *store.Tx, v VPC, parts VPCParts) VPC {
	or := func(id, prefix string) string {
		if id == "" {
			return newID(prefix)
		}
		return id
	}
	v.ACL = or(parts.ACL, "acl-")
	s.vpcFamily.put(tx, v.ID, v)
	s.aclFamily.put(tx, v.ACL, NetworkACL{ID: v.ACL, VPC: v.ID, Default: true})
	t := RouteTable{ID: or(parts.RouteTable, "rtb-"), VPC: v.ID}
	t.Associations = []Association{{ID: or(parts.Association, "rtbassoc-"), Main: true}}
	s.tableFamily.put(tx, t.ID, t)
	group := or(parts.Group, "sg-")
	if _, there := s.groups.In(tx).Get(group); !there {
		s.groups.In(tx).Put(group, mutual(group, v.ID, defaultGroup, defaultDescription, nil))
	}
	return v
}

// vpcBlock checks a block of a VPC.
func vpcBlock(parameter, given string) (netip.Prefix, error) {
	p, err := parsePrefix(parameter, given)
	if err != nil {
		return p, err
	}
	if p.Bits() < 16 || p.Bits() > 28 {
		return p, refuse("InvalidVpc.Range", "The CIDR '%s' is invalid.", given)
	}
	return p, nil
}

// DeleteVpc deletes a VPC that nothing is in but what was made with it.
func (s *Service) DeleteVpc(ctx context.Context, in *ec2.DeleteVpcInput) (*ec2.DeleteVpcOutput, error) {
	ran := s.runs(aws.ToString(in.VpcId))
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		v, err := s.vpcFamily.find(tx, aws.ToString(in.VpcId))
		if err != nil {
			return err
		}
		if s.ground != nil && s.ground.VPC() == v.ID {
			return refuse("OperationNotPermitted", "The vpc '%s' is the one that this machine begins with, and cannot be deleted.", v.ID)
		}
		if s.vpcInUse(tx, v.ID) {
			return dependent("vpc", v.ID)
		}
		for _, t := range s.tableFamily.list(tx) {
			if t.VPC == v.ID {
				s.tableFamily.drop(tx, t.ID)
			}
		}
		for _, g := range s.groupFamily.list(tx) {
			if g.VPC == v.ID {
				s.groups.In(tx).Delete(g.ID)
			}
		}
		s.aclFamily.drop(tx, v.ACL)
		s.vpcFamily.drop(tx, v.ID)
		return nil
	})
	if err == nil && ran {
		err = s.ground.Settle(ctx)
	}
	return &ec2.DeleteVpcOutput{}, err
}

// vpcInUse says whether a VPC has anything that it was not made with.
func (s *Service) vpcInUse(tx *store.Tx, id string) bool {
	return slices.ContainsFunc(s.subnetFamily.list(tx), func(n Subnet) bool { return n.VPC == id }) ||
		slices.ContainsFunc(s.tableFamily.list(tx), func(t RouteTable) bool { return t.VPC == id && !t.main() }) ||
		slices.ContainsFunc(s.gatewayFamily.list(tx), func(g InternetGateway) bool { return g.VPC == id }) ||
		slices.ContainsFunc(s.natFamily.list(tx), func(n NATGateway) bool { return n.VPC == id && n.living() }) ||
		slices.ContainsFunc(s.endpointFamily.list(tx), func(e VPCEndpoint) bool { return e.VPC == id }) ||
		slices.ContainsFunc(values(s.enis.In(tx).List("")), func(n NetworkInterface) bool { return n.VPC == id }) ||
		slices.ContainsFunc(s.groupFamily.list(tx), func(g SecurityGroup) bool { return g.VPC == id && g.Name != defaultGroup })
}

// DescribeVpcs lists VPCs.
func (s *Service) DescribeVpcs(_ context.Context, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
	found, next, err := s.vpcFamily.describe(query{nil, in.VpcIds, in.Filters, in.MaxResults, in.NextToken, "DescribeVpcs"},
		attributes[VPC]{
			"vpc-id":                            func(v VPC) []string { return []string{v.ID} },
			"cidr":                              func(v VPC) []string { return prefixes(v.CIDRs[:1]) },
			"cidr-block-association.cidr-block": func(v VPC) []string { return prefixes(v.CIDRs) },
			"cidr-block-association.association-id": func(v VPC) []string {
				var ids []string
				for _, b := range v.CIDRs {
					ids = append(ids, blockID(v.ID, b))
				}
				return ids
			},
			"cidr-block-association.state": func(VPC) []string { return []string{"associated"} },
			"dhcp-options-id":              func(v VPC) []string { return []string{s.dhcpOf(v)} },
			"is-default":                   func(v VPC) []string { return boolean(v.Default) },
			"owner-id":                     func(VPC) []string { return []string{s.place.AccountID} },
			"state":                        func(VPC) []string { return []string{"available"} },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcsOutput{NextToken: next, Vpcs: []types.Vpc{}}
	for _, v := range found {
		out.Vpcs = append(out.Vpcs, s.vpcView(v))
	}
	return out, nil
}

func (s *Service) vpcView(v VPC) types.Vpc {
	view := types.Vpc{
		VpcId:                   aws.String(v.ID),
		CidrBlock:               aws.String(v.CIDRs[0].String()),
		DhcpOptionsId:           aws.String(s.dhcpOf(v)),
		InstanceTenancy:         types.Tenancy(tenancy(v)),
		IsDefault:               aws.Bool(v.Default),
		OwnerId:                 aws.String(s.place.AccountID),
		State:                   types.VpcStateAvailable,
		BlockPublicAccessStates: &types.BlockPublicAccessStates{InternetGatewayBlockMode: types.BlockPublicAccessModeOff},
		Tags:                    tags(v.Tags),
	}
	for _, b := range v.CIDRs {
		view.CidrBlockAssociationSet = append(view.CidrBlockAssociationSet, blockView(v.ID, b, types.VpcCidrBlockStateCodeAssociated))
	}
	return view
}

func blockView(vpc string, b netip.Prefix, state types.VpcCidrBlockStateCode) types.VpcCidrBlockAssociation {
	return types.VpcCidrBlockAssociation{
		AssociationId: aws.String(blockID(vpc, b)), CidrBlock: aws.String(b.String()), CidrBlockState: &types.VpcCidrBlockState{State: state},
	}
}

// blockID is the stable id of a VPC's block.
func blockID(vpc string, block netip.Prefix) string {
	sum := sha256.Sum256([]byte(vpc + "/" + block.String()))
	return "vpc-cidr-assoc-0" + hex.EncodeToString(sum[:8])
}

func tenancy(v VPC) string {
	if v.Tenancy == "" {
		return string(types.TenancyDefault)
	}
	return v.Tenancy
}

func vpcKey(v VPC, key string) string {
	switch key {
	case "ec2:vpcid":
		return v.ID
	case "ec2:tenancy":
		return tenancy(v)
	}
	return ""
}
