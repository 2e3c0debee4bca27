package netpol

import (
	"crypto/sha256"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// source is pods whose addresses are elements of a set.
type source struct {
	group *group
	// Of a set of Endpoints: the name of the pods' port, its protocol (0 is any), and
	// the blocks that the pods must be in (nil is anywhere).
	name   string
	proto  uint8
	within []netip.Prefix
}

// key is the same for sources that give the same.
func (s *source) key() string {
	text := s.group.key
	if s.name != "" {
		text += "|" + s.name + "/" + ProtocolName(s.proto)
	}
	for _, p := range s.within {
		text += "|" + p.String()
	}
	return text
}

// elements are what a pod at an address gives to the set.
func (s *source) elements(p *pod, a netip.Addr) (list []ruleset.Element) {
	e := ruleset.Element{Prefix: netip.PrefixFrom(a, a.BitLen())}
	if s.name == "" {
		return []ruleset.Element{e}
	}
	if s.within != nil && !slices.ContainsFunc(s.within, func(b netip.Prefix) bool { return b.Contains(a) }) {
		return nil
	}
	for _, port := range p.numbers(s.name, s.proto) {
		e.Proto, e.Port = port.Proto, port.Number
		if !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	return list
}

// set is a set as nodes have it.
type set struct {
	id       string
	kind     ruleset.Kind
	sources  []*source
	elements tally[ruleset.Element] // how many pods and sources give each
	uses     int                    // by profiles
	nodes    map[*node]struct{}
}

// contribute adds or takes away what a member gives to the sets of its group.
func (c *Compiler) contribute(p *pod, g *group, addresses []netip.Addr, by int) {
	if len(addresses) == 0 {
		return
	}
	for s, sources := range g.sources {
		for _, from := range sources {
			for _, a := range addresses {
				for _, e := range from.elements(p, a) {
					s.elements.add(e, by)
				}
			}
		}
		c.changed[s] = struct{}{}
	}
}

// podsOf finds or makes the set of the pods of groups, which are in the order of their
// digests.
func (c *Compiler) podsOf(groups []*group) *set {
	text := make([]byte, 0, len(groups)*sha256.Size)
	for _, g := range groups {
		text = append(text, g.digest[:]...)
	}
	id := hashed("pods-", text)
	if s := c.sets[id]; s != nil {
		return s
	}
	sources := make([]*source, len(groups))
	for i, g := range groups {
		sources[i] = &source{group: g}
	}
	return c.newSet(id, ruleset.Addresses, sources)
}

// endpointsOf finds or makes the set of pods with their named ports.
func (c *Compiler) endpointsOf(named map[string]*source) *set {
	keys := sortedKeys(named)
	id := hashed("ports-", joined(keys))
	if s := c.sets[id]; s != nil {
		return s
	}
	sources := make([]*source, len(keys))
	for i, key := range keys {
		sources[i] = named[key]
	}
	return c.newSet(id, ruleset.Endpoints, sources)
}

// newSet makes a set that joins sources.
func (c *Compiler) newSet(id string, kind ruleset.Kind, sources []*source) *set {
	s := &set{id: id, kind: kind, sources: sources, nodes: map[*node]struct{}{}}
	for _, from := range sources {
		from.group.sources[s] = append(from.group.sources[s], from)
		for p := range from.group.members {
			for _, a := range p.own {
				for _, e := range from.elements(p, a) {
					s.elements.begin(e)
				}
			}
		}
	}
	c.sets[id] = s
	c.unused[s] = struct{}{}
	return s
}

// blocksOf finds or makes the set of prefixes.
func (c *Compiler) blocksOf(prefixes []netip.Prefix) *set {
	var keys []string
	for _, p := range prefixes {
		keys = append(keys, p.String())
	}
	id := hashed("blocks-", joined(keys))
	if s := c.sets[id]; s != nil {
		return s
	}
	s := &set{id: id, kind: ruleset.Blocks, nodes: map[*node]struct{}{}}
	for _, p := range prefixes {
		s.elements.begin(ruleset.Element{Prefix: p})
	}
	c.sets[id] = s
	c.unused[s] = struct{}{}
	return s
}

// forgetSets ends the sets that no profile uses, and the change of those that stay.
func (c *Compiler) forgetSets() {
	for s := range c.changed {
		s.elements.settle()
	}
	empty(&c.changed)
	for s := range c.unused {
		if s.uses > 0 {
			continue
		}
		for _, from := range s.sources {
			delete(from.group.sources, s)
		}
		delete(c.sets, s.id)
	}
	empty(&c.unused)
}

// copied is the set as a program has it.
func (s *set) copied() ruleset.Set {
	out := ruleset.Set{Kind: s.kind, Elements: make(map[ruleset.Element]struct{}, len(s.elements.counts))}
	for e := range s.elements.counts {
		out.Elements[e] = struct{}{}
	}
	return out
}
