package nft

import (
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

func openEnforcer(t testing.TB, ns string, o Options) *Enforcer {
	t.Helper()
	e, err := Open(ns, "test", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// draw is a random program over few addresses, so that its rules meet.
type draw struct {
	t *rapid.T
	p *ruleset.Program
}

var drawnKinds = []ruleset.Kind{ruleset.Addresses, ruleset.Blocks, ruleset.Endpoints}

func drawProgram(t *rapid.T) *ruleset.Program {
	d := draw{t, (&ruleset.Program{}).Clone()}
	for i := range rapid.IntRange(0, 5).Draw(t, "sets") {
		kind := drawnKinds[i%3]
		s := ruleset.Set{Kind: kind, Elements: map[ruleset.Element]struct{}{}}
		for range rapid.IntRange(0, 5).Draw(t, "elements") {
			s.Elements[d.element(kind)] = struct{}{}
		}
		d.p.Sets[fmt.Sprintf("%d", i)] = s
	}
	var made [2][]string
	for i := range rapid.IntRange(0, 6).Draw(t, "chains") {
		way := i % 2
		c := ruleset.Chain{Ingress: way == 1}
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			c.Rules = append(c.Rules, d.rule(made[way]))
		}
		id := fmt.Sprintf("%v", c) // other rules have another id
		if _, again := d.p.Chains[id]; !again {
			made[way] = append(made[way], id)
		}
		d.p.Chains[id] = c
	}
	for way, m := range []map[netip.Addr]string{d.p.Egress, d.p.Ingress} {
		for range rapid.IntRange(0, 8).Draw(t, "restricted") {
			if len(made[way]) > 0 {
				m[d.address()] = rapid.SampledFrom(made[way]).Draw(t, "chain")
			}
		}
	}
	if err := d.p.Validate(); err != nil {
		t.Fatal(err)
	}
	return d.p
}

func (d draw) address() netip.Addr {
	p := rapid.SampledFrom(append(west, east...)).Draw(d.t, "network")
	b := p.Addr().AsSlice()
	b[len(b)-1] = byte(rapid.IntRange(1, 6).Draw(d.t, "address"))
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (d draw) element(k ruleset.Kind) ruleset.Element {
	a := d.address()
	e := ruleset.Element{Prefix: netip.PrefixFrom(a, a.BitLen())}
	switch k {
	case ruleset.Blocks:
		bits := a.BitLen() - rapid.SampledFrom([]int{0, 1, 2, 3, 8, a.BitLen()}).Draw(d.t, "bits")
		e.Prefix = netip.PrefixFrom(a, bits).Masked()
	case ruleset.Endpoints:
		e.Proto, e.Port = d.proto(), d.port()
	}
	return e
}

var portProtos = []uint8{ruleset.TCP, ruleset.UDP, ruleset.SCTP}

func (d draw) proto() uint8 { return rapid.SampledFrom(portProtos).Draw(d.t, "proto") }
func (d draw) port() uint16 { return uint16(rapid.IntRange(79, 84).Draw(d.t, "port")) }

func (d draw) rule(before []string) (r ruleset.Rule) {
	if len(d.p.Sets) > 0 && rapid.Bool().Draw(d.t, "peer") {
		r.Peer = fmt.Sprint(rapid.IntRange(0, len(d.p.Sets)-1).Draw(d.t, "set"))
	}
	onEndpoints := r.Peer != "" && d.p.Sets[r.Peer].Kind == ruleset.Endpoints
	if len(before) > 0 && !onEndpoints && rapid.IntRange(0, 3).Draw(d.t, "map") == 0 {
		r.Ports = map[ruleset.Port]string{}
		for range rapid.IntRange(1, 3).Draw(d.t, "ports") {
			r.Ports[ruleset.Port{Proto: d.proto(), Number: d.port()}] = rapid.SampledFrom(before).Draw(d.t, "to")
		}
		return r
	}
	if !onEndpoints && rapid.Bool().Draw(d.t, "by proto") {
		r.Proto = d.proto()
		if rapid.Bool().Draw(d.t, "by port") {
			r.First = d.port()
			r.Last = max(r.First, d.port())
		}
	}
	r.Verdict = ruleset.Verdict(rapid.IntRange(0, 2).Draw(d.t, "verdict"))
	if r.Verdict == ruleset.Goto {
		if len(before) == 0 {
			r.Verdict = ruleset.Accept
			return r
		}
		r.Chain = rapid.SampledFrom(before).Draw(d.t, "to")
	}
	return r
}

// probes are the first packets of all kinds of flows between the sides.
func probes() (all []ruleset.Packet) {
	at := func(p netip.Prefix, i int) netip.Addr {
		b := p.Addr().AsSlice()
		b[len(b)-1] = byte(i)
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	for family := range west {
		for i := 1; i <= 6; i++ {
			for j := 1; j <= 6; j++ {
				s, d := at(west[family], i), at(east[family], j)
				for _, proto := range portProtos {
					for _, port := range []uint16{79, 81, 83} {
						all = append(all, ruleset.Packet{Source: s, Destination: d, Proto: proto, Port: port})
					}
				}
				icmp := uint8(unix.IPPROTO_ICMP)
				if family == 1 {
					icmp = unix.IPPROTO_ICMPV6
				}
				all = append(all, ruleset.Packet{Source: s, Destination: d, Proto: icmp})
			}
		}
	}
	return all
}

// The kernel lets through what Decide does: of a program loaded, and of each change
// of it, on all kinds of packets.
func TestTheKernelDecidesAsThePrograms(t *testing.T) {
	w := newWire(t)
	all := probes()
	for name, o := range map[string]Options{"owned": {Cut: true}, "shared": {shared: true}} {
		t.Run(name, func(t *testing.T) {
			e, err := Open(w.router, name, o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := e.Remove(); err != nil {
					t.Error(err)
				}
				e.Close()
			}()
			rapid.Check(t, func(t *rapid.T) {
				var p *ruleset.Program
				for step := range 3 {
					next := drawProgram(t)
					if step == 0 {
						if err := e.Load(next); err != nil {
							t.Fatalf("loading: %v", err)
						}
					} else {
						d := ruleset.Diff(p, next)
						if err := e.Apply(&d); err != nil {
							t.Fatalf("changing: %v", err)
						}
						if e.reloads > 0 {
							t.Fatal("a change failed in the kernel")
						}
					}
					p = next
					if w.sent > 60000 {
						w.sent = 1024
						flushFlows(t, w.router)
					}
					some := make([]ruleset.Packet, 0, 60)
					for range 60 {
						some = append(some, all[rapid.IntRange(0, len(all)-1).Draw(t, "probe")])
					}
					for i, through := range w.pass(w.west, w.east, some) {
						want, steps := ruleset.Decide(p, some[i])
						if through != want {
							t.Fatalf("step %d: %v came through: %v, decided %v by %v\n%s", step, some[i], through, want, steps, listing(w.router))
						}
					}
				}
			})
		})
	}
}

type fataler interface{ Fatal(...any) }

func flushFlows(t fataler, ns string) {
	if err := netns.Do(ns, func() error { return exec.Command("conntrack", "-F").Run() }); err != nil {
		t.Fatal(err)
	}
}

func listing(ns string) string {
	var out []byte
	_ = netns.Do(ns, func() (err error) {
		out, err = exec.Command("nft", "list", "ruleset").CombinedOutput()
		return err
	})
	return string(out)
}
