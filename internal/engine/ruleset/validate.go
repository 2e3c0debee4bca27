package ruleset

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// The protocols whose packets have ports, by IP protocol number.
const (
	TCP  = 6
	UDP  = 17
	SCTP = 132
)

// The protocols of messages that have a type and a code.
const (
	ICMP   = 1
	ICMPv6 = 58
)

// Validate finds what no point could enforce: references to what isn't there, rules
// that contradict themselves, chains that lead in circles.
func (p *Program) Validate() error {
	for _, id := range slices.Sorted(maps.Keys(p.Sets)) {
		if err := p.Sets[id].validate(); err != nil {
			return fmt.Errorf("set %s: %w", id, err)
		}
	}
	done := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(p.Chains)) {
		if err := p.validateChain(id, done); err != nil {
			return err
		}
	}
	if err := p.validateMap(p.Egress, false); err != nil {
		return fmt.Errorf("egress map: %w", err)
	}
	if err := p.validateMap(p.Ingress, true); err != nil {
		return fmt.Errorf("ingress map: %w", err)
	}
	return nil
}

func (p *Program) validateMap(restricted map[netip.Addr]string, ingress bool) error {
	for a, id := range restricted {
		chain, found := p.Chains[id]
		switch {
		case !found:
			return fmt.Errorf("%s has chain %s, which isn't there", a, id)
		case chain.Ingress != ingress:
			return fmt.Errorf("%s has chain %s, which is for the other direction", a, id)
		}
		if err := validateAddress(a); err != nil {
			return err
		}
	}
	return nil
}

func validateAddress(a netip.Addr) error {
	if !a.IsValid() || a.Is4In6() || a.Zone() != "" {
		return fmt.Errorf("%s is no address that packets carry", a)
	}
	return nil
}

func (s Set) validate() error {
	if s.Kind > Endpoints {
		return fmt.Errorf("there is no kind %d", s.Kind)
	}
	for e := range s.Elements {
		if err := e.validate(s.Kind); err != nil {
			return err
		}
	}
	return nil
}

func (e Element) validate(k Kind) error {
	if err := validateAddress(e.Prefix.Addr()); err != nil {
		return err
	}
	switch {
	case !e.Prefix.IsValid() || e.Prefix != e.Prefix.Masked():
		return fmt.Errorf("%s is not the prefix of a block", e.Prefix)
	case k != Blocks && !e.Prefix.IsSingleIP():
		return fmt.Errorf("%s is not a single address", e.Prefix)
	case k == Endpoints && !hasPorts(e.Proto):
		return fmt.Errorf("%s has protocol %d, which has no ports", e.Prefix, e.Proto)
	case k != Endpoints && (e.Proto != 0 || e.Port != 0):
		return fmt.Errorf("%s has a port, in a set without", e.Prefix)
	}
	return nil
}

func hasPorts(proto uint8) bool { return proto == TCP || proto == UDP || proto == SCTP }

// validateChain goes on to the chains that a chain leads to. done holds those that
// were found right, with true, and those whose followers are being looked at.
func (p *Program) validateChain(id string, done map[string]bool) error {
	right, seen := done[id]
	if right {
		return nil
	}
	if seen {
		return fmt.Errorf("chain %s leads to itself", id)
	}
	done[id] = false
	chain := p.Chains[id]
	for i := range chain.Rules {
		if err := p.validateRule(&chain, &chain.Rules[i], done); err != nil {
			return fmt.Errorf("chain %s: rule %d: %w", id, i, err)
		}
	}
	done[id] = true
	return nil
}

func (p *Program) validateRule(in *Chain, r *Rule, done map[string]bool) error {
	if err := r.validate(); err != nil {
		return err
	}
	if set, found := p.Sets[r.Peer]; r.Peer != "" {
		switch {
		case !found:
			return fmt.Errorf("set %s isn't there", r.Peer)
		case set.Kind == Endpoints && (r.Proto != 0 || r.Ports != nil):
			return fmt.Errorf("set %s has ports, and so has the rule", r.Peer)
		}
	}
	for _, next := range r.leads() {
		chain, found := p.Chains[next]
		switch {
		case !found:
			return fmt.Errorf("chain %s isn't there", next)
		case chain.Ingress != in.Ingress:
			return fmt.Errorf("chain %s is for the other direction", next)
		}
		if err := p.validateChain(next, done); err != nil {
			return err
		}
	}
	return nil
}

// leads are the chains that the rule may go to, sorted.
func (r *Rule) leads() []string {
	if r.Ports != nil {
		return slices.Compact(slices.Sorted(maps.Values(r.Ports)))
	}
	if r.Verdict == Goto {
		return []string{r.Chain}
	}
	return nil
}

// validate looks at what the rule alone says.
func (r *Rule) validate() error {
	switch {
	case r.Ports != nil && len(r.Ports) == 0:
		return fmt.Errorf("the map of ports is empty")
	case r.Ports != nil && (r.Proto != 0 || r.First != 0 || r.Last != 0 || r.ICMP != nil || r.Verdict != 0 || r.Chain != ""):
		return fmt.Errorf("it has a map of ports, and ports or a verdict beside it")
	case r.Verdict > Goto:
		return fmt.Errorf("there is no verdict %d", r.Verdict)
	case r.First > r.Last:
		return fmt.Errorf("ports end at %d, before they begin at %d", r.Last, r.First)
	case r.Last != 0 && !hasPorts(r.Proto):
		return fmt.Errorf("it has ports, and protocol %d has none", r.Proto)
	case r.ICMP != nil && r.Proto != ICMP && r.Proto != ICMPv6:
		return fmt.Errorf("it has a type of message, and protocol %d has none", r.Proto)
	case (r.Verdict == Goto) != (r.Chain != ""):
		return fmt.Errorf("it has a chain and doesn't go there, or goes to none")
	}
	for port := range r.Ports {
		if !hasPorts(port.Proto) {
			return fmt.Errorf("it maps a port of protocol %d, which has none", port.Proto)
		}
	}
	return nil
}
