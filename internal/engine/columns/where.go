package columns

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/engine/scan"
)

// condition is a predicate of a request.
type condition struct {
	*scan.Predicate
	want
	number int
	null   bool // it takes events without the field
}

// choose leaves the rows that meet the request.
func (w *worker) choose(g *group, from, to int64) error {
	if g.number == 0 && w.parse && len(w.where) > 0 && w.where[0].kind == discovered {
		if err := w.inTime(g, from, to); err != nil {
			return err
		}
		if err := w.discover(g); err != nil {
			return err
		}
	}
	timed := false
	for i := range w.where {
		c := &w.where[i]
		if c.kind != discovered && !timed {
			timed = true
			if err := w.inTime(g, from, to); err != nil {
				return err
			}
		}
		if g.rows.len() == 0 {
			return nil
		}
		if err := w.apply(g, c); err != nil {
			return err
		}
	}
	if !timed && g.rows.len() > 0 {
		return w.inTime(g, from, to)
	}
	return nil
}

func (w *worker) apply(g *group, c *condition) error {
	switch c.kind {
	case discovered:
		if g.number == 0 {
			g.rows.keep(func(row int) bool { return c.Match(valueIn(g.fields[row], c.name)) })
			return nil
		}
		return w.onField(g, c)
	case message:
		return w.onMessage(g, c)
	}
	v, err := w.vector(&stretch{groups: []*group{g}, rows: g.rows.len()}, c.want, -1)
	if err != nil {
		return err
	}
	i := 0
	memory := map[uint32]bool{}
	g.rows.keep(func(int) bool {
		i++
		if v.Form != scan.Coded {
			return c.Match(v.At(i - 1))
		}
		id := v.Same
		if v.IDs != nil {
			id = v.IDs[i-1]
		}
		yes, known := memory[id]
		if !known {
			yes = c.Match(v.At(i - 1))
			memory[id] = yes
		}
		return yes
	})
	return nil
}

// inTime leaves the rows within bounds and of streams that are there.
func (w *worker) inTime(g *group, from, to int64) error {
	within := g.k.first >= from && g.k.end <= to
	if within && len(g.log.Hidden) == 0 {
		return nil
	}
	arrived, err := g.k.arrivals()
	if err != nil {
		return err
	}
	at := arrived[g.place]
	if !within {
		times, err := g.k.timesIn()
		if err != nil {
			return err
		}
		g.opened = true
		g.rows.keep(func(row int) bool { t := times.at(int(at[row])); return t >= from && t <= to })
	}
	if len(g.log.Hidden) == 0 {
		return nil
	}
	streams, err := g.k.streamsIn()
	if err != nil {
		return err
	}
	before := make(map[uint32]int64)
	for _, u := range streams.used {
		if n, hidden := g.log.Hidden[g.k.s.streams[u].Name]; hidden {
			before[u] = n
		}
	}
	if len(before) > 0 {
		g.rows.keep(func(row int) bool {
			n, hidden := before[streams.at(int(at[row]))]
			return !hidden || g.k.sequence+int64(at[row]) >= n
		})
	}
	return nil
}

// onField applies a predicate on a discovered field.
func (w *worker) onField(g *group, c *condition) error {
	s, has := g.template.fields[c.name]
	if !has {
		if !c.null {
			g.rows.none()
		}
		return nil
	}
	entry, from := g.k.entryIn(g.chunkRows, s), int(g.froms[s])
	e := &g.k.entries[entry]
	kind := g.template.slots[s].kind
	if e.form >= formArray {
		return w.onArray(g, c, kind, entry, from)
	}
	m, known := w.takenOf(g.k, entry, c)
	if !known {
		if g.k.s.sieveOf(int(e.dict)).meets(c, kind) {
			v := w.verdict(g.k.s, int(e.dict), verdictKey{number: c.number}, func(d *dictionaryData, yes []byte) error { return c.decide(d, kind, yes) })
			m.err = m.of(g.k, entry, v)
		}
	}
	if m.err != nil {
		return m.err
	}
	return w.keep(g, &m.columnMemo, from)
}

// onArray applies a predicate on a field whose values differ from row to row.
func (w *worker) onArray(g *group, c *condition, kind byte, entry, from int) error {
	m, known := w.takenOf(g.k, entry, c)
	if !known {
		switch m.any = true; g.k.entries[entry].form {
		case formArray + asText:
			m.any = g.k.sieve(entry).meets(c, kind)
		case formArray + asUUIDs:
			m.one, m.any = g.k.oneUUID(entry, c)
		}
	}
	if !m.any {
		g.rows.none()
		return nil
	}
	col, err := g.k.column(entry)
	if err != nil {
		return err
	}
	g.opened = true
	all, _ := col.array.(uuids)
	g.rows.keep(func(row int) bool {
		if m.one != nil && !bytes.Equal(all[16*(from+row):][:16], m.one) {
			return false
		}
		return c.takes(kind, col.array.text(from+row))
	})
	return nil
}

// taken is what a condition takes of a column of a chunk.
type taken struct {
	k     *chunk
	entry int
	columnMemo
	one []byte // the only value that may be taken, of UUIDs
	err error
}

