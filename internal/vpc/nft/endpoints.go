package nft

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const endpointTable = "eksact-api"

// Endpoint is the public face of one cluster's control plane.
type Endpoint struct {
	Addrs []netip.Addr
	// Sources reach it; others' packets are dropped, as on AWS. Empty admits nobody.
	Sources []netip.Prefix
}

// ApplyEndpoints makes these the public endpoints of the router; public is the range
// that they are in. An address in it that is no endpoint's nobody reaches.
//
// Sources are compared as they are on the Internet's side, after the translation of
// the VPC's own. A connection that was open and may be no more is reset at its next
// packet.
func (r *Router) ApplyEndpoints(public netip.Prefix, all []Endpoint) error {
	return r.replace(nftables.TableFamilyIPv4, endpointTable, func(b *batch) {
		var shut, end []nftables.SetElement
		for _, e := range all {
			ranges := merge(ipv4, slices.Values(e.Sources))
			for _, a := range e.Addrs {
				shut = append(shut, jumpTo(a, b.refusing("new-"+a.String(), ranges, loadSource(), drop())))
				end = append(end, jumpTo(a, b.refusing("old-"+a.String(), ranges, loadTranslated(), reset())))
			}
		}
		post := b.hook("postrouting", nftables.ChainTypeFilter, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource+10)
		b.rule(post, daddr(public), b.byAddress("shut", shut))
		b.rule(post, daddr(public), drop())
		fwd := b.hook("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter-10)
		b.rule(fwd, daddr(public), state(expr.CtStateBitESTABLISHED), b.byAddress("end", end))
		b.rule(fwd, daddr(public), state(expr.CtStateBitESTABLISHED), reset())
	})
}

// refusing adds a chain that does something to packets that don't come from ranges.
func (b *batch) refusing(name string, ranges []block, load, then []expr.Any) string {
	b.outside(b.chain(name), ranges, load, then)
	return name
}

// byAddress leads a packet to the chain of its destination.
func (b *batch) byAddress(name string, chains []nftables.SetElement) []expr.Any {
	m := b.set(&nftables.Set{Name: name, IsMap: true, KeyType: nftables.TypeIPAddr, DataType: nftables.TypeVerdict}, chains)
	return append([]expr.Any{&expr.Payload{DestRegister: reg0, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}}, jumpByMap(m)...)
}

func jumpTo(a netip.Addr, chain string) nftables.SetElement {
	return nftables.SetElement{Key: a.AsSlice(), VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}}
}

// loadSource puts the packet's source in register 1.
func loadSource() []expr.Any { return []expr.Any{loadSaddr(unix.NFT_REG_1)} }

// loadTranslated puts in register 1 the source that the connection's other side sees:
// where its answers go.
func loadTranslated() []expr.Any {
	// The library writes the direction in four bytes, of which the kernel reads the
	// first.
	const reply = 1 << 24
	return []expr.Any{&expr.Ct{Register: unix.NFT_REG_1, Key: expr.CtKeyDST, Direction: reply}}
}
