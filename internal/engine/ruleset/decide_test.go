package ruleset_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	. "github.com/eksact/eksact/internal/engine/ruleset"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// set is of the kind that its elements show: 10.0.0.1, 10.0.0.0/8, 10.0.0.1/6:80.
func set(k Kind, prefixes ...string) Set {
	s := Set{Kind: k, Elements: map[Element]struct{}{}}
	for _, p := range prefixes {
		e := Element{}
		if k == Endpoints {
			e.Proto, e.Port = TCP, 80
		}
		if a, err := netip.ParseAddr(p); err == nil {
			e.Prefix = netip.PrefixFrom(a, a.BitLen())
		} else {
			e.Prefix = netip.MustParsePrefix(p)
		}
		s.Elements[e] = struct{}{}
	}
	return s
}

// sample restricts 10.0.0.1 and fd00::1 both ways.
func sample() *Program {
	return &Program{
		Sets: map[string]Set{
			"friends": set(Addresses, "10.0.0.2", "fd00::2"),
			"outside": set(Blocks, "192.0.2.0/24", "192.0.2.128/25", "2001:db8::/32"),
			"web":     set(Endpoints, "10.0.0.3"),
			"none":    {Kind: Addresses},
		},
		Chains: map[string]Chain{
			"in": {Ingress: true, Rules: []Rule{
				{Peer: "none", Verdict: Accept},
				{Peer: "friends", Proto: TCP, First: 8000, Last: 8100, Verdict: Accept},
				{Peer: "outside", Ports: map[Port]string{{Proto: UDP, Number: 53}: "friendly", {Proto: TCP, Number: 22}: "closed"}},
				{Proto: SCTP, Verdict: Accept},
				{Proto: TCP, First: 1, Last: 1, Verdict: Goto, Chain: "friendly"},
				{Peer: "outside", Proto: 1, Verdict: Accept},
			}},
			"friendly": {Ingress: true, Rules: []Rule{{Peer: "friends", Verdict: Accept}, {Peer: "outside", Verdict: Accept}}},
			"closed":   {Ingress: true},
			"out":      {Rules: []Rule{{Peer: "web", Verdict: Accept}, {Peer: "outside", Verdict: Drop}, {Peer: "friends", Verdict: Accept}}},
		},
		Egress:  map[netip.Addr]string{addr("10.0.0.1"): "out", addr("fd00::1"): "out"},
		Ingress: map[netip.Addr]string{addr("10.0.0.1"): "in", addr("fd00::1"): "in", addr("10.0.0.2"): "closed"},
	}
}

