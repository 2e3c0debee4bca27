package vpc

import (
	"net/netip"
	"sync"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/engine/secgroup"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// groupTable is the router's table of security groups.
const groupTable = "eksact-sg"

// groupPriority is behind the router's own rules, which refuse with an answer what
// is no group's business, and behind the translation of destinations: what is looked
// at is a load balancer's target.
const groupPriority = 10

// Groups holds the router to security groups. Packets between two interfaces cross
// the router, so that both ends' groups are enforced here. What an interface sends to
// the router's own services meets its groups too, and so do health checks, which come
// from a load balancer's.
type Groups struct {
	enforcer *nft.Enforcer
	exempt   []netip.Addr
	node     bool // of a node, else of the router

	mu       sync.Mutex
	compiler secgroup.Compiler
	loaded   bool
}

// OpenGroups takes over the security groups that the router enforces: they go on as
// they are until Set.
func (n *Network) OpenGroups() (*Groups, error) { return n.openGroups(n.World(), false) }

// OpenNodeGroups takes over those of a node: among its pods and itself packets don't
// reach the router.
func (n *Network) OpenNodeGroups(id string) (*Groups, error) { return n.openGroups(n.path(id), true) }

func (n *Network) openGroups(ns string, node bool) (*Groups, error) {
	e, err := nft.Open(ns, groupTable, nft.Options{
		Hooks: []nft.Hook{nft.Input, nft.Forward, nft.Output}, Priority: groupPriority, IPv4: true, Log: !node,
	})
	if err != nil {
		return nil, explain(err)
	}
	return &Groups{enforcer: e, exempt: n.unfiltered(), node: node}, nil
}

// unfiltered are the addresses that security groups don't keep anyone from.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func (c Config) unfiltered() []netip.Addr {
	all := []netip.Addr{c.Resolver(), LinkResolver, Metadata}
	for _, s := range c.Subnets {
		all = append(all, s.Router())
	}
	return all
}

// Set makes the router let through what the groups do, in one transaction; of a node
// the interfaces that it has are given. Known flows go on.
func (g *Groups) Set(s *secgroup.State, here ...string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Exempt = g.exempt
	var change ruleset.Delta
	if g.node {
		change = g.compiler.FlushAt(s, here)
	} else {
		change = g.compiler.Flush(s)
	}
	var err error
	if g.loaded {
		err = g.enforcer.Apply(&change)
	} else {
		err = g.enforcer.Load(g.compiler.Program())
	}
	// A change that failed may be of what the kernel does not hold.
	g.loaded = err == nil
	return err
}

// Close lets go of the rules; they stay.
func (g *Groups) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.enforcer.Close()
}
