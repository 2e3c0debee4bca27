package netpol

import "crypto/sha256"

// namespace is what is known of a namespace, with the pods that are there.
type namespace struct {
	name   string
	labels map[string]string
	known  bool // else only names and selectors of all pick it: its labels are to come
	pods   map[*pod]struct{}
	// labelled are the pods by each of their labels.
	labelled map[label]map[*pod]struct{}
	scopes   map[*scope]struct{}
}

// scope is a choice of namespaces, with the groups that are made from it.
type scope struct {
	key        string
	name       string // of the only namespace, or else
	selector   *Selector
	namespaces map[*namespace]struct{}
	// groups are found by a label that all their pods have; any are those without.
	groups map[label]map[*group]struct{}
	any    map[*group]struct{}
}

// holds is whether the namespace is one of the scope's.
func (s *scope) holds(n *namespace) bool {
	if s.selector == nil {
		return s.name == n.name
	}
	return n.name != nodes && (s.selector.All() || n.known && s.selector.Matches(n.labels))
}

// group is the pods that a Selection picks, for as long as a policy speaks of them.
type group struct {
	key      string
	digest   [sha256.Size]byte // of the key
	scope    *scope
	pods     Selector
	members  map[*pod]struct{}
	subjects map[*policy]struct{} // the policies whose subject it is
	sources  map[*set][]*source   // the sets that its pods are elements of
	uses     int                  // by policies
}

// find calls f with the groups of a scope that pick a pod with these labels.
func (s *scope) find(labels map[string]string, f func(*group)) {
	try := func(groups map[*group]struct{}) {
		for g := range groups {
			if g.pods.Matches(labels) {
				f(g)
			}
		}
	}
	try(s.any)
	if len(s.groups) == 0 {
		return
	}
	for k, v := range labels {
		try(s.groups[label{key: k, value: v}])
		try(s.groups[label{key: k, exists: true}])
	}
}

// namespace finds a namespace, or begins one that pods or policies speak of.
func (c *Compiler) namespace(name string) *namespace {
	n := c.namespaces[name]
	if n == nil {
		n = &namespace{name: name, pods: map[*pod]struct{}{}, labelled: map[label]map[*pod]struct{}{}, scopes: map[*scope]struct{}{}}
		c.namespaces[name] = n
		c.rescope(n)
	}
	return n
}

// applyNamespace takes over labels; nil when the namespace is gone.
func (c *Compiler) applyNamespace(name string, to *Namespace) {
	n := c.namespace(name)
	n.known, n.labels = to != nil, nil
	if to != nil {
		n.labels = to.Labels
	}
	c.rescope(n)
	c.forgetNamespace(n)
}

// forgetNamespace lets go of a namespace that nothing speaks of any more.
func (c *Compiler) forgetNamespace(n *namespace) {
	if n.known || len(n.pods) > 0 || c.scopes["="+n.name] != nil {
		return
	}
	for s := range n.scopes {
		delete(s.namespaces, n)
	}
	delete(c.namespaces, n.name)
}

// rescope finds the scopes of a namespace anew; its pods join and leave their groups.
func (c *Compiler) rescope(n *namespace) {
	if s := c.scopes["="+n.name]; s != nil {
		c.scoped(s, n, true)
	}
	for s := range c.selecting {
		c.scoped(s, n, s.holds(n))
	}
}

func (c *Compiler) scoped(s *scope, n *namespace, in bool) {
	if _, was := n.scopes[s]; was == in {
		return
	}
	change := c.join
	if in {
		n.scopes[s], s.namespaces[n] = struct{}{}, struct{}{}
	} else {
		delete(n.scopes, s)
		delete(s.namespaces, n)
		change = c.leave
	}
	for p := range n.pods {
		if p.live() {
			s.find(p.Labels, func(g *group) { change(p, g) })
		}
	}
}

