package ec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Route leads a destination to a gateway: an internet gateway or a NAT gateway.
type Route struct {
	To      netip.Prefix
	Gateway string `json:",omitempty"` // "igw-…"
	NAT     string `json:",omitempty"` // "nat-…"
}

func (s *Service) addRoutes(svc *api.Service) {
	add(s, svc, "CreateRoute", s.CreateRoute, func(in *ec2.CreateRouteInput) []string { return s.on("route-table", in.RouteTableId) })
	add(s, svc, "ReplaceRoute", s.ReplaceRoute, func(in *ec2.ReplaceRouteInput) []string { return s.on("route-table", in.RouteTableId) })
	add(s, svc, "DeleteRoute", s.DeleteRoute, func(in *ec2.DeleteRouteInput) []string { return s.on("route-table", in.RouteTableId) })
}

// CreateRoute adds a route.
func (s *Service) CreateRoute(ctx context.Context, in *ec2.CreateRouteInput) (*ec2.CreateRouteOutput, error) {
	to, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	target, err := targetOf(in.GatewayId, in.NatGatewayId, map[string]*string{
		"carrierGatewayId": in.CarrierGatewayId, "coreNetworkArn": in.CoreNetworkArn, "egressOnlyInternetGatewayId": in.EgressOnlyInternetGatewayId,
		"instanceId": in.InstanceId, "localGatewayId": in.LocalGatewayId, "networkInterfaceId": in.NetworkInterfaceId, "odbNetworkArn": in.OdbNetworkArn,
		"transitGatewayId": in.TransitGatewayId, "vpcEndpointId": in.VpcEndpointId, "vpcPeeringConnectionId": in.VpcPeeringConnectionId,
	})
	if err != nil {
		return nil, err
	}
	target.To = to
	err = s.reroute(ctx, aws.ToString(in.RouteTableId), target, func(routes []Route, at int) ([]Route, error) {
		if at >= 0 {
			return nil, refuse("RouteAlreadyExists", "The route identified by %s already exists.", to)
		}
		if len(routes) >= maxRoutes {
			return nil, refuse("RouteLimitExceeded", "The maximum number of routes has been reached.")
		}
		return append(routes, target), nil
	})
	return &ec2.CreateRouteOutput{Return: aws.Bool(true)}, err
}

// ReplaceRoute gives a route another target.
func (s *Service) ReplaceRoute(ctx context.Context, in *ec2.ReplaceRouteInput) (*ec2.ReplaceRouteOutput, error) {
	to, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	if aws.ToBool(in.LocalTarget) {
		return nil, unsupported("Another target than local for a local route, and so its reset,")
	}
	target, err := targetOf(in.GatewayId, in.NatGatewayId, map[string]*string{
		"carrierGatewayId": in.CarrierGatewayId, "coreNetworkArn": in.CoreNetworkArn, "egressOnlyInternetGatewayId": in.EgressOnlyInternetGatewayId,
		"instanceId": in.InstanceId, "localGatewayId": in.LocalGatewayId, "networkInterfaceId": in.NetworkInterfaceId, "odbNetworkArn": in.OdbNetworkArn,
		"transitGatewayId": in.TransitGatewayId, "vpcEndpointId": in.VpcEndpointId, "vpcPeeringConnectionId": in.VpcPeeringConnectionId,
	})
	if err != nil {
		return nil, err
	}
	target.To = to
	return &ec2.ReplaceRouteOutput{}, s.reroute(ctx, aws.ToString(in.RouteTableId), target, func(routes []Route, at int) ([]Route, error) {
		if at < 0 {
			return nil, invalid("There is no route defined for '%s' in the route table. Use CreateRoute instead.", to)
		}
		routes[at] = target
		return routes, nil
	})
}

// DeleteRoute deletes a route.
func (s *Service) DeleteRoute(ctx context.Context, in *ec2.DeleteRouteInput) (*ec2.DeleteRouteOutput, error) {
	if err := s.errEndpointRoute(aws.ToString(in.RouteTableId), aws.ToString(in.DestinationPrefixListId)); err != nil {
		return nil, err
	}
	to, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	if err != nil {
		return nil, err
	}
	id := aws.ToString(in.RouteTableId)
	return &ec2.DeleteRouteOutput{}, s.reroute(ctx, id, Route{To: to}, func(routes []Route, at int) ([]Route, error) {
		if at < 0 {
			return nil, refuse("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", to, id)
		}
		return slices.Delete(routes, at, at+1), nil
	})
}

// reroute changes a table's routes. Change gets a copy of them, and the place of
// the one to r's destination.
func (s *Service) reroute(ctx context.Context, table string, r Route, change func(routes []Route, at int) ([]Route, error)) error {
	t, err := s.tableFamily.seek(table)
	if err != nil {
		return err
	}
	return s.change(ctx, func(tx *store.Tx) error {
		t, err := s.tableFamily.find(tx, table)
		if err != nil {
			return err
		}
		v, err := s.vpcFamily.find(tx, t.VPC)
		if err != nil {
			return err
		}
		if err := s.routable(tx, t, v, r); err != nil {
			return err
		}
		at := slices.IndexFunc(t.Routes, func(have Route) bool { return have.To == r.To })
		if t.Routes, err = change(slices.Clone(t.Routes), at); err != nil {
			return err
		}
		s.tableFamily.put(tx, t.ID, t)
		return nil
	}, t.VPC)
}

