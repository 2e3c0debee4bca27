package netpol

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// policy is a policy as the compiler uses it.
type policy struct {
	*Policy
	serial  uint64 // another for each change of what it says
	subject *group
	rules   [2][]matcher // by direction, as Rules
	groups  []*group     // all that it uses, the subject included
	names   []PortMatch  // the named ports of its ingress rules
}

// matcher is a Rule with its groups found.
type matcher struct {
	*Rule
	groups   []*group
	blocks   []netip.Prefix // of all peers, without what they except
	everyone *group         // all pods, where the rule speaks of the ports of pods that it doesn't pick by labels
}

// applyPolicy takes over a policy; nil when it is gone.
func (c *Compiler) applyPolicy(name PolicyName, to *Policy) {
	before := c.policies[name]
	if before != nil && to != nil && before.says(to) {
		before.Policy = to
		return
	}
	if to != nil {
		c.serials++
		p := &policy{Policy: to, serial: c.serials}
		p.subject = c.groupFor(p, &to.Subject)
		for d := range p.rules {
			for i := range to.Rules[d] {
				p.rules[d] = append(p.rules[d], c.matcher(p, Direction(d), &to.Rules[d][i]))
			}
		}
		c.policies[name] = p
		p.subject.subjects[p] = struct{}{}
		c.touch(p.subject)
	} else {
		delete(c.policies, name)
	}
	if before != nil {
		delete(before.subject.subjects, before)
		c.touch(before.subject)
		for _, g := range before.groups {
			c.unuse(g)
		}
	}
}

// touch has the policies of a group's pods looked at anew.
func (c *Compiler) touch(g *group) {
	for p := range g.members {
		c.dirty[p] = struct{}{}
	}
}

func (c *Compiler) groupFor(p *policy, s *Selection) *group {
	g := c.group(s)
	p.groups = append(p.groups, g)
	return g
}

func (c *Compiler) matcher(p *policy, d Direction, r *Rule) matcher {
	m := matcher{Rule: r}
	var b netipx.IPSetBuilder
	for i := range r.Peers {
		if s := r.Peers[i].Pods; s != nil {
			m.groups = append(m.groups, c.groupFor(p, s))
		}
		for _, block := range r.Peers[i].Blocks {
			var one netipx.IPSetBuilder
			one.AddPrefix(block.CIDR)
			for _, e := range block.Except {
				one.RemovePrefix(e)
			}
			if s, err := one.IPSet(); err == nil { // of valid prefixes there is none
				b.AddSet(s)
			}
		}
	}
	if s, err := b.IPSet(); err == nil {
		m.blocks = s.Prefixes()
	}
	for _, port := range r.Ports {
		switch {
		case port.Name == "":
		case d == Ingress && !slices.Contains(p.names, port):
			p.names = append(p.names, port)
		case d == Egress && m.everyone == nil && (r.AnyPeer || len(m.blocks) > 0):
			m.everyone = c.groupFor(p, &Selection{Namespaces: &Selector{}})
		}
	}
	return m
}

// profile is what pods have in common that the same policies restrict in a direction.
type profile struct {
	key    string
	head   string // id of the first chain
	chains map[string]ruleset.Chain
	sets   map[*set]struct{}
	uses   int // by pods
}

// profile finds or makes the profile of a pod; nil if no policy has a say.
func (c *Compiler) profile(p *pod, d Direction) *profile {
	list := c.list[:0]
	for g := range p.groups {
		for policy := range g.subjects {
			if policy.acts(d) {
				list = append(list, policy)
			}
		}
	}
	c.list = list
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b *policy) int { return cmp.Compare(a.serial, b.serial) })
	c.key = profileKey(c.key[:0], p, d, list)
	if pr := c.profiles[string(c.key)]; pr != nil {
		return pr
	}
	slices.SortFunc(list, func(a, b *policy) int { return a.compare(b.Policy) })
	b := builder{c: c, direction: d, pod: p, chains: map[string]ruleset.Chain{}, sets: map[*set]struct{}{}}
	pr := &profile{key: string(c.key), head: b.build(list), chains: b.chains, sets: b.sets}
	c.profiles[pr.key] = pr
	c.spare[pr] = struct{}{}
	for s := range pr.sets {
		s.uses++
	}
	for id, chain := range pr.chains {
		if c.chains[id] == nil {
			c.chains[id] = &usedChain{Chain: chain}
		}
		c.chains[id].uses++
	}
	return pr
}

// usedChain is a chain of one profile or more.
type usedChain struct {
	ruleset.Chain
	uses int
}

// profileKey tells the policies, and the numbers of the pod's ports that they name.
func profileKey(key []byte, p *pod, d Direction, list []*policy) []byte {
	key = append(key, byte(d))
	named := map[string]struct{}{}
	for _, policy := range list {
		key = binary.BigEndian.AppendUint64(key, policy.serial)
		for _, m := range policy.names {
			if numbers := p.numbers(m.Name, m.Proto); numbers != nil && d == Ingress {
				named[fmt.Sprint(m, numbers)] = struct{}{}
			}
		}
	}
	for _, text := range sortedKeys(named) {
		key = append(key, text...)
	}
	return key
}

// forgetProfiles ends those that no pod has.
func (c *Compiler) forgetProfiles() {
	for pr := range c.spare {
		if pr.uses > 0 {
			continue
		}
		delete(c.profiles, pr.key)
		for id := range pr.chains {
			if c.chains[id].uses--; c.chains[id].uses == 0 {
				delete(c.chains, id)
			}
		}
		for s := range pr.sets {
			if s.uses--; s.uses == 0 {
				c.unused[s] = struct{}{}
			}
		}
	}
	empty(&c.spare)
}
