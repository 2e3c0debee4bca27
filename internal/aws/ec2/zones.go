package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func (s *Service) addZones(svc *api.Service) {
	add(s, svc, "DescribeAvailabilityZones", s.DescribeAvailabilityZones, nil)
	add(s, svc, "DescribeRegions", s.DescribeRegions, nil)
	add(s, svc, "DescribeAccountAttributes", s.DescribeAccountAttributes, nil)
}

// DescribeRegions lists the one region that this account is in.
func (s *Service) DescribeRegions(_ context.Context, in *ec2.DescribeRegionsInput) (*ec2.DescribeRegionsOutput, error) {
	for _, name := range in.RegionNames {
		if name != s.place.Region {
			return nil, invalid("Invalid region provided: %s", name)
		}
	}
	endpoint := "ec2." + s.place.Region + ".amazonaws.com"
	match, err := matcher(in.Filters, attributes[string]{
		"region-name":   func(r string) []string { return []string{r} },
		"endpoint":      func(string) []string { return []string{endpoint} },
		"opt-in-status": func(string) []string { return []string{"opt-in-not-required"} },
	}, nil)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeRegionsOutput{Regions: []types.Region{}}
	if match(s.place.Region) {
		out.Regions = append(out.Regions, types.Region{
			RegionName: aws.String(s.place.Region), Endpoint: aws.String(endpoint), OptInStatus: aws.String("opt-in-not-required"),
		})
	}
	return out, nil
}

// DescribeAccountAttributes lists what is so for the whole account.
func (s *Service) DescribeAccountAttributes(_ context.Context, in *ec2.DescribeAccountAttributesInput) (*ec2.DescribeAccountAttributesOutput, error) {
	known := []struct{ name, value string }{
		{"supported-platforms", "VPC"}, {"default-vpc", s.defaultVPCID()}, {"max-instances", "20"}, {"vpc-max-security-groups-per-interface", "5"},
		{"max-elastic-ips", "5"}, {"vpc-max-elastic-ips", "200"},
	}
	out := &ec2.DescribeAccountAttributesOutput{AccountAttributes: []types.AccountAttribute{}}
	for _, a := range known {
		if len(in.AttributeNames) > 0 && !slices.Contains(in.AttributeNames, types.AccountAttributeName(a.name)) {
			continue
		}
		out.AccountAttributes = append(out.AccountAttributes, types.AccountAttribute{
			AttributeName: aws.String(a.name), AttributeValues: []types.AccountAttributeValue{{AttributeValue: aws.String(a.value)}},
		})
	}
	return out, nil
}

func (s *Service) defaultVPCID() string {
	id, err := s.defaultVPC()
	if err != nil {
		return "none"
	}
	return id
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
			return invalid("Invalid availability zone: [%s]", name)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(s.zones, func(z string) bool { return zoneID(z) == id }) {
			return invalid("Invalid availability zone-id: [%s]", id)
		}
	}
	return nil
}

// zoneGroup is the group of zones: us-west-2-zg-1.
func zoneGroup(zone string) string {
	return strings.TrimRight(zone, "abcdefghijklmnopqrstuvwxyz") + "-zg-1"
}
