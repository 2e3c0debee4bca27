package ruleset_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	. "github.com/eksact/eksact/internal/engine/ruleset"
)

// same compares programs; cmp needs to be told of netip's types.
func same(a, b *Program) string {
	return cmp.Diff(a, b, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }))
}

func TestDelta(t *testing.T) {
	old, changed := sample(), sample()
	delete(changed.Sets["friends"].Elements, Element{Prefix: netip.MustParsePrefix("10.0.0.2/32")})
	changed.Sets["friends"].Elements[Element{Prefix: netip.MustParsePrefix("10.0.0.7/32")}] = struct{}{}
	changed.Sets["new"] = set(Blocks, "10.1.0.0/16")
	delete(changed.Sets, "none")
	changed.Chains["in2"] = Chain{Ingress: true, Rules: []Rule{{Peer: "new", Verdict: Accept}}}
	delete(changed.Chains, "in")
	delete(changed.Ingress, addr("fd00::1"))
	changed.Ingress[addr("10.0.0.1")] = "in2"
	changed.Egress[addr("10.0.0.5")] = "out"
	want := Delta{
		NewSets:   map[string]Set{"new": changed.Sets["new"]},
		Add:       map[string][]Element{"friends": {{Prefix: netip.MustParsePrefix("10.0.0.7/32")}}},
		Remove:    map[string][]Element{"friends": {{Prefix: netip.MustParsePrefix("10.0.0.2/32")}}},
		OldSets:   []string{"none"},
		NewChains: map[string]Chain{"in2": changed.Chains["in2"]},
		OldChains: []string{"in"},
		Egress:    map[netip.Addr]string{addr("10.0.0.5"): "out"},
		Ingress:   map[netip.Addr]string{addr("10.0.0.1"): "in2", addr("fd00::1"): ""},
	}
	got := Diff(old, changed)
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if got.Empty() {
		t.Error("it is empty")
	}
	if err := old.Apply(got); err != nil {
		t.Fatal(err)
	}
	if d := same(changed, old); d != "" {
		t.Error(d)
	}
	if d := Diff(old, changed); !d.Empty() {
		t.Errorf("once more: %v", d)
	}
	// What was applied is a copy.
	delete(changed.Sets["new"].Elements, Element{Prefix: netip.MustParsePrefix("10.1.0.0/16")})
	if len(old.Sets["new"].Elements) != 1 {
		t.Error("programs share a set")
	}
}

func TestApplyRefuses(t *testing.T) {
	one := []Element{{Prefix: netip.MustParsePrefix("10.0.0.2/32")}}
	for _, tc := range []struct {
		delta Delta
		want  string
	}{
		{Delta{NewSets: map[string]Set{"web": {}}}, "set web would be made and is there"},
		{Delta{OldSets: []string{"x"}}, "set x would be removed and isn't there"},
		{Delta{NewChains: map[string]Chain{"in": {}}}, "chain in would be made and is there"},
		{Delta{OldChains: []string{"x"}}, "chain x would be removed and isn't there"},
		{Delta{Add: map[string][]Element{"x": one}}, "set x would be changed and isn't there"},
		{Delta{Add: map[string][]Element{"friends": one}}, "is true"},
		{Delta{Remove: map[string][]Element{"none": one}}, "is false"},
		{Delta{Add: map[string][]Element{"web": one}}, "no ports"},
		{Delta{Egress: map[netip.Addr]string{addr("10.9.9.9"): ""}}, "egress map: 10.9.9.9 would be taken out and isn't there"},
	} {
		p := sample()
		if err := p.Apply(tc.delta); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %s", err, tc.want)
		}
		if d := same(sample(), p); d != "" {
			t.Errorf("%s: it changed all the same: %s", tc.want, d)
		}
	}
	// Chains and kinds do not change under an id.
	changed := sample()
	changed.Chains["closed"] = Chain{Ingress: true, Rules: []Rule{{Verdict: Accept}}}
	if err := sample().Apply(Diff(sample(), changed)); err == nil {
		t.Error("a chain was changed")
	}
	changed = sample()
	changed.Sets["none"] = Set{Kind: Blocks}
	if err := sample().Apply(Diff(sample(), changed)); err == nil {
		t.Error("a set's kind was changed")
	}
}

