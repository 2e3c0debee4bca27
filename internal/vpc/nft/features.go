package nft

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Missing tries in the namespace, which must be a throwaway, every kernel
// feature that the rules of this package use, and names those the kernel
// refuses, with its reason.
func Missing(ns string) []string {
	var missing []string
	one := netip.MustParsePrefix("192.0.2.1/32")
	nat := func(b *batch) *nftables.Chain {
		return b.hook("c", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest)
	}
	filter := func(b *batch) *nftables.Chain {
		return b.hook("c", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityFilter)
	}
	for _, try := range []struct {
		feature string
		fill    func(*batch)
	}{
		{"nf_tables", func(*batch) {}},
		{"nf_tables address matches", func(b *batch) { b.rule(filter(b), saddr(one), accept()) }},
		{"nft_ct (connection tracking)", func(b *batch) { b.rule(filter(b), state(known), originalDaddr(one), accept()) }},
		{"nft_reject", func(b *batch) { b.rule(filter(b), reset()) }},
		{"nft_log", func(b *batch) { b.rule(filter(b), refused(RefusedEgress), drop()) }},
		{"nft_fib", func(b *batch) {
			pre := b.hook("c", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityFilter)
			b.rule(pre, localDaddr(), noRoute(), accept())
		}},
		{"nft_nat", func(b *batch) {
			post := b.hook("p", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource)
			b.rule(post, snat(one.Addr()))
		}},
		{"nft_masq", func(b *batch) {
			post := b.hook("p", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource)
			b.rule(post, []expr.Any{&expr.Masq{}})
		}},
		{"nft_numgen and maps", func(b *batch) {
			to := netip.AddrPortFrom(one.Addr(), 1)
			b.rule(nat(b), proto(unix.IPPROTO_TCP), pick(b, []netip.AddrPort{to, to}, false))
		}},
		{"nft_hash", func(b *batch) {
			to := netip.AddrPortFrom(one.Addr(), 1)
			b.rule(nat(b), proto(unix.IPPROTO_TCP), pick(b, []netip.AddrPort{to, to}, true))
		}},
		{"nft_nat by map", func(b *batch) {
			hideClients(b, []Listener{{Addr: one.Addr(), Proto: TCP, Port: 1, Source: one.Addr()}})
		}},
		{"nft_ct timeouts", func(b *batch) {
			pre := b.hook("c", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityMangle)
			b.conn.AddObj(idleObject(b.table, 350))
			b.rule(pre, []expr.Any{&expr.Objref{Type: objectCtTimeout, Name: idleName(350)}})
		}},
		{"nft interval sets", func(b *batch) {
			Listener{Sources: []netip.Prefix{one}}.admit(b, filter(b))
		}},
	} {
		if err := replace(ns, "eksact-probe", try.fill); err != nil {
			missing = append(missing, try.feature+": "+err.Error())
			if try.feature == "nf_tables" {
				break // nothing else can work
			}
		}
	}
	_ = remove(ns, "eksact-probe") // the namespace is thrown away
	return missing
}

// Missing6 does so with what the rules for IPv6 use.
func Missing6(ns string) []string {
	one := netip.MustParsePrefix("2001:db8::1/128")
	if err := ApplyNode6(ns, Metadata6{Service: one.Addr(), Clients: one, Uplink: "lo"}); err != nil {
		return []string{"nft_fib, nft_ct or nft_reject of IPv6: " + err.Error()}
	}
	return nil
}
