package lb

import (
	"net/netip"
	"slices"
)

// probe is a health check of one address. Listeners that check a target alike
// share it.
type probe struct {
	addr  netip.AddrPort
	check HealthCheck
	// from is the zone whose interface checks.
	from string
}

// probeOf is how a listener checks a target.
func (x Listener) probeOf(t Target) probe {
	p := probe{addr: t.Addr, check: x.Check, from: t.Zone}
	if x.Check.Port != 0 {
		p.addr = netip.AddrPortFrom(t.Addr.Addr(), x.Check.Port)
	}
	p.check.Port = 0
	return p
}

// probes are all of a load balancer's, each once. Targets of zones that it is not
// in are not checked.
func (r *record) probes() []probe {
	var all []probe
	for _, x := range r.Listeners {
		for _, t := range x.Targets {
			if p := x.probeOf(t); r.used(t) && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// used says whether a target's zone is one of the load balancer's.
func (r record) used(t Target) bool {
	return slices.ContainsFunc(r.Addrs, func(a Address) bool { return a.Zone == t.Zone })
}

// health is what is known of one target.
type health struct {
	state  State
	proven bool // was healthy before
	streak int  // checks in a row that speak against the state
	reason string
}

// after is the health after one more check; failure is empty for a success. A
// target that never was healthy is so with its first success. Pure.
func (h health) after(failure string, c HealthCheck) health {
	ok := failure == ""
	switch {
	case h.state == Initial || !h.proven:
		if ok {
			return health{state: Healthy, proven: true}
		}
		return health{state: Unhealthy, reason: failure}
	case ok == (h.state == Healthy):
		h.streak = 0
		if !ok {
			h.reason = failure
		}
		return h
	}
	h.streak++
	switch {
	case ok && h.streak >= c.Healthy:
		return health{state: Healthy, proven: true}
	case !ok && h.streak >= c.Unhealthy:
		return health{state: Unhealthy, proven: true, reason: failure}
	}
	return h
}

// candidates are the targets that an address of the load balancer may lead to.
func (r record) candidates(x Listener, at Address) []Target {
	var all []Target
	for _, t := range x.Targets {
		if t.Zone == at.Zone || r.CrossZone && r.used(t) {
			all = append(all, t)
		}
	}
	return all
}

// inUse lists the targets that receive connections at an address: the healthy
// ones, or all.
func (r *record) inUse(x Listener, at Address, known map[probe]health) []netip.AddrPort {
	var healthy, all []netip.AddrPort
	for _, t := range r.candidates(x, at) {
		all = append(all, t.Addr)
		if known[x.probeOf(t)].state == Healthy {
			healthy = append(healthy, t.Addr)
		}
	}
	if len(healthy) == 0 {
		return all
	}
	return healthy
}

// resolved lists what the name resolves to: the addresses of zones where every
// listener has a healthy target; if there are none, of those where every listener
// has a target; or all.
func (r record) resolved(known map[probe]health) []netip.Addr {
	var healthy, served, all []netip.Addr
	for _, a := range r.Addrs {
		isServed, isHealthy := true, true
		for _, x := range r.Listeners {
			candidates := r.candidates(x, a)
			isServed = isServed && len(candidates) > 0
			isHealthy = isHealthy && slices.ContainsFunc(candidates, func(t Target) bool { return known[x.probeOf(t)].state == Healthy })
		}
		all = append(all, a.Called())
		if isServed {
			served = append(served, a.Called())
		}
		if isServed && isHealthy {
			healthy = append(healthy, a.Called())
		}
	}
	switch {
	case len(healthy) > 0:
		return healthy
	case len(served) > 0:
		return served
	}
	return all
}
