package secgroup

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

var (
	at = netip.MustParseAddr
	in = netip.MustParsePrefix
)

// cluster is a node with a prefix for pods, of which one pod has an interface of its
// own, and a database.
func cluster() *State {
	return &State{
		Groups: []Group{
			{"sg-node", []Rule{
				{ID: "r-self", Any: true, Group: "sg-node"},
				{ID: "r-out", Egress: true, Any: true, Block: in("0.0.0.0/0")},
			}},
			{"sg-pod", []Rule{{ID: "r-pod-out", Egress: true, Any: true, Block: in("0.0.0.0/0")}}},
			{"sg-db", []Rule{
				{ID: "r-db", Proto: ruleset.TCP, First: 5432, Last: 5432, Group: "sg-pod"},
				{ID: "r-ping", Proto: ruleset.ICMP, Type: 8, Code: -1, Block: in("10.0.0.0/8")},
				{ID: "r-offices", Proto: ruleset.TCP, First: 22, Last: 22, List: "pl-1"},
				{ID: "r-dns", Egress: true, Proto: ruleset.UDP, First: 53, Last: 53, Block: in("192.0.2.0/24")},
			}},
		},
		Lists: []List{{"pl-1", []netip.Prefix{in("198.51.100.0/24")}}},
		Interfaces: []Interface{
			{"eni-node", []netip.Addr{at("10.0.0.4")}, []netip.Prefix{in("10.0.1.0/28")}, []string{"sg-node"}},
			{"eni-pod", []netip.Addr{at("10.0.1.5")}, nil, []string{"sg-pod"}},
			{"eni-db", []netip.Addr{at("10.0.2.2")}, nil, []string{"sg-db"}},
		},
		Exempt: []netip.Addr{at("10.0.0.2")},
	}
}

func packet(from, to string, proto uint8, port uint16) ruleset.Packet {
	return ruleset.Packet{Source: at(from), Destination: at(to), Proto: proto, Port: port}
}

func TestDecisions(t *testing.T) {
	s := cluster()
	program := Compile(s)
	if err := program.Validate(); err != nil {
		t.Fatal(err)
	}
	echo := packet("10.0.0.4", "10.0.2.2", ruleset.ICMP, 0)
	echo.Type = 8
	for _, test := range []struct {
		name    string
		packet  ruleset.Packet
		egress  string // rule; "-" is none
		ingress string
	}{
		{"the pod to its database", packet("10.0.1.5", "10.0.2.2", ruleset.TCP, 5432), "r-pod-out", "r-db"},
		{"at another port", packet("10.0.1.5", "10.0.2.2", ruleset.TCP, 5433), "r-pod-out", "-"},
		{"its node", packet("10.0.0.4", "10.0.2.2", ruleset.TCP, 5432), "r-out", "-"},
		{"another pod of the node", packet("10.0.1.6", "10.0.2.2", ruleset.TCP, 5432), "r-out", "-"},
		{"a ping", echo, "r-out", "r-ping"},
		{"another message", packet("10.0.0.4", "10.0.2.2", ruleset.ICMP, 0), "r-out", "-"},
		{"an office", packet("198.51.100.7", "10.0.2.2", ruleset.TCP, 22), "", "r-offices"},
		{"who is no office", packet("198.51.101.7", "10.0.2.2", ruleset.TCP, 22), "", "-"},
		{"a pod to its node", packet("10.0.1.6", "10.0.0.4", ruleset.TCP, 80), "own", "own"},
		{"the pod with its own interface to its node", packet("10.0.1.5", "10.0.0.4", ruleset.TCP, 80), "r-pod-out", "-"},
		{"the database to its DNS", packet("10.0.2.2", "192.0.2.53", ruleset.UDP, 53), "r-dns", ""},
		{"the database elsewhere", packet("10.0.2.2", "192.0.2.53", ruleset.TCP, 53), "-", ""},
		{"the database to the resolver", packet("10.0.2.2", "10.0.0.2", ruleset.UDP, 53), "exempt", ""},
		{"strangers", packet("203.0.113.1", "203.0.113.2", ruleset.TCP, 1), "", ""},
		{"to itself", packet("10.0.2.2", "10.0.2.2", ruleset.TCP, 1), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := Explain(s, test.packet)
			if got := [2]string{words(d.Egress), words(d.Ingress)}; got != [2]string{test.egress, test.ingress} {
				t.Errorf("got %q, want %q", got, [2]string{test.egress, test.ingress})
			}
			if pass, _ := ruleset.Decide(program, test.packet); pass != d.Pass || pass != (test.egress != "-" && test.ingress != "-") {
				t.Errorf("compiled: %t, explained: %t", pass, d.Pass)
			}
		})
	}
}

func words(s Side) string {
	switch {
	case s.Own:
		return "own"
	case s.Interface == "" && s.Pass:
		return ""
	case s.Exempt:
		return "exempt"
	case !s.Pass:
		return "-"
	}
	return s.Rule
}

