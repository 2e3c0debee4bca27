package vpc

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Layout is what of the network can change while it runs: its subnets, and how
// they reach public addresses.
type Layout struct {
	VPCs    []Inside
	Subnets []SubnetRoutes
	// Addresses are machines' private addresses with their public ones.
	Addresses map[netip.Addr]netip.Addr
	// Pods are blocks of pods' addresses with their nodes' public ones.
	Pods map[netip.Prefix]netip.Addr
}

// Inside is a VPC: its addresses, and how they are seen from outside.
type Inside struct {
	Range netip.Prefix
	// Open says that the VPC can be reached from outside, where it publishes
	// something: some subnet's routes lead to an internet gateway.
	Open bool
	NATs []netip.Addr // public addresses of its NAT gateways
}

// SubnetRoutes is a subnet with its exits to public addresses, the most specific
// first.
type SubnetRoutes struct {
	Subnet
	Exits []nft.Exit
}

// DefaultLayout is the network as its configuration has it: all subnets reach
// public addresses, from the NAT gateway's.
func (c Config) DefaultLayout() Layout {
	l := Layout{VPCs: []Inside{{Range: c.VPC, Open: true, NATs: []netip.Addr{c.NAT()}}}}
	for _, s := range c.Subnets {
		l.Subnets = append(l.Subnets, SubnetRoutes{s, []nft.Exit{{To: everything, Source: c.NAT()}}})
	}
	return l
}

// Settle makes the network so: routers of new subnets appear, of old ones go, and
// packets obey the routes from then on.
func (n *Network) Settle(ctx context.Context, l Layout) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return errors.Join(n.settle(l), ctx.Err())
}

func (n *Network) settle(l Layout) error {
	world, err := enter(n.World())
	if err != nil {
		return err
	}
	defer world.close()
	old, subnets := n.AllSubnets(), []Subnet{}
	routes := nft.Routes{
		HostLink: worldHostLink, Public: n.Public, Balancers: n.Balancers(), Elastic: n.Elastic(), Addresses: l.Addresses, Pods: l.Pods,
	}
	for _, v := range l.VPCs {
		routes.VPCs = append(routes.VPCs, nft.VPC{Range: v.Range, Open: v.Open})
	}
	var routers []netip.Addr
	for _, s := range l.Subnets {
		subnets, routers = append(subnets, s.Subnet), append(routers, s.Router())
		routes.Subnets = append(routes.Subnets, nft.SubnetRoutes{Subnet: s.Prefix, Exits: s.Exits})
	}
	if err := world.loopback(routers...); err != nil {
		return explain(err)
	}
	if err := n.rules.ApplyRoutes(routes); err != nil {
		return explain(err)
	}
	n.subnets.Store(&subnets)
	n.vpcs.Store(&l.VPCs)
	if err := n.endRerouted(l); err != nil {
		return err
	}
	for _, s := range old {
		if !slices.Contains(routers, s.Router()) {
			if err := world.forget(s.Router()); err != nil {
				return err
			}
		}
	}
	return nil
}

// endRerouted ends the connections to S3 of subnets that now go there by another
// gateway endpoint, or by none: AWS does so too, and who asks by which endpoint a
// connection came is not told of one that is past.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html
func (n *Network) endRerouted(l Layout) error {
	now, changed := map[netip.Prefix]uint32{}, []netip.Prefix{}
	for _, s := range l.Subnets {
		now[s.Prefix] = s.mark(n.S3())
		if was, known := n.marks[s.Prefix]; known && was != now[s.Prefix] {
			changed = append(changed, s.Prefix)
		}
	}
	n.marks = now
	if len(changed) == 0 {
		return nil
	}
	return endIn(n.World(), "the router", func(local, remote netip.Addr) bool {
		return local == n.S3() && slices.ContainsFunc(changed, func(p netip.Prefix) bool { return p.Contains(remote) })
	})
}

// mark is what packets of the subnet to an address are marked with.
func (s SubnetRoutes) mark(to netip.Addr) uint32 {
	for _, e := range s.Exits {
		if e.To.Contains(to) {
			return e.Mark
		}
	}
	return 0
}

// forget takes an address from the loopback.
func (s *side) forget(a netip.Addr) error {
	lo, err := s.LinkByName("lo")
	if err != nil {
		return err
	}
	all, err := s.AddrList(lo, unix.AF_INET)
	if err != nil {
		return err
	}
	for _, have := range all {
		if p, ok := prefixOf(have.IPNet); ok && p.Addr() == a {
			return s.AddrDel(lo, &have)
		}
	}
	return nil
}

// VPCs are the VPCs that there are now.
func (n *Network) VPCs() []Inside {
	if now := n.vpcs.Load(); now != nil {
		return *now
	}
	return n.DefaultLayout().VPCs
}

// RangeOf is the range of an address's VPC; of one of no VPC the first VPC's.
func (n *Network) RangeOf(a netip.Addr) netip.Prefix {
	for _, v := range n.VPCs() {
		if v.Range.Contains(a) {
			return v.Range
		}
	}
	return n.VPC
}

// Private says whether an address is of a VPC.
func (n *Network) Private(a netip.Addr) bool { return n.RangeOf(a).Contains(a) }

// AllSubnets are the subnets that there are now.
func (n *Network) AllSubnets() []Subnet {
	if now := n.subnets.Load(); now != nil {
		return *now
	}
	return n.Subnets
}

// SubnetOf returns the subnet of an address, of those that there are now.
func (n *Network) SubnetOf(a netip.Addr) (Subnet, bool) {
	for _, s := range n.AllSubnets() {
		if s.Prefix.Contains(a) {
			return s, true
		}
	}
	return Subnet{}, false
}

// Range is the subnet's pool for ipam. AWS reserves its first four addresses and
// the last; the first 1/32 of it is for single addresses, what follows for pods'
// blocks.
func (s Subnet) Range() ipam.Range {
	return ipam.Range{Name: s.Name, Prefix: s.Prefix, First: 4, Last: 1, BlocksFrom: 1 << max(0, 32-s.Prefix.Bits()-5)}
}
