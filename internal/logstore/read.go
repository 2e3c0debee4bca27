package logstore

import (
	"cmp"
	"container/heap"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"math"
	"slices"

	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A Place is an event's among those of its group: by time, and then as they came.
type Place struct {
	Time     int64
	Sequence int64
}

// Compare orders places.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Time, q.Time), cmp.Compare(p.Sequence, q.Sequence))
}

// A Query says which events are read.
type Query struct {
	Streams []string // names; nil for all
	// From is the first place wanted, To the first one no more.
	From, To Place
	// Backward reads the last first.
	Backward bool
	// May, if not nil, are conditions of which events meet one list (columns.Selector):
	// others may be left out.
	May [][]scan.Predicate
	// Passed, if not nil, is told while events are left out how far that is: the place that
	// is the next to be looked at. Reading stops when it returns false.
	Passed func(next Place) bool
}

// moment is a group at one time. Events are in it once, whatever is sealed or merged
// meanwhile.
type moment struct {
	segments []*segment
	tails    []*tail
	entries  [][]entry // of the tails
	hidden   map[string]int64
}

func (g *Group) moment() moment {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := moment{segments: g.segments, tails: g.tails(), hidden: maps.Clone(g.hidden)}
	for _, t := range m.tails {
		m.entries = append(m.entries, t.entries)
	}
	return m
}

// run is events that lie together: a chunk of a segment, or a tail.
type run struct {
	first, last Place
	s           *columns.Segment // nil: entries
	number      int
	entries     []entry

	chunk  *columns.Chunk
	places []Place // not read yet
}

// Read gives events in the order of their places. What can't be read is given as an
// error, after which it goes on behind it.
func (g *Group) Read(q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		m := g.moment()
		wanted := m.wanted(q.Streams)
		runs := m.runs(&q)
		open := &reading{backward: q.Backward}
		var may *columns.Selector
		if q.May != nil {
			may = columns.NewSelector(q.May)
		}
		for len(runs) > 0 || open.Len() > 0 {
			if open.waitsFor(runs) {
				r := runs[0]
				runs = runs[1:]
				if err := r.open(&q, wanted, m.hidden, may); err != nil {
					if !yield(Event{}, err) {
						return
					}
				} else if len(r.places) > 0 {
					heap.Push(open, r)
				} else if q.Passed != nil && open.waitsFor(runs) && !q.Passed(runs[0].edge(q.Backward)) {
					return
				}
				continue
			}
			e, err := open.runs[0].take(q.Backward)
			if !yield(e, err) {
				return
			}
			if len(open.runs[0].places) == 0 {
				heap.Pop(open)
			} else {
				heap.Fix(open, 0)
			}
		}
	}
}

func (m *moment) wanted(streams []string) func(string) bool {
	if streams == nil {
		return func(string) bool { return true }
	}
	set := make(map[string]bool, len(streams))
	for _, s := range streams {
		set[s] = true
	}
	return func(s string) bool { return set[s] }
}

// runs are those that may have events of a query, in the order in which they begin.
func (m *moment) runs(q *Query) []*run {
	var all []*run
	add := func(r *run) {
		if r.last.Compare(q.From) >= 0 && r.first.Compare(q.To) < 0 {
			all = append(all, r)
		}
	}
	for _, s := range m.segments {
		for n := range s.Chunks() {
			first, last, behind := s.Bounds(n)
			add(&run{first: Place{first.Time, first.Sequence}, last: Place{last.Time, behind - 1}, s: s.Segment, number: n})
		}
	}
	for _, entries := range m.entries {
		if len(entries) == 0 {
			continue
		}
		r := &run{entries: entries, first: Place{math.MaxInt64, entries[0].sequence}, last: Place{math.MinInt64, entries[len(entries)-1].sequence}}
		for i := range entries {
			r.first.Time, r.last.Time = min(r.first.Time, entries[i].Time), max(r.last.Time, entries[i].Time)
		}
		add(r)
	}
	slices.SortStableFunc(all, func(a, b *run) int {
		if q.Backward {
			return b.last.Compare(a.last)
		}
		return a.first.Compare(b.first)
	})
	return all
}

// open finds the places of a query's events in a run.
func (r *run) open(q *Query, wanted func(string) bool, hidden map[string]int64, may *columns.Selector) error {
	var chosen []bool
	if may != nil && r.s != nil {
		var err error
		if chosen, err = may.Chosen(r.s, r.number); chosen == nil {
			return err
		}
	}
	if r.s == nil {
		for i := range r.entries {
			if e := &r.entries[i]; wanted(e.Stream) && e.sequence >= hidden[e.Stream] {
				r.places = append(r.places, Place{e.Time, e.sequence})
			}
		}
	} else {
		var err error
		if r.chunk, err = r.s.Chunk(r.number); err != nil {
			return err
		}
		for _, p := range r.chunk.Places(wanted, hidden) {
			if chosen == nil || chosen[p.Sequence-r.sequence()] {
				r.places = append(r.places, Place(p))
			}
		}
	}
	r.places = slices.DeleteFunc(r.places, func(p Place) bool { return p.Compare(q.From) < 0 || p.Compare(q.To) >= 0 })
	slices.SortFunc(r.places, Place.Compare)
	return nil
}

// sequence is the number of a chunk's first event.
func (r *run) sequence() int64 {
	first, _, _ := r.s.Bounds(r.number)
	return first.Sequence
}

