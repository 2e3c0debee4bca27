package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// CreateVpcEndpoint makes an endpoint. An interface endpoint is answered as pending;
// both kinds are in force when the call returns.
func (s *Service) CreateVpcEndpoint(ctx context.Context, in *ec2.CreateVpcEndpointInput) (*ec2.CreateVpcEndpointOutput, error) {
	e, err := s.wantedEndpoint(ctx, in)
	if err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.vpcFamily.seek(e.VPC); err != nil {
		return nil, err
	}
	if e.Interfaces, err = s.located(ctx, e, in.SubnetIds); err != nil {
		return nil, err
	}
	id := e.ID
	wanted := e.Interfaces
	err = s.changeEndpoint(ctx, e.VPC, func(tx *store.Tx) error {
		e, err = s.openEndpoint(tx, in, e)
		return err
	})
	if err != nil || e.ID != id {
		if _, kept := s.endpointFamily.table.Get(id); !kept {
			s.releaseAll(ctx, e.VPC, wanted)
		}
	}
	if err != nil {
		return nil, err
	}
	view := s.endpointView(e)
	if !e.gateway() {
		view.State = statePending
	}
	return &ec2.CreateVpcEndpointOutput{VpcEndpoint: &view, ClientToken: in.ClientToken}, nil
}

// wantedEndpoint checks what a request says by itself, and makes an endpoint of it
// that has no interfaces yet.
func (s *Service) wantedEndpoint(ctx context.Context, in *ec2.CreateVpcEndpointInput) (e VPCEndpoint, err error) {
	kind := in.VpcEndpointType
	if kind == "" {
		kind = types.VpcEndpointTypeGateway
	}
	switch {
	case in.ResourceConfigurationArn != nil || in.ServiceNetworkArn != nil || kind != types.VpcEndpointTypeGateway && kind != types.VpcEndpointTypeInterface:
		if !slices.Contains(kind.Values(), kind) {
			return e, invalid("Value (%s) for parameter vpcEndpointType is invalid.", kind)
		}
		return e, unsupported("A VPC endpoint of another type than Gateway and Interface")
	case in.IpAddressType != "" && in.IpAddressType != types.IpAddressTypeIpv4:
		return e, unsupported("A VPC endpoint with IPv6")
	case len(in.SubnetConfigurations) > 0:
		return e, unsupported("A VPC endpoint with chosen addresses")
	case in.ServiceRegion != nil && *in.ServiceRegion != s.place.Region:
		return e, unsupported("A VPC endpoint to another region")
	case in.VpcId == nil:
		return e, absent("VpcId")
	case in.ServiceName == nil:
		return e, absent("ServiceName")
	}
	if err := checkDNSOptions(in.DnsOptions); err != nil {
		return e, err
	}
	if _, err := s.serviceOf(*in.ServiceName, kind); err != nil {
		return e, err
	}
	if kind == types.VpcEndpointTypeGateway {
		err = onlyOf(types.VpcEndpointTypeInterface, map[string]bool{
			"Subnet IDs are": len(in.SubnetIds) > 0, "Security group IDs are": len(in.SecurityGroupIds) > 0, "Private DNS is": aws.ToBool(in.PrivateDnsEnabled),
		})
	} else {
		err = onlyOf(types.VpcEndpointTypeGateway, map[string]bool{"Route table IDs are": len(in.RouteTableIds) > 0})
	}
	if err != nil {
		return e, err
	}
	if err := checkEndpointPolicy(in.PolicyDocument); err != nil {
		return e, err
	}
	tags, err := tagsFor(ctx, types.ResourceTypeVpcEndpoint, in.TagSpecifications)
	return VPCEndpoint{
		ID: newID("vpce-"), VPC: *in.VpcId, Service: *in.ServiceName, Type: kind, Policy: aws.ToString(in.PolicyDocument), Created: s.Now().UTC(), Tags: tags,
		Groups:     slices.Compact(slices.Sorted(slices.Values(in.SecurityGroupIds))),
		PrivateDNS: kind == types.VpcEndpointTypeInterface && (in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled),
	}, err
}

// serviceOf is the service of a name, by endpoints of a type.
func (s *Service) serviceOf(name string, kind types.VpcEndpointType) (endpointService, error) {
	list := s.servicesNamed(name)
	if len(list) == 0 {
		return endpointService{}, errServiceName(name)
	}
	var kinds []string
	for _, e := range list {
		if string(e.kind) == string(kind) {
			return e, nil
		}
		kinds = append(kinds, string(e.kind))
	}
	return endpointService{}, invalidEndpoint("Endpoint type (%s) does not match available service types ([%s]).", kind, strings.Join(kinds, ", "))
}

