package ec2

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// RouteTable says where packets of subnets go that leave their VPC.
type RouteTable struct {
	ID           string // "rtb-…"
	VPC          string
	Routes       []Route // without the local ones
	Associations []Association
	Tags         map[string]string
}

// Association gives a route table to a subnet, or makes it its VPC's main table.
type Association struct {
	ID     string // "rtbassoc-…"
	Subnet string // "" of the main one
	Main   bool
}

func (t RouteTable) main() bool {
	return slices.ContainsFunc(t.Associations, func(a Association) bool { return a.Main })
}

// of is the place of a subnet's association, -1 without one.
func (t RouteTable) of(subnet string) int {
	return slices.IndexFunc(t.Associations, func(a Association) bool { return a.Subnet == subnet && !a.Main })
}

func (s *Service) addRouteTables(svc *api.Service) {
	add(s, svc, "CreateRouteTable", s.CreateRouteTable, func(in *ec2.CreateRouteTableInput) []string {
		return append(s.on("route-table", made), s.on("vpc", in.VpcId)...)
	})
	add(s, svc, "DeleteRouteTable", s.DeleteRouteTable, func(in *ec2.DeleteRouteTableInput) []string { return s.on("route-table", in.RouteTableId) })
	add(s, svc, "DescribeRouteTables", s.DescribeRouteTables, nil)
	add(s, svc, "AssociateRouteTable", s.AssociateRouteTable, func(in *ec2.AssociateRouteTableInput) []string {
		return append(s.on("route-table", in.RouteTableId), s.on("subnet", in.SubnetId)...)
	})
	add(s, svc, "DisassociateRouteTable", s.DisassociateRouteTable, func(in *ec2.DisassociateRouteTableInput) []string {
		t, a, ok := s.associated(aws.ToString(in.AssociationId))
		if !ok {
			return s.on("route-table", made)
		}
		return append(s.on("route-table", &t.ID), s.on("subnet", &a.Subnet)...)
	})
	add(s, svc, "ReplaceRouteTableAssociation", s.ReplaceRouteTableAssociation, func(in *ec2.ReplaceRouteTableAssociationInput) []string {
		_, a, _ := s.associated(aws.ToString(in.AssociationId))
		return append(s.on("route-table", in.RouteTableId), s.on("subnet", &a.Subnet)...)
	})
}

