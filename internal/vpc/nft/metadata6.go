package nft

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// MetadataTable holds, of family ip6, what may pass by IPv6 in the router and on nodes: what
// instance metadata and a node's agent need.
const MetadataTable = "eksact-metadata6"

// Metadata6 is the way to the metadata service by IPv6.
type Metadata6 struct {
	Service  netip.Addr   // its address; TCP 80
	Clients  netip.Prefix // who may ask
	HostLink string       // of the router: its link to the host
	Uplink   string       // of a node: its link to the router
	Agent    netip.Addr   // of a node: an address of its own that its pods reach too; TCP 80
}

// ApplyRouter6 writes the router's: clients reach the service from inside, each by
// the link that its address is routed to. Nothing is forwarded.
func (r *Router) ApplyRouter6(m Metadata6) error {
	return r.replace(nftables.TableFamilyIPv6, MetadataTable, func(b *batch) {
		in, fwd, out := b.sealed6()
		b.rule(in, notIif(m.HostLink), ipv6.within(ipv6.saddr, m.Clients), m.service(), accept())
		for _, c := range []*nftables.Chain{in, fwd, out} {
			b.refuse6(c)
		}
	})
}

// ApplyNode6 writes a node's: itself and its pods reach the service, whose answers
// come back. Pods reach neither each other nor the node, but for its agent.
func ApplyNode6(ns string, m Metadata6) error {
	return replaceIn(ns, nftables.TableFamilyIPv6, MetadataTable, func(b *batch) {
		in, fwd, out := b.sealed6()
		b.rule(out, oif(m.Uplink), m.service(), accept())
		b.rule(fwd, oif(m.Uplink), ipv6.within(ipv6.saddr, m.Clients), m.service(), accept())
		if m.Agent.IsValid() {
			b.rule(in, notIif(m.Uplink), ipv6.within(ipv6.saddr, m.Clients), web(m.Agent), accept())
		}
		for _, c := range []*nftables.Chain{in, fwd, out} {
			b.refuse6(c)
		}
	})
}

// sealed6 adds the chains of what comes in, through and out. They pass known flows
// and the loopback yet. Who sends by another link than its address's is dropped
// before: IPv6 has no rp_filter.
func (b *batch) sealed6() (in, fwd, out *nftables.Chain) {
	pre := b.hook("sources", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityRaw)
	b.rule(pre, iif("lo"), accept())
	b.rule(pre, wrongLink(), drop())
	in = b.hook("input", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityFilter)
	fwd = b.hook("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter)
	out = b.hook("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, *nftables.ChainPriorityFilter)
	b.rule(in, iif("lo"), accept())
	b.rule(out, oif("lo"), accept())
	for _, c := range []*nftables.Chain{in, fwd, out} {
		b.rule(c, state(known), accept())
	}
	return in, fwd, out
}

// refuse6 ends a chain: what no rule passed is refused at once.
func (b *batch) refuse6(c *nftables.Chain) {
	const prohibited = 1 // of destination unreachable, RFC 4443
	b.rule(c, reset())
	b.rule(c, proto(unix.IPPROTO_ICMPV6), drop())
	b.rule(c, refuse(prohibited))
}

// service matches packets to the service.
func (m Metadata6) service() []expr.Any { return web(m.Service) }

// web matches packets to port 80 of an IPv6 address.
func web(a netip.Addr) []expr.Any {
	return slices.Concat(ipv6.within(ipv6.daddr, netip.PrefixFrom(a, 128)), proto(unix.IPPROTO_TCP), dport(80))
}

// within matches packets with an address, by its place in the header, of a prefix.
func (f *family) within(offset uint32, p netip.Prefix) []expr.Any {
	mask := make([]byte, f.size)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.size},
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: f.size, Mask: mask, Xor: make([]byte, f.size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: p.Masked().Addr().AsSlice()},
	}
}

// wrongLink matches packets from an address that is not routed to the link that they
// came by.
func wrongLink() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: unix.NFT_REG_1, FlagSADDR: true, FlagIIF: true, ResultOIF: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: make([]byte, 4)},
	}
}
