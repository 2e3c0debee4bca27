package ruleset

import (
	"cmp"
	"net/netip"
)

// Program is all that one point enforces.
type Program struct {
	Sets   map[string]Set   // by id
	Chains map[string]Chain // by id
	// Egress and Ingress hold the restricted addresses, each with its chain's id.
	Egress  map[netip.Addr]string
	Ingress map[netip.Addr]string
}

// Kind is what a set's elements are.
type Kind uint8

const (
	Addresses Kind = iota // single addresses
	Blocks                // prefixes; they may overlap
	Endpoints             // an address with protocol and destination port
)

// Element is a member of a set.
type Element struct {
	Prefix netip.Prefix // a single address (/32 or /128) unless the set is of Blocks
	Proto  uint8        // of Endpoints: the IP protocol number
	Port   uint16       // of Endpoints
}

// Set is a set of ends of flows, IPv4 and IPv6 together. Its kind never changes.
type Set struct {
	Kind     Kind
	Elements map[Element]struct{}
}

// Verdict is what becomes of a packet in one direction.
type Verdict uint8

const (
	Drop   Verdict = iota
	Accept         // in this direction: an egress packet meets its ingress chain yet
	Goto           // Rule.Chain decides, and never comes back
)

// Chain is a list of rules. A chain is never changed: other rules have another id.
type Chain struct {
	// Ingress says which end the rules look at: the other one, a packet's source
	// in a chain for ingress, its destination in one for egress.
	Ingress bool
	Rules   []Rule
}

// Rule decides about the packets that meet all its conditions.
type Rule struct {
	// Peer is the set that the other end must be in. For a set of Endpoints
	// protocol and destination port must match too. Empty: any other end.
	Peer string
	// Proto is the IP protocol; 0 is any.
	Proto uint8
	// First and Last bound the destination port, if Last is not 0.
	First, Last uint16
	// ICMP narrows a rule of protocol ICMP or ICMPv6 to some messages. Nil is all.
	// What it points to is never changed.
	ICMP *Message

	Verdict Verdict
	Chain   string // of Goto
	// Ports leads on by protocol and destination port to a chain's id, as Goto does;
	// a packet without an entry meets the next rule. With it Proto, First, Last and
	// ICMP are not set and Verdict and Chain are not used.
	Ports map[Port]string
}

// Message is messages of ICMP or ICMPv6: those of a type, with one code or any.
type Message struct {
	Type, Code uint8
	AnyCode    bool
}

// Port is a protocol's port.
type Port struct {
	Proto  uint8
	Number uint16
}

// Compare orders ports by protocol and number.
func (p Port) Compare(o Port) int {
	return cmp.Or(cmp.Compare(p.Proto, o.Proto), cmp.Compare(p.Number, o.Number))
}

// Delta is a change of a Program that is made at once: no packet meets half of it.
type Delta struct {
	NewSets map[string]Set
	// Add and Remove are elements of sets that there were before.
	Add, Remove map[string][]Element
	OldSets     []string // no longer there
	NewChains   map[string]Chain
	OldChains   []string
	// Egress and Ingress hold the addresses whose chain is another; "" takes the
	// address out.
	Egress, Ingress map[netip.Addr]string
}

// Empty is whether nothing changes.
func (d *Delta) Empty() bool {
	return len(d.NewSets)+len(d.Add)+len(d.Remove)+len(d.OldSets)+len(d.NewChains)+len(d.OldChains)+len(d.Egress)+len(d.Ingress) == 0
}

// Packet is the first packet of a flow as a point sees it: after translation of
// its destination, before translation of its source.
type Packet struct {
	Source, Destination netip.Addr
	Proto               uint8
	Port                uint16 // destination port; 0 where the protocol has none
	Type, Code          uint8  // of ICMP and ICMPv6
}