// routable checks a route's destination and target against the table's VPC.
func (s *Service) routable(tx *store.Tx, t RouteTable, v VPC, r Route) error {
	deletes := r.Gateway == "" && r.NAT == ""
	for _, b := range v.CIDRs {
		switch {
		case r.To == b && deletes:
			return invalid("cannot remove local route %s in route table %s", b, t.ID)
		case b.Contains(r.To.Addr()) && b.Bits() <= r.To.Bits() && !deletes:
			return invalid("The destination CIDR block %s is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.", r.To)
		}
	}
	if r.Gateway != "" {
		g, ok := s.gatewayFamily.table.In(tx).Get(r.Gateway)
		switch {
		case !ok:
			return refuse("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", r.Gateway)
		case g.VPC != t.VPC:
			return invalid("route table %s and network gateway %s belong to different networks", t.ID, r.Gateway)
		}
	}
	if r.NAT != "" {
		n, ok := s.natFamily.table.In(tx).Get(r.NAT)
		switch {
		case !ok || !n.living():
			return refuse("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", r.NAT)
		case n.VPC != t.VPC:
			return invalid("route table %s and NAT gateway %s belong to different networks", t.ID, r.NAT)
		}
	}
	return nil
}

// destination is what a route is to. Only IPv4 blocks are.
func destination(v4, v6, list *string) (netip.Prefix, error) {
	switch {
	case v6 != nil:
		return netip.Prefix{}, unsupported("A route to IPv6 addresses")
	case list != nil:
		return netip.Prefix{}, unsupported("A route to a prefix list")
	case v4 == nil:
		return netip.Prefix{}, refuse("MissingParameter", "The request must contain the parameter destinationCidrBlock or destinationIpv6CidrBlock or destinationPrefixListId")
	}
	return parsePrefix("destinationCidrBlock", *v4)
}

// targetOf is what a route leads to, if it is of a kind that is here.
func targetOf(gateway, nat *string, others map[string]*string) (Route, error) {
	given := 0
	for _, p := range []*string{gateway, nat} {
		if aws.ToString(p) != "" {
			given++
		}
	}
	for name, p := range others {
		if aws.ToString(p) != "" {
			return Route{}, unsupported("A route to a target named by %s", name)
		}
	}
	if given != 1 {
		return Route{}, refuse("InvalidParameterCombination", "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, vpcEndpointId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, coreNetworkArn or instanceId")
	}
	if len(aws.ToString(gateway)) > 4 && (*gateway)[:4] == "vgw-" {
		return Route{}, unsupported("A route to a virtual private gateway")
	}
	return Route{Gateway: aws.ToString(gateway), NAT: aws.ToString(nat)}, nil
}

// alive says whether a route's target takes packets. One that doesn't is a
// blackhole.
func (s *Service) alive(vpc string, r Route) bool {
	if r.Gateway != "" {
		g, _ := s.gatewayFamily.table.Get(r.Gateway)
		return g.VPC == vpc
	}
	n, _ := s.natFamily.table.Get(r.NAT)
	return n.VPC == vpc && n.State == string(types.NatGatewayStateAvailable)
}

// exits are the ways out of a subnet, the most specific first, and of these those by
// gateway endpoints.
func (s *Service) exits(n Subnet) []Exit {
	var list []Exit
	table := s.tableOf(n)
	for _, e := range s.gatewaysOf(table.ID) {
		for _, b := range s.listOf(e.Service).Entries() {
			list = append(list, Exit{To: b.CIDR, Endpoint: e.Number})
		}
	}
	for _, r := range table.Routes {
		e := Exit{To: r.To}
		if s.alive(n.VPC, r) {
			if e.Direct = r.Gateway != ""; !e.Direct {
				e.Source = s.sourceOf(r.NAT)
			}
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Exit) int {
		if d := b.To.Bits() - a.To.Bits(); d != 0 {
			return d
		}
		return a.To.Addr().Compare(b.To.Addr())
	})
	return list
}

// sourceOf is the public address of a NAT gateway, if its own subnet leads to the
// internet gateway: else what comes to it goes nowhere.
func (s *Service) sourceOf(nat string) netip.Addr {
	g, _ := s.natFamily.table.Get(nat)
	n, ok := s.subnetFamily.table.Get(g.Subnet)
	if !ok {
		return netip.Addr{}
	}
	for _, r := range s.tableOf(n).Routes {
		if r.To.Bits() == 0 && r.Gateway != "" && s.alive(n.VPC, r) {
			return g.PublicIP
		}
	}
	return netip.Addr{}
}