// onlyOf refuses what an endpoint of another type is given.
func onlyOf(kind types.VpcEndpointType, given map[string]bool) error {
	for what, is := range given {
		if is {
			return invalidEndpoint("%s only supported for %s type VPC Endpoint.", what, kind)
		}
	}
	return nil
}

func checkDNSOptions(o *types.DnsOptionsSpecification) error {
	switch {
	case o == nil:
		return nil
	case o.DnsRecordIpType != "" && o.DnsRecordIpType != types.DnsRecordIpTypeIpv4 && o.DnsRecordIpType != types.DnsRecordIpTypeServiceDefined:
		return unsupported("A VPC endpoint with IPv6 records")
	case aws.ToBool(o.PrivateDnsOnlyForInboundResolverEndpoint) || o.PrivateDnsPreference != nil || len(o.PrivateDnsSpecifiedDomains) > 0:
		return unsupported("A choice of private DNS names")
	}
	return nil
}

// checkEndpointPolicy refuses what is no policy of an endpoint: it must say who, as
// resources' policies do.
func checkEndpointPolicy(document *string) error {
	if document == nil {
		return nil
	}
	if len(*document) > maxEndpointPolicy {
		return invalidEndpoint("The policy document exceeds the maximum length of %d characters", maxEndpointPolicy)
	}
	if _, err := policy.Parse(policy.Resource, *document); err != nil {
		return refuse("InvalidPolicyDocument", "The specified policy document is not a valid JSON policy document: %v", err)
	}
	return nil
}

func invalidEndpoint(format string, args ...any) error {
	return refuse("InvalidParameter", format, args...)
}

// located gives an endpoint an IPv4 address in each of the subnets that it does not have
// yet. Those of one zone exclude each other.
func (s *Service) located(ctx context.Context, e VPCEndpoint, subnets []string) (all []EndpointInterface, err error) {
	all = slices.Clone(e.Interfaces)
	var places []Subnet
	for _, id := range slices.Compact(slices.Sorted(slices.Values(subnets))) {
		n, err := s.subnetFamily.seek(id)
		switch {
		case err != nil:
			return nil, err
		case n.VPC != e.VPC:
			return nil, invalidEndpoint("The subnet %s does not belong to %s", id, e.VPC)
		case slices.ContainsFunc(all, func(i EndpointInterface) bool { return i.Subnet == id }):
			continue
		case slices.ContainsFunc(all, func(i EndpointInterface) bool { return i.Zone == n.Zone }),
			slices.ContainsFunc(places, func(other Subnet) bool { return other.Zone == n.Zone }):
			return nil, refuse("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s. "+
				"VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service.", id)
		}
		places = append(places, n)
	}
	for _, n := range places {
		i := EndpointInterface{ID: newID("eni-"), Subnet: n.ID, Zone: n.Zone}
		if s.runs(n.VPC) {
			i.IP, err = s.ground.Take(ctx, n.ID, endpointOwner+i.ID)
		} else {
			i.IP, err = s.spare(n)
		}
		if err != nil {
			s.releaseAll(ctx, n.VPC, all[len(e.Interfaces):])
			return nil, refuse("InsufficientFreeAddressesInSubnet", "Subnet %s has insufficient free addresses to create this VPC endpoint", n.ID)
		}
		all = append(all, i)
	}
	return all, nil
}

// endpointOwner is what the owner of an endpoint's address is called, before the
// interface's id.
const endpointOwner = "vpce/"

// releaseAll gives addresses back.
func (s *Service) releaseAll(ctx context.Context, vpc string, list []EndpointInterface) {
	for _, i := range list {
		if s.runs(vpc) {
			_ = s.ground.Release(ctx, endpointOwner+i.ID) // what stays taken is one address, until the next start
		}
	}
}

// changeEndpoint commits records of endpoints and their interfaces, guards the
// interfaces by their groups, and then makes the network follow: an address is guarded
// before anything answers at it.
func (s *Service) changeEndpoint(ctx context.Context, vpc string, fn func(*store.Tx) error) error {
	if err := s.changeGroups(ctx, nil, fn); err != nil {
		return err
	}
	return s.settle(ctx, vpc)
}

