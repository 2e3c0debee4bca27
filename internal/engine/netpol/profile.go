package netpol

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"
)

// policy is a policy as the compiler uses it.
type policy struct {
	*Policy
	subject *group
	rules   [2][]matcher // by direction, as Rules
	groups  []*group     // all that it uses, the subject included
	names   []PortMatch  // the named ports of its ingress rules
	mark    sum          // another for each change of what it says
}

// matcher is a Rule with its groups found.
type matcher struct {
	*Rule
	groups   []*group
	blocks   []netip.Prefix // of all peers, without what they except
	mark     sum            // of this rule alone
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
		p := &policy{Policy: to, mark: c.mark()}
		p.subject = c.groupFor(p, &to.Subject)
		for d := range p.rules {
			for i := range to.Rules[d] {
				p.rules[d] = append(p.rules[d], c.matcher(p, Direction(d), &to.Rules[d][i]))
			}
		}
		c.policies[name] = p
		p.subject.subjects[p] = struct{}{}
		c.touch(p.subject, p, +1)
	} else {
		delete(c.policies, name)
	}
	if before != nil {
		delete(before.subject.subjects, before)
		c.touch(before.subject, before, -1)
		for _, g := range before.groups {
			c.unuse(g)
		}
	}
}

// touch has a group's pods be selected by one policy more, or less.
func (c *Compiler) touch(g *group, by *policy, n int) {
	for p := range g.members {
		c.selected(p, by, n)
	}
}

// selected keeps what tells the profiles of a pod: it is to be placed anew.
func (c *Compiler) selected(p *pod, by *policy, n int) {
	for d := range p.selections {
		if by.acts(Direction(d)) {
			p.selections[d].add(by, n)
		}
	}
	c.soil(p)
}

// selection is the policies that have a say about a pod in a direction.
type selection struct {
	sum   sum // of their marks
	count int
	named int // those with named ports
}

func (s *selection) add(p *policy, n int) {
	s.count += n
	s.sum = s.sum.plus(p.mark, n)
	if len(p.names) > 0 {
		s.named += n
	}
}

// sum adds marks up. Different policies have different sums: the marks are hashes of
// numbers that nobody chooses.
type sum [2]uint64

// mark is one that there was not before.
func (c *Compiler) mark() sum {
	c.marks++
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, c.marks))
	return sum{binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])}
}

// plus adds a mark, or with n of -1 takes it away.
func (s sum) plus(mark sum, n int) sum {
	return sum{s[0] + uint64(n)*mark[0], s[1] + uint64(n)*mark[1]}
}

func (c *Compiler) groupFor(p *policy, s *Selection) *group {
	g := c.group(s)
	p.groups = append(p.groups, g)
	return g
}

func (c *Compiler) matcher(p *policy, d Direction, r *Rule) matcher {
	m := matcher{Rule: r, mark: c.mark()}
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
	key    profileKey
	head   string // id of the first chain
	piece         // what is its own
	pieces map[*sharedPiece]struct{}
	uses   int // by pods
}

// profileKey is the same for pods with the same rules in a direction: the policies, and
// the numbers of the pod's ports that they name.
type profileKey struct {
	direction Direction
	policies  sum
	ports     string
}

// profile finds or makes the profile of a pod; nil if no policy has a say.
func (c *Compiler) profile(p *pod, d Direction) *profile {
	selection := &p.selections[d]
	if selection.count == 0 {
		return nil
	}
	key := profileKey{direction: d, policies: selection.sum}
	if d == Ingress && selection.named > 0 {
		key.ports = p.namedPorts()
	}
	if pr := c.profiles[key]; pr != nil {
		return pr
	}
	var list []*policy
	for g := range p.groups {
		for policy := range g.subjects {
			if policy.acts(d) {
				list = append(list, policy)
			}
		}
	}
	b := builder{c: c, direction: d, pod: p, piece: newPiece(), pieces: map[*sharedPiece]struct{}{}}
	pr := &profile{key: key, head: b.build(list), piece: b.piece, pieces: b.pieces}
	c.profiles[pr.key] = pr
	c.spare[pr] = struct{}{}
	c.hold(pr.piece, +1)
	for shared := range pr.pieces {
		shared.uses++
	}
	return pr
}

// namedPorts tells the numbers of the pod's ports that its policies name.
func (p *pod) namedPorts() string {
	named := map[string]struct{}{}
	for g := range p.groups {
		for policy := range g.subjects {
			for _, m := range policy.names {
				if numbers := p.numbers(m.Name, m.Proto); numbers != nil {
					named[fmt.Sprint(m, numbers)] = struct{}{}
				}
			}
		}
	}
	return strings.Join(sortedKeys(named), "")
}
