package nft

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const hostPortTable = "eksact-hostport"

// HostPort leads a port of a node to a pod on it.
type HostPort struct {
	// Addr is the node's address to answer on; the zero value, or 0.0.0.0, means
	// all of them.
	Addr  netip.Addr
	Proto uint8
	Port  uint16
	Pod   netip.AddrPort
}

// ApplyHostPorts makes these the host ports of the node whose namespace is
// given; none removes the table. Of two that ask for the same port the first
// stands. Loopback addresses of the node are not answered: a packet from
// 127.0.0.1 may not leave for a pod.
func ApplyHostPorts(ns string, ports []HostPort) error {
	if len(ports) == 0 {
		return remove(ns, hostPortTable)
	}
	return replace(ns, hostPortTable, func(b *batch) {
		exact, any, pods := hostPortElements(ports)
		exactMap := b.set(&nftables.Set{Name: "exact", IsMap: true, KeyType: serviceKey, DataType: endpoint}, exact)
		anyMap := b.set(&nftables.Set{Name: "any", IsMap: true, KeyType: portKey, DataType: endpoint}, any)
		self := b.set(&nftables.Set{Name: "self", KeyType: addrPair}, pods)
		loopback := netip.MustParsePrefix("127.0.0.0/8")
		pre := b.hook("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest)
		out := b.hook("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest)
		for _, c := range []*nftables.Chain{pre, out} {
			b.rule(c, notDaddr(loopback), loadService(), dnatByMap(exactMap))
			b.rule(c, notDaddr(loopback), localDaddr(), loadPort(), dnatByMap(anyMap))
		}
		// A pod that calls its own host port must see another sender than itself.
		post := b.hook("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource)
		b.rule(post, []expr.Any{
			loadSaddr(reg0),
			&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
			&expr.Lookup{SourceRegister: reg0, SetID: self.ID, SetName: self.Name},
		}, translated(), []expr.Any{&expr.Masq{}})
	})
}

func hostPortElements(ports []HostPort) (exact, any, pods []nftables.SetElement) {
	add := func(to []nftables.SetElement, key, val []byte) []nftables.SetElement {
		if slices.ContainsFunc(to, func(e nftables.SetElement) bool { return string(e.Key) == string(key) }) {
			return to
		}
		return append(to, nftables.SetElement{Key: key, Val: val})
	}
	for _, p := range ports {
		pod := p.Pod.Addr().AsSlice()
		pods = add(pods, slices.Concat(pod, pod), nil)
		if p.Addr.IsValid() && !p.Addr.IsUnspecified() {
			exact = add(exact, serviceBytes(p.Addr, p.Proto, p.Port), endpointBytes(p.Pod))
		} else {
			any = add(any, portBytes(p.Proto, p.Port), endpointBytes(p.Pod))
		}
	}
	return exact, any, pods
}

// ProtoNumber gives the protocol number of a name as Kubernetes writes it.
func ProtoNumber(name string) (uint8, bool) {
	switch name {
	case "TCP", "tcp", "":
		return TCP, true
	case "UDP", "udp":
		return UDP, true
	case "SCTP", "sctp":
		return unix.IPPROTO_SCTP, true
	}
	return 0, false
}
