package nft

import (
	"net/netip"

	"github.com/google/nftables"
)

// NodeTable is that of a node's own rules.
const NodeTable = "eksact-node"

// ApplyNode writes the rules of a node, in its namespace: packets to addresses
// of its pods' block that no pod has now are refused at once (see Edge for why
// routing alone does not).
func ApplyNode(ns string, pods netip.Prefix) error {
	return replace(ns, NodeTable, func(b *batch) {
		pre := b.hook("nowhere", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest+10)
		// The cheapest question first; routes are looked up for pods' addresses alone.
		b.rule(pre, notDaddr(pods), accept())
		b.rule(pre, state(known), accept())
		b.rule(pre, routed(), accept())
		b.rule(pre, localDaddr(), accept())
		b.rule(pre, refuse(icmpHost))
	})
}
