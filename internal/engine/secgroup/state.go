package secgroup

import (
	"net/netip"
	"slices"
)

// State is all that decides.
type State struct {
	Groups     []Group
	Lists      []List
	Interfaces []Interface
	// Exempt addresses may be reached whatever the rules for what goes out say.
	Exempt []netip.Addr
}

// Group is a security group.
type Group struct {
	ID    string
	Rules []Rule
}

// Rule lets packets through. Exactly one of Block, Group and List is set.
type Rule struct {
	ID     string
	Egress bool
	// Any is all protocols; Proto, ports and messages are not looked at then.
	Any   bool
	Proto uint8
	// First and Last bound the destination port of TCP and UDP, both included.
	First, Last uint16
	// Type and Code are of ICMP and ICMPv6; -1 is any.
	Type, Code int16
	Block      netip.Prefix
	Group      string
	List       string
}

// List is a prefix list.
type List struct {
	ID     string
	Blocks []netip.Prefix
}

// Interface is a network interface. Its addresses are those of its own and those of
// its prefixes that no interface has as its own.
type Interface struct {
	ID        string
	Addresses []netip.Addr
	Prefixes  []netip.Prefix
	Groups    []string
}

// owners says whose each address is: the index of its interface. Of two that have
// it as their own the first does.
func (s *State) owners() map[netip.Addr]int {
	of := map[netip.Addr]int{}
	for i, n := range s.Interfaces {
		for _, a := range n.Addresses {
			if _, taken := of[a]; !taken {
				of[a] = i
			}
		}
	}
	for i, n := range s.Interfaces {
		for _, p := range n.Prefixes {
			for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
				if _, taken := of[a]; !taken {
					of[a] = i
				}
			}
		}
	}
	return of
}

func (s *State) group(id string) (Group, bool) {
	i := slices.IndexFunc(s.Groups, func(g Group) bool { return g.ID == id })
	if i < 0 {
		return Group{}, false
	}
	return s.Groups[i], true
}
