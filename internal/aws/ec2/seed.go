package ec2

import (
	"context"

	"github.com/eksact/eksact/internal/store"
)

// Seed is a network that is there from the beginning. Its owner gives the ids.
type Seed struct {
	VPC     VPC
	Parts   VPCParts
	Subnets []Subnet
	Gateway InternetGateway
	Address Address
	NAT     NATGateway
	Tables  []RouteTable // beside the main one
}

// Plant records a network, unless it is there: what was changed since stays so.
func (s *Service) Plant(ctx context.Context, n Seed) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if _, there := s.tableFamily.table.In(tx).Get(n.Parts.RouteTable); there {
			return nil
		}
		s.found(tx, n.VPC, n.Parts)
		for _, subnet := range n.Subnets {
			s.subnetFamily.put(tx, subnet.ID, subnet)
		}
		s.gatewayFamily.put(tx, n.Gateway.ID, n.Gateway)
		s.addressFamily.put(tx, n.Address.ID, n.Address)
		s.natFamily.put(tx, n.NAT.ID, n.NAT)
		for _, t := range n.Tables {
			s.tableFamily.put(tx, t.ID, t)
		}
		return nil
	})
}

// Subnets are the subnets of a VPC, by id.
func (s *Service) Subnets(vpc string) []Subnet { return s.subnetsOf(vpc) }

// Subnet returns a subnet's record.
func (s *Service) Subnet(id string) (Subnet, bool) { return s.subnetFamily.table.Get(id) }
