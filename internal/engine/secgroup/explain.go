package secgroup

import (
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// Decision is what becomes of a packet that begins a flow, and why.
type Decision struct {
	Pass            bool
	Egress, Ingress Side
}

// Side is what one end's interface says.
type Side struct {
	// Interface is the id; "" is none, and then the packet passes here.
	Interface string
	Groups    []string // of the interface
	Pass      bool
	// Group and Rule are the ids of the rule that lets the packet pass, the first
	// of them. None: no rule does; or the address is exempt.
	Group, Rule string
	Exempt      bool
	Own         bool // the other end is the same interface's: packets don't leave it
}

// Explain decides about a packet by the state itself.
func Explain(s *State, p ruleset.Packet) Decision {
	if p.Source == p.Destination {
		return Decision{Pass: true, Egress: Side{Pass: true}, Ingress: Side{Pass: true}}
	}
	owners := s.owners()
	if i, known := owners[p.Source]; known {
		if j, too := owners[p.Destination]; too && i == j {
			one := Side{Interface: s.Interfaces[i].ID, Groups: s.Interfaces[i].Groups, Pass: true, Own: true}
			return Decision{Pass: true, Egress: one, Ingress: one}
		}
	}
	d := Decision{
		Egress:  s.side(owners, p, true),
		Ingress: s.side(owners, p, false),
	}
	if slices.Contains(s.Exempt, p.Destination) && d.Egress.Interface != "" {
		d.Egress.Exempt, d.Egress.Pass = true, true
	}
	d.Pass = d.Egress.Pass && d.Ingress.Pass
	return d
}

func (s *State) side(owners map[netip.Addr]int, p ruleset.Packet, egress bool) Side {
	end, other := p.Destination, p.Source
	if egress {
		end, other = other, end
	}
	i, known := owners[end]
	if !known {
		return Side{Pass: true}
	}
	side := Side{Interface: s.Interfaces[i].ID, Groups: s.Interfaces[i].Groups}
	for _, id := range side.Groups {
		g, _ := s.group(id)
		for _, r := range g.Rules {
			if r.Egress == egress && r.carries(p) && s.reaches(owners, r, other) {
				side.Pass, side.Group, side.Rule = true, g.ID, r.ID
				return side
			}
		}
	}
	return side
}

// carries is whether the rule is for the packet's protocol and port or message.
func (r Rule) carries(p ruleset.Packet) bool {
	if r.Any {
		return true
	}
	if r.Proto != p.Proto {
		return false
	}
	switch r.Proto {
	case ruleset.TCP, ruleset.UDP:
		return r.Last != 0 && r.First <= p.Port && p.Port <= r.Last
	case ruleset.ICMP, ruleset.ICMPv6:
		return r.Type < 0 || int16(p.Type) == r.Type && (r.Code < 0 || int16(p.Code) == r.Code)
	}
	return true
}

// reaches is whether the rule is for the packet's other end.
func (s *State) reaches(owners map[netip.Addr]int, r Rule, other netip.Addr) bool {
	switch {
	case r.Group != "":
		i, known := owners[other]
		return known && slices.Contains(s.Interfaces[i].Groups, r.Group)
	case r.List != "":
		return slices.ContainsFunc(s.Lists, func(l List) bool {
			return l.ID == r.List && slices.ContainsFunc(l.Blocks, func(b netip.Prefix) bool { return b.Contains(other) })
		})
	}
	return r.Block.Contains(other)
}
