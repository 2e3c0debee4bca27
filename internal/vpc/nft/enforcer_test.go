package nft

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func hosts(addrs ...string) map[ruleset.Element]struct{} {
	m := map[ruleset.Element]struct{}{}
	for _, a := range addrs {
		m[ruleset.Element{Prefix: netip.PrefixFrom(addr(a), addr(a).BitLen())}] = struct{}{}
	}
	return m
}

// denied is a program under which the addresses may be reached by no one.
func denied(addrs ...string) *ruleset.Program {
	p := &ruleset.Program{Chains: map[string]ruleset.Chain{"nobody": {Ingress: true}}, Ingress: map[netip.Addr]string{}}
	for _, a := range addrs {
		p.Ingress[addr(a)] = "nobody"
	}
	return p
}

func tcp(from, to string, port uint16) ruleset.Packet {
	return ruleset.Packet{Source: addr(from), Destination: addr(to), Proto: unix.IPPROTO_TCP, Port: port}
}

// tool runs nft in the namespace, as a user would by hand.
func tool(ns string, args ...string) (string, error) {
	var out []byte
	err := netns.Do(ns, func() (err error) {
		out, err = exec.Command("nft", args...).CombinedOutput()
		return err
	})
	return string(out), err
}

// By hand nothing can be opened while the owner lives; without it the rules stay,
// and the next owner finds them.
func TestNobodyElseOpensTheTable(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{})
	if e.flags == 0 {
		t.Skip("the kernel has no owned tables that persist")
	}
	if err := e.Load(denied("10.2.0.1")); err != nil {
		t.Fatal(err)
	}
	closed := func(when string) {
		t.Helper()
		got := w.pass(w.west, w.east, []ruleset.Packet{tcp("10.1.0.1", "10.2.0.1", 80), tcp("10.1.0.1", "10.2.0.2", 80)})
		if got[0] || !got[1] {
			t.Fatalf("%s: to the denied %v, to another %v", when, got[0], got[1])
		}
	}
	closed("loaded")
	if out, err := tool(w.router, "flush", "ruleset"); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	closed("flushed by hand")
	for _, try := range []string{"delete table inet test", "flush table inet test", "delete chain inet test forward", "flush map inet test ingress4"} {
		if out, err := tool(w.router, strings.Fields(try)...); err == nil {
			t.Errorf("nft %s: it worked: %s", try, out)
		}
		closed(try)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	closed("without owner")
	next := openEnforcer(t, w.router, Options{})
	closed("taken over")
	if out, err := tool(w.router, "delete", "table", "inet", "test"); err == nil {
		t.Errorf("the table that was taken over could be deleted: %s", out)
	}
	if err := next.Load(denied("10.2.0.2")); err != nil {
		t.Fatal(err)
	}
	got := w.pass(w.west, w.east, []ruleset.Packet{tcp("10.1.0.1", "10.2.0.1", 80), tcp("10.1.0.1", "10.2.0.2", 80)})
	if !got[0] || got[1] {
		t.Errorf("after another Load: %v", got)
	}
}

// atRest counts rewritings when there are no more: of one command by hand the kernel tells
// several times.
func atRest(t *testing.T, count *atomic.Int32) (n int32) {
	t.Helper()
	n = -1
	eventually(t, "it comes to rest", func() bool {
		before := n
		time.Sleep(500 * time.Millisecond)
		n = count.Load()
		return n == before
	})
	return n
}

// Where the kernel keeps no table for its owner, what others do is undone.
func TestASharedTableIsMended(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{shared: true})
	if err := e.Load(denied("10.2.0.1", "fd02::1")); err != nil {
		t.Fatal(err)
	}
	try := []ruleset.Packet{tcp("10.1.0.1", "10.2.0.1", 80), tcp("fd01::1", "fd02::1", 80)}
	for _, args := range []string{"flush ruleset", "delete table inet test", "flush map inet test ingress4", "flush chain inet test to6"} {
		if out, err := tool(w.router, strings.Fields(args)...); err != nil {
			t.Fatalf("nft %s: %s%v", args, out, err)
		}
		eventually(t, "nft "+args+" is undone", func() bool {
			got := w.pass(w.west, w.east, try)
			return !got[0] && !got[1]
		})
	}
	// Its own changes are not another's.
	mended := atRest(t, &e.watch.rewritten)
	for i := range 20 {
		d := ruleset.Delta{Ingress: map[netip.Addr]string{addr(fmt.Sprintf("10.2.0.%d", 10+i)): "nobody"}}
		if err := e.Apply(&d); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.watch.rewritten.Load() - mended; n != 0 {
		t.Errorf("written anew %d times for its own changes", n)
	}
}

