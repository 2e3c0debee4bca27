package netpol

import (
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// Explain decides a flow from the policies themselves. Every policy is looked at:
// what many flows need is the Compiler's.
func (c *Cluster) Explain(from, to End, port ruleset.Port) *Explanation {
	e := &Explanation{From: from.subject(), To: to.subject(), Protocol: ProtocolName(port.Proto), Port: port.Number}
	if from.Pod != nil && from.Pod == to.Pod {
		e.Egress = Side{Outcome: Allowed, Reason: ToItself}
		e.Ingress = e.Egress
	} else {
		e.Egress = c.side(Egress, from, to, port)
		e.Ingress = c.side(Ingress, to, from, port)
	}
	switch {
	case e.Egress.Outcome == Denied || e.Ingress.Outcome == Denied:
		e.Outcome = Denied
	case e.Egress.Outcome == Unsure || e.Ingress.Outcome == Unsure:
		e.Outcome = Unsure
	default:
		e.Outcome = Allowed
	}
	return e
}

func (e *End) subject() (s Subject) {
	if e.Pod != nil {
		s.Pod = e.Pod.Key().String()
	}
	if e.Range.IsSingleIP() {
		s.Address = e.Range.Addr().String()
	}
	return s
}

// side is what the policies of one end say of the other.
func (c *Cluster) side(d Direction, self, other End, port ruleset.Port) Side {
	if self.Pod == nil {
		return Side{Outcome: Allowed, Reason: NotAPod}
	}
	if !self.Pod.live() {
		return Side{Outcome: Allowed, Reason: NodeTraffic}
	}
	q := question{c, d, self.Pod, other, port}
	var list []*Policy
	for _, p := range c.Policies {
		if p.acts(d) && c.picks(&p.Subject, self.Pod) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, (*Policy).compare)
	s := q.tiers(list)
	for _, p := range list {
		s.SelectedBy = append(s.SelectedBy, p.PolicyName)
	}
	return s
}

// question is a flow, seen from one end.
type question struct {
	cluster   *Cluster
	direction Direction
	self      *Pod
	other     End
	port      ruleset.Port
}

// tiers asks the last tier first: what an earlier one leaves open is up to the next.
func (q *question) tiers(list []*Policy) Side {
	s := q.ordered(list, Baseline, Side{Outcome: Allowed, Reason: NotSelected})
	if slices.ContainsFunc(list, func(p *Policy) bool { return p.Isolates[q.direction] }) {
		s = q.union(list)
	}
	return q.ordered(list, Admin, s)
}

// ordered asks a tier's rules in order, from the last to the first: an earlier one
// overrides. What none decides is as next says.
func (q *question) ordered(list []*Policy, t Tier, next Side) Side {
	s := next
	for _, p := range slices.Backward(list) {
		if p.Tier != t {
			continue
		}
		for i := range slices.Backward(p.Rules[q.direction]) {
			ruling, answer := q.ask(p, i)
			switch answer {
			case yes:
				s = ruling.decides(&next)
			case maybe:
				s = either(s, ruling.decides(&next), ruling)
			}
		}
	}
	return s
}

// decides is what becomes of a flow that the rule matches.
func (r *Ruling) decides(next *Side) Side {
	switch r.Action {
	case Accept.String():
		return Side{Outcome: Allowed, Reason: ByRule, Rule: r}
	case Deny.String():
		return Side{Outcome: Denied, Reason: ByRule, Rule: r}
	}
	s := *next
	s.Passed = append([]Ruling{*r}, s.Passed...)
	return s
}

// either is what becomes of a flow when r, which leads to other, may match or not.
func either(s, other Side, r *Ruling) Side {
	if s.Outcome != other.Outcome {
		s.Outcome = Unsure
	}
	s.Depends = append([]Ruling{*r}, s.Depends...)
	return s
}

// union asks all NetworkPolicies: the flow passes if a rule of one accepts it.
func (q *question) union(list []*Policy) Side {
	s := Side{Outcome: Denied, Reason: NoRule}
	for _, p := range list {
		if p.Tier != Networks {
			continue
		}
		for i := range p.Rules[q.direction] {
			ruling, answer := q.ask(p, i)
			switch answer {
			case yes:
				return ruling.decides(nil)
			case maybe:
				s = either(s, Side{Outcome: Allowed}, ruling)
			}
		}
	}
	return s
}

// answer is whether something matches.
type answer uint8

const (
	no    answer = iota
	maybe        // it depends on an address that isn't known
	yes
)

// ask is whether a rule matches, and by which peer and port.
func (q *question) ask(p *Policy, i int) (*Ruling, answer) {
	r := &p.Rules[q.direction][i]
	ruling := &Ruling{
		Policy: p.PolicyName, Tier: p.Tier.String(), Action: r.Action.String(), Index: i, Name: r.Name,
		PeerIndex: -1, Peer: "anywhere", PortIndex: -1, Port: "all ports",
	}
	if !r.AnyPort {
		ruling.PortIndex = slices.IndexFunc(r.Ports, q.portMatches)
		if ruling.PortIndex < 0 {
			return nil, no
		}
		ruling.Port = r.Ports[ruling.PortIndex].String()
	}
	if r.AnyPeer {
		return ruling, yes
	}
	best := no
	for n := range r.Peers {
		if a := q.peerMatches(&r.Peers[n]); a > best {
			best, ruling.PeerIndex, ruling.Peer = a, n, r.Peers[n].String()
		}
	}
	return ruling, best
}

// portMatches: a named port is one of the pod that the flow goes to.
func (q *question) portMatches(m PortMatch) bool {
	if m.Name == "" {
		return m.Proto == q.port.Proto && (m.Last == 0 || m.First <= q.port.Number && q.port.Number <= m.Last)
	}
	to := q.self
	if q.direction == Egress {
		to = q.other.Pod
	}
	return to != nil && to.live() && slices.Contains(to.numbers(m.Name, m.Proto), q.port)
}

func (q *question) peerMatches(p *Peer) answer {
	switch {
	case p.Pods == nil:
	case p.Pods.Namespace == nodes:
		return q.cluster.isNode(p.Pods, q.other)
	case q.cluster.picks(p.Pods, q.other.Pod):
		return yes
	default:
		return no
	}
	best := no
	for _, b := range p.Blocks {
		best = max(best, b.holds(q.other.Range))
	}
	return best
}

// holds is whether an address that is in the range is in the block.
func (b *Block) holds(in netip.Prefix) answer {
	if !b.CIDR.Overlaps(in) {
		return no
	}
	a := yes
	if b.CIDR.Bits() > in.Bits() {
		a = maybe
	}
	for _, e := range b.Except {
		switch {
		case e.Overlaps(in) && e.Bits() <= in.Bits():
			return no
		case e.Overlaps(in):
			a = maybe
		}
	}
	return a
}
