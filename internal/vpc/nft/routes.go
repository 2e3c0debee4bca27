package nft

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

const routeTable = "eksact-routes"

// Routes are the ways from VPCs' subnets to public addresses, and back.
type Routes struct {
	HostLink  string       // the router's link to the host, which stands for the Internet
	VPCs      []VPC        // they don't reach one another
	Public    netip.Prefix // all "public" addresses
	Balancers netip.Prefix // those of them that load balancers have
	Elastic   netip.Prefix // those of them that instances may have

	Subnets []SubnetRoutes
	// Addresses are instances' private addresses with their public ones.
	Addresses map[netip.Addr]netip.Addr
	// Pods are blocks of pods' addresses with their nodes' public ones: they have none of
	// their own, and leave the VPC as their node.
	Pods map[netip.Prefix]netip.Addr
}

// VPC is one of those that the router serves. Their ranges don't overlap.
type VPC struct {
	Range netip.Prefix
	// Open says that some subnet's routes lead to an internet gateway. Else nothing
	// reaches load balancers or instances from outside.
	Open bool
}

// SubnetRoutes are the ways out of one subnet.
type SubnetRoutes struct {
	Subnet netip.Prefix
	Exits  []Exit // the most specific first
}

// Exit is a route to public addresses. One that is neither Direct nor has a Source
// or a Mark leads nowhere.
type Exit struct {
	To     netip.Prefix
	Direct bool       // by the internet gateway, for those with a public address and their pods
	Source netip.Addr // by a NAT gateway, from its address
	Mark   uint32     // by the gateway endpoint of this number, which packets are marked with
}

// ApplyRoutes makes these the routes. Every packet that leaves the VPC is looked at
// before its destination is translated, not a connection's first alone: a route
// that is taken away cuts what went by it. Answers to connections from outside go
// back by the way they came, whatever the routes, as a load balancer's flows do on
// AWS. What has no way is refused at once.
func (r *Router) ApplyRoutes(all Routes) error {
	return r.replace(nftables.TableFamilyIPv4, routeTable, all.write)
}

func (r Routes) write(b *batch) {
	before := b.hook("routes", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityMangle)
	pre := b.hook("inbound", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest)
	post := b.hook("source", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource)
	addresses := newPublished(b, r.Addresses)
	b.rule(before, direction(1), accept())
	open := slices.ContainsFunc(r.VPCs, func(v VPC) bool { return v.Open })
	if !open {
		for _, p := range []netip.Prefix{r.Balancers, r.Elastic} {
			b.rule(before, iif(r.HostLink), daddr(p), reset())
			b.rule(before, iif(r.HostLink), daddr(p), refuse(icmpNet))
		}
	}
	leaving, leave := b.chain("leaving"), b.chain("leave")
	for _, v := range r.VPCs {
		b.rule(before, saddr(v.Range), daddr(r.Public), jump(leaving.Name))
		b.rule(post, saddr(v.Range), originalDaddr(r.Public), jump(leave.Name))
	}
	r.apart(b, before)
	for i, n := range r.Subnets {
		way, source := b.chain(fmt.Sprint("way-", i)), b.chain(fmt.Sprint("source-", i))
		b.rule(leaving, saddr(n.Subnet), jump(way.Name))
		b.rule(leave, saddr(n.Subnet), jump(source.Name))
		for _, e := range n.Exits {
			e.write(b, way, source, addresses)
			if e.Direct {
				e.writePods(b, way, source, r.podsIn(n.Subnet))
			}
			e.end(b, way)
		}
	}
	b.rule(leaving, reset())
	b.rule(leaving, refuse(icmpNet))
	if open && addresses.in != nil {
		b.rule(pre, addresses.inbound())
	}
}

// apart keeps VPCs from one another, and what is outside from those that are not open:
// by now an address outside has become the private one behind it.
func (r Routes) apart(b *batch, before *nftables.Chain) {
	for _, v := range r.VPCs {
		for _, other := range r.VPCs {
			if other != v {
				b.rule(before, saddr(v.Range), daddr(other.Range), reset())
				b.rule(before, saddr(v.Range), daddr(other.Range), refuse(icmpNet))
			}
		}
	}
	fwd := b.hook("closed", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter)
	for _, v := range r.VPCs {
		if !v.Open {
			b.rule(fwd, iif(r.HostLink), daddr(v.Range), direction(0), reset())
			b.rule(fwd, iif(r.HostLink), daddr(v.Range), direction(0), refuse(icmpNet))
		}
	}
}

