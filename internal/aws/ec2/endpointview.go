package ec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// States of endpoints, spelled as the API spells them.
const (
	statePending   types.State = "pending"
	stateAvailable types.State = "available"
	stateDeleting  types.State = "deleting"
)

func (e VPCEndpoint) state() types.State {
	if e.Leaving {
		return stateDeleting
	}
	return stateAvailable
}

// The policies of endpoints that are given none, in the form in which AWS shows them.
const (
	openGateway   = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	openInterface = "{\n  \"Statement\": [\n    {\n      \"Action\": \"*\", \n      \"Effect\": \"Allow\", \n      \"Principal\": \"*\", \n      \"Resource\": \"*\"\n    }\n  ]\n}"
)

// PolicyText is the policy that calls through the endpoint meet.
func (e VPCEndpoint) PolicyText() string {
	switch {
	case e.Policy != "":
		return e.Policy
	case e.gateway():
		return openGateway
	}
	return openInterface
}

// DescribeVpcEndpoints lists endpoints.
func (s *Service) DescribeVpcEndpoints(_ context.Context, in *ec2.DescribeVpcEndpointsInput) (*ec2.DescribeVpcEndpointsOutput, error) {
	found, next, err := s.endpointFamily.describe(query{nil, in.VpcEndpointIds, in.Filters, in.MaxResults, in.NextToken, "DescribeVpcEndpoints"},
		attributes[VPCEndpoint]{
			"ip-address-type":    func(VPCEndpoint) []string { return []string{string(types.IpAddressTypeIpv4)} },
			"service-name":       func(e VPCEndpoint) []string { return []string{e.Service} },
			"service-region":     func(VPCEndpoint) []string { return []string{s.place.Region} },
			"vpc-endpoint-id":    func(e VPCEndpoint) []string { return []string{e.ID} },
			"vpc-endpoint-state": func(e VPCEndpoint) []string { return []string{string(e.state())} },
			"vpc-endpoint-type":  func(e VPCEndpoint) []string { return []string{string(e.Type)} },
			"vpc-id":             func(e VPCEndpoint) []string { return []string{e.VPC} },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcEndpointsOutput{NextToken: next, VpcEndpoints: []types.VpcEndpoint{}}
	for _, e := range found {
		out.VpcEndpoints = append(out.VpcEndpoints, s.endpointView(e))
	}
	return out, nil
}

func (s *Service) endpointView(e VPCEndpoint) types.VpcEndpoint {
	view := types.VpcEndpoint{
		VpcEndpointId: aws.String(e.ID), VpcEndpointType: e.Type, VpcId: aws.String(e.VPC), OwnerId: aws.String(s.place.AccountID),
		ServiceName: aws.String(e.Service), ServiceRegion: aws.String(s.place.Region), State: e.state(), CreationTimestamp: aws.Time(e.Created),
		PolicyDocument: aws.String(e.PolicyText()), RequesterManaged: aws.Bool(false), PrivateDnsEnabled: aws.Bool(e.PrivateDNS),
		IpAddressType: types.IpAddressTypeIpv4, DnsOptions: &types.DnsOptions{DnsRecordIpType: types.DnsRecordIpTypeIpv4},
		RouteTableIds: []string{}, SubnetIds: []string{}, NetworkInterfaceIds: []string{}, Groups: []types.SecurityGroupIdentifier{}, DnsEntries: []types.DnsEntry{}, Tags: tags(e.Tags),
	}
	view.RouteTableIds = append(view.RouteTableIds, e.RouteTables...)
	for _, i := range e.Interfaces {
		view.SubnetIds = append(view.SubnetIds, i.Subnet)
		view.NetworkInterfaceIds = append(view.NetworkInterfaceIds, i.ID)
	}
	for _, g := range s.identify(e.Groups) {
		view.Groups = append(view.Groups, types.SecurityGroupIdentifier(g))
	}
	if e.gateway() {
		return view
	}
	entry := func(name, zone string) {
		view.DnsEntries = append(view.DnsEntries, types.DnsEntry{DnsName: aws.String(name), HostedZoneId: aws.String(zone)})
	}
	for _, n := range s.publicNames(e) {
		entry(n.name, s.zoneOfEndpoints())
	}
	for _, n := range s.privateNames(e) {
		entry(n.name, "Z0"+upper(digestOf(e.ID)[:19]))
	}
	return view
}

// zoneOfEndpoints is the hosted zone of endpoints' names in a region. Of others than
// these it is made up.
// https://docs.aws.amazon.com/general/latest/gr/vpc-service.html
func (s *Service) zoneOfEndpoints() string {
	known := map[string]string{"us-east-1": "Z7HUB22UULQXV", "us-west-2": "Z1YSA3EXCYUU9Z", "eu-west-1": "Z38GZ743OKFT7T"}
	if id, ok := known[s.place.Region]; ok {
		return id
	}
	return "Z0" + upper(digestOf(s.place.Region)[:12])
}

func upper(hex string) string {
	b := []byte(hex)
	for i, c := range b {
		if 'a' <= c && c <= 'f' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// endpointName is a name with the addresses that it stands for.
type endpointName struct {
	name  string
	addrs []netip.Addr
}

// publicNames are an interface endpoint's own names, which all can look up: that of
// all its zones, and one of each.
func (s *Service) publicNames(e VPCEndpoint) []endpointName {
	service, err := s.serviceOf(e.Service, e.Type)
	if err != nil || len(e.Interfaces) == 0 {
		return nil
	}
	id := e.ID + "-" + digestOf(e.ID)[:8]
	names := []endpointName{{id + "." + s.vpceZone(service), e.addresses()}}
	for _, i := range e.Interfaces {
		names = append(names, endpointName{id + "-" + i.Zone + "." + s.vpceZone(service), []netip.Addr{i.IP}})
	}
	return names
}

// privateNames are the service's names that lead to the endpoint inside its VPC.
func (s *Service) privateNames(e VPCEndpoint) []endpointName {
	service, err := s.serviceOf(e.Service, e.Type)
	if err != nil || !e.PrivateDNS || len(e.Interfaces) == 0 {
		return nil
	}
	return []endpointName{{s.privateNameOf(service), e.addresses()}}
}

func (e VPCEndpoint) addresses() (all []netip.Addr) {
	for _, i := range e.Interfaces {
		all = append(all, i.IP)
	}
	return all
}

// EndpointLayout is an endpoint as the network needs it.
type EndpointLayout struct {
	VPCEndpoint
	Signing string // the service that answers, as signatures name it
	// Names lead to the endpoint's addresses for all, Private in the VPC alone.
	Names, Private map[string][]netip.Addr
}

// endpointLayouts are a VPC's endpoints, by id.
func (s *Service) endpointLayouts(vpc string) (list []EndpointLayout) {
	v, _ := s.vpcFamily.table.Get(vpc)
	byName := func(names []endpointName) map[string][]netip.Addr {
		m := map[string][]netip.Addr{}
		for _, n := range names {
			m[n.name] = n.addrs
		}
		return m
	}
	for _, e := range s.endpointFamily.all() {
		if e.VPC != vpc || e.Leaving {
			continue
		}
		service, err := s.serviceOf(e.Service, e.Type)
		if err != nil {
			continue // a service that is no more: nobody answers
		}
		l := EndpointLayout{VPCEndpoint: e, Signing: service.signing, Names: byName(s.publicNames(e))}
		if v.DNSNames && !v.NoDNS {
			l.Private = byName(s.privateNames(e))
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b EndpointLayout) int { return a.Created.Compare(b.Created) })
	return list
}