// CreateRouteTable makes a table with the local routes alone.
func (s *Service) CreateRouteTable(ctx context.Context, in *ec2.CreateRouteTableInput) (*ec2.CreateRouteTableOutput, error) {
	tags, err := tagsFor(ctx, types.ResourceTypeRouteTable, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	t := RouteTable{ID: newID("rtb-"), VPC: aws.ToString(in.VpcId), Tags: tags}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if id, err := s.repeated(tx, "CreateRouteTable", in.ClientToken, in); err != nil {
			return err
		} else if id != "" {
			t, err = s.tableFamily.find(tx, id)
			return err
		}
		if _, err := s.vpcFamily.find(tx, t.VPC); err != nil {
			return err
		}
		count := 0
		for _, other := range s.tableFamily.list(tx) {
			if other.VPC == t.VPC {
				count++
			}
		}
		if count >= maxRouteTables {
			return refuse("RouteTableLimitExceeded", "The maximum number of route tables has been reached.")
		}
		s.tableFamily.put(tx, t.ID, t)
		s.remember(tx, "CreateRouteTable", in.ClientToken, in, t.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	view := s.tableView(t)
	return &ec2.CreateRouteTableOutput{RouteTable: &view, ClientToken: in.ClientToken}, nil
}

// DeleteRouteTable deletes a table that no subnet has and that is not the main one.
func (s *Service) DeleteRouteTable(ctx context.Context, in *ec2.DeleteRouteTableInput) (*ec2.DeleteRouteTableOutput, error) {
	return &ec2.DeleteRouteTableOutput{}, s.store.Update(ctx, func(tx *store.Tx) error {
		t, err := s.tableFamily.find(tx, aws.ToString(in.RouteTableId))
		if err != nil {
			return err
		}
		if len(t.Associations) > 0 {
			return dependent("routeTable", t.ID)
		}
		s.forgetTable(tx, t.ID)
		s.tableFamily.drop(tx, t.ID)
		return nil
	})
}

// AssociateRouteTable gives a table to a subnet that has none of its own.
func (s *Service) AssociateRouteTable(ctx context.Context, in *ec2.AssociateRouteTableInput) (*ec2.AssociateRouteTableOutput, error) {
	switch {
	case in.GatewayId != nil || in.PublicIpv4Pool != nil:
		return nil, unsupported("A route table of a gateway")
	case in.SubnetId == nil:
		return nil, refuse("MissingParameter", "The request must contain either the subnetId or the gatewayId")
	}
	a := Association{ID: newID("rtbassoc-"), Subnet: *in.SubnetId}
	n, err := s.subnetFamily.seek(a.Subnet)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, func(tx *store.Tx) error {
		t, err := s.matching(tx, aws.ToString(in.RouteTableId), a.Subnet)
		if err != nil {
			return err
		}
		for _, other := range s.tableFamily.list(tx) {
			if i := other.of(a.Subnet); i >= 0 {
				if other.ID == t.ID {
					a = other.Associations[i] // it has it already
					return nil
				}
				return refuse("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", t.ID)
			}
		}
		t.Associations = append(slices.Clone(t.Associations), a)
		s.tableFamily.put(tx, t.ID, t)
		return nil
	}, n.VPC)
	if err != nil {
		return nil, err
	}
	return &ec2.AssociateRouteTableOutput{
		AssociationId: aws.String(a.ID), AssociationState: &types.RouteTableAssociationState{State: types.RouteTableAssociationStateCodeAssociated},
	}, nil
}

// matching is a table that a subnet can have.
func (s *Service) matching(tx *store.Tx, table, subnet string) (RouteTable, error) {
	t, err := s.tableFamily.find(tx, table)
	if err != nil || subnet == "" {
		return t, err
	}
	n, err := s.subnetFamily.find(tx, subnet)
	if err != nil {
		return t, err
	}
	if n.VPC != t.VPC {
		return t, invalid("Route table %s and subnet %s belong to different networks", table, subnet)
	}
	return t, nil
}

// DisassociateRouteTable gives a subnet the main table back.
func (s *Service) DisassociateRouteTable(ctx context.Context, in *ec2.DisassociateRouteTableInput) (*ec2.DisassociateRouteTableOutput, error) {
	id := aws.ToString(in.AssociationId)
	t, a, ok := s.associated(id)
	switch {
	case !ok:
		return nil, errAssociation(id)
	case a.Main:
		return nil, invalid("cannot disassociate the main route table association %s", id)
	}
	return &ec2.DisassociateRouteTableOutput{}, s.change(ctx, func(tx *store.Tx) error {
		_, err := s.detach(tx, t.ID, id)
		return err
	}, t.VPC)
}

// detach takes an association from a table.
func (s *Service) detach(tx *store.Tx, table, association string) (Association, error) {
	t, err := s.tableFamily.find(tx, table)
	if err != nil {
		return Association{}, err
	}
	i := slices.IndexFunc(t.Associations, func(a Association) bool { return a.ID == association })
	if i < 0 {
		return Association{}, errAssociation(association)
	}
	a := t.Associations[i]
	t.Associations = slices.Delete(slices.Clone(t.Associations), i, i+1)
	s.tableFamily.put(tx, t.ID, t)
	return a, nil
}

// ReplaceRouteTableAssociation gives a subnet another table, or a VPC another main
// one, under a new association.
func (s *Service) ReplaceRouteTableAssociation(ctx context.Context, in *ec2.ReplaceRouteTableAssociationInput) (*ec2.ReplaceRouteTableAssociationOutput, error) {
	id := aws.ToString(in.AssociationId)
	from, _, ok := s.associated(id)
	if !ok {
		return nil, errAssociation(id)
	}
	fresh := newID("rtbassoc-")
	err := s.change(ctx, func(tx *store.Tx) error {
		a, err := s.detach(tx, from.ID, id)
		if err != nil {
			return err
		}
		to, err := s.matching(tx, aws.ToString(in.RouteTableId), a.Subnet)
		if err != nil {
			return err
		}
		if to.VPC != from.VPC {
			return invalid("Route table %s and network %s belong to different networks", to.ID, from.VPC)
		}
		a.ID = fresh
		to.Associations = append(slices.Clone(to.Associations), a)
		s.tableFamily.put(tx, to.ID, to)
		return nil
	}, from.VPC)
	if err != nil {
		return nil, err
	}
	return &ec2.ReplaceRouteTableAssociationOutput{
		NewAssociationId: aws.String(fresh), AssociationState: &types.RouteTableAssociationState{State: types.RouteTableAssociationStateCodeAssociated},
	}, nil
}

func errAssociation(id string) error {
	return refuse("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
}

// associated finds an association by its id.
func (s *Service) associated(id string) (RouteTable, Association, bool) {
	for _, t := range s.tableFamily.all() {
		for _, a := range t.Associations {
			if a.ID == id {
				return t, a, true
			}
		}
	}
	return RouteTable{}, Association{}, false
}

// tableOf is the table that a subnet's packets obey: its own, or the main one.
func (s *Service) tableOf(n Subnet) RouteTable {
	var main RouteTable
	for _, t := range s.tableFamily.all() {
		if t.VPC != n.VPC {
			continue
		}
		if t.of(n.ID) >= 0 {
			return t
		}
		if t.main() {
			main = t
		}
	}
	return main
}

func (s *Service) tableKey(t RouteTable, key string) string {
	switch key {
	case "ec2:routetableid":
		return t.ID
	case "ec2:vpc":
		return s.arn("vpc", t.VPC)
	}
	return ""
}
