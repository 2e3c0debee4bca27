package columns

import (
	"slices"
	"sync"

	"github.com/eksact/eksact/internal/engine/scan"
)

// batch makes what the request wants of the rows chosen.
func (w *worker) batch(s *stretch) (*scan.Batch, error) {
	b := &scan.Batch{Rows: s.rows, Columns: make([]scan.Vector, 0, len(w.Fields)+len(w.Extracts))}
	if g := s.groups[0]; g.number == 0 && w.parse && g.fields == nil {
		if err := w.discover(g); err != nil {
			return nil, err
		}
	}
	for i := range w.Fields {
		v, err := w.vector(s, w.wants[i], i)
		if err != nil {
			return nil, err
		}
		b.Columns = append(b.Columns, v)
	}
	for i := range w.Extracts {
		vectors, err := w.extract(s, i)
		if err != nil {
			return nil, err
		}
		b.Columns = append(b.Columns, vectors...)
	}
	if w.Counted && b.Rows > 1 {
		w.count(b)
	}
	return b, nil
}

// vector gives a field of the rows chosen. Number is its place among the wants, if it is
// one.
func (w *worker) vector(s *stretch, f want, number int) (scan.Vector, error) {
	g := s.groups[0]
	switch f.kind {
	case timestamp:
		times, err := w.times(s)
		return scan.Vector{Form: scan.Times, Ints: append(w.room(number).forInts(s.rows)[:0], times...)}, err
	case ingestion:
		times, err := g.k.ingestedIn()
		if err != nil {
			return scan.Vector{}, err
		}
		v := scan.Vector{Form: scan.Times, Ints: w.room(number).forInts(s.rows)}
		return v, w.arrived(s, times, v.Ints)
	case log:
		return scan.Vector{Form: scan.Coded, Dict: w.logName(g.log)}, nil
	case stream:
		return w.streams(s, number)
	case pointer:
		return w.pointers(g)
	case message:
		return w.late(g), nil
	}
	if g.number == 0 {
		v := scan.Vector{Form: scan.Plain, All: make([]scan.Value, g.rows.len())}
		for i := range v.All {
			v.All[i] = valueIn(g.fields[g.rows.at(i)], f.name)
		}
		return v, nil
	}
	e := s.entries[number]
	if e < 0 {
		return scan.Vector{}, nil
	}
	col, err := g.k.column(int(e))
	if err != nil {
		return scan.Vector{}, err
	}
	kind := g.k.shapes.columns[g.k.entries[e].column].kind
	if col.array != nil {
		return w.values(s, col.array, kind, number)
	}
	return w.coded(s, col, kind, number)
}

// coded gives values as numbers into their dictionary.
func (w *worker) coded(s *stretch, col *column, kind byte, want int) (scan.Vector, error) {
	values, err := col.dict.values(kind)
	if err != nil {
		return scan.Vector{}, err
	}
	v := scan.Vector{Form: scan.Coded, Dict: values.Dictionary, Same: values.id(col.one)}
	var ids []uint32 // of the places in used
	if col.form != formOne {
		ids = make([]uint32, len(col.used))
		for i, u := range col.used {
			ids[i] = values.id(u)
		}
	} else if !s.lacks(want) {
		return v, nil
	}
	v.IDs = w.room(want).forIDs(s.rows)
	return v, s.each(want, func(at, from, n int, chosen []uint32) error {
		out := v.IDs[at : at+n]
		switch {
		case from < 0:
			for i := range out {
				out[i] = scan.None
			}
		case ids == nil:
			for i := range out {
				out[i] = v.Same
			}
		case chosen != nil:
			for i, row := range chosen {
				out[i] = ids[col.local(from+int(row))]
			}
			return col.broken()
		default:
			locals, err := w.locals(col, from, n)
			if err != nil {
				return err
			}
			for i, l := range locals {
				out[i] = ids[l]
			}
		}
		return nil
	})
}

