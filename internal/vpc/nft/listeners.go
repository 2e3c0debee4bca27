package nft

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const listenerTable = "eksact-lb"

// Protocols of listeners and host ports.
const (
	TCP uint8 = unix.IPPROTO_TCP
	UDP uint8 = unix.IPPROTO_UDP
)

// Listener is one port of a load balancer.
type Listener struct {
	Addr  netip.Addr
	Proto uint8
	Port  uint16
	// Sources may connect; others' packets are dropped, as a security group
	// drops them. Empty admits nobody.
	Sources []netip.Prefix
	// Targets receive new connections, each with the same chance. With none, a
	// connection is refused.
	Targets []netip.AddrPort
	// Sticky leads all connections of one client to one target.
	Sticky bool
	// Source, if valid, is what targets see as the client; the zero value keeps
	// the client's own address.
	Source netip.Addr
	// Idle is how long a TCP connection may be silent; zero leaves it to the kernel.
	// One that has been is forgotten, and reset when the client next sends.
	Idle time.Duration
	// Cut are targets to which connections end: their clients are answered by a
	// reset, whatever they send.
	Cut []netip.Addr
}

// ApplyListeners makes these the load balancers of the router. A packet finds
// its listener by one look-up, however many there are.
func (r *Router) ApplyListeners(all []Listener) error {
	if err := r.applyIdle(all); err != nil {
		return err
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Listener) int { return cmp.Compare(a.chain(), b.chain()) })
	return r.replace(nftables.TableFamilyIPv4, listenerTable, func(b *batch) {
		entries := make([]nftables.SetElement, 0, len(all))
		for _, l := range all {
			l.write(b)
			entries = append(entries, nftables.SetElement{
				Key:         serviceBytes(l.Addr, l.Proto, l.Port),
				VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: l.chain()},
			})
		}
		services := b.set(&nftables.Set{Name: "listeners", IsMap: true, KeyType: serviceKey, DataType: nftables.TypeVerdict}, entries)
		pre := b.hook("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest)
		b.rule(pre, loadService(), jumpByMap(services))
		hideClients(b, all)
		cut(b, all)
	})
}

// cut resets the connections of listeners to targets that are cut: who only
// receives has the acknowledgement of the next piece answered so.
func cut(b *batch, all []Listener) {
	var entries []nftables.SetElement
	for _, l := range all {
		for _, t := range l.Cut {
			entries = append(entries, nftables.SetElement{Key: append(serviceBytes(l.Addr, l.Proto, l.Port), t.AsSlice()...)})
		}
	}
	if len(entries) == 0 {
		return
	}
	flows := b.set(&nftables.Set{Name: "cut", KeyType: flowKey}, entries)
	fwd := b.hook("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter-1)
	b.rule(fwd, translated(), direction(0), loadOriginalService(), []expr.Any{
		&expr.Payload{DestRegister: reg3, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}, // translated by now
		&expr.Lookup{SourceRegister: reg0, SetID: flows.ID, SetName: flows.Name},
	}, reset())
}

// hideClients gives connections their listener's source, before the edge gives
// those of the VPC the NAT gateway's: of two, the first translation holds.
func hideClients(b *batch, all []Listener) {
	var entries []nftables.SetElement
	for _, l := range all {
		if l.Source.IsValid() {
			entries = append(entries, nftables.SetElement{Key: serviceBytes(l.Addr, l.Proto, l.Port), Val: l.Source.AsSlice()})
		}
	}
	if len(entries) == 0 {
		return
	}
	sources := b.set(&nftables.Set{Name: "sources", IsMap: true, KeyType: serviceKey, DataType: nftables.TypeIPAddr}, entries)
	post := b.hook("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource-1)
	b.rule(post, translated(), loadOriginalService(), []expr.Any{
		&expr.Lookup{SourceRegister: reg0, DestRegister: unix.NFT_REG_1, IsDestRegSet: true, SetID: sources.ID, SetName: sources.Name},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: unix.NFT_REG_1},
	})
}

// chain names the listener's chain.
func (l Listener) chain() string {
	return fmt.Sprintf("%s-%d-%d", l.Addr, l.Proto, l.Port)
}

func (l Listener) write(b *batch) {
	c := b.chain(l.chain())
	l.admit(b, c)
	if len(l.Targets) == 0 {
		return // the edge's "nowhere" chain answers
	}
	if l.Proto == TCP {
		b.rule(c, midstream(), reset()) // of a connection that is forgotten
	}
	b.rule(c, pick(b, l.Targets, l.Sticky))
}

// admit drops what does not come from the listener's sources.
func (l Listener) admit(b *batch, c *nftables.Chain) {
	b.outside(c, merge(ipv4, slices.Values(l.Sources)), loadSource(), drop())
}

// pick rewrites the destination to one of the targets, drawn anew for each
// connection or, sticky, by the client's address.
func pick(b *batch, targets []netip.AddrPort, sticky bool) []expr.Any {
	elements := make([]nftables.SetElement, len(targets))
	for i, t := range targets {
		elements[i] = nftables.SetElement{Key: binaryutil.NativeEndian.PutUint32(uint32(i)), Val: endpointBytes(t)}
	}
	m := b.set(&nftables.Set{Anonymous: true, Constant: true, IsMap: true, KeyType: nftables.TypeInteger, DataType: endpoint}, elements)
	draw := []expr.Any{&expr.Numgen{Register: reg0, Modulus: uint32(len(targets)), Type: unix.NFT_NG_RANDOM}}
	if sticky {
		draw = []expr.Any{
			loadSaddr(reg0),
			&expr.Hash{SourceRegister: reg0, DestRegister: reg0, Length: 4, Modulus: uint32(len(targets)), Type: expr.HashTypeJenkins},
		}
	}
	return append(draw, dnatByMap(m)...)
}

// outside adds to a chain what is done to packets whose address, loaded in register 1,
// is in none of the ranges.
func (b *batch) outside(c *nftables.Chain, ranges []block, load, then []expr.Any) {
	switch {
	case len(ranges) == 0:
		b.rule(c, then)
	case len(ranges) == 1 && ranges[0] == anywhere:
	default:
		var list []nftables.SetElement
		for _, e := range bounds(ranges) {
			list = append(list, nftables.SetElement{Key: e.key, IntervalEnd: e.intervalEnd})
		}
		sources := b.set(&nftables.Set{Anonymous: true, Constant: true, Interval: true, KeyType: nftables.TypeIPAddr}, list)
		b.rule(c, load, []expr.Any{
			&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetID: sources.ID, SetName: sources.Name, Invert: true},
		}, then)
	}
}