func TestDecide(t *testing.T) {
	p := sample()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		from, to string
		proto    uint8
		port     uint16
		want     bool
		steps    []Step
	}{
		{"nobody restricted", "10.0.0.8", "10.0.0.9", TCP, 80, true, nil},
		{"to itself", "10.0.0.1", "10.0.0.1", TCP, 80, true, nil},
		{"first of a range", "10.0.0.2", "10.0.0.1", TCP, 8000, true, []Step{{true, "in", 1}}},
		{"last of a range", "10.0.0.2", "10.0.0.1", TCP, 8100, true, []Step{{true, "in", 1}}},
		{"below a range", "10.0.0.2", "10.0.0.1", TCP, 7999, false, []Step{{true, "in", -1}}},
		{"above a range", "10.0.0.2", "10.0.0.1", TCP, 8101, false, []Step{{true, "in", -1}}},
		{"another protocol", "10.0.0.2", "10.0.0.1", UDP, 8000, false, []Step{{true, "in", -1}}},
		{"IPv6", "fd00::2", "fd00::1", TCP, 8000, true, []Step{{true, "in", 1}}},
		{"by port to a chain", "192.0.2.200", "10.0.0.1", UDP, 53, true, []Step{{true, "in", 2}, {true, "friendly", 1}}},
		{"by port to an empty chain", "192.0.2.1", "10.0.0.1", TCP, 22, false, []Step{{true, "in", 2}, {true, "closed", -1}}},
		{"no entry for the port", "192.0.2.1", "10.0.0.1", TCP, 53, false, []Step{{true, "in", -1}}},
		{"an entry, but another peer", "10.0.0.2", "10.0.0.1", UDP, 53, false, []Step{{true, "in", -1}}},
		{"a protocol alone", "203.0.113.1", "10.0.0.1", SCTP, 9, true, []Step{{true, "in", 3}}},
		{"goto never comes back", "203.0.113.1", "10.0.0.1", TCP, 1, false, []Step{{true, "in", 4}, {true, "friendly", -1}}},
		{"a protocol without ports", "192.0.2.1", "10.0.0.1", 1, 0, true, []Step{{true, "in", 5}}},
		{"an endpoint", "10.0.0.1", "10.0.0.3", TCP, 80, true, []Step{{false, "out", 0}}},
		{"another port of an endpoint", "10.0.0.1", "10.0.0.3", TCP, 81, false, []Step{{false, "out", -1}}},
		{"dropped by a rule", "fd00::1", "2001:db8::9", TCP, 80, false, []Step{{false, "out", 1}}},
		{"egress lets it go, ingress doesn't", "10.0.0.1", "10.0.0.2", TCP, 80, false, []Step{{false, "out", 2}, {true, "closed", -1}}},
		{"egress stops it first", "10.0.0.1", "10.0.0.9", TCP, 80, false, []Step{{false, "out", -1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, steps := Decide(p, Packet{Source: addr(tc.from), Destination: addr(tc.to), Proto: tc.proto, Port: tc.port})
			if got != tc.want {
				t.Errorf("passes: %v", got)
			}
			if d := cmp.Diff(tc.steps, steps); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	rule := func(r Rule) func(*Program) {
		return func(p *Program) { p.Chains["in"] = Chain{Ingress: true, Rules: []Rule{r}} }
	}
	element := func(e Element) func(*Program) {
		return func(p *Program) { p.Sets["friends"].Elements[e] = struct{}{} }
	}
	for _, tc := range []struct {
		name string
		harm func(*Program)
		want string
	}{
		{"no set", func(p *Program) { delete(p.Sets, "web") }, "chain out: rule 0: set web isn't there"},
		{"no chain", func(p *Program) { delete(p.Chains, "closed") }, "chain in: rule 2: chain closed isn't there"},
		{"no chain in a map", func(p *Program) { p.Egress[addr("10.0.0.4")] = "x" }, "egress map: 10.0.0.4 has chain x, which isn't there"},
		{"a map's other direction", func(p *Program) { p.Ingress[addr("10.0.0.4")] = "out" }, "ingress map: 10.0.0.4 has chain out, which is for the other direction"},
		{"no address", func(p *Program) { p.Ingress[addr("::ffff:10.0.0.4")] = "in" }, "::ffff:10.0.0.4 is no address that packets carry"},
		{"a rule's other direction", rule(Rule{Verdict: Goto, Chain: "out"}), "chain in: rule 0: chain out is for the other direction"},
		{"itself", rule(Rule{Verdict: Goto, Chain: "in"}), "chain in leads to itself"},
		{"a circle by ports", rule(Rule{Ports: map[Port]string{{TCP, 1}: "in"}}), "chain in leads to itself"},
		{"goto nowhere", rule(Rule{Verdict: Goto}), "goes to none"},
		{"a chain and no goto", rule(Rule{Verdict: Accept, Chain: "closed"}), "doesn't go there"},
		{"unknown verdict", rule(Rule{Verdict: 3}), "there is no verdict 3"},
		{"ports backwards", rule(Rule{Proto: TCP, First: 2, Last: 1}), "ports end at 1, before they begin at 2"},
		{"ports without protocol", rule(Rule{Last: 1}), "protocol 0 has none"},
		{"no ports in a map", rule(Rule{Ports: map[Port]string{}}), "the map of ports is empty"},
		{"ports and a verdict", rule(Rule{Verdict: Accept, Ports: map[Port]string{{TCP, 1}: "closed"}}), "a verdict beside it"},
		{"a map of ICMP", rule(Rule{Ports: map[Port]string{{1, 1}: "closed"}}), "protocol 1, which has none"},
		{"ports twice", rule(Rule{Peer: "web", Proto: TCP}), "set web has ports, and so has the rule"},
		{"a block among addresses", element(Element{Prefix: netip.MustParsePrefix("10.0.0.0/8")}), "set friends: 10.0.0.0/8 is not a single address"},
		{"host bits", func(p *Program) {
			p.Sets["outside"].Elements[Element{Prefix: netip.MustParsePrefix("10.0.0.1/8")}] = struct{}{}
		}, "10.0.0.1/8 is not the prefix of a block"},
		{"a port among addresses", element(Element{Prefix: netip.MustParsePrefix("10.0.0.1/32"), Proto: TCP, Port: 1}), "has a port, in a set without"},
		{"nothing", element(Element{}), "is no address"},
		{"unknown kind", func(p *Program) { p.Sets["none"] = Set{Kind: 3} }, "set none: there is no kind 3"},
		{"an endpoint without", func(p *Program) {
			p.Sets["web"].Elements[Element{Prefix: netip.MustParsePrefix("10.0.0.1/32")}] = struct{}{}
		}, "protocol 0, which has no ports"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := sample()
			tc.harm(p)
			if err := p.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

// TestManyBlocks: however many blocks there are, an address is in the same ones.
func TestManyBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var blocks []netip.Prefix
		s := Set{Kind: Blocks, Elements: map[Element]struct{}{}}
		for range rapid.IntRange(0, 300).Draw(t, "blocks") {
			a := netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 255).Draw(t, "byte")), byte(rapid.IntRange(0, 255).Draw(t, "byte")), 7})
			p := netip.PrefixFrom(a, rapid.IntRange(12, 32).Draw(t, "bits")).Masked()
			blocks, s.Elements[Element{Prefix: p}] = append(blocks, p), struct{}{}
		}
		p := &Program{Sets: map[string]Set{"s": s}, Chains: map[string]Chain{"c": {Rules: []Rule{{Peer: "s", Verdict: Accept}}}}, Egress: map[netip.Addr]string{addr("192.0.2.1"): "c"}}
		to := netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 255).Draw(t, "to")), byte(rapid.IntRange(0, 255).Draw(t, "to")), byte(rapid.IntRange(6, 8).Draw(t, "to"))})
		pass, _ := Decide(p, Packet{Source: addr("192.0.2.1"), Destination: to, Proto: TCP, Port: 1})
		if want := slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.Contains(to) }); pass != want {
			t.Errorf("%s: %v of %v", to, pass, blocks)
		}
	})
}