// values gives values that differ from row to row.
func (w *worker) values(s *stretch, a array, kind byte, want int) (scan.Vector, error) {
	switch a := a.(type) {
	case *instants:
		times, err := w.times(s)
		if err != nil {
			return scan.Vector{}, err
		}
		v := scan.Vector{Form: scan.Instants, Ints: w.ints(s, a.integers, want), Digits: a.digits}
		a.since(times, v.Ints)
		return v, nil
	case *integers:
		if kind == bare {
			return scan.Vector{Form: scan.Integers, Ints: w.ints(s, a, want)}, nil
		}
	}
	if g := s.groups[0]; len(s.groups) == 1 {
		rows, from := g.rows, g.from(want)
		return scan.Vector{Form: scan.Late, Read: func(row int) scan.Value { return leafValue(kind, a.text(from+rows.at(row))) }}, nil
	}
	rows := make([]uint16, s.rows)
	err := s.each(want, func(at, from, n int, chosen []uint32) error {
		for i := range n {
			rows[at+i] = uint16(from + i)
		}
		for i, row := range chosen {
			rows[at+i] = uint16(from + int(row))
		}
		return nil
	})
	return scan.Vector{Form: scan.Late, Read: func(row int) scan.Value { return leafValue(kind, a.text(int(rows[row]))) }}, err
}

// ints gives integers of a column.
func (w *worker) ints(s *stretch, a *integers, want int) []int64 {
	all := w.room(want).forInts(s.rows)
	_ = s.each(want, func(at, from, n int, chosen []uint32) error {
		if chosen == nil {
			a.fill(all[at:at+n], from)
		}
		for i, row := range chosen {
			all[at+i] = a.at(from + int(row))
		}
		return nil
	})
	return all
}

// times are those of the events of a stretch, in milliseconds. They are good until the
// next stretch.
func (w *worker) times(s *stretch) ([]int64, error) {
	if s.timed {
		return s.times, nil
	}
	times, err := s.groups[0].k.timesIn()
	if err != nil {
		return nil, err
	}
	s.times = slices.Grow(s.times[:0], s.rows)[:s.rows]
	err = w.arrived(s, times, s.times)
	s.timed = err == nil
	return s.times, err
}

// arrived gives times that lie by arrival.
func (w *worker) arrived(s *stretch, times *integers, out []int64) error {
	k := s.groups[0].k
	arrivals, err := k.arrivals()
	if err != nil {
		return err
	}
	var all []int64 // unless few are wanted
	if s.rows > k.rows/8 {
		all = w.decoded(times, k.rows)
	}
	for _, g := range s.groups {
		g.opened = true
		at := arrivals[g.place]
		part := out[:g.rows.len()]
		out = out[len(part):]
		switch {
		case all == nil:
			for i := range part {
				part[i] = times.at(int(at[g.rows.at(i)]))
			}
		case g.rows.some:
			for i, row := range g.rows.list {
				part[i] = all[at[row]]
			}
		default:
			for i, a := range at {
				part[i] = all[a]
			}
		}
	}
	return nil
}

// decoded are all of a chunk's integers, at hand until others are asked for.
func (w *worker) decoded(a *integers, n int) []int64 {
	if w.decodedOf != a {
		w.decodedOf, w.decodedInts = a, slices.Grow(w.decodedInts[:0], n)[:n]
		a.fill(w.decodedInts, 0)
	}
	return w.decodedInts
}

// onceKey names a dictionary that is made once in a scan.
type onceKey struct{ of any }

func (q *query) logName(l *Log) *scan.Dictionary {
	d, ok := q.mapped.Load(onceKey{l})
	if !ok {
		d, _ = q.mapped.LoadOrStore(onceKey{l}, &scan.Dictionary{Values: []scan.Value{{Kind: scan.Text, Text: l.Name}}})
	}
	return d.(*scan.Dictionary)
}

