package ruleset

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// Diff is the change that makes new of old. An id stands for the same rules and the
// same kind of set in both; where it doesn't, no point can be changed so, and Apply
// refuses the change. What the delta holds is new's, not a copy.
func Diff(old, new *Program) Delta {
	d := Delta{
		Egress:  diffMap(old.Egress, new.Egress),
		Ingress: diffMap(old.Ingress, new.Ingress),
	}
	for id, set := range new.Sets {
		before, found := old.Sets[id]
		if !found || before.Kind != set.Kind {
			put(&d.NewSets, id, set)
			continue
		}
		if added := without(set.Elements, before.Elements); added != nil {
			put(&d.Add, id, added)
		}
		if removed := without(before.Elements, set.Elements); removed != nil {
			put(&d.Remove, id, removed)
		}
	}
	for id, chain := range new.Chains {
		if before, found := old.Chains[id]; !found || !reflect.DeepEqual(before, chain) {
			put(&d.NewChains, id, chain)
		}
	}
	d.OldSets, d.OldChains = gone(old.Sets, new.Sets), gone(old.Chains, new.Chains)
	return d
}

// put adds to a map that may not be there yet.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// without are the elements of a that b lacks, sorted.
func without(a, b map[Element]struct{}) (list []Element) {
	for e := range a {
		if _, found := b[e]; !found {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, Element.Compare)
	return list
}

// Compare orders elements by address, length of the prefix, protocol and port.
func (e Element) Compare(other Element) int {
	if c := e.Prefix.Addr().Compare(other.Prefix.Addr()); c != 0 {
		return c
	}
	rank := func(e Element) int { return e.Prefix.Bits()<<24 | int(e.Proto)<<16 | int(e.Port) }
	return rank(e) - rank(other)
}

// gone are the keys of a that b lacks, sorted.
func gone[V any](a, b map[string]V) (list []string) {
	for _, id := range slices.Sorted(maps.Keys(a)) {
		if _, found := b[id]; !found {
			list = append(list, id)
		}
	}
	return list
}

func diffMap(old, new map[netip.Addr]string) (changed map[netip.Addr]string) {
	for a, id := range new {
		if old[a] != id {
			put(&changed, a, id)
		}
	}
	for a := range old {
		if _, found := new[a]; !found {
			put(&changed, a, "")
		}
	}
	return changed
}

// Apply makes the change, or says why it doesn't fit and changes nothing. That
// nothing refers to what it takes away is for Validate to find.
func (p *Program) Apply(d Delta) error {
	if err := p.fits(&d); err != nil {
		return err
	}
	p.fill()
	for id, elements := range d.Add {
		set := p.Sets[id]
		for _, e := range elements {
			put(&set.Elements, e, struct{}{})
		}
		p.Sets[id] = set
	}
	for id, elements := range d.Remove {
		for _, e := range elements {
			delete(p.Sets[id].Elements, e)
		}
	}
	for id, set := range d.NewSets {
		p.Sets[id] = set.clone()
	}
	for id, chain := range d.NewChains {
		p.Chains[id] = chain.clone()
	}
	for _, id := range d.OldSets {
		delete(p.Sets, id)
	}
	for _, id := range d.OldChains {
		delete(p.Chains, id)
	}
	applyMap(p.Egress, d.Egress)
	applyMap(p.Ingress, d.Ingress)
	return nil
}

func applyMap(m, changed map[netip.Addr]string) {
	for a, id := range changed {
		if id == "" {
			delete(m, a)
		} else {
			m[a] = id
		}
	}
}

// fill makes the maps that aren't there.
func (p *Program) fill() {
	if p.Sets == nil {
		p.Sets = map[string]Set{}
	}
	if p.Chains == nil {
		p.Chains = map[string]Chain{}
	}
	if p.Egress == nil {
		p.Egress = map[netip.Addr]string{}
	}
	if p.Ingress == nil {
		p.Ingress = map[netip.Addr]string{}
	}
}

// fits is whether a change can be made of this program.
func (p *Program) fits(d *Delta) error {
	if err := fitsNames(p.Sets, d.NewSets, d.OldSets); err != nil {
		return fmt.Errorf("set %w", err)
	}
	if err := fitsNames(p.Chains, d.NewChains, d.OldChains); err != nil {
		return fmt.Errorf("chain %w", err)
	}
	if err := p.fitsElements(d.Add, false); err != nil {
		return err
	}
	if err := p.fitsElements(d.Remove, true); err != nil {
		return err
	}
	if err := fitsMap(p.Egress, d.Egress); err != nil {
		return fmt.Errorf("egress map: %w", err)
	}
	if err := fitsMap(p.Ingress, d.Ingress); err != nil {
		return fmt.Errorf("ingress map: %w", err)
	}
	return nil
}

func fitsNames[V any](have, added map[string]V, removed []string) error {
	for id := range added {
		if _, found := have[id]; found {
			return fmt.Errorf("%s would be made and is there", id)
		}
	}
	for _, id := range removed {
		if _, found := have[id]; !found {
			return fmt.Errorf("%s would be removed and isn't there", id)
		}
	}
	return nil
}

func (p *Program) fitsElements(changed map[string][]Element, there bool) error {
	for id, elements := range changed {
		set, found := p.Sets[id]
		if !found {
			return fmt.Errorf("set %s would be changed and isn't there", id)
		}
		for _, e := range elements {
			if _, found := set.Elements[e]; found != there {
				return fmt.Errorf("set %s: that it holds %v is %v", id, e, found)
			}
			if err := e.validate(set.Kind); err != nil {
				return fmt.Errorf("set %s: %w", id, err)
			}
		}
	}
	return nil
}

func fitsMap(m, changed map[netip.Addr]string) error {
	for a, id := range changed {
		if _, found := m[a]; id == "" && !found {
			return fmt.Errorf("%s would be taken out and isn't there", a)
		}
	}
	return nil
}

// Clone is a copy that shares nothing.
func (p *Program) Clone() *Program {
	c := &Program{Egress: maps.Clone(p.Egress), Ingress: maps.Clone(p.Ingress)}
	c.fill()
	for id, set := range p.Sets {
		c.Sets[id] = set.clone()
	}
	for id, chain := range p.Chains {
		c.Chains[id] = chain.clone()
	}
	return c
}

// clone has a map of elements, also where the set has none.
func (s Set) clone() Set {
	s.Elements = maps.Clone(s.Elements)
	if s.Elements == nil {
		s.Elements = map[Element]struct{}{}
	}
	return s
}

func (c Chain) clone() Chain {
	c.Rules = slices.Clone(c.Rules)
	for i := range c.Rules {
		c.Rules[i].Ports = maps.Clone(c.Rules[i].Ports)
	}
	return c
}
