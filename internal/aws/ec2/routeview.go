package ec2

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// DescribeRouteTables lists route tables.
func (s *Service) DescribeRouteTables(_ context.Context, in *ec2.DescribeRouteTablesInput) (*ec2.DescribeRouteTablesOutput, error) {
	found, next, err := s.tableFamily.describe(query{nil, in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken, "DescribeRouteTables"},
		s.tableAttributes())
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeRouteTablesOutput{NextToken: next, RouteTables: []types.RouteTable{}}
	for _, t := range found {
		out.RouteTables = append(out.RouteTables, s.tableView(t))
	}
	return out, nil
}

func (s *Service) tableAttributes() attributes[RouteTable] {
	associations := func(of func(Association) string) func(RouteTable) []string {
		return func(t RouteTable) []string {
			var list []string
			for _, a := range t.Associations {
				list = append(list, optional(of(a))...)
			}
			return list
		}
	}
	routes := func(of func(types.Route) string) func(RouteTable) []string {
		return func(t RouteTable) []string {
			var list []string
			for _, r := range s.routeViews(t) {
				list = append(list, optional(of(r))...)
			}
			return list
		}
	}
	return attributes[RouteTable]{
		"route-table-id":                         func(t RouteTable) []string { return []string{t.ID} },
		"vpc-id":                                 func(t RouteTable) []string { return []string{t.VPC} },
		"owner-id":                               func(RouteTable) []string { return []string{s.place.AccountID} },
		"association.route-table-association-id": associations(func(a Association) string { return a.ID }),
		"association.subnet-id":                  associations(func(a Association) string { return a.Subnet }),
		"association.gateway-id":                 associations(func(Association) string { return "" }),
		"association.route-table-id": func(t RouteTable) []string {
			if len(t.Associations) == 0 {
				return nil
			}
			return []string{t.ID}
		},
		"association.main": func(t RouteTable) []string {
			var list []string
			for _, a := range t.Associations {
				list = append(list, boolean(a.Main)...)
			}
			return list
		},
		"route.destination-cidr-block":     routes(func(r types.Route) string { return aws.ToString(r.DestinationCidrBlock) }),
		"route.destination-prefix-list-id": routes(func(r types.Route) string { return aws.ToString(r.DestinationPrefixListId) }),
		"route.gateway-id":                 routes(func(r types.Route) string { return aws.ToString(r.GatewayId) }),
		"route.nat-gateway-id":             routes(func(r types.Route) string { return aws.ToString(r.NatGatewayId) }),
		"route.origin":                     routes(func(r types.Route) string { return string(r.Origin) }),
		"route.state":                      routes(func(r types.Route) string { return string(r.State) }),
	}
}

func (s *Service) tableView(t RouteTable) types.RouteTable {
	view := types.RouteTable{
		RouteTableId: aws.String(t.ID), VpcId: aws.String(t.VPC), OwnerId: aws.String(s.place.AccountID),
		Associations: []types.RouteTableAssociation{}, PropagatingVgws: []types.PropagatingVgw{}, Routes: s.routeViews(t), Tags: tags(t.Tags),
	}
	for _, a := range t.Associations {
		view.Associations = append(view.Associations, types.RouteTableAssociation{
			Main: aws.Bool(a.Main), RouteTableAssociationId: aws.String(a.ID), RouteTableId: aws.String(t.ID), SubnetId: pointer(a.Subnet),
			AssociationState: &types.RouteTableAssociationState{State: types.RouteTableAssociationStateCodeAssociated},
		})
	}
	return view
}

// routeViews are a table's routes, the local ones first.
func (s *Service) routeViews(t RouteTable) []types.Route {
	var list []types.Route
	v, _ := s.vpcFamily.table.Get(t.VPC)
	for _, b := range v.CIDRs {
		list = append(list, types.Route{
			DestinationCidrBlock: aws.String(b.String()), GatewayId: aws.String("local"),
			Origin: types.RouteOriginCreateRouteTable, State: types.RouteStateActive,
		})
	}
	for _, r := range slices.SortedFunc(slices.Values(t.Routes), func(a, b Route) int { return b.To.Bits() - a.To.Bits() }) {
		state := types.RouteStateBlackhole
		if s.alive(t.VPC, r) {
			state = types.RouteStateActive
		}
		list = append(list, types.Route{
			DestinationCidrBlock: aws.String(r.To.String()), GatewayId: pointer(r.Gateway), NatGatewayId: pointer(r.NAT),
			Origin: types.RouteOriginCreateRoute, State: state,
		})
	}
	for _, e := range s.gatewaysOf(t.ID) {
		list = append(list, types.Route{
			DestinationPrefixListId: pointer(s.listOf(e.Service).ID), GatewayId: aws.String(e.ID),
			Origin: types.RouteOriginCreateRoute, State: types.RouteStateActive,
		})
	}
	return list
}
