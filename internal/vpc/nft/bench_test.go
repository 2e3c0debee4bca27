package nft

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// local is how many pods a node has: only these are in its maps, of which the kernel
// looks at every element when one comes.
const local = 110

// crowd is a node's program whose pods' peers are so many.
func crowd(n int) *ruleset.Program {
	p := (&ruleset.Program{}).Clone()
	p.Sets["peers"] = ruleset.Set{Elements: hosts()}
	p.Chains["some"] = ruleset.Chain{Ingress: true, Rules: []ruleset.Rule{{Peer: "peers", Verdict: ruleset.Accept}}}
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, 100 + byte(i>>16), byte(i >> 8), byte(i)})
		p.Sets["peers"].Elements[ruleset.Element{Prefix: netip.PrefixFrom(a, 32)}] = struct{}{}
		if i < local {
			p.Ingress[a] = "some"
		}
	}
	return p
}

func ready(b *testing.B, p *ruleset.Program) *Enforcer {
	b.Helper()
	e := openEnforcer(b, namespace(b, "node"), Options{})
	if err := e.Load(p); err != nil {
		b.Fatal(err)
	}
	return e
}

func sizes(b *testing.B, f func(*testing.B, int)) {
	for _, n := range []int{10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { f(b, n) })
	}
}

// A pod comes and goes: an element of a set, one of the map, one pair.
func BenchmarkPodAddedAndRemoved(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		e := ready(b, crowd(n))
		a := addr("10.99.0.1")
		element := map[string][]ruleset.Element{"peers": {{Prefix: netip.PrefixFrom(a, 32)}}}
		for b.Loop() {
			for _, d := range []ruleset.Delta{
				{Add: element, Ingress: map[netip.Addr]string{a: "some"}},
				{Remove: element, Ingress: map[netip.Addr]string{a: ""}},
			} {
				if err := e.Apply(&d); err != nil {
					b.Fatal(err)
				}
			}
		}
		if e.reloads > 0 {
			b.Fatal("changes failed in the kernel")
		}
	})
}

// A policy comes and goes: a chain of five rules, and the addresses it selects.
func BenchmarkPolicyAddedAndRemoved(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		e := ready(b, crowd(n))
		chain := ruleset.Chain{Ingress: true}
		for port := range uint16(5) {
			chain.Rules = append(chain.Rules, ruleset.Rule{Peer: "peers", Proto: ruleset.TCP, First: 80 + port, Last: 80 + port, Verdict: ruleset.Accept})
		}
		a := addr("10.100.0.1")
		for b.Loop() {
			for _, d := range []ruleset.Delta{
				{NewChains: map[string]ruleset.Chain{"new": chain}, Ingress: map[netip.Addr]string{a: "new"}},
				{OldChains: []string{"new"}, Ingress: map[netip.Addr]string{a: "some"}},
			} {
				if err := e.Apply(&d); err != nil {
					b.Fatal(err)
				}
			}
		}
		if e.reloads > 0 {
			b.Fatal("changes failed in the kernel")
		}
	})
}

// What a change that forbids costs besides: the kernel's flows are looked through, of
// all namespaces.
func BenchmarkCut(b *testing.B) {
	e := ready(b, crowd(local))
	for b.Loop() {
		if err := e.cut(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		p := crowd(n)
		e := ready(b, p)
		for b.Loop() {
			if err := e.Load(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
