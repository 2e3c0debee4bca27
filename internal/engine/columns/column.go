package columns

import (
	"fmt"
	"sort"
	"sync/atomic"

	"github.com/eksact/eksact/internal/engine/scan"
)

// column is a column of a chunk, opened.
type column struct {
	form    byte
	rows    int
	dict    *dictionaryData // below formArray
	one     uint32          // formOne: its number in the dictionary
	used    []uint32        // formCoded and formFollows: the numbers in the dictionary
	numbers numbers         // formCoded: into used
	follows *following      // formFollows
	array   array           // formArray and above it
	right   atomic.Bool     // all numbers are known to be places in used
	wrong   atomic.Bool     // one was seen that is none
}

// id is a row's number in the dictionary.
func (c *column) id(row int) uint32 {
	if c.form == formOne {
		return c.one
	}
	return c.used[c.local(row)]
}

// local is a row's place in used.
func (c *column) local(row int) int {
	if c.follows != nil {
		return c.follows.at(row)
	}
	n := c.numbers.at(row)
	if n >= len(c.used) {
		c.wrong.Store(true)
		return 0
	}
	return n
}

// locals gives as many places in used as out has room for, from a row on.
func (c *column) locals(out []uint16, from int) error {
	if c.follows != nil {
		return c.follows.fill(out, from)
	}
	if !c.right.Load() {
		if !c.numbers.below(len(c.used)) {
			return errCorrupt
		}
		c.right.Store(true)
	}
	c.numbers.fill(out, from)
	return nil
}

// broken tells whether the column was found to be damaged while it was read.
func (c *column) broken() error {
	if c.wrong.Load() {
		return errCorrupt
	}
	if c.dict != nil {
		return broken(c.dict.array)
	}
	return broken(c.array)
}

// appendTo writes a row's value as it was in its message.
func (c *column) appendTo(out []byte, row int) []byte {
	if c.array != nil {
		return c.array.appendTo(out, row)
	}
	return c.dict.array.appendTo(out, int(c.id(row)))
}

// column opens an entry.
func (k *chunk) column(i int) (*column, error) {
	if k.held != nil && k.held.columns[i] != nil {
		return k.held.columns[i], nil
	}
	c, err := get(k.s.cache, cacheKey{k.s, partColumn, int32(k.number), int32(i)}, func() (*column, int, error) {
		c, size, err := k.openColumn(&k.entries[i])
		if err == nil {
			k.s.counting(c.array, partColumn, k.number, i)
		} else {
			err = fmt.Errorf("reading column %q of chunk %d: %w", k.shapes.columns[k.entries[i].column].name, k.number, err)
		}
		return c, size, err
	})
	if k.held != nil && err == nil {
		k.held.columns[i] = c
	}
	return c, err
}

func (k *chunk) openColumn(e *entry) (*column, int, error) {
	data, err := k.s.read(k.block(e))
	if err != nil {
		return nil, 0, err
	}
	in := cursor{b: data}
	rows := int(e.rows)
	c := &column{form: e.form, rows: rows}
	if e.form >= formArray {
		var times *rowTimes
		if e.form == formArray+asInstants {
			if times, err = k.timesOf(e); err != nil {
				return nil, 0, err
			}
		}
		if c.array = in.readArray(e.form-formArray, rows, times); in.err != nil {
			return nil, 0, in.err
		}
		return c, 200 + c.array.bytes(), nil
	}
	if c.dict, err = k.s.dictionary(int(e.dict)); err != nil {
		return nil, 0, err
	}
	if e.form == formOne {
		c.one = uint32(in.count(c.dict.count - 1))
		return c, 100, in.err
	}
	if c.used = in.used(c.dict.count); in.err != nil {
		return nil, 0, in.err
	}
	if e.form == formFollows {
		err = k.followed(&in, c, e)
	} else {
		c.numbers = in.numbers(rows)
	}
	if err == nil {
		err = in.err
	}
	return c, 200 + 4*len(c.used) + len(c.numbers.bits) + len(c.numbers.bytes), err
}

// used reads which values of a dictionary of so many a column uses.
func (c *cursor) used(values int) []uint32 {
	n := c.count(ChunkEvents)
	in := cursor{b: c.bytes()}
	used := make([]uint32, n)
	for i, u := range in.ints(n) {
		if u < 0 || u >= int64(values) {
			c.fail()
		}
		used[i] = uint32(u)
	}
	if in.err != nil || n == 0 {
		c.fail()
	}
	return used
}

// following is places in used that follow from those of another column.
type following struct {
	by    *column
	to    []uint16
	parts []followed
}

// followed are the rows of a template: from one of the column that follows to another,
// and where they are in the other one.
type followed struct{ from, to, at int32 }

