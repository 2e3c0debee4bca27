package flowlog

import "net/netip"

// Ground is what interfaces there are, and what is not logged.
type Ground struct {
	interfaces map[string]*Interface
	owners     map[netip.Prefix]*Interface
	sizes      map[int]int // prefix lengths in owners, by how many have them
	vpc        []netip.Prefix
	silent     map[netip.Addr]bool
}

// NewGround makes one without interfaces: a VPC's blocks, and the addresses whose
// traffic AWS does not log, such as those of the resolver and of instance metadata.
func NewGround(vpc []netip.Prefix, silent ...netip.Addr) Ground {
	g := Ground{interfaces: map[string]*Interface{}, owners: map[netip.Prefix]*Interface{}, sizes: map[int]int{}, vpc: vpc, silent: map[netip.Addr]bool{}}
	for _, a := range silent {
		g.silent[a] = true
	}
	return g
}

// Add adds an interface with all of its addresses beside the primary one.
func (g *Ground) Add(n *Interface, more ...netip.Prefix) {
	g.interfaces[n.ID] = n
	for _, p := range append(more, netip.PrefixFrom(n.Addr, n.Addr.BitLen())) {
		if _, ok := g.owners[p.Masked()]; !ok && p.IsValid() {
			g.owners[p.Masked()] = n
			g.sizes[p.Bits()]++
		}
	}
}

// find is the interface that has an address, or nil.
func (g *Ground) find(a netip.Addr) *Interface {
	for bits := range g.sizes {
		if p, err := a.Prefix(bits); err == nil {
			if n := g.owners[p]; n != nil {
				return n
			}
		}
	}
	return nil
}

func (g *Ground) inside(a netip.Addr) bool {
	for _, p := range g.vpc {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// unlogged is whether traffic between two addresses is left out.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html
func (g *Ground) unlogged(a, b netip.Addr) bool { return g.silent[a] || g.silent[b] }