// An address reaches itself, whatever its chains say.
func TestAnAddressReachesItself(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{})
	p := denied("10.1.0.1", "fd01::1")
	p.Chains["nowhere"] = ruleset.Chain{}
	p.Egress = map[netip.Addr]string{addr("10.1.0.1"): "nowhere", addr("fd01::1"): "nowhere"}
	if err := e.Load(p); err != nil {
		t.Fatal(err)
	}
	got := w.pass(w.west, w.west, []ruleset.Packet{
		tcp("10.1.0.1", "10.1.0.1", 80), tcp("fd01::1", "fd01::1", 80), tcp("10.1.0.1", "10.1.0.2", 80), tcp("10.1.0.2", "10.1.0.1", 80),
	})
	if fmt.Sprint(got) != "[true true false false]" {
		t.Errorf("to itself, to another, from another: %v", got)
	}
	// And no longer than it is restricted: then a set of its own is of no use.
	d := ruleset.Delta{Ingress: map[netip.Addr]string{addr("10.1.0.1"): "", addr("fd01::1"): ""}}
	for range 2 {
		if err := e.Apply(&d); err != nil {
			t.Fatal(err)
		}
		if e.reloads > 0 {
			t.Fatal("a change failed in the kernel")
		}
		d = ruleset.Delta{Egress: d.Ingress}
	}
	if out, _ := tool(w.router, "list", "set", "inet", "test", "self4"); strings.Contains(out, "10.1.0.1") {
		t.Errorf("it is still paired with itself: %s", out)
	}
}

// What isn't a connection's first packet opens none with a restricted address.
func TestAConnectionBeginsWithItsFirstPacket(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{})
	p := denied("10.2.0.1")
	if err := e.Load(p); err != nil {
		t.Fatal(err)
	}
	const ack, synAck, syn = 0x10, 0x12, 0x02
	for _, tc := range []struct {
		from, to string
		flags    byte
		want     bool
	}{
		{"10.2.0.1", "10.1.0.1", ack, false}, // may connect, and has not
		{"10.2.0.1", "10.1.0.1", synAck, false},
		{"10.2.0.1", "10.1.0.1", syn, true},
		{"10.2.0.2", "10.1.0.1", ack, true}, // nobody restricts it
		{"10.1.0.1", "10.2.0.1", ack, false},
	} {
		from, to := w.west, w.east
		if tc.from[3] == '2' {
			from, to = to, from
		}
		w.flags = tc.flags
		got := w.pass(from, to, []ruleset.Packet{tcp(tc.from, tc.to, 80)})
		w.flags = syn
		if got[0] != tc.want {
			t.Errorf("%s to %s, flags %#x: through %v, want %v", tc.from, tc.to, tc.flags, got[0], tc.want)
		}
	}
}

