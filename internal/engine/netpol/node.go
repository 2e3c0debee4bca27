package netpol

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// node is what a node enforces.
type node struct {
	name     string
	profiles map[*profile]int     // by how many pods there
	pieces   map[*sharedPiece]int // by how many profiles there
	chains   tally[string]
	sets     tally[string]
	maps     [2]map[netip.Addr]string // by direction: the dispatch maps
	before   [2]map[netip.Addr]string // what changed since the last flush, as it was
}

// placement is where a pod's rules for a direction are; the zero one is nowhere.
type placement struct {
	node      *node
	addresses []netip.Addr
	profile   *profile
}

func (p *placement) equal(o *placement) bool {
	return p.node == o.node && p.profile == o.profile && slices.Equal(p.addresses, o.addresses)
}

// move is a pod that needs other rules in a direction.
type move struct {
	pod       *pod
	direction Direction
	to        placement
}

// settle gives the pods that changed their profiles, at their nodes. Rules are taken
// away before others come: an address may go from pod to pod.
func (c *Compiler) settle() {
	var moves []move
	for _, p := range c.dirty {
		if !p.dirty {
			continue // it was removed
		}
		p.dirty = false
		for d := range p.placed {
			m := move{p, Direction(d), c.wanted(p, Direction(d))}
			if !m.to.equal(&p.placed[d]) {
				moves = append(moves, m)
			}
		}
	}
	c.dirty = nil
	// What is used again is not let go of meanwhile.
	for _, m := range moves {
		if m.to.node != nil {
			m.to.profile.uses++
			m.to.node.use(m.to.profile, +1)
		}
	}
	for _, m := range moves {
		c.release(m.pod, m.direction)
	}
	for _, m := range moves {
		m.pod.placed[m.direction] = m.to
		for _, a := range m.to.addresses {
			m.to.node.dispatch(m.direction, a, m.to.profile.head)
		}
	}
}

// wanted is where a pod's rules should be: at its node, if it has one, an address and
// policies.
func (c *Compiler) wanted(p *pod, d Direction) placement {
	if p.Node == "" || len(p.own) == 0 {
		return placement{}
	}
	pr := c.profile(p, d)
	if pr == nil {
		return placement{}
	}
	n := c.nodes[p.Node]
	if n == nil {
		n = &node{name: p.Node, profiles: map[*profile]int{}, pieces: map[*sharedPiece]int{}, maps: [2]map[netip.Addr]string{{}, {}}}
		c.nodes[p.Node] = n
	}
	return placement{n, p.own, pr}
}

// release takes a pod's rules away.
func (c *Compiler) release(p *pod, d Direction) {
	w := p.placed[d]
	p.placed[d] = placement{}
	if w.node == nil {
		return
	}
	for _, a := range w.addresses {
		w.node.dispatch(d, a, "")
	}
	w.node.use(w.profile, -1)
	if w.profile.uses--; w.profile.uses == 0 {
		c.spare[w.profile] = struct{}{}
	}
}

// dispatch puts an address into a map of the node; with no chain, out of it.
func (n *node) dispatch(d Direction, a netip.Addr, chain string) {
	if _, noted := n.before[d][a]; !noted {
		if n.before[d] == nil {
			n.before[d] = map[netip.Addr]string{}
		}
		n.before[d][a] = n.maps[d][a]
	}
	if chain == "" {
		delete(n.maps[d], a)
	} else {
		n.maps[d][a] = chain
	}
}

// use counts the pods with a profile; the first brings its chains and sets along.
func (n *node) use(pr *profile, by int) {
	before := n.profiles[pr]
	if n.profiles[pr] += by; n.profiles[pr] == 0 {
		delete(n.profiles, pr)
	}
	if before > 0 && n.profiles[pr] > 0 {
		return
	}
	n.usePiece(pr.piece, by)
	for shared := range pr.pieces {
		before := n.pieces[shared]
		if n.pieces[shared] += by; n.pieces[shared] == 0 {
			delete(n.pieces, shared)
		}
		if before == 0 || n.pieces[shared] == 0 {
			n.usePiece(shared.piece, by)
		}
	}
}

func (n *node) usePiece(p piece, by int) {
	for id := range p.chains {
		n.chains.add(id, by)
	}
	for s := range p.sets {
		n.sets.add(s.id, by)
		mark(s.nodes, n, n.sets.counts[s.id] > 0)
	}
}

// program is all that the node enforces.
func (n *node) program() *ruleset.Program {
	p := &ruleset.Program{
		Sets: map[string]ruleset.Set{}, Chains: map[string]ruleset.Chain{},
		Egress: maps.Clone(n.maps[Egress]), Ingress: maps.Clone(n.maps[Ingress]),
	}
	add := func(part piece) {
		for id, chain := range part.chains {
			p.Chains[id] = chain
		}
		for s := range part.sets {
			if _, found := p.Sets[s.id]; !found {
				p.Sets[s.id] = s.copied()
			}
		}
	}
	for pr := range n.profiles {
		add(pr.piece)
	}
	for shared := range n.pieces {
		add(shared.piece)
	}
	return p
}

// delta is what changed at the node, but for the elements of sets that it had before.
func (n *node) delta(c *Compiler) (d ruleset.Delta) {
	if len(n.sets.before)+len(n.chains.before)+len(n.before[Egress])+len(n.before[Ingress]) == 0 {
		return d
	}
	came, went := n.sets.change()
	for _, id := range came {
		put(&d.NewSets, id, c.sets[id].copied())
	}
	d.OldSets = slices.Sorted(slices.Values(went))
	came, went = n.chains.change()
	d.OldChains = slices.Sorted(slices.Values(went))
	for _, id := range came {
		put(&d.NewChains, id, c.chains[id].Chain)
	}
	d.Egress, d.Ingress = changed(n.before[Egress], n.maps[Egress]), changed(n.before[Ingress], n.maps[Ingress])
	n.before = [2]map[netip.Addr]string{}
	n.sets.settle()
	n.chains.settle()
	return d
}

func changed(before, now map[netip.Addr]string) (out map[netip.Addr]string) {
	for a, was := range before {
		if now[a] != was {
			put(&out, a, now[a])
		}
	}
	return out
}

// put adds to a map that may not be there yet.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// empty makes a map small again: one that was large once is slow to walk and to clear.
func empty[K comparable, V any](m *map[K]V) {
	if len(*m) > 0 {
		*m = map[K]V{}
	}
}
