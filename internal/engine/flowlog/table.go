package flowlog

import (
	"cmp"
	"net/netip"
	"slices"
)

// Tuple is one direction of a connection, as its packets have it on one side of
// the router.
type Tuple struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16
}

// Count is packets and their bytes.
type Count struct{ Packets, Bytes uint64 }

// Connection is what the router counted of a connection since it began.
type Connection struct {
	ID    uint32 // with Began, tells connections apart
	Proto uint8
	// Original is as the first packet was sent, Reply as its answers are: from where
	// the first packet was translated to, to where its source was translated.
	Original, Reply Tuple
	// Sent and Answered count both directions.
	Sent, Answered Count
	Began          int64 // Unix seconds; 0: not known
	Ended          int64 // Unix seconds; 0: it goes on
}

// Refused is a packet that a rule refused at an interface: leaving the source's,
// or entering the destination's.
type Refused struct {
	Tuple
	Proto     uint8
	Direction Direction
	Bytes     uint64
	Flags     uint8 // of TCP: SYN, FIN and RST as Record has them
	At        int64 // Unix seconds
}

const tcp = 6 // its protocol number

// Table gathers what happens in a capture window. The zero value has no interfaces.
type Table struct {
	ground  Ground
	flows   map[place]*sum
	flags   map[Tuple]uint8
	counted map[identity]*seen
	skipped bool
}

// place is a flow at an interface.
type place struct {
	at string
	Flow
}

// sum is what a window has of a flow.
type sum struct {
	Count
	at          *Interface // as it was last
	first, last int64
	flags       uint8
	outside     bool
}

// identity tells connections apart; an id is used again.
type identity struct {
	id    uint32
	began int64
	Tuple
}

// seen is what earlier calls counted of a connection.
type seen struct {
	sent, answered Count
	alive          bool // in the newest list
}

// SetGround changes what interfaces there are. Traffic counted before stays.
func (t *Table) SetGround(g Ground) { t.ground = g }

// Skip notes that something was missed in this window.
func (t *Table) Skip() { t.skipped = true }

// Connections takes the list of all connections there are. What one has more than
// at the last call happened between since and now. With baseline what they have is
// only noted: it happened before anybody looked.
func (t *Table) Connections(all []Connection, since, now int64, baseline bool) {
	for _, s := range t.counted {
		s.alive = false
	}
	for i := range all {
		t.connection(&all[i], since, now, baseline).alive = true
	}
	for id, s := range t.counted {
		if !s.alive {
			delete(t.counted, id)
		}
	}
}

// Ended takes a connection that is over, with its last counts.
func (t *Table) Ended(c *Connection, since, now int64) {
	t.connection(c, since, now, false)
	delete(t.counted, c.identity())
}

func (c *Connection) identity() identity { return identity{c.ID, c.Began, c.Original} }

func (t *Table) connection(c *Connection, since, now int64, baseline bool) *seen {
	if t.counted == nil {
		t.counted = map[identity]*seen{}
	}
	s := t.counted[c.identity()]
	if s == nil {
		s = &seen{}
		t.counted[c.identity()] = s
	}
	first, last := max(since, c.Began), now
	if c.Ended != 0 {
		last = min(max(c.Ended, first), now)
	}
	if !baseline {
		sent, answered := c.Sent.less(s.sent), c.Answered.less(s.answered)
		t.count(c, sent, answered, first, last)
	}
	s.sent, s.answered = c.Sent, c.Answered
	return s
}

func (c Count) less(d Count) Count { return Count{c.Packets - d.Packets, c.Bytes - d.Bytes} }

