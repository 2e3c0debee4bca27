package nft

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
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
	e := openEnforcer(b, namespace(b, "node"), Options{IPv4: true})
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

// A TCP connection through the router, to an address that policies restrict as many as
// there are: each has a chain and a set of its own.
func BenchmarkConnect(b *testing.B) {
	for _, policies := range []int{-1, 0, 10, 1_000, 10_000} {
		name := fmt.Sprintf("%d-policies", policies)
		if policies < 0 {
			name = "no-table"
		}
		b.Run(name, func(b *testing.B) {
			w := newWire(b)
			w.west.inhabit(b, "169.254.0.2", "10.1.0.1")
			w.east.inhabit(b, "169.254.0.2", "10.2.0.1")
			if policies >= 0 {
				e := openEnforcer(b, w.router, Options{IPv4: true})
				if err := e.Load(many(policies)); err != nil {
					b.Fatal(err)
				}
			}
			l, err := netns.Listen(w.east.ns, "tcp4", "10.2.0.1:80")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			}()
			// The mean is that of a few lost packets, on a busy machine.
			var took []time.Duration
			err = netns.Do(w.west.ns, func() error {
				dial := netns.Dial("")
				for b.Loop() {
					began := time.Now()
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					c, err := dial(ctx, "tcp4", "10.2.0.1:80")
					cancel()
					if err != nil {
						return err
					}
					took = append(took, time.Since(began))
					c.Close()
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			slices.Sort(took)
			for name, n := range map[string]int{"p01-µs": 100, "p50-µs": 2} {
				b.ReportMetric(float64(took[len(took)/n].Nanoseconds())/1000, name)
			}
		})
	}
}

func many(policies int) *ruleset.Program {
	p := (&ruleset.Program{}).Clone()
	for i := range policies {
		id := fmt.Sprint(i)
		p.Sets[id] = ruleset.Set{Elements: hosts("10.1.0.1")}
		p.Chains[id] = ruleset.Chain{Ingress: true, Rules: []ruleset.Rule{{Peer: id, Proto: ruleset.TCP, First: 80, Last: 80, Verdict: ruleset.Accept}}}
		p.Ingress[netip.AddrFrom4([4]byte{10, 100, byte(i >> 8), byte(i)})] = id
	}
	if policies > 0 {
		p.Ingress[addr("10.2.0.1")] = "0"
	}
	return p
}