// scope finds or begins a scope.
func (c *Compiler) scope(sel *Selection) *scope {
	key := sel.scope()
	s := c.scopes[key]
	if s != nil {
		return s
	}
	s = &scope{key: key, name: sel.Namespace, selector: sel.Namespaces, namespaces: map[*namespace]struct{}{}, groups: map[label]map[*group]struct{}{}, any: map[*group]struct{}{}}
	c.scopes[key] = s
	if s.selector == nil {
		c.scoped(s, c.namespace(s.name), true)
		return s
	}
	c.selecting[s] = struct{}{}
	for _, n := range c.namespaces {
		c.scoped(s, n, s.holds(n))
	}
	return s
}

// group finds or begins the group of a selection, with its members, for one more use.
func (c *Compiler) group(sel *Selection) *group {
	key := sel.key()
	g := c.groups[key]
	if g == nil {
		g = &group{key: key, digest: sha256.Sum256([]byte(key)), scope: c.scope(sel), pods: sel.Pods, members: map[*pod]struct{}{}, subjects: map[*policy]struct{}{}, sources: map[*set][]*source{}}
		c.groups[key] = g
		g.index(true)
		for n := range g.scope.namespaces {
			n.find(g.pods, func(p *pod) { c.join(p, g) })
		}
	}
	g.uses++
	return g
}

// find calls f with the live pods that the selector picks.
func (n *namespace) find(s Selector, f func(*pod)) {
	try := func(pods map[*pod]struct{}) {
		for p := range pods {
			if p.live() && s.Matches(p.Labels) {
				f(p)
			}
		}
	}
	handles := s.handles()
	if handles == nil || handles[0].exists {
		try(n.pods)
		return
	}
	for _, l := range handles {
		try(n.labelled[l])
	}
}

// index makes the group found by its scope, or no longer.
func (g *group) index(in bool) {
	handles := g.pods.handles()
	if handles == nil {
		mark(g.scope.any, g, in)
	}
	for _, l := range handles {
		if g.scope.groups[l] == nil {
			g.scope.groups[l] = map[*group]struct{}{}
		}
		mark(g.scope.groups[l], g, in)
		if len(g.scope.groups[l]) == 0 {
			delete(g.scope.groups, l)
		}
	}
}

func mark[K comparable](m map[K]struct{}, key K, in bool) {
	if in {
		m[key] = struct{}{}
	} else {
		delete(m, key)
	}
}

// unuse ends a use of a group. It is forgotten when the flush ends, unless another
// policy has taken it up.
func (c *Compiler) unuse(g *group) {
	if g.uses--; g.uses == 0 {
		c.idle[g] = struct{}{}
	}
}

// forgetGroups ends the groups that no policy uses.
func (c *Compiler) forgetGroups() {
	for g := range c.idle {
		if g.uses > 0 {
			continue
		}
		for p := range g.members {
			delete(p.groups, g)
		}
		g.index(false)
		delete(c.groups, g.key)
		if s := g.scope; len(s.groups)+len(s.any) == 0 {
			for n := range s.namespaces {
				delete(n.scopes, s)
			}
			delete(c.scopes, s.key)
			delete(c.selecting, s)
			if n := c.namespaces[s.name]; s.selector == nil {
				c.forgetNamespace(n)
			}
		}
	}
	empty(&c.idle)
}

// join makes a pod a member: an element of the sets that hold the group, and one that
// the group's policies select.
func (c *Compiler) join(p *pod, g *group) {
	if _, in := g.members[p]; in {
		return
	}
	g.members[p], p.groups[g] = struct{}{}, struct{}{}
	c.contribute(p, g, p.own, +1)
	for policy := range g.subjects {
		c.selected(p, policy, +1)
	}
}

func (c *Compiler) leave(p *pod, g *group) {
	if _, in := g.members[p]; !in {
		return
	}
	delete(g.members, p)
	delete(p.groups, g)
	c.contribute(p, g, p.own, -1)
	for policy := range g.subjects {
		c.selected(p, policy, -1)
	}
}
