package flowlog

import "net/netip"

// Interface is a network interface as records show it.
type Interface struct {
	ID       string // eni-…
	Account  string
	VPC      string
	Subnet   string
	Instance string // "" when it is no instance's
	Region   string
	ZoneID   string     // usw2-az1
	Addr     netip.Addr // primary private address
	// Public says that its subnet's traffic to the outside goes through an internet
	// gateway rather than another resource of the VPC.
	Public bool
}

// Direction is a flow's, seen from the interface.
type Direction uint8

const (
	Ingress Direction = iota
	Egress
)

// Flow is what tells flows apart: addresses are those of the packets.
type Flow struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16 // 0 where the protocol has none
	Proto                       uint8
	Direction                   Direction
	Rejected                    bool
}

// Status of a record.
type Status uint8

const (
	OK       Status = iota
	NoData          // no traffic in the window
	SkipData        // some was missed
)

// Record is one flow at one interface in one window.
type Record struct {
	Interface *Interface
	Flow
	Packets, Bytes uint64
	Start, End     int64 // Unix seconds
	Flags          uint8 // of TCP: FIN 1, SYN 2, RST 4, SYN-ACK 18, or a sum
	// Outside says that the other end is not in the interface's VPC.
	Outside bool
	Status  Status
}

// path is how an egress flow goes on, as AWS numbers the ways; 0 is not known.
func (r *Record) path() int {
	switch {
	case r.Direction == Ingress:
		return 0
	case r.Outside && r.Interface.Public:
		return 8 // through an internet gateway
	}
	return 1 // through another resource in the same VPC
}

// local and remote are the ends of the flow at the interface and beyond it, as
// srcaddr and dstaddr show them: the interface's is always its primary address.
func (r *Record) source() netip.Addr {
	if r.Direction == Egress {
		return r.Interface.Addr
	}
	return r.Source
}

func (r *Record) destination() netip.Addr {
	if r.Direction == Ingress {
		return r.Interface.Addr
	}
	return r.Destination
}