// write adds the rules of one exit: which packets it takes, and as whose.
func (e Exit) write(b *batch, way, source *nftables.Chain, p published) {
	switch {
	case e.Mark != 0:
		b.rule(way, daddr(e.To), setMark(e.Mark), accept())
		b.rule(source, originalDaddr(e.To), accept())
	case e.Source.IsValid():
		b.rule(way, daddr(e.To), accept())
		b.rule(source, originalDaddr(e.To), snat(e.Source))
	case e.Direct && p.out != nil:
		b.rule(way, daddr(e.To), p.known(), accept())
		b.rule(source, originalDaddr(e.To), p.outbound())
	}
}

// pods are a block of pods' addresses, and their node's public one.
type pods struct {
	block  netip.Prefix
	public netip.Addr
}

func (r Routes) podsIn(subnet netip.Prefix) (all []pods) {
	for _, block := range slices.SortedFunc(maps.Keys(r.Pods), netip.Prefix.Compare) {
		if subnet.Contains(block.Addr()) {
			all = append(all, pods{block, r.Pods[block]})
		}
	}
	return all
}

// writePods lets pods out as their nodes.
func (e Exit) writePods(b *batch, way, source *nftables.Chain, all []pods) {
	for _, p := range all {
		b.rule(way, daddr(e.To), saddr(p.block), accept())
		b.rule(source, originalDaddr(e.To), saddr(p.block), snat(p.public))
	}
}

// end refuses what takes the exit and does not get out by it.
func (e Exit) end(b *batch, way *nftables.Chain) {
	b.rule(way, daddr(e.To), reset())
	b.rule(way, daddr(e.To), refuse(icmpNet))
}

// setMark marks a packet, for the router's own sockets.
func setMark(mark uint32) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: unix.NFT_REG_1, Data: binaryutil.NativeEndian.PutUint32(mark)},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: unix.NFT_REG_1, SourceRegister: true},
	}
}

// published are instances with public addresses, as maps both ways.
type published struct{ out, in *nftables.Set }

func newPublished(b *batch, addresses map[netip.Addr]netip.Addr) published {
	if len(addresses) == 0 {
		return published{}
	}
	var out, in []nftables.SetElement
	for _, private := range slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare) {
		public := addresses[private]
		out = append(out, nftables.SetElement{Key: private.AsSlice(), Val: public.AsSlice()})
		in = append(in, nftables.SetElement{Key: public.AsSlice(), Val: private.AsSlice()})
	}
	set := func(name string, elements []nftables.SetElement) *nftables.Set {
		return b.set(&nftables.Set{Name: name, IsMap: true, KeyType: nftables.TypeIPAddr, DataType: nftables.TypeIPAddr}, elements)
	}
	return published{set("public", out), set("private", in)}
}

// known matches packets from who has a public address.
func (p published) known() []expr.Any {
	return []expr.Any{loadSaddr(reg0), &expr.Lookup{SourceRegister: reg0, DestRegister: reg0, IsDestRegSet: true, SetID: p.out.ID, SetName: p.out.Name}}
}

// outbound rewrites the source to the sender's public address.
func (p published) outbound() []expr.Any {
	return append(p.known(), &expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg0})
}

// inbound rewrites a public destination to the private address behind it.
func (p published) inbound() []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: reg0, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Lookup{SourceRegister: reg0, DestRegister: reg0, IsDestRegSet: true, SetID: p.in.ID, SetName: p.in.Name},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg0},
	}
}

// HasRoutes says whether the namespace has routes, from now or from before.
func HasRoutes(ns string) (found bool, err error) {
	err = netns.Do(ns, func() error {
		conn, err := nftables.New()
		if err != nil {
			return fmt.Errorf("opening netfilter: %w", err)
		}
		tables, err := conn.ListTablesOfFamily(nftables.TableFamilyIPv4)
		found = slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == routeTable })
		return err
	})
	return found, err
}
