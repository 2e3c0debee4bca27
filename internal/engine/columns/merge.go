package columns

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrShapes says that segments have too many different templates to be one.
var ErrShapes = errors.New("the segments have too many different shapes of events to be one")

// Merge writes segments, in the order of their events, as one whose chunks share
// dictionaries. It takes over what lies in chunks and looks at no event. The parts should
// have a cache of their own: all of them is read.
func Merge(out io.Writer, parts []*Segment) error {
	first, _ := parts[0].Sequence()
	w := NewWriter(out, first)
	known := map[string]int{}
	for i, s := range parts {
		m := merger{w: w, s: s, known: known, dicts: make([]*mergedDict, len(s.dicts))}
		if err := m.merge(); err != nil {
			return &PartError{i, err}
		}
	}
	return w.Close()
}

// A PartError says which of the parts to be merged is the reason that they can't be.
type PartError struct {
	Part int
	Err  error
}

func (e *PartError) Error() string { return e.Err.Error() }

func (e *PartError) Unwrap() error { return e.Err }

// merger takes one segment over.
type merger struct {
	w      *Writer
	s      *Segment
	known  map[string]int // templates of the new segment by their texts
	number []int          // of templates in the new segment
	column []int
	stream []int
	dicts  []*mergedDict
}

// mergedDict is where a dictionary's values are now.
type mergedDict struct {
	number int
	values []uint32
}

func (m *merger) merge() error {
	if err := m.shapes(); err != nil {
		return err
	}
	if len(m.w.b.split.shapes.templates) > segmentTemplates {
		return ErrShapes
	}
	for i := range m.s.streams {
		from := &m.s.streams[i]
		n := int(m.w.b.streams.intern([]byte(from.Name)))
		m.stream = append(m.stream, n)
		if n == len(m.w.streams) {
			m.w.streams = append(m.w.streams, *from)
			continue
		}
		to := &m.w.streams[n]
		to.Events += from.Events
		to.Bytes += from.Bytes
		to.First, to.Last, to.Ingested = min(to.First, from.First), max(to.Last, from.Last), max(to.Ingested, from.Ingested)
	}
	for number := range m.s.chunks {
		if err := m.chunk(number); err != nil {
			return err
		}
	}
	return m.w.err
}

// shapes finds the templates and columns, or adds them.
func (m *merger) shapes() error {
	from, err := m.s.texts.read(m.s.cache)
	if err != nil {
		return err
	}
	to := m.w.b.split.shapes
	for i, t := range from.templates {
		n, known := m.known[t.text]
		if i == 0 {
			n, known = 0, true
		}
		if !known {
			n = len(to.templates)
			m.known[t.text] = n
			to.use(t.template)
		}
		m.number = append(m.number, n)
	}
	for _, c := range from.columns {
		m.column = append(m.column, to.addColumn(c))
	}
	return nil
}

func (m *merger) chunk(number int) error {
	k, _, err := m.s.openChunk(number)
	if err != nil {
		return fmt.Errorf("reading the directory of chunk %d: %w", number, err)
	}
	out := sealed{info: *k.chunkInfo, counts: k.counts}
	for i := range k.templates {
		out.templates = append(out.templates, m.number[k.templates[i].number])
	}
	for i, b := range []*block{&k.order, &k.times, &k.ingested, &k.streams} {
		if out.arrived[i], err = m.s.read(b); err != nil {
			return err
		}
	}
	if out.arrived[3], err = m.streams(out.arrived[3]); err != nil {
		return err
	}
	for i := range k.entries {
		c, err := m.entry(k, i)
		if err != nil {
			return err
		}
		out.columns = append(out.columns, c)
	}
	slices.SortFunc(out.columns, func(a, b sealedColumn) int { return a.column - b.column })
	m.w.putChunk(&out)
	return m.w.err
}

// streams gives which streams a chunk has their new numbers.
func (m *merger) streams(data []byte) ([]byte, error) {
	in := cursor{b: data}
	n := in.count(len(m.stream))
	out := appendUint(nil, n)
	for range n {
		out = appendUint(out, m.stream[in.count(len(m.stream)-1)])
	}
	return append(out, in.b...), in.err
}

// entry gives a column of a chunk its new dictionary, and takes over its rows.
func (m *merger) entry(k *chunk, i int) (c sealedColumn, err error) {
	e := &k.entries[i]
	c = sealedColumn{column: m.column[e.column], form: e.form, sieve: k.sieveBytes(i)}
	if c.data, err = m.s.read(k.block(e)); err != nil || e.form >= formArray {
		return c, err
	}
	d, err := m.dictionary(int(e.dict), c.column)
	if err != nil {
		return c, err
	}
	c.dict = d.number
	in := cursor{b: c.data}
	if e.form == formOne {
		c.data = appendUint(nil, int(d.values[in.count(len(d.values)-1)]))
		return c, in.err
	}
	used := in.used(len(d.values))
	if in.err != nil {
		return c, in.err
	}
	for i, u := range used {
		used[i] = d.values[u]
	}
	c.data = appendUsed(nil, used)
	if e.form == formFollows {
		c.data = appendUint(c.data, m.column[in.count(len(m.column)-1)])
	}
	c.data = append(c.data, in.b...)
	return c, in.err
}

// dictionary takes over a dictionary's values, at its first use.
func (m *merger) dictionary(number, column int) (*mergedDict, error) {
	if d := m.dicts[number]; d != nil {
		return d, nil
	}
	from, err := m.s.dictionary(number)
	if err != nil {
		return nil, err
	}
	to := m.w.dictionary(column)
	d := &mergedDict{number: to.number, values: make([]uint32, from.count)}
	var value []byte
	for i := range d.values {
		value = from.array.appendTo(value[:0], i)
		d.values[i] = to.intern(value)
	}
	m.dicts[number] = d
	return d, broken(from.array)
}