// On a node its pods with interfaces of their own are held to their groups, and the
// others are not held against each other.
func TestOnANode(t *testing.T) {
	s := cluster()
	program := CompileAt(s, []string{"eni-node", "eni-pod"})
	if err := program.Validate(); err != nil {
		t.Fatal(err)
	}
	s.Groups[0].Rules = s.Groups[0].Rules[1:] // the node's group does not let itself in
	bare := CompileAt(s, []string{"eni-node", "eni-pod"})
	for _, test := range []struct {
		name    string
		program *ruleset.Program
		packet  ruleset.Packet
		want    bool
	}{
		{"pod to pod", bare, packet("10.0.1.6", "10.0.1.7", ruleset.TCP, 80), true},
		{"node to pod", bare, packet("10.0.0.4", "10.0.1.7", ruleset.TCP, 80), true},
		{"pod with its own interface to another pod", program, packet("10.0.1.5", "10.0.1.7", ruleset.TCP, 80), false},
		{"pod to one with its own interface", program, packet("10.0.1.7", "10.0.1.5", ruleset.TCP, 80), false},
		{"node to a pod with its own interface", program, packet("10.0.0.4", "10.0.1.5", ruleset.TCP, 80), false},
		{"pod with its own interface to the database", program, packet("10.0.1.5", "10.0.2.2", ruleset.TCP, 5432), true},
		{"elsewhere", program, packet("10.0.2.2", "10.0.3.3", ruleset.TCP, 80), true},
	} {
		if pass, _ := ruleset.Decide(test.program, test.packet); pass != test.want {
			t.Errorf("%s: %t", test.name, pass)
		}
	}
	if p := CompileAt(s, nil); len(p.Egress)+len(p.Ingress)+len(p.Chains) != 0 {
		t.Errorf("a machine without interfaces has %+v", p)
	}
}

// What many have in common is there once.
func TestShared(t *testing.T) {
	s := cluster()
	for i := range 100 {
		s.Interfaces = append(s.Interfaces, Interface{fmt.Sprint("eni-", i), []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})}, nil, []string{"sg-db", "sg-node"}})
	}
	// Node and pod let the same out.
	if p := Compile(s); len(p.Chains) != 7 {
		t.Errorf("%d chains for four kinds of interfaces in two directions, want 7", len(p.Chains))
	}
	var c Compiler
	c.Flush(s)
	s.Interfaces[3].Groups = []string{"sg-node", "sg-db"} // in another order
	if d := c.Flush(s); !d.Empty() {
		t.Errorf("nothing changed: %+v", d)
	}
	s.Interfaces = s.Interfaces[1:]
	if d := c.Flush(s); len(d.NewChains)+len(d.NewSets) != 0 || len(d.Egress) != 16 {
		t.Errorf("a node that goes: %d new chains, %d new sets, %d addresses", len(d.NewChains), len(d.NewSets), len(d.Egress))
	}
}

// Whatever the groups are: the compiled program, also where it came about by
// changes, decides as the groups themselves do.
func TestCompiledIsExplained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Compiler
		kernel := (&ruleset.Program{}).Clone()
		for range rapid.IntRange(1, 3).Draw(t, "states") {
			s := randomState(t)
			if err := kernel.Apply(c.Flush(s)); err != nil {
				t.Fatal(err)
			}
			if err := kernel.Validate(); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(kernel.Egress, c.Program().Egress) {
				t.Fatalf("%v\n%v", kernel.Egress, c.Program().Egress)
			}
			all := CompileAt(s, []string{"eni-0", "eni-1", "eni-2", "eni-3"})
			if err := all.Validate(); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				p := randomPacket(t)
				d, want := Explain(s, p), slow(s, p)
				pass, _ := ruleset.Decide(kernel, p)
				within, _ := ruleset.Decide(all, p)
				// What an interface sends to itself meets no router.
				if d.Pass != want || within != want || pass != want && !d.Egress.Own {
					t.Fatalf("%+v: compiled %t, on the machine %t, explained %t, want %t\n%+v", p, pass, within, d.Pass, want, s)
				}
			}
		}
	})
}

// slow decides as AWS's documentation says it, once more.
func slow(s *State, p ruleset.Packet) bool {
	has := func(n Interface, a netip.Addr) (own, prefix bool) {
		for _, x := range n.Addresses {
			own = own || x == a
		}
		for _, x := range n.Prefixes {
			prefix = prefix || x.Contains(a)
		}
		return own, prefix
	}
	whose := func(a netip.Addr) *Interface {
		for i := range s.Interfaces {
			if own, _ := has(s.Interfaces[i], a); own {
				return &s.Interfaces[i]
			}
		}
		for i := range s.Interfaces {
			if _, prefix := has(s.Interfaces[i], a); prefix {
				return &s.Interfaces[i]
			}
		}
		return nil
	}
	within := func(n *Interface, group string) bool {
		for _, g := range n.Groups {
			if g == group {
				return true
			}
		}
		return false
	}
	allowed := func(n *Interface, other netip.Addr, egress bool) bool {
		for _, g := range s.Groups {
			for _, r := range g.Rules {
				if !within(n, g.ID) || r.Egress != egress {
					continue
				}
				peer := r.Block.IsValid() && r.Block.Contains(other)
				if o := whose(other); r.Group != "" && o != nil {
					peer = peer || within(o, r.Group)
				}
				for _, l := range s.Lists {
					for _, b := range l.Blocks {
						peer = peer || l.ID == r.List && b.Contains(other)
					}
				}
				ports := r.Proto != ruleset.TCP && r.Proto != ruleset.UDP || r.Last > 0 && p.Port >= r.First && p.Port <= r.Last
				message := r.Proto != ruleset.ICMP || r.Type == -1 || r.Type == int16(p.Type) && (r.Code == -1 || r.Code == int16(p.Code))
				if peer && (r.Any || r.Proto == p.Proto && ports && message) {
					return true
				}
			}
		}
		return false
	}
	if p.Source == p.Destination {
		return true
	}
	if n := whose(p.Source); n != nil && n == whose(p.Destination) {
		return true
	}
	if n := whose(p.Source); n != nil && !allowed(n, p.Destination, true) && p.Destination != s.Exempt[0] {
		return false
	}
	n := whose(p.Destination)
	return n == nil || allowed(n, p.Source, false)
}

