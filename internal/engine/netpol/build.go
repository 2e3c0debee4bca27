package netpol

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// few is how many rules in a row a packet may meet where one look-up would do: up to
// it, sets are shared with other chains instead of being joined for this one.
const few = 3

// builder makes the chains of a profile.
type builder struct {
	c         *Compiler
	direction Direction
	pod       *pod // one of those with the profile
	piece          // what it makes
	pieces    map[*sharedPiece]struct{}
	text      []byte // room that is used again for each chain
}

// build makes the chains of policies, from the last tier to the first.
func (b *builder) build(all []*policy) (head string) {
	var list, networks []*policy
	for _, p := range all {
		if p.Tier == Networks {
			networks = append(networks, p) // their order says nothing
		} else {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *policy) int { return a.compare(b.Policy) })
	pass := ruleset.Rule{Verdict: ruleset.Accept}
	rules := b.ordered(list, Baseline, pass, []ruleset.Rule{pass})
	if isolated := slices.ContainsFunc(networks, func(p *policy) bool { return p.Isolates[b.direction] }); isolated {
		union := newMatch()
		for _, p := range networks {
			b.collect(union, p)
		}
		rules = b.match(union, ruleset.Rule{Verdict: ruleset.Accept}, nil)
	}
	if slices.ContainsFunc(list, func(p *policy) bool { return p.Tier == Admin }) {
		next := ruleset.Rule{Verdict: ruleset.Goto, Chain: b.chain(rules)}
		rules = b.ordered(list, Admin, next, []ruleset.Rule{next})
	}
	return b.chain(rules)
}

// ordered makes the rules of a tier in which their order decides, before tail. Rules
// in a row that do the same are one match.
func (b *builder) ordered(list []*policy, t Tier, pass ruleset.Rule, tail []ruleset.Rule) []ruleset.Rule {
	var all []*matcher
	for _, p := range list {
		for i := range p.rules[b.direction] {
			if p.Tier == t {
				all = append(all, &p.rules[b.direction][i])
			}
		}
	}
	for end := len(all); end > 0; {
		action, alike := all[end-1].Action, newMatch()
		for end > 0 && all[end-1].Action == action {
			end--
			b.collectRule(alike, all[end])
		}
		tail = b.match(alike, map[Action]ruleset.Rule{Accept: {Verdict: ruleset.Accept}, Deny: {Verdict: ruleset.Drop}, Pass: pass}[action], tail)
	}
	return tail
}

// span is the ports that a rule speaks of: all of a protocol when last is 0, all of
// all when proto is 0.
type span struct {
	proto       uint8
	first, last uint16
}

func (s span) compare(o span) int {
	return cmp.Or(cmp.Compare(s.proto, o.proto), cmp.Compare(s.first, o.first), cmp.Compare(s.last, o.last))
}

// ends are other ends of flows: those of several rules together.
type ends struct {
	any   bool
	rules []*matcher
	sum   sum // of the rules' marks
}

func (e *ends) add(r *matcher) {
	e.any = e.any || r.AnyPeer
	e.rules = append(e.rules, r)
	e.sum = e.sum.plus(r.mark, 1)
}

// join adds others.
func (e *ends) join(o *ends) {
	for _, r := range o.rules {
		e.add(r)
	}
}

// groups are those of all rules, in the order of their digests.
func (e *ends) groups() []*group {
	all := map[*group]struct{}{}
	for _, r := range e.rules {
		for _, g := range r.groups {
			all[g] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b *group) int { return bytes.Compare(a.digest[:], b.digest[:]) })
}

func (e *ends) blocks() (all []netip.Prefix) {
	for _, r := range e.rules {
		all = append(all, r.blocks...)
	}
	return all
}

// match is what several rules match together.
type match struct {
	spans     map[span]*ends
	endpoints map[string]*source // pods with their named ports
}

func newMatch() *match { return &match{spans: map[span]*ends{}, endpoints: map[string]*source{}} }

func (b *builder) collect(into *match, p *policy) {
	for i := range p.rules[b.direction] {
		b.collectRule(into, &p.rules[b.direction][i])
	}
}

func (b *builder) collectRule(into *match, r *matcher) {
	if r.AnyPort {
		into.add(span{}, r)
	}
	for _, m := range r.Ports {
		switch {
		case m.Name == "":
			into.add(span{m.Proto, m.First, m.Last}, r)
		case b.direction == Ingress:
			for _, port := range b.pod.numbers(m.Name, m.Proto) {
				into.add(span{port.Proto, port.Number, port.Number}, r)
			}
		default:
			into.name(m, r)
		}
	}
}

func (m *match) add(s span, r *matcher) {
	e := m.spans[s]
	if e == nil {
		e = &ends{}
		m.spans[s] = e
	}
	e.add(r)
}

// name adds the pods that a rule speaks of, each with its port of that name.
func (m *match) name(port PortMatch, r *matcher) {
	add := func(g *group, within []netip.Prefix) {
		s := &source{group: g, name: port.Name, proto: port.Proto, within: within}
		m.endpoints[s.key()] = s
	}
	for _, g := range r.groups {
		add(g, nil)
	}
	switch {
	case r.AnyPeer:
		add(r.everyone, nil)
	case len(r.blocks) > 0:
		add(r.everyone, r.blocks)
	}
}