// openEndpoint puts the records of a new endpoint, or finds the one that the client's
// token made.
func (s *Service) openEndpoint(tx *store.Tx, in *ec2.CreateVpcEndpointInput, e VPCEndpoint) (VPCEndpoint, error) {
	if id, err := s.repeated(tx, "CreateVpcEndpoint", in.ClientToken, in); err != nil {
		return e, err
	} else if id != "" {
		return s.endpointFamily.find(tx, id)
	}
	if _, err := s.vpcFamily.find(tx, e.VPC); err != nil {
		return e, err
	}
	count := 0
	for _, other := range s.endpointFamily.list(tx) {
		if e.Number <= other.Number {
			e.Number = other.Number
		}
		if other.VPC == e.VPC && other.Type == e.Type {
			count++
		}
	}
	if count >= maxEndpoints {
		return e, refuse("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
	}
	if e.gateway() {
		e.Number++
		if err := s.leadTables(tx, &e, in.RouteTableIds); err != nil {
			return e, err
		}
	} else {
		e.Number = 0
		if err := s.guard(tx, &e); err != nil {
			return e, err
		}
	}
	s.endpointFamily.put(tx, e.ID, e)
	s.remember(tx, "CreateVpcEndpoint", in.ClientToken, in, e.ID)
	return e, nil
}

// leadTables makes route tables lead to a gateway endpoint.
func (s *Service) leadTables(tx *store.Tx, e *VPCEndpoint, tables []string) error {
	e.RouteTables = slices.Clone(e.RouteTables)
	for _, id := range tables {
		if slices.Contains(e.RouteTables, id) {
			continue
		}
		t, err := s.tableFamily.find(tx, id)
		if err != nil {
			return err
		}
		if t.VPC != e.VPC {
			return invalidEndpoint("Route table %s and network %s belong to different networks", id, e.VPC)
		}
		for _, other := range s.endpointFamily.list(tx) {
			if other.ID != e.ID && other.Service == e.Service && !other.Leaving && slices.Contains(other.RouteTables, id) {
				return refuse("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s", id, s.listOf(e.Service).ID)
			}
		}
		e.RouteTables = append(e.RouteTables, id)
	}
	return nil
}

// guard puts the records of an interface endpoint's interfaces, after it checked their
// groups and the endpoint's names.
func (s *Service) guard(tx *store.Tx, e *VPCEndpoint) error {
	if len(e.Groups) == 0 {
		for id, g := range s.groups.In(tx).List("") {
			if g.VPC == e.VPC && g.Name == defaultGroup {
				e.Groups = []string{id}
			}
		}
	}
	if err := s.checkGroupsOf(tx, e.VPC, e.Groups); err != nil {
		return err
	}
	if err := s.checkPrivateDNS(tx, *e); err != nil {
		return err
	}
	for _, i := range e.Interfaces {
		if _, err := s.subnetFamily.find(tx, i.Subnet); err != nil {
			return err
		}
		n := NetworkInterface{
			ID: i.ID, Type: types.NetworkInterfaceTypeVpcEndpoint, Description: "VPC Endpoint Interface " + e.ID,
			VPC: e.VPC, Subnet: i.Subnet, Zone: i.Zone, IP: i.IP, MAC: macOf(i.ID), PrivateDNS: privateName(i.IP, s.place.Region),
			Requester: "amazon-aws", InstanceOwner: "amazon-aws", Device: 1, Attached: s.Now().UTC(), Endpoint: e.ID,
		}
		if old, there := s.enis.In(tx).Get(i.ID); there {
			n = old
		}
		n.Groups = e.Groups
		s.enis.In(tx).Put(n.ID, n)
	}
	return nil
}

// checkPrivateDNS refuses a name that the VPC does not look up, or has from another
// endpoint.
func (s *Service) checkPrivateDNS(tx *store.Tx, e VPCEndpoint) error {
	if !e.PrivateDNS {
		return nil
	}
	v, err := s.vpcFamily.find(tx, e.VPC)
	if err != nil {
		return err
	}
	if v.NoDNS || !v.DNSNames {
		return invalidEndpoint("Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s", v.ID)
	}
	for _, other := range s.endpointFamily.list(tx) {
		if other.ID != e.ID && other.VPC == e.VPC && other.Service == e.Service && other.PrivateDNS && !other.Leaving {
			service, _ := s.serviceOf(e.Service, e.Type)
			return invalidEndpoint("private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s in the VPC %s", s.privateNameOf(service), v.ID)
		}
	}
	return nil
}

// macOf is an interface's hardware address, derived from its id.
func macOf(id string) string {
	d := digestOf(id)
	return fmt.Sprintf("02:%s:%s:%s:%s:%s", d[:2], d[2:4], d[4:6], d[6:8], d[8:10])
}

// privateName is EC2's private DNS name by address, as the VPC's resolver has them.
func privateName(a netip.Addr, region string) string {
	return "ip-" + strings.ReplaceAll(a.String(), ".", "-") + "." + region + ".compute.internal"
}
