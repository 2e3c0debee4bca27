package columns

import (
	"sync"

	"github.com/eksact/eksact/internal/engine/scan"
)

// batch makes what the request wants of the rows chosen.
func (w *worker) batch(g *group) (*scan.Batch, error) {
	b := &scan.Batch{Rows: g.rows.len(), Columns: make([]scan.Vector, 0, len(w.wants)+len(w.Extracts))}
	if g.number == 0 && w.parse && g.fields == nil {
		if err := w.discover(g); err != nil {
			return nil, err
		}
	}
	for _, want := range w.wants {
		v, err := w.vector(g, want)
		if err != nil {
			return nil, err
		}
		b.Columns = append(b.Columns, v)
	}
	for i := range w.Extracts {
		vectors, err := w.extract(g, i)
		if err != nil {
			return nil, err
		}
		b.Columns = append(b.Columns, vectors...)
	}
	return b, nil
}

// vector gives a field of the rows chosen.
func (w *worker) vector(g *group, f want) (scan.Vector, error) {
	switch f.kind {
	case timestamp:
		times, err := g.k.timesIn()
		return g.arrived(times, err)
	case ingestion:
		times, err := g.k.ingestedIn()
		return g.arrived(times, err)
	case log:
		return scan.Vector{Form: scan.Coded, Dict: w.logName(g.log)}, nil
	case stream:
		return w.streams(g)
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
	s, has := g.template.fields[f.name]
	if !has {
		return scan.Vector{}, nil
	}
	g.opened = true
	col, err := g.k.column(int(g.slots[s].entry))
	if err != nil {
		return scan.Vector{}, err
	}
	kind, from := g.template.slots[s].kind, int(g.slots[s].from)
	if col.array != nil {
		return g.values(col.array, kind, from), nil
	}
	return g.coded(col, kind, from)
}

// coded gives values as numbers into their dictionary.
func (g *group) coded(col *column, kind byte, from int) (scan.Vector, error) {
	values, err := col.dict.values(kind)
	if err != nil {
		return scan.Vector{}, err
	}
	v := scan.Vector{Form: scan.Coded, Dict: values.Dictionary}
	if col.form == formOne {
		v.Same = values.id(col.one)
		return v, nil
	}
	ids := make([]uint32, len(col.used))
	for i, u := range col.used {
		ids[i] = values.id(u)
	}
	v.IDs = make([]uint32, g.rows.len())
	switch {
	case g.rows.some:
		for i, row := range g.rows.list {
			v.IDs[i] = ids[col.local(from+int(row))]
		}
	case col.ids != nil:
		for i, id := range col.ids[from : from+g.rows.n] {
			v.IDs[i] = ids[id]
		}
	default:
		for i, id := range col.wide[from : from+g.rows.n] {
			v.IDs[i] = ids[id]
		}
	}
	return v, nil
}

// values gives values that differ from row to row.
func (g *group) values(a array, kind byte, from int) scan.Vector {
	rows := g.rows
	ints := func(all []int64) []int64 {
		out := make([]int64, rows.len())
		if !rows.some {
			copy(out, all[from:])
			return out
		}
		for i, row := range rows.list {
			out[i] = all[from+int(row)]
		}
		return out
	}
	switch a := a.(type) {
	case *instants:
		return scan.Vector{Form: scan.Instants, Ints: ints(a.micros), Digits: a.digits}
	case integers:
		if kind == bare {
			return scan.Vector{Form: scan.Times, Ints: ints(a)}
		}
	}
	return scan.Vector{Form: scan.Late, Read: func(row int) scan.Value { return leafValue(kind, a.text(from+rows.at(row))) }}
}

// arrived gives times that lie by arrival.
func (g *group) arrived(times []int64, err error) (scan.Vector, error) {
	if err != nil {
		return scan.Vector{}, err
	}
	arrivals, err := g.k.arrivals()
	if err != nil {
		return scan.Vector{}, err
	}
	g.opened = true
	at := arrivals[g.place]
	v := scan.Vector{Form: scan.Times, Ints: make([]int64, g.rows.len())}
	if !g.rows.some {
		for i, a := range at {
			v.Ints[i] = times[a]
		}
		return v, nil
	}
	for i, row := range g.rows.list {
		v.Ints[i] = times[at[row]]
	}
	return v, nil
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

func (w *worker) streams(g *group) (scan.Vector, error) {
	streams, err := g.k.streamsIn()
	if err != nil {
		return scan.Vector{}, err
	}
	v := scan.Vector{Form: scan.Coded, Dict: w.streamNames(g.k.s), Same: streams.used[0]}
	if len(streams.used) == 1 {
		return v, nil
	}
	arrivals, err := g.k.arrivals()
	if err != nil {
		return scan.Vector{}, err
	}
	g.opened = true
	v.IDs = make([]uint32, g.rows.len())
	for i := range v.IDs {
		v.IDs[i] = streams.at(int(arrivals[g.place][g.rows.at(i)]))
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

// late gives messages, which are rebuilt when they are asked for.
func (w *worker) late(g *group) scan.Vector {
	rows := g.rows
	k, place := g.k, g.place
	open := sync.OnceValues(func() (*messages, error) { return k.messages(place) })
	return scan.Vector{Form: scan.Late, Read: func(row int) scan.Value {
		m, err := open()
		if err == nil {
			text := m.appendTo(make([]byte, 0, m.rows.size()), rows.at(row))
			if err = m.broken(); err == nil {
				return scan.Value{Kind: scan.Text, Text: string(text)}
			}
		}
		if w.Damaged != nil {
			w.damage(err)
		}
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