func randomAddr(t *rapid.T) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 31).Draw(t, "address"))})
}

func randomBlock(t *rapid.T) netip.Prefix {
	return netip.PrefixFrom(randomAddr(t), rapid.SampledFrom([]int{0, 24, 28, 30, 32}).Draw(t, "bits"))
}

func randomState(t *rapid.T) *State {
	ids := []string{"sg-a", "sg-b", "sg-c", "sg-gone"}
	s := &State{Exempt: []netip.Addr{at("10.0.0.30")}}
	for _, id := range ids[:3] {
		g := Group{ID: id}
		for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := Rule{ID: fmt.Sprint(id, i), Egress: rapid.Bool().Draw(t, "egress"), Any: rapid.Bool().Draw(t, "any")}
			r.Proto = rapid.SampledFrom([]uint8{ruleset.TCP, ruleset.UDP, ruleset.ICMP, 47}).Draw(t, "proto")
			r.First = uint16(rapid.IntRange(0, 3).Draw(t, "first"))
			r.Last = r.First + uint16(rapid.IntRange(0, 2).Draw(t, "ports"))
			r.Type, r.Code = int16(rapid.IntRange(-1, 1).Draw(t, "type")), -1
			if r.Type >= 0 {
				r.Code = int16(rapid.IntRange(-1, 1).Draw(t, "code"))
			}
			switch rapid.IntRange(0, 2).Draw(t, "peer") {
			case 0:
				r.Block = randomBlock(t)
			case 1:
				r.Group = rapid.SampledFrom(ids).Draw(t, "group")
			default:
				r.List = rapid.SampledFrom([]string{"pl-a", "pl-gone"}).Draw(t, "list")
			}
			g.Rules = append(g.Rules, r)
		}
		s.Groups = append(s.Groups, g)
	}
	l := List{ID: "pl-a"}
	for range rapid.IntRange(0, 3).Draw(t, "blocks") {
		l.Blocks = append(l.Blocks, randomBlock(t))
	}
	s.Lists = []List{l}
	for i := range rapid.IntRange(0, 4).Draw(t, "interfaces") {
		n := Interface{ID: fmt.Sprint("eni-", i), Groups: rapid.SliceOfN(rapid.SampledFrom(ids), 0, 3).Draw(t, "groups")}
		n.Addresses = []netip.Addr{randomAddr(t)}
		if rapid.Bool().Draw(t, "prefix") {
			n.Prefixes = []netip.Prefix{netip.PrefixFrom(randomAddr(t), 29).Masked()}
		}
		s.Interfaces = append(s.Interfaces, n)
	}
	return s
}

func randomPacket(t *rapid.T) ruleset.Packet {
	p := ruleset.Packet{Source: randomAddr(t), Destination: randomAddr(t), Proto: rapid.SampledFrom([]uint8{ruleset.TCP, ruleset.UDP, ruleset.ICMP, 47}).Draw(t, "proto")}
	switch p.Proto {
	case ruleset.TCP, ruleset.UDP:
		p.Port = uint16(rapid.IntRange(1, 4).Draw(t, "port"))
	case ruleset.ICMP:
		p.Type, p.Code = uint8(rapid.IntRange(0, 2).Draw(t, "type")), uint8(rapid.IntRange(0, 2).Draw(t, "code"))
	}
	return p
}

func BenchmarkCompile(b *testing.B) {
	s := cluster()
	for i := range 200 { // nodes with 32 addresses for pods each
		node := netip.AddrFrom4([4]byte{10, 1, byte(i), 0})
		s.Interfaces = append(s.Interfaces, Interface{fmt.Sprint("eni-", i), []netip.Addr{netip.AddrFrom4([4]byte{10, 2, byte(i), 0})}, []netip.Prefix{netip.PrefixFrom(node, 27)}, []string{"sg-node"}})
	}
	var c Compiler
	c.Flush(s)
	b.ReportAllocs()
	for b.Loop() {
		if d := c.Flush(s); !d.Empty() {
			b.Fatal("nothing changed")
		}
	}
}
