package daemon

import (
	"maps"
	"net/netip"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/kube/netpol"
	"github.com/eksact/eksact/internal/vpc/ipv6"
)

// secondAddresses restricts what a node's pods send from their IPv6 addresses as what
// they send from their IPv4 ones: who may not reach everything reaches instance
// metadata at fd00:ec2::254 by a rule that says so. Nothing is sent to those
// addresses but answers.
type secondAddresses struct{ netpol.Enforcer }

func (s secondAddresses) Load(p *ruleset.Program) error {
	with := *p
	with.Egress = andSecond(p.Egress)
	return s.Enforcer.Load(&with)
}

func (s secondAddresses) Apply(deltas ...*ruleset.Delta) error {
	all := make([]*ruleset.Delta, len(deltas))
	for i, d := range deltas {
		with := *d
		with.Egress = andSecond(d.Egress)
		all[i] = &with
	}
	return s.Enforcer.Apply(all...)
}

func andSecond(chains map[netip.Addr]string) map[netip.Addr]string {
	if len(chains) == 0 {
		return chains
	}
	all := maps.Clone(chains)
	for a, chain := range chains {
		if a.Is4() {
			all[ipv6.Local(a)] = chain
		}
	}
	return all
}