// drawProgram draws a valid program over few names, so that two have much in common.
// Ids tell kind and content, as they must.
func drawProgram(t *rapid.T) *Program {
	p := &Program{Sets: map[string]Set{}, Chains: map[string]Chain{}, Egress: map[netip.Addr]string{}, Ingress: map[netip.Addr]string{}}
	var sets []string
	for i := range 3 {
		if !rapid.Bool().Draw(t, "set") {
			continue
		}
		s := Set{Kind: Kind(i), Elements: map[Element]struct{}{}}
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			s.Elements[drawElement(t, s.Kind)] = struct{}{}
		}
		id := fmt.Sprintf("s%d", i)
		p.Sets[id], sets = s, append(sets, id)
	}
	last := map[bool]string{}
	for range rapid.IntRange(0, 5).Draw(t, "chains") {
		c := Chain{Ingress: rapid.Bool().Draw(t, "ingress")}
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			c.Rules = append(c.Rules, drawRule(t, sets, last[c.Ingress]))
		}
		id := fmt.Sprint(c)
		p.Chains[id], last[c.Ingress] = c, id
	}
	for i := range 4 {
		if id := last[false]; id != "" && rapid.Bool().Draw(t, "restricted") {
			p.Egress[drawn(i)] = id
		}
		if id := last[true]; id != "" && rapid.Bool().Draw(t, "restricted") {
			p.Ingress[drawn(i)] = id
		}
	}
	return p
}

func drawn(i int) netip.Addr {
	return []netip.Addr{addr("10.0.0.1"), addr("10.0.0.2"), addr("fd00::1"), addr("fd00::2")}[i]
}

func drawElement(t *rapid.T, k Kind) Element {
	a := drawn(rapid.IntRange(0, 3).Draw(t, "address"))
	bits := a.BitLen()
	if k == Blocks {
		bits = rapid.IntRange(0, bits).Draw(t, "bits")
	}
	e := Element{Prefix: netip.PrefixFrom(a, bits).Masked()}
	if k == Endpoints {
		e.Proto, e.Port = TCP, rapid.SampledFrom([]uint16{80, 443}).Draw(t, "port")
	}
	return e
}

func drawRule(t *rapid.T, sets []string, next string) Rule {
	r := Rule{Verdict: rapid.SampledFrom([]Verdict{Drop, Accept}).Draw(t, "verdict")}
	if len(sets) > 0 {
		r.Peer = rapid.SampledFrom(append(sets, "")).Draw(t, "peer")
	}
	if r.Peer != "s2" && rapid.Bool().Draw(t, "ports") {
		r.Proto, r.First, r.Last = TCP, 80, rapid.SampledFrom([]uint16{80, 100}).Draw(t, "last")
	}
	switch kind := rapid.IntRange(0, 3).Draw(t, "leads"); {
	case next == "":
	case kind == 1:
		r.Verdict, r.Chain = Goto, next
	case kind == 2 && r.Peer != "s2":
		r = Rule{Peer: r.Peer, Ports: map[Port]string{{TCP, 80}: next}}
	}
	return r
}

// anyChange: the difference of two programs makes one of the other, and they decide
// alike.
func anyChange(t *rapid.T) {
	old, changed := drawProgram(t), drawProgram(t)
	for _, p := range []*Program{old, changed} {
		if err := p.Validate(); err != nil {
			t.Fatalf("%v of %+v", err, p)
		}
		if d := same(p, p.Clone()); d != "" {
			t.Fatalf("a clone differs: %s", d)
		}
		if d := Diff(p, p.Clone()); !d.Empty() {
			t.Fatalf("a program differs from itself: %+v", d)
		}
	}
	before := old.Clone()
	if err := old.Apply(Diff(old, changed)); err != nil {
		t.Fatal(err)
	}
	if d := same(changed, old); d != "" {
		t.Fatal(d)
	}
	if err := old.Apply(Diff(old, before)); err != nil {
		t.Fatal(err)
	}
	if d := same(before, old); d != "" {
		t.Fatalf("and back: %s", d)
	}
	// A packet between two that nothing restricts passes; a step's rule is of its chain.
	packet := Packet{Source: drawn(rapid.IntRange(0, 3).Draw(t, "from")), Destination: drawn(rapid.IntRange(0, 3).Draw(t, "to")), Proto: TCP, Port: rapid.SampledFrom([]uint16{80, 90, 443}).Draw(t, "port")}
	pass, steps := Decide(changed, packet)
	for _, s := range steps {
		if c, found := changed.Chains[s.Chain]; !found || s.Rule >= len(c.Rules) || c.Ingress != s.Ingress {
			t.Fatalf("%+v is no step of the program", s)
		}
	}
	if !pass && len(steps) == 0 {
		t.Fatal("dropped by nothing")
	}
}

func TestAnyChange(t *testing.T) { rapid.Check(t, anyChange) }

func FuzzChange(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyChange)) }
