package netpol

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// Compiler makes of a cluster's objects what its nodes enforce. What it is told waits
// for Flush: of several states of an object the last counts.
type Compiler struct {
	// What was told since the last flush; nil for what is gone.
	newNamespaces map[string]*Namespace
	newPods       map[PodName]toldPod
	newPolicies   map[PolicyName]*Policy

	namespaces map[string]*namespace
	pods       map[PodName]*pod
	policies   map[PolicyName]*policy
	scopes     map[string]*scope
	selecting  map[*scope]struct{} // those with a selector
	groups     map[string]*group
	sets       map[string]*set
	chains     map[string]*usedChain
	profiles   map[profileKey]*profile
	pieces     map[pieceKey]*sharedPiece
	nodes      map[string]*node
	claimants  map[netip.Addr][]*pod // of an address, the latest last
	owners     map[netip.Addr]*pod
	told       uint64
	claims     uint64
	marks      uint64 // given so far

	// What a flush has yet to look at.
	dirty   []*pod
	changed map[*set]struct{}
	idle    map[*group]struct{}
	spare   map[*profile]struct{}
	unused  map[*set]struct{}
}

// New is a compiler that knows of nothing yet.
func New() *Compiler {
	return &Compiler{
		newNamespaces: map[string]*Namespace{}, newPods: map[PodName]toldPod{}, newPolicies: map[PolicyName]*Policy{},
		namespaces: map[string]*namespace{}, pods: map[PodName]*pod{}, policies: map[PolicyName]*policy{},
		scopes: map[string]*scope{}, selecting: map[*scope]struct{}{}, groups: map[string]*group{},
		sets: map[string]*set{}, chains: map[string]*usedChain{}, profiles: map[profileKey]*profile{}, pieces: map[pieceKey]*sharedPiece{}, nodes: map[string]*node{},
		claimants: map[netip.Addr][]*pod{}, owners: map[netip.Addr]*pod{},
		changed: map[*set]struct{}{}, idle: map[*group]struct{}{}, spare: map[*profile]struct{}{}, unused: map[*set]struct{}{},
	}
}

// SetNamespace says that a namespace is there, with these labels. Until it was said,
// the namespace's pods are picked by its name and by selectors of all namespaces only.
func (c *Compiler) SetNamespace(n Namespace) { c.newNamespaces[n.Name] = &n }

// DeleteNamespace says that it is gone. Pods that are still there stay.
func (c *Compiler) DeleteNamespace(name string) { c.newNamespaces[name] = nil }

// toldPod is a pod that a flush is to take over.
type toldPod struct {
	*Pod         // nil when it is gone
	order uint64 // when it came to its addresses
}

// SetPod says what a pod is now. One with another UID is another pod. Of two pods with
// the same address the one that came to it last has it.
func (c *Compiler) SetPod(p Pod) {
	c.told++
	told := toldPod{&p, c.told}
	if before := c.newPods[p.Key()]; before.Pod != nil && before.UID == p.UID && before.live() == p.live() && slices.Equal(before.Addresses, p.Addresses) {
		told.order = before.order
	}
	c.newPods[p.Key()] = told
}

// DeletePod says that the pod of this UID is gone; "" is whichever has the name.
func (c *Compiler) DeletePod(name PodName, uid string) {
	known := c.newPods[name].Pod
	if known == nil && c.pods[name] != nil {
		known = &c.pods[name].Pod
	}
	if uid == "" || known != nil && known.UID == uid {
		c.newPods[name] = toldPod{}
	}
}

// SetNode says what a node is now.
func (c *Compiler) SetNode(n Node) { c.SetPod(n.asPod()) }

// DeleteNode says that it is gone.
func (c *Compiler) DeleteNode(name string) { c.DeletePod(PodName{nodes, name}, "") }

// SetPolicy says what a policy is now. The compiler keeps it: it may not be changed.
func (c *Compiler) SetPolicy(p *Policy) { c.newPolicies[p.PolicyName] = p }

// DeletePolicy says that it is gone.
func (c *Compiler) DeletePolicy(name PolicyName) { c.newPolicies[name] = nil }

// Change is what a flush changed.
type Change struct {
	// Nodes holds the nodes on which something changes. The deltas may share slices and
	// maps with each other and with the compiler's chains: they are for reading.
	Nodes map[string]ruleset.Delta
	// Policies are those that were set since the flush before. When every node of Nodes
	// has its delta, these versions are enforced everywhere.
	Policies map[PolicyName]Version
	Gone     []PolicyName // policies that were deleted
}

// Flush takes over what was told since the flush before, and tells what changes.
func (c *Compiler) Flush() Change {
	change := Change{Nodes: map[string]ruleset.Delta{}, Policies: map[PolicyName]Version{}}
	for _, name := range sortedKeys(c.newNamespaces) {
		c.applyNamespace(name, c.newNamespaces[name])
	}
	for name, p := range c.newPolicies {
		if p != nil {
			change.Policies[name] = p.Version
		} else if c.policies[name] != nil {
			change.Gone = append(change.Gone, name)
		}
		c.applyPolicy(name, p)
	}
	c.applyPods()
	empty(&c.newNamespaces)
	empty(&c.newPolicies)
	empty(&c.newPods)
	c.settle()
	c.forgetProfiles()
	c.deltas(change.Nodes)
	c.forgetSets()
	c.forgetGroups()
	slices.SortFunc(change.Gone, PolicyName.compare)
	return change
}

// applyPods takes over the pods: those first that are gone, then in the order in which
// they came to their addresses.
func (c *Compiler) applyPods() {
	names := slices.SortedFunc(maps.Keys(c.newPods), func(a, b PodName) int {
		return cmp.Compare(c.newPods[a].order, c.newPods[b].order)
	})
	for _, name := range names {
		c.applyPod(name, c.newPods[name].Pod)
	}
}

// deltas tells what changed on each node.
func (c *Compiler) deltas(out map[string]ruleset.Delta) {
	all := map[string]*ruleset.Delta{}
	for name, n := range c.nodes {
		if d := n.delta(c); !d.Empty() {
			all[name] = &d
		}
		if len(n.profiles) == 0 {
			delete(c.nodes, name)
		}
	}
	for s := range c.changed {
		added, removed := s.elements.change()
		slices.SortFunc(added, ruleset.Element.Compare)
		slices.SortFunc(removed, ruleset.Element.Compare)
		for n := range s.nodes {
			d := all[n.name]
			if d == nil {
				d = &ruleset.Delta{}
			}
			if _, isNew := d.NewSets[s.id]; isNew {
				continue
			}
			if len(added) > 0 {
				put(&d.Add, s.id, added)
			}
			if len(removed) > 0 {
				put(&d.Remove, s.id, removed)
			}
			if !d.Empty() {
				all[n.name] = d
			}
		}
	}
	for name, d := range all {
		out[name] = *d
	}
}

// Program is all that a node enforces: what the flushes so far add up to.
func (c *Compiler) Program(nodeName string) *ruleset.Program {
	if n := c.nodes[nodeName]; n != nil {
		return n.program()
	}
	return (&ruleset.Program{}).Clone()
}

// Nodes are the names of the nodes on which anything is restricted, sorted.
func (c *Compiler) Nodes() []string { return sortedKeys(c.nodes) }

// Policies are the versions of all policies of the last flush.
func (c *Compiler) Policies() map[PolicyName]Version {
	out := map[PolicyName]Version{}
	for name, p := range c.policies {
		out[name] = p.Version
	}
	return out
}