// followed reads which column an entry follows.
func (k *chunk) followed(in *cursor, c *column, e *entry) error {
	i := k.find(in.count(len(k.shapes.columns)))
	if i < 0 || k.entries[i].form != formCoded {
		return errCorrupt
	}
	by, err := k.column(i)
	if err != nil {
		return err
	}
	f := &following{by: by, to: make([]uint16, len(by.used))}
	for i, v := range in.ints(len(by.used)) {
		if v < 0 || v >= int64(len(c.used)) {
			return errCorrupt
		}
		f.to[i] = uint16(v)
	}
	if in.err != nil {
		return errCorrupt
	}
	from, at := 0, 0
	parts := k.placesOf(&k.entries[i])
	for _, p := range k.placesOf(e) {
		for len(parts) > 0 && parts[0] < p {
			at += k.templates[parts[0]].count
			parts = parts[1:]
		}
		if len(parts) == 0 || parts[0] != p {
			return errCorrupt
		}
		n := k.templates[p].count
		f.parts = append(f.parts, followed{int32(from), int32(from + n), int32(at)})
		from += n
	}
	c.follows = f
	return nil
}

// part is the one that has a row.
func (f *following) part(row int) int {
	return sort.Search(len(f.parts), func(i int) bool { return int(f.parts[i].to) > row })
}

func (f *following) at(row int) int {
	p := &f.parts[f.part(row)]
	return int(f.to[f.by.local(row-int(p.from)+int(p.at))])
}

func (f *following) fill(out []uint16, from int) error {
	for i := f.part(from); len(out) > 0; i++ {
		p := &f.parts[i]
		n := min(len(out), int(p.to)-from)
		if err := f.by.locals(out[:n], from-int(p.from)+int(p.at)); err != nil {
			return err
		}
		for j, v := range out[:n] {
			out[j] = f.to[v]
		}
		out, from = out[n:], from+n
	}
	return nil
}

// counting makes an array's pages count when they are opened.
func (s *Segment) counting(a array, part part8, chunk, number int) {
	if p, ok := a.(*pagedTexts); ok {
		p.grow = func(bytes int) { s.cache.grow(cacheKey{s, part, int32(chunk), int32(number)}, bytes) }
	}
}

// dictionaryData is a dictionary, opened.
type dictionaryData struct {
	s      *Segment
	number int
	count  int
	array  array
}

func (s *Segment) dictionary(number int) (*dictionaryData, error) {
	return get(s.cache, cacheKey{s, partDictionary, 0, int32(number)}, func() (*dictionaryData, int, error) {
		info := &s.dicts[number]
		data, err := s.read(&info.block)
		if err != nil {
			return nil, 0, fmt.Errorf("reading dictionary %d: %w", number, err)
		}
		in := cursor{b: data}
		d := &dictionaryData{s: s, number: number, count: info.count, array: in.readArray(info.form, info.count, nil)}
		if in.err != nil || d.count == 0 {
			return nil, 0, fmt.Errorf("reading dictionary %d: %w", number, errCorrupt)
		}
		s.counting(d.array, partDictionary, 0, number)
		return d, d.array.bytes(), nil
	})
}

// fieldValues are a dictionary's values as fields have them.
type fieldValues struct {
	*scan.Dictionary
	ids []uint32 // by numbers in the dictionary; nil when they are the same
}

func (f *fieldValues) id(number uint32) uint32 {
	if f.ids == nil {
		return number
	}
	return f.ids[number]
}

// values gives a dictionary's values for slots of a kind.
func (d *dictionaryData) values(kind byte) (*fieldValues, error) {
	return get(d.s.cache, cacheKey{d.s, partValues, 0, int32(d.number)}, func() (*fieldValues, int, error) {
		f := &fieldValues{Dictionary: &scan.Dictionary{}}
		size := 0
		var known map[scan.Value]uint32 // once two may be alike
		for i := range d.count {
			raw := d.array.text(i)
			v := leafValue(kind, raw)
			size += 32
			if known == nil && (v.Kind == scan.Null || len(v.Text) != len(raw)) {
				known = make(map[scan.Value]uint32, d.count)
				f.ids = make([]uint32, d.count)
				for j, w := range f.Values {
					known[w], f.ids[j] = uint32(j), uint32(j)
				}
			}
			if known != nil {
				if v.Kind == scan.Null {
					f.ids[i] = scan.None
					continue
				}
				if id, again := known[v]; again {
					f.ids[i] = id
					continue
				}
				known[v] = uint32(len(f.Values))
				f.ids[i] = uint32(len(f.Values))
			}
			f.Values = append(f.Values, v)
		}
		return f, size, broken(d.array)
	})
}
