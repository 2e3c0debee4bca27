package columns

import "fmt"

// messages gives the messages of a chunk's rows of a template.
type messages struct {
	rows    *chunkRows
	columns []*column
}

func (k *chunk) messages(template int) (*messages, error) {
	r := &k.templates[template]
	m := &messages{rows: r, columns: make([]*column, len(r.slots))}
	for i, p := range r.slots {
		var err error
		if m.columns[i], err = k.column(int(p.entry)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// appendTo rebuilds a message.
func (m *messages) appendTo(out []byte, row int) []byte {
	for i, c := range m.columns {
		out = append(out, m.rows.literals[i]...)
		out = c.appendTo(out, int(m.rows.slots[i].from)+row)
	}
	return append(out, m.rows.literals[len(m.columns)]...)
}

// size is about how long a message is.
func (r *chunkRows) size() int { return len(r.text) + 16*len(r.template.slots) }

// broken tells whether a page was found to be damaged while messages were rebuilt.
func (m *messages) broken() error {
	for _, c := range m.columns {
		a := c.array
		if c.dict != nil {
			a = c.dict.array
		}
		if err := broken(a); err != nil {
			return err
		}
	}
	return nil
}

// broken tells whether a page of an array was found to be damaged.
func broken(a array) error {
	if p, ok := a.(*pages); ok && p.broken.Load() {
		return fmt.Errorf("decompressing values: %w", errCorrupt)
	}
	return nil
}

// timesIn are the times of a chunk's events by arrival.
func (k *chunk) timesIn() ([]int64, error) { return k.arrivedInts(partTimes, &k.times) }

func (k *chunk) ingestedIn() ([]int64, error) { return k.arrivedInts(partIngested, &k.ingested) }

func (k *chunk) arrivedInts(part part8, b *block) ([]int64, error) {
	return get(k.s.cache, cacheKey{k.s, part, int32(k.number), 0}, func() ([]int64, int, error) {
		data, err := k.s.read(b)
		if err != nil {
			return nil, 0, fmt.Errorf("reading the times of chunk %d: %w", k.number, err)
		}
		in := cursor{b: data}
		return in.ints(k.rows), 8 * k.rows, in.err
	})
}

// arrivals are the places by arrival of the rows of each template.
func (k *chunk) arrivals() ([][]uint16, error) {
	return get(k.s.cache, cacheKey{k.s, partArrivals, int32(k.number), 0}, func() ([][]uint16, int, error) {
		data, err := k.s.read(&k.order)
		if err != nil {
			return nil, 0, fmt.Errorf("reading the order of chunk %d: %w", k.number, err)
		}
		in := cursor{b: data}
		ids, wide := in.numbers(k.rows, len(k.templates))
		if in.err != nil {
			return nil, 0, errCorrupt
		}
		for _, v := range ids {
			wide = append(wide, uint16(v))
		}
		left := append([]int(nil), k.counts...)
		for _, t := range wide {
			if left[t]--; left[t] < 0 {
				return nil, 0, errCorrupt
			}
		}
		return arrivals(wide, k.counts), 2 * k.rows, nil
	})
}

// streamsIn gives the streams of events by arrival: numbers in the segment, and which of
// them each event has, nil if there is but one.
func (k *chunk) streamsIn() (*arrivedStreams, error) {
	return get(k.s.cache, cacheKey{k.s, partStreams, int32(k.number), 0}, func() (*arrivedStreams, int, error) {
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
			a.ids, a.wide = in.numbers(k.rows, len(a.used))
		}
		if in.err != nil || len(a.used) == 0 {
			return nil, 0, errCorrupt
		}
		return a, 4*len(a.used) + len(a.ids) + 2*len(a.wide), nil
	})
}

type arrivedStreams struct {
	used []uint32
	ids  []uint8
	wide []uint16
}

// at is the number in the segment of an event's stream.
func (a *arrivedStreams) at(arrival int) uint32 {
	switch {
	case a.ids != nil:
		return a.used[a.ids[arrival]]
	case a.wide != nil:
		return a.used[a.wide[arrival]]
	}
	return a.used[0]
}

// timesOf are the times of an entry's rows.
func (k *chunk) timesOf(e *entry) ([]int64, error) {
	times, err := k.timesIn()
	if err != nil {
		return nil, err
	}
	arrived, err := k.arrivals()
	if err != nil {
		return nil, err
	}
	out := make([]int64, 0, e.rows)
	for _, p := range e.parts {
		for _, at := range arrived[p.place] {
			out = append(out, times[at])
		}
	}
	return out, nil
}