// count adds what a connection had in both directions at the interfaces of both
// ends.
func (t *Table) count(c *Connection, sent, answered Count, first, last int64) {
	o, r := c.Original, c.Reply
	var there, back uint8
	if c.Proto == tcp {
		there, back = t.flags[r.reversed()], t.flags[o.reversed()]
	}
	if at := t.ground.find(o.Source); at != nil {
		t.add(at, o.flow(c.Proto, Egress), sent, first, last, there)
		t.add(at, o.reversed().flow(c.Proto, Ingress), answered, first, last, back)
	}
	if at := t.ground.find(r.Source); at != nil {
		t.add(at, r.reversed().flow(c.Proto, Ingress), sent, first, last, there)
		t.add(at, r.flow(c.Proto, Egress), answered, first, last, back)
	}
}

func (u Tuple) reversed() Tuple {
	return Tuple{u.Destination, u.Source, u.DestinationPort, u.SourcePort}
}

func (u Tuple) flow(proto uint8, d Direction) Flow {
	return Flow{Source: u.Source, Destination: u.Destination, SourcePort: u.SourcePort, DestinationPort: u.DestinationPort, Proto: proto, Direction: d}
}

// Refuse takes a packet that was refused. One that left its interface is accepted
// there, and refused where it was to enter.
func (t *Table) Refuse(r *Refused) {
	f := r.flow(r.Proto, r.Direction)
	one := Count{1, r.Bytes}
	if r.Direction == Ingress {
		if at := t.ground.find(r.Source); at != nil {
			t.add(at, r.flow(r.Proto, Egress), one, r.At, r.At, r.Flags)
		}
	}
	f.Rejected = true
	end := r.Source
	if r.Direction == Ingress {
		end = r.Destination
	}
	if at := t.ground.find(end); at != nil {
		t.add(at, f, one, r.At, r.At, r.Flags)
	}
}

// Flags notes flags of TCP that a packet had when it left the router, all addresses
// translated. They show with the connection's counts of this window.
func (t *Table) Flags(u Tuple, flags uint8) {
	if t.flags == nil {
		t.flags = map[Tuple]uint8{}
	}
	t.flags[u] |= flags
}

func (t *Table) add(at *Interface, f Flow, n Count, first, last int64, flags uint8) {
	if n.Packets == 0 || t.ground.unlogged(f.Source, f.Destination) {
		return
	}
	if t.flows == nil {
		t.flows = map[place]*sum{}
	}
	s := t.flows[place{at.ID, f}]
	if s == nil {
		other := f.Source
		if f.Direction == Egress {
			other = f.Destination
		}
		s = &sum{first: first, last: last, outside: !t.ground.inside(other)}
		t.flows[place{at.ID, f}] = s
	}
	s.at = at
	s.Packets, s.Bytes, s.flags = s.Packets+n.Packets, s.Bytes+n.Bytes, s.flags|flags
	s.first, s.last = min(s.first, first), max(s.last, last)
}

// Close ends the window from start to end, in Unix seconds, and returns its
// records by interface. The next window begins empty.
func (t *Table) Close(start, end int64) []Record {
	var records []Record
	busy := map[string]bool{}
	for p, s := range t.flows {
		busy[p.at] = true
		records = append(records, Record{
			Interface: s.at, Flow: p.Flow, Packets: s.Packets, Bytes: s.Bytes, Flags: s.flags, Outside: s.outside,
			Start: max(s.first, start), End: min(s.last, end),
		})
	}
	for id, at := range t.ground.interfaces {
		switch {
		case t.skipped:
			records = append(records, Record{Interface: at, Start: start, End: end, Status: SkipData})
		case !busy[id]:
			records = append(records, Record{Interface: at, Start: start, End: end, Status: NoData})
		}
	}
	t.flows, t.flags, t.skipped = nil, nil, false
	slices.SortFunc(records, order)
	return records
}

func order(a, b Record) int {
	return cmp.Or(
		cmp.Compare(a.Interface.ID, b.Interface.ID), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Start, b.Start),
		a.Source.Compare(b.Source), a.Destination.Compare(b.Destination),
		cmp.Compare(a.SourcePort, b.SourcePort), cmp.Compare(a.DestinationPort, b.DestinationPort),
		cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Direction, b.Direction),
	)
}
