package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

func (s *Service) addSubnets(svc *api.Service) {
	add(s, svc, "CreateSubnet", s.CreateSubnet, func(in *ec2.CreateSubnetInput) []string {
		return append(s.on("subnet", made), s.on("vpc", in.VpcId)...)
	})
	add(s, svc, "DeleteSubnet", s.DeleteSubnet, func(in *ec2.DeleteSubnetInput) []string { return s.on("subnet", in.SubnetId) })
	add(s, svc, "DescribeSubnets", s.DescribeSubnets, nil)
	add(s, svc, "ModifySubnetAttribute", s.ModifySubnetAttribute, func(in *ec2.ModifySubnetAttributeInput) []string { return s.on("subnet", in.SubnetId) })
	keyed(svc, "ModifySubnetAttribute", func(in *ec2.ModifySubnetAttributeInput, key string) policy.Values {
		name, value := subnetChange(in)
		return changed(key, name, value)
	})
}

// CreateSubnet makes a subnet. In the VPC that this machine runs it is there at
// once, with its router.
func (s *Service) CreateSubnet(ctx context.Context, in *ec2.CreateSubnetInput) (*ec2.CreateSubnetOutput, error) {
	switch {
	case in.Ipv4IpamPoolId != nil || in.Ipv6IpamPoolId != nil || in.Ipv4NetmaskLength != nil || in.Ipv6NetmaskLength != nil:
		return nil, unsupported("A subnet with a block of an IPAM pool")
	case in.Ipv6CidrBlock != nil || aws.ToBool(in.Ipv6Native):
		return nil, unsupported("A subnet with IPv6")
	case in.OutpostArn != nil:
		return nil, unsupported("A subnet of an Outpost")
	case in.CidrBlock == nil:
		return nil, absent("cidrBlock")
	}
	block, err := parsePrefix("cidrBlock", *in.CidrBlock)
	if err != nil {
		return nil, err
	}
	zone, err := s.zoneFor(aws.ToString(in.AvailabilityZone), aws.ToString(in.AvailabilityZoneId))
	if err != nil {
		return nil, err
	}
	tags, err := tagsFor(ctx, types.ResourceTypeSubnet, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	n := Subnet{ID: newID("subnet-"), VPC: aws.ToString(in.VpcId), CIDR: block, Zone: zone, Tags: tags}
	err = s.change(ctx, func(tx *store.Tx) error {
		v, err := s.vpcFamily.find(tx, n.VPC)
		if err != nil {
			return err
		}
		if err := s.fits(tx, v, n); err != nil {
			return err
		}
		s.subnetFamily.put(tx, n.ID, n)
		return nil
	}, n.VPC)
	if err != nil {
		return nil, err
	}
	view := s.subnetView(n)
	return &ec2.CreateSubnetOutput{Subnet: &view}, nil
}

// fits checks a new subnet's block against its VPC and its neighbours.
func (s *Service) fits(tx *store.Tx, v VPC, n Subnet) error {
	inside := slices.ContainsFunc(v.CIDRs, func(b netip.Prefix) bool { return b.Contains(n.CIDR.Addr()) && b.Bits() <= n.CIDR.Bits() })
	if !inside || n.CIDR.Bits() < 16 || n.CIDR.Bits() > 28 {
		return refuse("InvalidSubnet.Range", "The CIDR '%s' is invalid.", n.CIDR)
	}
	count := 0
	for _, other := range s.subnetFamily.list(tx) {
		if other.VPC != v.ID {
			continue
		}
		if count++; other.CIDR.Overlaps(n.CIDR) {
			return refuse("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", n.CIDR)
		}
	}
	if count >= maxSubnets {
		return refuse("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
	}
	return nil
}

// zoneFor is the zone that a caller names by name or id; the first, if by neither.
func (s *Service) zoneFor(name, id string) (string, error) {
	for _, z := range s.zones {
		if (name == "" || name == z) && (id == "" || id == zoneID(z)) {
			return z, nil
		}
	}
	given := name
	if given == "" {
		given = id
	}
	return "", invalid("Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
		given, strings.Join(s.zones, ", "))
}

// DeleteSubnet deletes a subnet that has no interfaces.
func (s *Service) DeleteSubnet(ctx context.Context, in *ec2.DeleteSubnetInput) (*ec2.DeleteSubnetOutput, error) {
	id := aws.ToString(in.SubnetId)
	n, err := s.subnetFamily.seek(id)
	if err != nil {
		return nil, err
	}
	return &ec2.DeleteSubnetOutput{}, s.change(ctx, func(tx *store.Tx) error {
		n, err := s.subnetFamily.find(tx, id)
		if err != nil {
			return err
		}
		if s.subnetInUse(tx, n) {
			return dependent("subnet", id)
		}
		for _, t := range s.tableFamily.list(tx) {
			if i := t.of(id); i >= 0 {
				t.Associations = slices.Delete(slices.Clone(t.Associations), i, i+1)
				s.tableFamily.put(tx, t.ID, t)
			}
		}
		s.subnetFamily.drop(tx, id)
		return nil
	}, n.VPC)
}

// subnetInUse says whether anything has an address in the subnet.
func (s *Service) subnetInUse(tx *store.Tx, n Subnet) bool {
	for _, i := range values(s.instances.In(tx).List("")) {
		if i.Subnet == n.ID && i.State != Terminated {
			return true
		}
	}
	for _, g := range s.natFamily.list(tx) {
		if g.Subnet == n.ID && g.living() {
			return true
		}
	}
	for _, i := range values(s.enis.In(tx).List("")) {
		if i.Subnet == n.ID {
			return true
		}
	}
	return s.runs(n.VPC) && s.ground.Used(n.ID) > 0
}

// DescribeSubnets lists subnets.
func (s *Service) DescribeSubnets(_ context.Context, in *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	cidr := func(n Subnet) []string { return []string{n.CIDR.String()} }
	zone := func(n Subnet) []string { return []string{n.Zone} }
	id := func(n Subnet) []string { return []string{zoneID(n.Zone)} }
	no := func(Subnet) []string { return boolean(false) }
	found, next, err := s.subnetFamily.describe(query{nil, in.SubnetIds, in.Filters, in.MaxResults, in.NextToken, "DescribeSubnets"},
		attributes[Subnet]{
			"subnet-id":  func(n Subnet) []string { return []string{n.ID} },
			"subnet-arn": func(n Subnet) []string { return []string{s.arn("subnet", n.ID)} },
			"vpc-id":     func(n Subnet) []string { return []string{n.VPC} },
			"cidr":       cidr, "cidr-block": cidr, "cidrBlock": cidr,
			"availability-zone": zone, "availabilityZone": zone,
			"availability-zone-id": id, "availabilityZoneId": id,
			"available-ip-address-count":                       func(n Subnet) []string { return []string{strconv.Itoa(s.free(n))} },
			"default-for-az":                                   no,
			"defaultForAz":                                     no,
			"enable-dns64":                                     no,
			"ipv6-native":                                      no,
			"assign-ipv6-address-on-creation":                  no,
			"map-customer-owned-ip-on-launch":                  no,
			"map-public-ip-on-launch":                          func(n Subnet) []string { return boolean(n.MapPublicIP) },
			"private-dns-name-options-on-launch.hostname-type": func(n Subnet) []string { return []string{string(nameType(n))} },
			"owner-id":                                         func(Subnet) []string { return []string{s.place.AccountID} },
			"state":                                            func(Subnet) []string { return []string{"available"} },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSubnetsOutput{NextToken: next, Subnets: []types.Subnet{}}
	for _, n := range found {
		out.Subnets = append(out.Subnets, s.subnetView(n))
	}
	return out, nil
}

func (s *Service) subnetView(n Subnet) types.Subnet {
	return types.Subnet{
		SubnetId:                    aws.String(n.ID),
		SubnetArn:                   aws.String(s.arn("subnet", n.ID)),
		VpcId:                       aws.String(n.VPC),
		CidrBlock:                   aws.String(n.CIDR.String()),
		AvailabilityZone:            aws.String(n.Zone),
		AvailabilityZoneId:          aws.String(zoneID(n.Zone)),
		AvailableIpAddressCount:     aws.Int32(int32(s.free(n))),
		DefaultForAz:                aws.Bool(false),
		MapPublicIpOnLaunch:         aws.Bool(n.MapPublicIP),
		MapCustomerOwnedIpOnLaunch:  aws.Bool(false),
		AssignIpv6AddressOnCreation: aws.Bool(false),
		EnableDns64:                 aws.Bool(false),
		Ipv6Native:                  aws.Bool(false),
		Ipv6CidrBlockAssociationSet: []types.SubnetIpv6CidrBlockAssociation{},
		BlockPublicAccessStates:     &types.BlockPublicAccessStates{InternetGatewayBlockMode: types.BlockPublicAccessModeOff},
		PrivateDnsNameOptionsOnLaunch: &types.PrivateDnsNameOptionsOnLaunch{
			HostnameType: nameType(n), EnableResourceNameDnsARecord: aws.Bool(n.NameA), EnableResourceNameDnsAAAARecord: aws.Bool(false),
		},
		OwnerId: aws.String(s.place.AccountID),
		State:   types.SubnetStateAvailable,
		Tags:    tags(n.Tags),
	}
}

func nameType(n Subnet) types.HostnameType {
	if n.NameType == "" {
		return types.HostnameTypeIpName
	}
	return types.HostnameType(n.NameType)
}

// reservedAddresses of each subnet: the first four and the last.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
const reservedAddresses = 5

// free counts the addresses of a subnet that nobody has.
func (s *Service) free(n Subnet) int {
	total := 1<<(32-n.CIDR.Bits()) - reservedAddresses
	if s.runs(n.VPC) {
		return total - s.ground.Used(n.ID)
	}
	return total - len(s.taken(n.ID))
}

// taken are the addresses of a subnet in a VPC that is records only.
func (s *Service) taken(subnet string) []netip.Addr {
	var all []netip.Addr
	for _, g := range s.natFamily.all() {
		if g.Subnet == subnet && g.living() {
			all = append(all, g.PrivateIP)
		}
	}
	for _, n := range s.enis.List("") {
		if n.Subnet == subnet {
			all = append(all, n.IP)
		}
	}
	return all
}

// ModifySubnetAttribute changes one attribute of a subnet.
func (s *Service) ModifySubnetAttribute(ctx context.Context, in *ec2.ModifySubnetAttributeInput) (*ec2.ModifySubnetAttributeOutput, error) {
	switch name, _ := subnetChange(in); name {
	case "":
		return nil, refuse("InvalidParameterCombination", "No attributes specified.")
	case "MapPublicIpOnLaunch", "PrivateDnsHostnameTypeOnLaunch", "EnableResourceNameDnsARecordOnLaunch":
	default:
		return nil, unsupported("The subnet attribute %s", name)
	}
	return &ec2.ModifySubnetAttributeOutput{}, s.store.Update(ctx, func(tx *store.Tx) error {
		n, err := s.subnetFamily.find(tx, aws.ToString(in.SubnetId))
		if err != nil {
			return err
		}
		switch {
		case in.MapPublicIpOnLaunch != nil:
			n.MapPublicIP = aws.ToBool(in.MapPublicIpOnLaunch.Value)
		case in.PrivateDnsHostnameTypeOnLaunch != "":
			n.NameType = string(in.PrivateDnsHostnameTypeOnLaunch)
		default:
			n.NameA = aws.ToBool(in.EnableResourceNameDnsARecordOnLaunch.Value)
		}
		s.subnetFamily.put(tx, n.ID, n)
		return nil
	})
}

// subnetChange is which attribute a call changes; AWS takes one at a time, and so
// the first that is given counts.
func subnetChange(in *ec2.ModifySubnetAttributeInput) (name string, value *string) {
	for _, a := range []struct {
		name  string
		value *types.AttributeBooleanValue
	}{
		{"MapPublicIpOnLaunch", in.MapPublicIpOnLaunch}, {"EnableResourceNameDnsARecordOnLaunch", in.EnableResourceNameDnsARecordOnLaunch},
		{"AssignIpv6AddressOnCreation", in.AssignIpv6AddressOnCreation}, {"EnableDns64", in.EnableDns64},
		{"EnableResourceNameDnsAAAARecordOnLaunch", in.EnableResourceNameDnsAAAARecordOnLaunch},
		{"MapCustomerOwnedIpOnLaunch", in.MapCustomerOwnedIpOnLaunch}, {"DisableLniAtDeviceIndex", in.DisableLniAtDeviceIndex},
	} {
		if a.value != nil {
			return a.name, aws.String(strconv.FormatBool(aws.ToBool(a.value.Value)))
		}
	}
	switch {
	case in.PrivateDnsHostnameTypeOnLaunch != "":
		return "PrivateDnsHostnameTypeOnLaunch", aws.String(string(in.PrivateDnsHostnameTypeOnLaunch))
	case in.CustomerOwnedIpv4Pool != nil:
		return "CustomerOwnedIpv4Pool", in.CustomerOwnedIpv4Pool
	case in.EnableLniAtDeviceIndex != nil:
		return "EnableLniAtDeviceIndex", aws.String(strconv.Itoa(int(*in.EnableLniAtDeviceIndex)))
	}
	return "", nil
}

func (s *Service) subnetKey(n Subnet, key string) string {
	switch key {
	case "ec2:subnetid":
		return n.ID
	case "ec2:vpc":
		return s.arn("vpc", n.VPC)
	case "ec2:availabilityzone":
		return n.Zone
	case "ec2:availabilityzoneid":
		return zoneID(n.Zone)
	}
	return ""
}