// takenOf is what a worker knows of a condition and a column, which templates share.
func (w *worker) takenOf(k *chunk, entry int, c *condition) (m *taken, known bool) {
	for len(w.taken) <= c.number {
		w.taken = append(w.taken, taken{})
	}
	m = &w.taken[c.number]
	if m.k == k && m.entry == entry {
		return m, true
	}
	*m = taken{k: k, entry: entry}
	return m, false
}

// decide tells which values of a dictionary the condition takes.
func (c *condition) decide(d *dictionaryData, kind byte, yes []byte) error {
	values, err := d.values(kind)
	if err != nil {
		return err
	}
	all := make([]byte, len(values.Values))
	for i, value := range values.Values {
		if c.Match(value) {
			all[i] = 1
		}
	}
	for i := range yes {
		if id := values.id(uint32(i)); id != scan.None {
			yes[i] = all[id]
		} else if c.null {
			yes[i] = 1
		}
	}
	return nil
}

// takes asks the predicate of a value as it lies in its message, after looking for what
// it must contain.
func (c *condition) takes(kind byte, raw string) bool {
	if kind != quoted || strings.IndexByte(raw, '\\') < 0 {
		for _, s := range c.Contains {
			if !strings.Contains(raw, s) {
				// A value that isn't there contains nothing and may be taken all the same.
				return kind == bare && raw == "null" && c.null
			}
		}
	}
	v := leafValue(kind, raw)
	if v.Kind == scan.Null {
		return c.null
	}
	return c.Match(v)
}

// verdictKey names what was decided for the values of a dictionary.
type verdictKey struct {
	s      *Segment
	dict   int
	number int    // of a predicate
	test   string // or of a text test
}

// verdict says which values of a dictionary are taken.
type verdict struct {
	once     sync.Once
	yes      []byte // 1 if so
	any, all bool
	err      error
}

// nearVerdicts are those that a worker asked for last of a segment's dictionaries.
type nearVerdicts struct {
	s  *Segment
	of []struct {
		verdictKey
		*verdict
	}
}

// verdict decides for all values of a dictionary, once in a scan.
func (w *worker) verdict(s *Segment, dict int, key verdictKey, decide func(d *dictionaryData, yes []byte) error) *verdict {
	key.s, key.dict = s, dict
	if w.near.s != s {
		w.near.s, w.near.of = s, slices.Grow(w.near.of[:0], len(s.dicts))[:len(s.dicts)]
		clear(w.near.of)
	}
	near := &w.near.of[dict]
	if near.verdict != nil && near.verdictKey == key {
		return near.verdict
	}
	stored, ok := w.verdicts.Load(key)
	if !ok {
		stored, _ = w.verdicts.LoadOrStore(key, &verdict{})
	}
	v := stored.(*verdict)
	near.verdictKey, near.verdict = key, v
	v.once.Do(func() {
		d, err := s.dictionary(dict)
		if err != nil {
			v.err = err
			return
		}
		v.yes = make([]byte, d.count)
		v.err = decide(d, v.yes)
		n := 0
		for _, y := range v.yes {
			n += int(y)
		}
		v.any, v.all = n > 0, n == len(v.yes)
	})
	return v
}

// keep leaves the rows whose values are taken.
func (w *worker) keep(g *group, m *columnMemo, from int) error {
	switch {
	case !m.any:
		g.rows.none()
		return nil
	case m.all:
		return nil
	}
	g.opened = true
	if g.rows.some {
		g.rows.keep(func(row int) bool { return m.local[m.column.local(from+row)] != 0 })
		return m.column.broken()
	}
	locals, err := w.locals(m.column, from, g.rows.n)
	if err != nil {
		return err
	}
	w.those(&g.rows, locals, m.local)
	return nil
}

// those leaves the rows, of all, whose number is one that is taken.
func (w *worker) those(rows *selection, numbers []uint16, taken []byte) {
	chosen, n := w.choosing(), 0
	for row, v := range numbers {
		chosen[n] = uint32(row) // for each, so that nothing has to be foretold
		n += int(taken[v])
	}
	rows.leave(chosen[:n])
}

// choosing is room for the rows of a chunk, and one more.
func (w *worker) choosing() []uint32 {
	if w.chosen == nil {
		w.chosen = make([]uint32, ChunkEvents+1)
	}
	return w.chosen
}

// columnMemo is what of a column's values in a chunk is taken.
type columnMemo struct {
	key      string // of a text test
	any, all bool
	column   *column
	local    []byte // 1 if so, by number among the values that the column uses
}

// of asks a verdict of the values that a column uses.
func (m *columnMemo) of(k *chunk, entry int, v *verdict) error {
	if m.any, m.all = v.any, v.all; v.err != nil || !v.any || v.all {
		return v.err
	}
	col, err := k.column(entry)
	if err != nil {
		return err
	}
	if m.column = col; col.form == formOne {
		m.any = v.yes[col.one] != 0
		m.all = m.any
		return nil
	}
	m.local = make([]byte, len(col.used))
	n := 0
	for i, u := range col.used {
		if v.yes[u] != 0 {
			m.local[i] = 1
			n++
		}
	}
	m.any, m.all = n > 0, n == len(col.used)
	return nil
}
