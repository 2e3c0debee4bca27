package columns

import (
	"fmt"
	"sort"
)

// messages gives the messages of a chunk's rows of a template.
type messages struct {
	rows    *chunkRows
	columns []*column
}

func (k *chunk) messages(template int) (*messages, error) {
	r := &k.templates[template]
	m := &messages{rows: r, columns: make([]*column, len(r.slots))}
	for i := range r.slots {
		var err error
		if m.columns[i], err = k.column(k.entryIn(r, i)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// appendTo rebuilds a message.
func (m *messages) appendTo(out []byte, row int) []byte {
	for i, c := range m.columns {
		out = append(out, m.rows.literals[i]...)
		out = c.appendTo(out, int(m.rows.froms[i])+row)
	}
	return append(out, m.rows.literals[len(m.columns)]...)
}

// size is about how long a message is.
func (r *chunkRows) size() int { return len(r.text) + 16*len(r.template.slots) }

// broken tells whether a page was found to be damaged while messages were rebuilt.
func (m *messages) broken() error {
	for _, c := range m.columns {
		if err := c.broken(); err != nil {
			return err
		}
	}
	return nil
}

// broken tells whether a page of an array was found to be damaged.
func broken(a array) error {
	if p, ok := a.(*pagedTexts); ok && p.broken.Load() {
		return fmt.Errorf("decompressing values: %w", errCorrupt)
	}
	return nil
}

// timesIn are the times of a chunk's events by arrival.
func (k *chunk) timesIn() (*integers, error) { return k.arrivedInts(partTimes, &k.times) }

func (k *chunk) ingestedIn() (*integers, error) { return k.arrivedInts(partIngested, &k.ingested) }

func (k *chunk) arrivedInts(part part8, b *block) (*integers, error) {
	return getHeld(k, part, func() (*integers, int, error) {
		data, err := k.s.read(b)
		if err != nil {
			return nil, 0, fmt.Errorf("reading the times of chunk %d: %w", k.number, err)
		}
		in := cursor{b: data}
		a := in.integers(k.rows)
		if in.err != nil {
			return nil, 0, in.err
		}
		return a, a.bytes(), nil
	})
}

// arrivals are the places by arrival of the rows of each template.
func (k *chunk) arrivals() ([][]uint16, error) {
	return getHeld(k, partArrivals, func() ([][]uint16, int, error) {
		data, err := k.s.read(&k.order)
		if err != nil {
			return nil, 0, fmt.Errorf("reading the order of chunk %d: %w", k.number, err)
		}
		in := cursor{b: data}
		order := in.numbers(k.rows)
		if in.err != nil {
			return nil, 0, errCorrupt
		}
		places := make([]uint16, k.rows)
		order.fill(places, 0)
		left := append([]int(nil), k.counts...)
		for _, t := range places {
			if int(t) >= len(left) || left[t] == 0 {
				return nil, 0, errCorrupt
			}
			left[t]--
		}
		return arrivals(places, k.counts), 2*k.rows + 24*len(k.counts), nil
	})
}

// streamsIn gives the streams of events by arrival: numbers in the segment, and which of
// them each event has, if there is more than one.
func (k *chunk) streamsIn() (*arrivedStreams, error) {
	return getHeld(k, partStreams, func() (*arrivedStreams, int, error) {
		data, err := k.s.read(&k.streams)
		if err != nil {
			return nil, 0, fmt.Errorf("reading the streams of chunk %d: %w", k.number, err)
		}
		in := cursor{b: data}
		a := &arrivedStreams{}
		for range in.count(len(k.s.streams)) {
			a.used = append(a.used, uint32(in.count(len(k.s.streams)-1)))
		}
		if len(a.used) > 1 {
			a.numbers = in.numbers(k.rows)
		}
		if in.err != nil || len(a.used) == 0 || len(a.used) > 1 && !a.numbers.below(len(a.used)) {
			return nil, 0, errCorrupt
		}
		return a, 4*len(a.used) + len(a.numbers.bits) + len(a.numbers.bytes), nil
	})
}

type arrivedStreams struct {
	used    []uint32
	numbers numbers // into used
}

// at is the number in the segment of an event's stream.
func (a *arrivedStreams) at(arrival int) uint32 {
	if len(a.used) == 1 {
		return a.used[0]
	}
	return a.used[a.numbers.at(arrival)]
}

// rowTimes are the times of the events of an entry's rows.
type rowTimes struct {
	times   *integers  // by arrival, in milliseconds
	arrived [][]uint16 // of the templates that have the entry
	froms   []int32    // their first rows
}

func (k *chunk) timesOf(e *entry) (*rowTimes, error) {
	times, err := k.timesIn()
	if err != nil {
		return nil, err
	}
	arrived, err := k.arrivals()
	if err != nil {
		return nil, err
	}
	t := &rowTimes{times: times}
	from := 0
	for _, p := range k.placesOf(e) {
		t.arrived = append(t.arrived, arrived[p])
		t.froms = append(t.froms, int32(from))
		from += len(arrived[p])
	}
	return t, nil
}

func (t *rowTimes) at(row int) int64 {
	part := sort.Search(len(t.froms), func(i int) bool { return int(t.froms[i]) > row }) - 1
	return t.times.at(int(t.arrived[part][row-int(t.froms[part])]))
}