// Large programs are one transaction, whatever their size.
func TestTenThousandOfEach(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{})
	p := (&ruleset.Program{}).Clone()
	few, blocks, ends := hosts(), hosts(), hosts()
	for i := range 10_000 {
		a := netip.AddrFrom4([4]byte{10, 3, byte(i / 256), byte(i)})
		single := netip.PrefixFrom(a, 32)
		few[ruleset.Element{Prefix: single}] = struct{}{}
		ends[ruleset.Element{Prefix: single, Proto: ruleset.TCP, Port: 80}] = struct{}{}
		p.Ingress[a] = "some"
		block := netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i/256/256), byte(i / 256), byte(i), 0}), 24+i%2)
		blocks[ruleset.Element{Prefix: block}] = struct{}{}
	}
	blocks[ruleset.Element{Prefix: netip.MustParsePrefix("10.1.0.1/32")}] = struct{}{}
	p.Sets["few"] = ruleset.Set{Kind: ruleset.Addresses, Elements: few}
	p.Sets["blocks"] = ruleset.Set{Kind: ruleset.Blocks, Elements: blocks}
	p.Sets["ends"] = ruleset.Set{Kind: ruleset.Endpoints, Elements: ends}
	p.Chains["some"] = ruleset.Chain{Ingress: true, Rules: []ruleset.Rule{
		{Peer: "few", Verdict: ruleset.Accept}, {Peer: "ends", Verdict: ruleset.Accept}, {Peer: "blocks", Proto: ruleset.TCP, First: 80, Last: 80, Verdict: ruleset.Accept},
	}}
	p.Ingress[addr("10.2.0.1")] = "some"
	for range 2 { // what is there is replaced
		if err := e.Load(p); err != nil {
			t.Fatal(err)
		}
		got := w.pass(w.west, w.east, []ruleset.Packet{tcp("10.1.0.1", "10.2.0.1", 80), tcp("10.1.0.1", "10.2.0.1", 81), tcp("10.1.0.2", "10.2.0.1", 80)})
		if fmt.Sprint(got) != "[true false false]" {
			t.Fatalf("%v", got)
		}
	}
	d := ruleset.Diff(p, (&ruleset.Program{}).Clone())
	if err := e.Apply(&d); err != nil {
		t.Fatal(err)
	}
	if e.reloads > 0 {
		t.Error("the change failed in the kernel")
	}
	if left, err := e.list(); err != nil || len(left.chains) != 11 || len(left.sets) != 6 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAnIPv4TableRefusesToRestrictIPv6(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{IPv4: true})
	if err := e.Load(denied("fd02::1")); err == nil {
		t.Error("loaded")
	}
	p := denied("10.2.0.1")
	p.Sets = map[string]ruleset.Set{"both": {Elements: hosts("10.1.0.1", "fd01::1")}}
	p.Chains["both"] = ruleset.Chain{Ingress: true, Rules: []ruleset.Rule{{Peer: "both", Verdict: ruleset.Accept}}}
	p.Ingress[addr("10.2.0.1")] = "both"
	if err := e.Load(p); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(&ruleset.Delta{Ingress: map[netip.Addr]string{addr("fd02::1"): "both"}}); err == nil {
		t.Error("changed")
	}
	got := w.pass(w.west, w.east, []ruleset.Packet{tcp("10.1.0.1", "10.2.0.1", 80), tcp("10.1.0.2", "10.2.0.1", 80), tcp("fd01::2", "fd02::1", 80)})
	if fmt.Sprint(got) != "[true false true]" {
		t.Errorf("%v", got)
	}
}

// A change that does not fit leaves program and kernel as they were.
func TestAChangeThatDoesNotFit(t *testing.T) {
	w := newWire(t)
	e := openEnforcer(t, w.router, Options{})
	if err := e.Apply(&ruleset.Delta{OldSets: []string{"a"}}); err == nil {
		t.Error("a change before any program was taken")
	}
	if err := e.Load(denied("10.2.0.1")); err != nil {
		t.Fatal(err)
	}
	for _, d := range []ruleset.Delta{
		{OldSets: []string{"a"}}, {OldChains: []string{"a"}}, {Add: map[string][]ruleset.Element{"a": nil}},
		{NewChains: map[string]ruleset.Chain{"a": {Rules: []ruleset.Rule{{Peer: "b"}}}}},
		{Ingress: map[netip.Addr]string{addr("10.2.0.9"): ""}},
	} {
		if err := e.Apply(&d); err == nil {
			t.Errorf("%v was taken", d)
		}
	}
	// What the program takes and the kernel doesn't, is written anew or refused.
	if err := e.Apply(&ruleset.Delta{Ingress: map[netip.Addr]string{addr("10.2.0.2"): "missing"}}); err == nil {
		t.Error("a chain that isn't there was taken")
	}
	if err := e.Load(denied("10.2.0.1")); err != nil {
		t.Fatal(err)
	}
	if got := w.pass(w.west, w.east, []ruleset.Packet{tcp("10.1.0.1", "10.2.0.1", 80)}); got[0] {
		t.Error("open")
	}
}
