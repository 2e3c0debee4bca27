package nft

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const edgeTable = "eksact"

// Edge is what the VPCs' router must know to keep inside and outside apart.
type Edge struct {
	HostLink string       // the router's link to the host, which stands for the Internet
	Public   netip.Prefix // all "public" addresses; what else comes by another link is private

	Front     netip.Addr   // AWS API endpoints: TCP 80, 443
	S3        netip.Addr   // S3's own: the same
	Names     netip.Addr   // DNS for the outside: 53
	Resolvers []netip.Addr // DNS for the inside: 53
	Metadata  netip.Addr   // instance metadata: TCP 80

	API       netip.Prefix // public addresses of cluster endpoints
	Balancers netip.Prefix // public addresses of load balancers
	Elastic   netip.Prefix // public addresses of instances

	Proxy netip.AddrPort // where listeners lead what a load balancer's proxy serves
}

// ApplyEdge writes the router's rules:
//
//   - From the host one reaches the front door, DNS, cluster endpoints and load
//     balancers, never a private address, whatever routes the host was given.
//   - To the host go answers only: a pod can't open a connection to what listens
//     on the host. There is no route to anywhere else.
//   - The router itself answers on its services' ports and to echo requests.
//
// Traffic of the VPC to public addresses is Routes' matter.
//
// What is refused is refused at once, by a reset or an ICMP error.
func (r *Router) ApplyEdge(e Edge) error {
	return r.replace(nftables.TableFamilyIPv4, edgeTable, func(b *batch) {
		e.input(b)
		e.forward(b)
		e.output(b)
		e.nowhere(b)
	})
}

const known = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED

func (e Edge) input(b *batch) {
	in := b.hook("input", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityFilter)
	b.rule(in, state(known), accept())
	b.rule(in, iif("lo"), accept())
	b.rule(in, icmpType(8), accept())
	for _, a := range []netip.Addr{e.Front, e.S3} {
		b.rule(in, single(a), proto(unix.IPPROTO_TCP), dport(443), accept())
		b.rule(in, single(a), proto(unix.IPPROTO_TCP), dport(80), accept())
	}
	// VPC endpoints: the router's private addresses that something listens at.
	b.rule(in, notIif(e.HostLink), notSaddr(e.Public), notDaddr(e.Public), proto(unix.IPPROTO_TCP), dport(443), accept())
	for _, p := range []uint8{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
		b.rule(in, iif(e.HostLink), single(e.Names), proto(p), dport(53), accept())
		for _, a := range e.Resolvers {
			b.rule(in, notIif(e.HostLink), single(a), proto(p), dport(53), accept())
		}
	}
	b.rule(in, notIif(e.HostLink), notSaddr(e.Public), single(e.Metadata), proto(unix.IPPROTO_TCP), dport(80), accept())
	// Only what a listener sent here, and of the host's only by a public address.
	proxy := slices.Concat(translated(), single(e.Proxy.Addr()), proto(unix.IPPROTO_TCP), dport(e.Proxy.Port()))
	b.rule(in, iif(e.HostLink), originalDaddr(e.Public), proxy, accept())
	b.rule(in, notIif(e.HostLink), proxy, accept())
	b.rule(in, reset())
	b.rule(in, refuse(icmpPort))
}

func (e Edge) forward(b *batch) {
	fwd := b.hook("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter)
	b.rule(fwd, state(known), accept())
	b.rule(fwd, iif(e.HostLink), daddr(e.API), accept())
	b.rule(fwd, iif(e.HostLink), originalDaddr(e.Balancers), translated(), accept())
	b.rule(fwd, iif(e.HostLink), originalDaddr(e.Elastic), translated(), accept())
	b.rule(fwd, iif(e.HostLink), refuse(icmpProhibited))
	b.rule(fwd, oif(e.HostLink), refused(RefusedEgress), refuse(icmpProhibited))
}

func (e Edge) output(b *batch) {
	out := b.hook("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, *nftables.ChainPriorityFilter)
	b.rule(out, oif(e.HostLink), state(expr.CtStateBitNEW), icmpType(3), accept())
	b.rule(out, oif(e.HostLink), state(expr.CtStateBitNEW), refuse(icmpProhibited))
}

// nowhere refuses what has no way on: packets to load balancers' addresses that
// no listener took (by now, those that were taken have another destination, and no
// route leads to the others), and to addresses without a route. Routing would refuse
// the latter too, but at one answer per second to each sender.
func (e Edge) nowhere(b *batch) {
	pre := b.hook("nowhere", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest+10)
	b.rule(pre, state(known), accept())
	b.rule(pre, routed(), accept())
	b.rule(pre, localDaddr(), accept())
	b.rule(pre, daddr(e.Balancers), reset())
	b.rule(pre, daddr(e.Balancers), refuse(icmpPort))
	b.rule(pre, refuse(icmpNet))
}

func notIif(name string) []expr.Any {
	return ifname(expr.MetaKeyIIFNAME, name, expr.CmpOpNeq)
}

func single(a netip.Addr) []expr.Any { return daddr(netip.PrefixFrom(a, 32)) }
