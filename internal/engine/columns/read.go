package columns

import (
	"math"
	"sort"
)

// A Chunk is part of a segment whose events can be read one by one. It is not safe for
// use by several goroutines.
type Chunk struct {
	k        *chunk
	times    *integers
	ingested *integers
	streams  *arrivedStreams
	arrived  [][]uint16
	messages []*messages
}

// A Place is where an event is in a chunk.
type Place struct {
	Time     int64
	Sequence int64 // its number in the log
}

// Bounds are the times of a chunk's events and their numbers, without opening it. First
// and Last are inclusive, Behind isn't.
func (s *Segment) Bounds(chunk int) (first, last Place, behind int64) {
	c := &s.chunks[chunk]
	behind = c.sequence + int64(c.rows)
	return Place{c.first, c.sequence}, Place{c.end, behind - 1}, behind
}

// Chunk opens a chunk.
func (s *Segment) Chunk(number int) (*Chunk, error) {
	s.cache.begin()
	k, err := s.chunk(number)
	if err != nil {
		return nil, err
	}
	c := &Chunk{k: k, messages: make([]*messages, len(k.templates))}
	if c.times, err = k.timesIn(); err != nil {
		return nil, err
	}
	if c.ingested, err = k.ingestedIn(); err != nil {
		return nil, err
	}
	if c.streams, err = k.streamsIn(); err != nil {
		return nil, err
	}
	c.arrived, err = k.arrivals()
	return c, err
}

// Places are those of the events whose streams are wanted, in the order they came. Those
// before a number that is hidden of their stream are left out.
func (c *Chunk) Places(wanted func(stream string) bool, hidden map[string]int64) []Place {
	const none = math.MaxInt64
	from := map[uint32]int64{} // number of the first event of each stream
	some := false
	for _, u := range c.streams.used {
		if name := c.k.s.streams[u].Name; wanted(name) {
			from[u], some = hidden[name], true
		} else {
			from[u] = none
		}
	}
	if !some {
		return nil
	}
	places := make([]Place, 0, c.k.rows)
	one, only := from[c.streams.used[0]], len(from) == 1
	times, back := lend(c.k.rows)
	defer back()
	c.times.fill(times, 0)
	for at, t := range times {
		first := one
		if !only {
			first = from[c.streams.at(at)]
		}
		if n := c.k.sequence + int64(at); n >= first {
			places = append(places, Place{t, n})
		}
	}
	return places
}

// Event reads the event with a number, which must be one of the chunk's.
func (c *Chunk) Event(sequence int64) (e Event, err error) {
	arrival := int(sequence - c.k.sequence)
	for t, at := range c.arrived {
		row := sort.Search(len(at), func(i int) bool { return int(at[i]) >= arrival })
		if row < len(at) && int(at[row]) == arrival {
			return c.event(nil, arrival, t, row)
		}
	}
	return e, errCorrupt
}

func (c *Chunk) event(message []byte, arrival, template, row int) (e Event, err error) {
	m := c.messages[template]
	if m == nil {
		if m, err = c.k.messages(template); err != nil {
			return e, err
		}
		c.messages[template] = m
	}
	e = Event{Time: c.times.at(arrival), Ingested: c.ingested.at(arrival), Stream: c.k.s.streams[c.streams.at(arrival)].Name}
	e.Message = m.appendTo(message, row)
	return e, m.broken()
}

// Event reads an event by its number. It reports whether the segment has it.
func (s *Segment) Event(sequence int64) (e Event, found bool, err error) {
	i := sort.Search(len(s.chunks), func(i int) bool { return s.chunks[i].sequence > sequence }) - 1
	if i < 0 || sequence >= s.chunks[i].sequence+int64(s.chunks[i].rows) {
		return e, false, nil
	}
	c, err := s.Chunk(i)
	if err != nil {
		return e, false, err
	}
	e, err = c.Event(sequence)
	return e, err == nil, err
}

// Each calls f with all events and their numbers, in the order in which they came. The
// message is valid until f returns.
func (s *Segment) Each(f func(sequence int64, e *Event) error) error {
	for number := range s.chunks {
		c, err := s.Chunk(number)
		if err != nil {
			return err
		}
		if err := c.each(f); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chunk) each(f func(sequence int64, e *Event) error) error {
	type row struct{ template, row int }
	rows := make([]row, c.k.rows)
	for t, at := range c.arrived {
		for i, a := range at {
			rows[a] = row{t, i}
		}
	}
	var buffer []byte
	for at, r := range rows {
		e, err := c.event(buffer[:0], at, r.template, r.row)
		if err != nil {
			return err
		}
		buffer = e.Message
		if err := f(c.k.sequence+int64(at), &e); err != nil {
			return err
		}
	}
	return nil
}
