package netpol

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// Cluster is all that policies see of a cluster, for Explain.
type Cluster struct {
	Namespaces map[string]Namespace // by name
	// Pods are in the order in which they came to their addresses: of two with the same
	// address the later has it.
	Pods     []Pod
	Nodes    []Node
	Policies []*Policy
}

// Cluster is what the compiler was told up to the last flush.
func (c *Compiler) Cluster() *Cluster {
	out := &Cluster{Namespaces: map[string]Namespace{}}
	for _, name := range sortedKeys(c.namespaces) {
		if n := c.namespaces[name]; n.known {
			out.Namespaces[name] = Namespace{Name: name, Labels: n.labels}
		}
	}
	pods := slices.SortedFunc(maps.Values(c.pods), func(a, b *pod) int {
		return cmp.Or(cmp.Compare(a.claim, b.claim), cmp.Compare(a.Key().String(), b.Key().String()))
	})
	for _, p := range pods {
		if p.Namespace == nodes {
			out.Nodes = append(out.Nodes, Node{p.Name, p.Labels, p.Addresses})
		} else {
			out.Pods = append(out.Pods, p.Pod)
		}
	}
	for _, p := range c.policies {
		out.Policies = append(out.Policies, p.Policy)
	}
	slices.SortFunc(out.Policies, (*Policy).compare)
	return out
}

// End is an end of a flow.
type End struct {
	// Pod is nil for an address that no pod has.
	Pod *Pod
	// Range is where the address is: of one address, when it is known.
	Range netip.Prefix
}

// Pod finds a pod by name.
func (c *Cluster) Pod(name PodName) (*Pod, bool) {
	i := slices.IndexFunc(c.Pods, func(p Pod) bool { return p.Key() == name })
	if i < 0 {
		return nil, false
	}
	return &c.Pods[i], true
}

// At is the end that an address is: the pod that has it, if one does.
func (c *Cluster) At(a netip.Addr) End {
	e := End{Range: netip.PrefixFrom(a, a.BitLen())}
	for i := range c.Pods {
		if p := &c.Pods[i]; p.live() && slices.Contains(p.Addresses, a) {
			e.Pod = p
		}
	}
	return e
}

// isNode is whether an end is a node that a selection holds. A pod in its node's
// network has the address of one, which may not be known.
func (c *Cluster) isNode(s *Selection, e End) answer {
	switch {
	case slices.ContainsFunc(c.Nodes, func(n Node) bool {
		return e.Range.IsSingleIP() && slices.Contains(n.Addresses, e.Range.Addr()) && s.Pods.Matches(n.Labels)
	}):
		return yes
	case !e.Range.IsSingleIP() && e.Pod != nil && e.Pod.HostNetwork:
		return maybe
	}
	return no
}

// picks is whether a selection holds a pod, which must be live.
func (c *Cluster) picks(s *Selection, p *Pod) bool {
	if p == nil || !p.live() || !s.Pods.Matches(p.Labels) {
		return false
	}
	if s.Namespaces == nil {
		return p.Namespace == s.Namespace
	}
	n, known := c.Namespaces[p.Namespace]
	return s.Namespaces.All() || known && s.Namespaces.Matches(n.Labels)
}

// Name is the pod's name, or the address; "" if neither is known.
func (e *End) Name() string {
	s := e.subject()
	return cmp.Or(s.Pod, s.Address)
}
