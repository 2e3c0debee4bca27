package netpol

import (
	"maps"
	"net/netip"
	"slices"
)

// pod is a pod as it was last given, and where it stands.
type pod struct {
	Pod
	claim uint64 // when its addresses became its own, as a count
	// own are the addresses that no pod claimed later.
	own    []netip.Addr
	groups map[*group]struct{}
	// By direction: who selects it, and where its rules are.
	selections [2]selection
	placed     [2]placement
	dirty      bool // a flush has yet to look at it
}

// applyPod takes over a pod; nil when it is gone.
func (c *Compiler) applyPod(name PodName, to *Pod) {
	p := c.pods[name]
	switch {
	case to == nil && p == nil:
		return
	case to == nil:
		c.removePod(p)
		return
	case p != nil && p.UID != to.UID:
		c.removePod(p)
		p = nil
	case p != nil && p.Pod.equal(to):
		return
	}
	if p == nil {
		p = &pod{Pod: Pod{Namespace: to.Namespace, Name: to.Name, UID: to.UID}, groups: map[*group]struct{}{}}
		c.pods[name] = p
		c.namespace(to.Namespace).pods[p] = struct{}{}
	}
	c.soil(p)
	c.changePod(p, to)
}

// changePod takes over all but the name. Only what differs is undone and done again.
func (c *Compiler) changePod(p *pod, to *Pod) {
	n := c.namespace(p.Namespace)
	if p.live() != to.live() || !slices.Equal(p.Ports, to.Ports) {
		c.leaveAll(p)
	}
	addresses := func(q *Pod) []netip.Addr {
		if !q.live() {
			return nil
		}
		return q.Addresses
	}
	if before, after := addresses(&p.Pod), addresses(to); !slices.Equal(before, after) {
		c.claims++
		p.claim = c.claims
		c.reclaim(p, before, after)
	}
	if !maps.Equal(p.Labels, to.Labels) {
		n.relabel(p, p.Labels, false)
		n.relabel(p, to.Labels, true)
	}
	p.Pod = *to
	for g := range p.groups {
		if !g.pods.Matches(p.Labels) {
			c.leave(p, g)
		}
	}
	if p.live() {
		for s := range n.scopes {
			s.find(p.Labels, func(g *group) { c.join(p, g) })
		}
	}
}

func (c *Compiler) leaveAll(p *pod) {
	for g := range p.groups {
		c.leave(p, g)
	}
}

func (c *Compiler) removePod(p *pod) {
	c.leaveAll(p)
	c.reclaim(p, p.Addresses, nil)
	n := c.namespace(p.Namespace)
	n.relabel(p, p.Labels, false)
	delete(n.pods, p)
	c.forgetNamespace(n)
	c.release(p, Egress)
	c.release(p, Ingress)
	p.dirty = false
	delete(c.pods, p.Key())
}

// relabel keeps the pods of a namespace by their labels.
func (n *namespace) relabel(p *pod, labels map[string]string, in bool) {
	for k, v := range labels {
		l := label{key: k, value: v}
		if n.labelled[l] == nil {
			n.labelled[l] = map[*pod]struct{}{}
		}
		mark(n.labelled[l], p, in)
		if len(n.labelled[l]) == 0 {
			delete(n.labelled, l)
		}
	}
}

// reclaim makes a pod claim other addresses. An address belongs to the pod that came
// to it last: one that is about to go may still have it in its status.
func (c *Compiler) reclaim(p *pod, before, after []netip.Addr) {
	for _, a := range before {
		c.claimants[a] = slices.DeleteFunc(c.claimants[a], func(q *pod) bool { return q == p })
		if len(c.claimants[a]) == 0 {
			delete(c.claimants, a)
		}
	}
	for _, a := range after {
		if !slices.Contains(c.claimants[a], p) {
			c.claimants[a] = append(c.claimants[a], p) // the last is the latest
		}
	}
	for _, a := range slices.Concat(before, after) {
		c.award(a)
	}
}

// award gives an address to its latest claimant.
func (c *Compiler) award(a netip.Addr) {
	var owner *pod
	if list := c.claimants[a]; len(list) > 0 {
		owner = list[len(list)-1]
	}
	was := c.owners[a]
	if was == owner {
		return
	}
	if was != nil {
		was.own = slices.DeleteFunc(slices.Clone(was.own), func(b netip.Addr) bool { return a == b })
		c.owned(was, a, -1)
		delete(c.owners, a)
	}
	if owner != nil {
		owner.own = append(slices.Clone(owner.own), a)
		c.owned(owner, a, +1)
		c.owners[a] = owner
	}
}

// owned tells all the pod's groups that it has or lost an address.
func (c *Compiler) owned(p *pod, a netip.Addr, by int) {
	for g := range p.groups {
		c.contribute(p, g, []netip.Addr{a}, by)
	}
	c.soil(p)
}

// soil has a pod be looked at when the flush settles.
func (c *Compiler) soil(p *pod) {
	if !p.dirty {
		p.dirty = true
		c.dirty = append(c.dirty, p)
	}
}