// edge is the place that a run gives next, or before which it gives none.
func (r *run) edge(backward bool) Place {
	switch {
	case len(r.places) > 0 && backward:
		return r.places[len(r.places)-1]
	case len(r.places) > 0:
		return r.places[0]
	case backward:
		return r.last
	}
	return r.first
}

func (r *run) take(backward bool) (Event, error) {
	p := r.edge(backward)
	if backward {
		r.places = r.places[:len(r.places)-1]
	} else {
		r.places = r.places[1:]
	}
	if r.s == nil {
		return eventOf(&r.entries[find(r.entries, p.Sequence)]), nil
	}
	e, err := r.chunk.Event(p.Sequence)
	return fromColumns(&e, p.Sequence), err
}

// find gives the place of an entry's number, or of the next one.
func find(entries []entry, sequence int64) int {
	i, _ := slices.BinarySearchFunc(entries, sequence, func(e entry, n int64) int { return cmp.Compare(e.sequence, n) })
	return i
}

func eventOf(e *entry) Event { return fromColumns(&e.Event, e.sequence) }

func fromColumns(e *columns.Event, sequence int64) Event {
	return Event{Time: e.Time, Ingested: e.Ingested, Sequence: sequence, Stream: e.Stream, Message: string(e.Message)}
}

// reading is runs that are open, as a heap: the one that gives the next event on top.
type reading struct {
	runs     []*run
	backward bool
}

// waitsFor says whether the first of the runs that are not open may have the next event.
func (h *reading) waitsFor(runs []*run) bool {
	return len(runs) > 0 && (h.Len() == 0 || h.compare(runs[0].edge(h.backward), h.runs[0].edge(h.backward)) < 0)
}

func (h *reading) compare(a, b Place) int {
	if h.backward {
		return b.Compare(a)
	}
	return a.Compare(b)
}
func (h *reading) Len() int { return len(h.runs) }
func (h *reading) Less(i, j int) bool {
	return h.compare(h.runs[i].edge(h.backward), h.runs[j].edge(h.backward)) < 0
}
func (h *reading) Swap(i, j int) { h.runs[i], h.runs[j] = h.runs[j], h.runs[i] }
func (h *reading) Push(x any)    { h.runs = append(h.runs, x.(*run)) }
func (h *reading) Pop() any {
	last := h.runs[len(h.runs)-1]
	h.runs = h.runs[:len(h.runs)-1]
	return last
}

// mostArrived is about how many bytes of events Arrived gives at once.
const mostArrived = 4 << 20

// Arrived gives a stream's events that came after a number, in the order they came: some
// megabytes of them. Whoever wants more asks again.
func (g *Group) Arrived(stream string, after int64) (events []Event, err error) {
	m := g.moment()
	return m.arrived([]string{stream}, after, nil)
}

// Since gives the events of all streams that came after a number, as Arrived does, and of
// the streams that were deleted by now the number before which events count no more. What
// can't be read is told of and passed over.
func (g *Group) Since(after int64, damaged func(error)) (events []Event, deleted map[string]int64) {
	m := g.moment()
	events, _ = m.arrived(nil, after, damaged)
	return events, m.hidden
}

// arrived gives events that came after a number. An error ends it unless someone is to be
// told of it.
func (m *moment) arrived(streams []string, after int64, damaged func(error)) (events []Event, err error) {
	wanted := m.wanted(streams)
	size := 0
	take := func(e Event) bool {
		events = append(events, e)
		size += len(e.Message) + 26
		return size < mostArrived
	}
	for _, s := range m.segments {
		for n := range s.Chunks() {
			if _, _, behind := s.Bounds(n); behind <= after+1 {
				continue
			}
			c, err := s.Chunk(n)
			if err != nil && damaged == nil {
				return events, err
			}
			if err != nil {
				damaged(err)
				continue
			}
			for _, p := range c.Places(wanted, m.hidden) {
				if p.Sequence <= after {
					continue
				}
				e, err := c.Event(p.Sequence)
				if err != nil && damaged == nil {
					return events, err
				}
				if err != nil {
					damaged(err)
					continue
				}
				if !take(fromColumns(&e, p.Sequence)) {
					return events, nil
				}
			}
		}
	}
	for _, entries := range m.entries {
		for i := find(entries, after+1); i < len(entries); i++ {
			if e := &entries[i]; wanted(e.Stream) && e.sequence >= m.hidden[e.Stream] && !take(eventOf(e)) {
				return events, nil
			}
		}
	}
	return events, nil
}

// Event reads an event by its number.
func (g *Group) Event(sequence int64) (e Event, found bool, err error) {
	m := g.moment()
	for _, s := range m.segments {
		if sequence < s.first || sequence >= s.behind {
			continue
		}
		c, found, err := s.Event(sequence)
		return fromColumns(&c, sequence), found && sequence >= m.hidden[c.Stream], err
	}
	for _, entries := range m.entries {
		if i := find(entries, sequence); i < len(entries) && entries[i].sequence == sequence {
			return eventOf(&entries[i]), sequence >= m.hidden[entries[i].Stream], nil
		}
	}
	return e, false, nil
}

// Record reads the event that a query's @ptr names, and tells its group's name.
func (s *Store) Record(pointer string) (group string, e Event, found bool, err error) {
	id, sequence, ok := columns.ParsePointer(pointer)
	if !ok {
		return "", e, false, nil
	}
	g, err := s.byID(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", e, false, nil
	}
	if err != nil {
		return "", e, false, err
	}
	e, found, err = g.Event(sequence)
	return g.name, e, found, err
}
