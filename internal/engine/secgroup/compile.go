package secgroup

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// Compile makes the program that enforces a state where packets pass from one
// interface to another. Equal states make equal programs.
func Compile(s *State) *ruleset.Program {
	c := newCompiler(s)
	for i := range s.Interfaces {
		c.restrict(i, "")
	}
	return c.dispatch()
}

// CompileAt makes the program of a machine that has some of the interfaces, by their
// ids, and sees what passes among them. What an interface sends to itself, from one of
// its addresses to another, passes: it never leaves it.
func CompileAt(s *State, ids []string) *ruleset.Program {
	c := newCompiler(s)
	for i, n := range s.Interfaces {
		if slices.Contains(ids, n.ID) {
			c.restrict(i, c.own(i))
		}
	}
	return c.dispatch()
}

func newCompiler(s *State) *compiler {
	c := &compiler{
		state:  s,
		owners: s.owners(),
		groups: map[string]Group{},
		out: &ruleset.Program{
			Sets: map[string]ruleset.Set{}, Chains: map[string]ruleset.Chain{},
			Egress: map[netip.Addr]string{}, Ingress: map[netip.Addr]string{},
		},
		chains: map[string]string{},
	}
	for _, g := range s.Groups {
		c.groups[g.ID] = g
	}
	c.egress, c.ingress = make([]string, len(s.Interfaces)), make([]string, len(s.Interfaces))
	return c
}

// restrict gives an interface its chains. own is the set of its addresses, if packets
// among them are met.
func (c *compiler) restrict(i int, own string) {
	groups := c.state.Interfaces[i].Groups
	c.egress[i], c.ingress[i] = c.chain(groups, true, own), c.chain(groups, false, own)
}

// dispatch leads the addresses of restricted interfaces to their chains.
func (c *compiler) dispatch() *ruleset.Program {
	for a, i := range c.owners {
		if c.egress[i] != "" {
			c.out.Egress[a], c.out.Ingress[a] = c.egress[i], c.ingress[i]
		}
	}
	return c.out
}

type compiler struct {
	state  *State
	owners map[netip.Addr]int
	groups map[string]Group
	out    *ruleset.Program
	chains map[string]string // ids by direction and groups
	// egress and ingress are the chains of restricted interfaces, by their index.
	egress, ingress []string
}

// chain makes the chain of a set of groups, once. Its id is a digest of its rules:
// other rules have another.
func (c *compiler) chain(groups []string, egress bool, own string) string {
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	key := fmt.Sprint(egress, groups, own)
	if id, made := c.chains[key]; made {
		return id
	}
	chain := ruleset.Chain{Ingress: !egress}
	if own != "" {
		chain.Rules = append(chain.Rules, ruleset.Rule{Peer: own, Verdict: ruleset.Accept})
	}
	if egress && len(c.state.Exempt) > 0 {
		chain.Rules = append(chain.Rules, ruleset.Rule{Peer: c.exempt(), Verdict: ruleset.Accept})
	}
	for _, m := range c.matches(groups, egress) {
		chain.Rules = append(chain.Rules, m.rules(c)...)
	}
	var text strings.Builder
	for _, r := range chain.Rules {
		fmt.Fprint(&text, r.Peer, " ", r.Proto, " ", r.First, " ", r.Last, " ")
		if r.ICMP != nil {
			fmt.Fprint(&text, *r.ICMP)
		}
		text.WriteByte('\n')
	}
	direction := "ingress/"
	if egress {
		direction = "egress/"
	}
	id := direction + digest(text.String())
	c.chains[key] = id
	c.out.Chains[id] = chain
	return id
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}

// traffic is what a rule lets through, whoever the other end is.
type traffic struct {
	any         bool
	proto       uint8
	first, last uint16
	kind, code  int16
}

// match is traffic with all the other ends that it may be from or to.
type match struct {
	traffic
	blocks []netip.Prefix
	sets   []string
}

// matches gathers the rules of groups in one direction by their traffic.
func (c *compiler) matches(groups []string, egress bool) []match {
	by := map[traffic]*match{}
	for _, id := range groups {
		for _, r := range c.groups[id].Rules {
			t, possible := trafficOf(r)
			if r.Egress != egress || !possible {
				continue
			}
			m := by[t]
			if m == nil {
				m = &match{traffic: t}
				by[t] = m
			}
			switch {
			case r.Group != "":
				m.sets = append(m.sets, c.members(r.Group))
			case r.List != "":
				m.sets = append(m.sets, c.list(r.List))
			default:
				m.blocks = append(m.blocks, r.Block.Masked())
			}
		}
	}
	var all []match
	for _, m := range by {
		m.sets = slices.Compact(slices.Sorted(slices.Values(m.sets)))
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b match) int { return strings.Compare(fmt.Sprint(a.traffic), fmt.Sprint(b.traffic)) })
	return all
}

