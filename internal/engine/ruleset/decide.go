package ruleset

import "net/netip"

// Step is a rule that decided of a packet, or led on to another chain.
type Step struct {
	Ingress bool   // of the direction
	Chain   string // by id
	Rule    int    // index in the chain; -1 is its end, which drops
}

// Decide is what becomes of a packet that begins a flow, and the rules that made it
// so, in order. A direction in which its end isn't restricted has no steps. p must be
// valid: Decide is what the kernel is held to, and doesn't guess.
func Decide(p *Program, packet Packet) (bool, []Step) {
	if packet.Source == packet.Destination {
		return true, nil
	}
	w := walk{program: p, packet: packet}
	pass := w.direction(p.Egress, packet.Source, packet.Destination) && w.direction(p.Ingress, packet.Destination, packet.Source)
	return pass, w.steps
}

// walk is a packet's way through a program.
type walk struct {
	program *Program
	packet  Packet
	steps   []Step
}

// direction tries the chain of one end on the other one.
func (w *walk) direction(restricted map[netip.Addr]string, end, other netip.Addr) bool {
	id, found := restricted[end]
	if !found {
		return true
	}
	for {
		chain := w.program.Chains[id]
		i, verdict, next := w.try(&chain, other)
		w.steps = append(w.steps, Step{Ingress: chain.Ingress, Chain: id, Rule: i})
		if verdict != Goto {
			return verdict == Accept
		}
		id = next
	}
}

// try finds the first rule of a chain that decides.
func (w *walk) try(c *Chain, other netip.Addr) (index int, v Verdict, next string) {
	for i, r := range c.Rules {
		if r.Peer != "" && !w.program.Sets[r.Peer].holds(other, w.packet.Proto, w.packet.Port) {
			continue
		}
		if len(r.Ports) > 0 {
			if next, found := r.Ports[Port{Proto: w.packet.Proto, Number: w.packet.Port}]; found {
				return i, Goto, next
			}
			continue
		}
		if r.Proto != 0 && r.Proto != w.packet.Proto {
			continue
		}
		if r.Last != 0 && (w.packet.Port < r.First || w.packet.Port > r.Last) {
			continue
		}
		if r.ICMP != nil && !r.ICMP.is(w.packet.Type, w.packet.Code) {
			continue
		}
		return i, r.Verdict, r.Chain
	}
	return -1, Drop, ""
}

func (m *Message) is(kind, code uint8) bool { return m.Type == kind && (m.AnyCode || m.Code == code) }

// holds is whether a flow's end is in the set.
func (s Set) holds(a netip.Addr, proto uint8, port uint16) bool {
	single := netip.PrefixFrom(a, a.BitLen())
	var found bool
	switch s.Kind {
	case Addresses:
		_, found = s.Elements[Element{Prefix: single}]
	case Endpoints:
		_, found = s.Elements[Element{Prefix: single, Proto: proto, Port: port}]
	case Blocks:
		return s.covers(a)
	}
	return found
}

// covers is whether a block holds the address. Of many blocks those are looked up that
// it may be in: one of each length.
func (s Set) covers(a netip.Addr) bool {
	if len(s.Elements) <= a.BitLen() {
		for e := range s.Elements {
			if e.Prefix.Contains(a) {
				return true
			}
		}
		return false
	}
	for bits := range a.BitLen() + 1 {
		if _, found := s.Elements[Element{Prefix: netip.PrefixFrom(a, bits).Masked()}]; found {
			return true
		}
	}
	return false
}