func (q *query) streamNames(s *Segment) *scan.Dictionary {
	d, ok := q.mapped.Load(onceKey{s})
	if !ok {
		made := &scan.Dictionary{}
		for _, stream := range s.streams {
			made.Values = append(made.Values, scan.Value{Kind: scan.Text, Text: stream.Name})
		}
		d, _ = q.mapped.LoadOrStore(onceKey{s}, made)
	}
	return d.(*scan.Dictionary)
}

func (w *worker) streams(s *stretch, want int) (scan.Vector, error) {
	k := s.groups[0].k
	streams, err := k.streamsIn()
	if err != nil {
		return scan.Vector{}, err
	}
	v := scan.Vector{Form: scan.Coded, Dict: w.streamNames(k.s), Same: streams.used[0]}
	if len(streams.used) == 1 {
		return v, nil
	}
	arrivals, err := k.arrivals()
	if err != nil {
		return scan.Vector{}, err
	}
	v.IDs = w.room(want).forIDs(s.rows)[:0]
	for _, g := range s.groups {
		g.opened = true
		for i := range g.rows.len() {
			v.IDs = append(v.IDs, streams.at(int(arrivals[g.place][g.rows.at(i)])))
		}
	}
	return v, nil
}

func (w *worker) pointers(g *group) (scan.Vector, error) {
	arrivals, err := g.k.arrivals()
	if err != nil {
		return scan.Vector{}, err
	}
	at, rows, id, first := arrivals[g.place], g.rows, g.log.ID, g.k.sequence
	return scan.Vector{Form: scan.Late, Read: func(row int) scan.Value {
		return scan.Value{Kind: scan.Text, Text: Pointer(id, first+int64(at[rows.at(row)]))}
	}}, nil
}

// late gives messages, which are rebuilt when they are asked for. Where rows are kept they
// are few, and likely to be asked for again: their messages go to the cache.
func (w *worker) late(g *group) scan.Vector {
	rows := g.rows
	late, place, keep := g.k.late, g.place, !w.Passing
	open := sync.OnceValues(func() (*messages, error) { return late.messages(place) })
	rebuild := func(row int) (string, int, error) {
		m, err := open()
		if err != nil {
			return "", 0, err
		}
		text := string(m.appendTo(make([]byte, 0, m.rows.size()), row))
		return text, len(text), m.broken()
	}
	return scan.Vector{Form: scan.Late, Read: func(i int) scan.Value {
		row := rows.at(i)
		var text string
		var err error
		if keep {
			k := late.chunk
			text, err = get(k.s.cache.messages, cacheKey{k.s, partMessage, int32(k.number), int32(place*ChunkEvents + row)}, func() (string, int, error) { return rebuild(row) })
		} else {
			text, _, err = rebuild(row)
		}
		if err == nil {
			return scan.Value{Kind: scan.Text, Text: text}
		}
		w.damage(err)
		return scan.Value{}
	}}
}

// namedValue is a field of a message that is kept whole.
type namedValue struct {
	name string
	scan.Value
}

func valueIn(fields []namedValue, name string) scan.Value {
	for i := range fields {
		if fields[i].name == name {
			return fields[i].Value
		}
	}
	return scan.Value{}
}

// discover finds the fields that the request names in messages that are kept whole.
func (w *worker) discover(g *group) error {
	m, err := w.messages(g)
	if err != nil {
		return err
	}
	g.opened = true
	g.fields = make([][]namedValue, g.count)
	for i := range g.rows.len() {
		row := g.rows.at(i)
		w.buffer = m.appendTo(w.buffer[:0], row)
		if !startsObject(w.buffer) {
			continue
		}
		discover(w.buffer, func(name string, v scan.Value) {
			if w.named[name] {
				g.fields[row] = append(g.fields[row], namedValue{name, v})
			}
		})
	}
	return m.broken()
}