// match makes the rules that give a verdict to what matches, and leave the rest to tail.
func (b *builder) match(m *match, verdict ruleset.Rule, tail []ruleset.Rule) (rules []ruleset.Rule) {
	if all := m.spans[span{}]; all != nil && all.any {
		return []ruleset.Rule{verdict}
	}
	if len(m.endpoints) > 0 {
		rules = append(rules, b.over(b.c.endpointsOf(m.endpoints), verdict))
	}
	var exact []span
	ranges := map[uint8][]span{}
	for _, s := range slices.SortedFunc(maps.Keys(m.spans), span.compare) {
		switch {
		case s.last == 0:
			rules = append(rules, b.spanned(s, m.spans[s], verdict)...)
		case s.first == s.last:
			exact = append(exact, s)
		default:
			ranges[s.proto] = append(ranges[s.proto], s)
		}
	}
	rest := b.exact(m, exact, verdict, tail)
	for _, proto := range sortedKeys(ranges) {
		rest = b.ranges(m, ranges[proto], verdict, rest)
	}
	return append(rules, rest...)
}

// exact makes the rules about single ports: a look-up, if there are many.
func (b *builder) exact(m *match, list []span, verdict ruleset.Rule, tail []ruleset.Rule) (rules []ruleset.Rule) {
	if len(list) > few {
		ports := map[ruleset.Port]string{}
		for _, s := range list {
			ports[ruleset.Port{Proto: s.proto, Number: s.first}] = b.branch(m.spans[s], verdict, tail)
		}
		return append([]ruleset.Rule{{Ports: ports}}, tail...)
	}
	for _, s := range list {
		rules = append(rules, b.spanned(s, m.spans[s], verdict)...)
	}
	return append(rules, tail...)
}

// branch makes the chain of packets whose port was looked up. One that ends there is
// shared with all profiles that join the same rules: of a thousand ports of a pod, a
// policy more or less changes its own.
func (b *builder) branch(e *ends, verdict ruleset.Rule, tail []ruleset.Rule) (id string) {
	if len(tail) > 0 || verdict.Verdict == ruleset.Goto {
		return b.chain(append(b.spanned(span{}, e, verdict), b.short(tail)...))
	}
	key := pieceKey{b.direction, verdict.Verdict, e.sum}
	p := b.c.pieces[key]
	if p == nil {
		own := builder{c: b.c, direction: b.direction, pod: b.pod, piece: newPiece(), text: b.text}
		p = &sharedPiece{key: key, piece: own.piece}
		p.head = own.chain(own.spanned(span{}, e, verdict))
		b.c.pieces[key] = p
		b.c.hold(p.piece, +1)
	}
	b.pieces[p] = struct{}{}
	return p.head
}

// short is the rules, or one that leads to them.
func (b *builder) short(tail []ruleset.Rule) []ruleset.Rule {
	if len(tail) <= 1 {
		return tail
	}
	return []ruleset.Rule{{Verdict: ruleset.Goto, Chain: b.chain(tail)}}
}

// spanned makes the rules about a span of ports.
func (b *builder) spanned(s span, e *ends, verdict ruleset.Rule) (rules []ruleset.Rule) {
	verdict.Proto, verdict.First, verdict.Last = s.proto, s.first, s.last
	if e.any {
		return []ruleset.Rule{verdict}
	}
	groups := e.groups()
	if len(groups) > few {
		rules = append(rules, b.over(b.c.podsOf(groups), verdict))
	} else {
		for i := range groups {
			rules = append(rules, b.over(b.c.podsOf(groups[i:i+1]), verdict))
		}
	}
	if blocks := e.blocks(); len(blocks) > 0 {
		rules = append(rules, b.over(b.c.blocksOf(disjoint(blocks)), verdict))
	}
	return rules
}

// disjoint are as few prefixes as hold the same addresses.
func disjoint(list []netip.Prefix) []netip.Prefix {
	var b netipx.IPSetBuilder
	for _, p := range list {
		b.AddPrefix(p)
	}
	set, err := b.IPSet()
	if err != nil {
		return list // it fails on prefixes that are none, which the policies' readers refuse
	}
	return set.Prefixes()
}

// over limits a rule to a set.
func (b *builder) over(s *set, r ruleset.Rule) ruleset.Rule {
	b.sets[s] = struct{}{}
	r.Peer = s.id
	return r
}

// chain adds a chain and tells its id.
func (b *builder) chain(rules []ruleset.Rule) string {
	text := b.text[:0]
	add := func(s string) { text = append(binary.AppendUvarint(text, uint64(len(s))), s...) }
	for i := range rules {
		r := &rules[i]
		add(r.Peer)
		add(r.Chain)
		text = append(text, r.Proto, byte(r.First>>8), byte(r.First), byte(r.Last>>8), byte(r.Last), byte(r.Verdict))
		text = binary.AppendUvarint(text, uint64(len(r.Ports)))
		for _, p := range slices.SortedFunc(maps.Keys(r.Ports), ruleset.Port.Compare) {
			text = append(text, p.Proto, byte(p.Number>>8), byte(p.Number))
			add(r.Ports[p])
		}
	}
	b.text = text
	id := hashed([...]string{"out-", "in-"}[b.direction], text)
	b.chains[id] = ruleset.Chain{Ingress: b.direction == Ingress, Rules: rules}
	return id
}
