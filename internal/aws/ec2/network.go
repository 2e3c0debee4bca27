package ec2

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// DescribeVpcs lists VPCs.
func (s *Service) DescribeVpcs(_ context.Context, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
	found, next, err := run(s.vpcs, vpcKind, query{in.DryRun, in.VpcIds, in.Filters, in.MaxResults, in.NextToken, "DescribeVpcs"},
		attributes[VPC]{
			"vpc-id":                            func(v VPC) []string { return []string{v.ID} },
			"cidr":                              func(v VPC) []string { return prefixes(v.CIDRs[:1]) },
			"cidr-block-association.cidr-block": func(v VPC) []string { return prefixes(v.CIDRs) },
			"is-default":                        func(v VPC) []string { return boolean(v.Default) },
			"owner-id":                          func(VPC) []string { return []string{s.place.AccountID} },
			"state":                             func(VPC) []string { return []string{"available"} },
		}, func(v VPC) map[string]string { return v.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcsOutput{NextToken: next, Vpcs: []types.Vpc{}}
	for _, v := range found {
		view := types.Vpc{
			VpcId:           aws.String(v.ID),
			CidrBlock:       aws.String(v.CIDRs[0].String()),
			InstanceTenancy: types.TenancyDefault,
			IsDefault:       aws.Bool(v.Default),
			OwnerId:         aws.String(s.place.AccountID),
			State:           types.VpcStateAvailable,
			Tags:            tags(v.Tags),
		}
		for i, cidr := range v.CIDRs {
			view.CidrBlockAssociationSet = append(view.CidrBlockAssociationSet, types.VpcCidrBlockAssociation{
				AssociationId:  aws.String(association(v.ID, i)),
				CidrBlock:      aws.String(cidr.String()),
				CidrBlockState: &types.VpcCidrBlockState{State: types.VpcCidrBlockStateCodeAssociated},
			})
		}
		out.Vpcs = append(out.Vpcs, view)
	}
	return out, nil
}

// association is the stable id of a VPC's block.
func association(vpc string, index int) string {
	id := "vpc-cidr-assoc-" + strings.TrimPrefix(vpc, "vpc-")
	if index > 0 {
		id += strconv.Itoa(index)
	}
	return id
}

// DescribeSubnets lists subnets.
func (s *Service) DescribeSubnets(_ context.Context, in *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	cidr := func(n Subnet) []string { return []string{n.CIDR.String()} }
	zone := func(n Subnet) []string { return []string{n.Zone} }
	id := func(n Subnet) []string { return []string{zoneID(n.Zone)} }
	found, next, err := run(s.subnets, subnetKind, query{in.DryRun, in.SubnetIds, in.Filters, in.MaxResults, in.NextToken, "DescribeSubnets"},
		attributes[Subnet]{
			"subnet-id":  func(n Subnet) []string { return []string{n.ID} },
			"subnet-arn": func(n Subnet) []string { return []string{s.arn("subnet", n.ID)} },
			"vpc-id":     func(n Subnet) []string { return []string{n.VPC} },
			"cidr":       cidr, "cidr-block": cidr, "cidrBlock": cidr,
			"availability-zone": zone, "availabilityZone": zone,
			"availability-zone-id": id, "availabilityZoneId": id,
			"map-public-ip-on-launch": func(n Subnet) []string { return boolean(n.MapPublicIP) },
			"default-for-az":          func(Subnet) []string { return boolean(false) },
			"owner-id":                func(Subnet) []string { return []string{s.place.AccountID} },
			"state":                   func(Subnet) []string { return []string{"available"} },
		}, func(n Subnet) map[string]string { return n.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSubnetsOutput{NextToken: next, Subnets: []types.Subnet{}}
	for _, n := range found {
		view := types.Subnet{
			SubnetId:                    aws.String(n.ID),
			SubnetArn:                   aws.String(s.arn("subnet", n.ID)),
			VpcId:                       aws.String(n.VPC),
			CidrBlock:                   aws.String(n.CIDR.String()),
			AvailabilityZone:            aws.String(n.Zone),
			AvailabilityZoneId:          aws.String(zoneID(n.Zone)),
			DefaultForAz:                aws.Bool(false),
			MapPublicIpOnLaunch:         aws.Bool(n.MapPublicIP),
			AssignIpv6AddressOnCreation: aws.Bool(false),
			OwnerId:                     aws.String(s.place.AccountID),
			State:                       types.SubnetStateAvailable,
			Tags:                        tags(n.Tags),
		}
		if s.AvailableAddresses != nil {
			view.AvailableIpAddressCount = aws.Int32(int32(s.AvailableAddresses(n.ID)))
		}
		out.Subnets = append(out.Subnets, view)
	}
	return out, nil
}

// DescribeAvailabilityZones lists the zones there are, in order.
func (s *Service) DescribeAvailabilityZones(_ context.Context, in *ec2.DescribeAvailabilityZonesInput) (*ec2.DescribeAvailabilityZonesOutput, error) {
	if err := (query{dryRun: in.DryRun}).check(kind{}); err != nil {
		return nil, err
	}
	group := func(string) []string { return []string{s.place.Region} }
	match, err := matcher(in.Filters, attributes[string]{
		"zone-name":            func(z string) []string { return []string{z} },
		"zone-id":              func(z string) []string { return []string{zoneID(z)} },
		"zone-type":            func(string) []string { return []string{"availability-zone"} },
		"state":                func(string) []string { return []string{"available"} },
		"opt-in-status":        func(string) []string { return []string{"opt-in-not-required"} },
		"region-name":          group,
		"group-name":           func(z string) []string { return []string{zoneGroup(z)} },
		"network-border-group": group,
	}, nil)
	if err != nil {
		return nil, err
	}
	if err := s.checkZones(in.ZoneNames, in.ZoneIds); err != nil {
		return nil, err
	}
	out := &ec2.DescribeAvailabilityZonesOutput{AvailabilityZones: []types.AvailabilityZone{}}
	for _, z := range s.zones {
		if len(in.ZoneNames) > 0 && !slices.Contains(in.ZoneNames, z) || len(in.ZoneIds) > 0 && !slices.Contains(in.ZoneIds, zoneID(z)) || !match(z) {
			continue
		}
		out.AvailabilityZones = append(out.AvailabilityZones, types.AvailabilityZone{
			ZoneName:           aws.String(z),
			ZoneId:             aws.String(zoneID(z)),
			ZoneType:           aws.String("availability-zone"),
			RegionName:         aws.String(s.place.Region),
			GroupName:          aws.String(zoneGroup(z)),
			NetworkBorderGroup: aws.String(s.place.Region),
			State:              types.AvailabilityZoneStateAvailable,
			OptInStatus:        types.AvailabilityZoneOptInStatusOptInNotRequired,
			Messages:           []types.AvailabilityZoneMessage{},
		})
	}
	return out, nil
}

func (s *Service) checkZones(names, ids []string) error {
	for _, name := range names {
		if !slices.Contains(s.zones, name) {
			return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "Invalid availability zone: [%s]", name)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(s.zones, func(z string) bool { return zoneID(z) == id }) {
			return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "Invalid availability zone-id: [%s]", id)
		}
	}
	return nil
}

// zoneGroup is the group of zones: us-west-2-zg-1.
func zoneGroup(zone string) string {
	return strings.TrimRight(zone, "abcdefghijklmnopqrstuvwxyz") + "-zg-1"
}

func boolean(b bool) []string { return []string{strconv.FormatBool(b)} }

func prefixes(list []netip.Prefix) []string {
	var s []string
	for _, p := range list {
		s = append(s, p.String())
	}
	return s
}

// escaped makes values that mean themselves of names.
func escaped(names []string) []string {
	r := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)
	var s []string
	for _, name := range names {
		s = append(s, r.Replace(name))
	}
	return s
}

// tags sorts by key, so that answers don't change without a reason.
func tags(m map[string]string) []types.Tag {
	list := make([]types.Tag, 0, len(m))
	for k, v := range m {
		list = append(list, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	slices.SortFunc(list, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return list
}