// trafficOf is what a rule lets through. Port 0 is no port that packets are sent
// to: a rule for it alone lets nothing through.
func trafficOf(r Rule) (t traffic, possible bool) {
	switch {
	case r.Any:
		return traffic{any: true}, true
	case r.Proto == ruleset.TCP || r.Proto == ruleset.UDP:
		return traffic{proto: r.Proto, first: r.First, last: r.Last}, r.Last != 0
	case r.Proto == ruleset.ICMP || r.Proto == ruleset.ICMPv6:
		return traffic{proto: r.Proto, kind: r.Type, code: r.Code}, true
	}
	return traffic{proto: r.Proto}, true
}

// rules are one for all blocks and one for each set.
func (m match) rules(c *compiler) (rules []ruleset.Rule) {
	base := ruleset.Rule{Proto: m.proto, First: m.first, Last: m.last, Verdict: ruleset.Accept}
	if m.kind >= 0 && (m.proto == ruleset.ICMP || m.proto == ruleset.ICMPv6) {
		base.ICMP = &ruleset.Message{Type: uint8(m.kind), Code: uint8(max(m.code, 0)), AnyCode: m.code < 0}
	}
	for _, id := range append(c.blocks(m.blocks), m.sets...) {
		r := base
		r.Peer = id
		rules = append(rules, r)
	}
	return rules
}

// blocks makes the set of some blocks, named by its content.
func (c *compiler) blocks(blocks []netip.Prefix) []string {
	if len(blocks) == 0 {
		return nil
	}
	slices.SortFunc(blocks, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits())
	})
	blocks = slices.Compact(blocks)
	id := "blocks/" + digest(fmt.Sprint(blocks))
	c.out.Sets[id] = blockSet(blocks)
	return []string{id}
}

func blockSet(blocks []netip.Prefix) ruleset.Set {
	set := ruleset.Set{Kind: ruleset.Blocks, Elements: map[ruleset.Element]struct{}{}}
	for _, b := range blocks {
		set.Elements[ruleset.Element{Prefix: b.Masked()}] = struct{}{}
	}
	return set
}

// list makes the set of a prefix list. One that is not there is empty.
func (c *compiler) list(id string) string {
	if _, made := c.out.Sets[id]; !made {
		var blocks []netip.Prefix
		for _, l := range c.state.Lists {
			if l.ID == id {
				blocks = l.Blocks
			}
		}
		c.out.Sets[id] = blockSet(blocks)
	}
	return id
}

// members makes the set of a group's addresses.
func (c *compiler) members(id string) string {
	if _, made := c.out.Sets[id]; made {
		return id
	}
	set := ruleset.Set{Kind: ruleset.Addresses, Elements: map[ruleset.Element]struct{}{}}
	for a, i := range c.owners {
		if slices.Contains(c.state.Interfaces[i].Groups, id) {
			set.Elements[ruleset.Element{Prefix: netip.PrefixFrom(a, a.BitLen())}] = struct{}{}
		}
	}
	c.out.Sets[id] = set
	return id
}

// own makes the set of an interface's addresses.
func (c *compiler) own(i int) string {
	id := "own/" + c.state.Interfaces[i].ID
	set := ruleset.Set{Kind: ruleset.Addresses, Elements: map[ruleset.Element]struct{}{}}
	for a, owner := range c.owners {
		if owner == i {
			set.Elements[ruleset.Element{Prefix: netip.PrefixFrom(a, a.BitLen())}] = struct{}{}
		}
	}
	c.out.Sets[id] = set
	return id
}

func (c *compiler) exempt() string {
	const id = "exempt"
	if _, made := c.out.Sets[id]; !made {
		set := ruleset.Set{Kind: ruleset.Addresses, Elements: map[ruleset.Element]struct{}{}}
		for _, a := range c.state.Exempt {
			set.Elements[ruleset.Element{Prefix: netip.PrefixFrom(a, a.BitLen())}] = struct{}{}
		}
		c.out.Sets[id] = set
	}
	return id
}
