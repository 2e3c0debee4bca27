package columns

import (
	"fmt"

	"github.com/eksact/eksact/internal/engine/scan"
)

// column is a column of a chunk, opened.
type column struct {
	form  byte
	rows  int
	dict  *dictionaryData // below formArray
	one   uint32          // formOne: its number in the dictionary
	used  []uint32        // formCoded and formFollows: the numbers in the dictionary
	ids   []uint8         // into used, one of the two
	wide  []uint16
	array array // formArray and above
}

// id is a row's number in the dictionary.
func (c *column) id(row int) uint32 {
	if c.form == formOne {
		return c.one
	}
	return c.used[c.local(row)]
}

func (c *column) local(row int) int {
	if c.ids != nil {
		return int(c.ids[row])
	}
	return int(c.wide[row])
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
	return get(k.s.cache, cacheKey{k.s, partColumn, int32(k.number), int32(i)}, func() (*column, int, error) {
		c, size, err := k.openColumn(&k.entries[i])
		if err != nil {
			err = fmt.Errorf("reading column %q of chunk %d: %w", k.shapes.columns[k.entries[i].column].name, k.number, err)
		}
		return c, size, err
	})
}

func (k *chunk) openColumn(e *entry) (*column, int, error) {
	data, err := k.s.read(&e.block)
	if err != nil {
		return nil, 0, err
	}
	in := cursor{b: data}
	c := &column{form: e.form, rows: e.rows}
	if e.form >= formArray {
		var times []int64
		if e.form == formArray+asInstants {
			if times, err = k.timesOf(e); err != nil {
				return nil, 0, err
			}
		}
		if c.array = in.readArray(e.form-formArray, e.rows, times); in.err != nil {
			return nil, 0, in.err
		}
		return c, c.array.bytes() + len(data), nil
	}
	if c.dict, err = k.s.dictionary(e.dict); err != nil {
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
		c.ids, c.wide = in.numbers(e.rows, len(c.used))
	}
	if err == nil {
		err = in.err
	}
	return c, 4*len(c.used) + len(c.ids) + 2*len(c.wide), err
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

// numbers reads n numbers below a bound.
func (c *cursor) numbers(n, bound int) ([]uint8, []uint16) {
	mode, width := c.byte(), int(c.byte())
	if width > 16 || c.err != nil {
		c.fail()
		return nil, nil
	}
	var ids []uint8
	var wide []uint16
	if width > 8 {
		wide = make([]uint16, n)
	}
	switch mode {
	case packedBits:
		packed := c.take((n*width + 7) / 8)
		if c.err != nil {
			return nil, nil
		}
		if wide == nil {
			ids = make([]uint8, n)
			readBits(ids, packed, width)
		} else {
			readBits(wide, packed, width)
		}
	case packedBytes:
		plain, err := unpack(c.b)
		if err != nil || len(plain) != n*(1+(width-1)/8) {
			c.fail()
			return nil, nil
		}
		if wide == nil {
			ids = plain
		}
		for i := range wide {
			wide[i] = uint16(plain[i]) | uint16(plain[n+i])<<8
		}
	default:
		c.fail()
	}
	for _, v := range ids {
		if int(v) >= bound {
			c.fail()
		}
	}
	for _, v := range wide {
		if int(v) >= bound {
			c.fail()
		}
	}
	return ids, wide
}

// followed fills in a column of which each value follows from another column's.
func (k *chunk) followed(in *cursor, c *column, e *entry) error {
	i := k.find(in.count(len(k.shapes.columns)))
	if i < 0 || k.entries[i].form != formCoded {
		return errCorrupt
	}
	by, err := k.column(i)
	if err != nil {
		return err
	}
	to := in.ints(len(by.used))
	for _, v := range to {
		if v < 0 || v >= int64(len(c.used)) {
			return errCorrupt
		}
	}
	if in.err != nil {
		return errCorrupt
	}
	if len(c.used) <= 256 {
		c.ids = make([]uint8, c.rows)
	} else {
		c.wide = make([]uint16, c.rows)
	}
	parts := k.entries[i].parts
	for _, p := range e.parts {
		for len(parts) > 0 && parts[0].place < p.place {
			parts = parts[1:]
		}
		if len(parts) == 0 || parts[0].place != p.place {
			return errCorrupt
		}
		for row := p.from; row < p.to; row++ {
			v := to[by.local(row-p.from+parts[0].from)]
			if c.ids != nil {
				c.ids[row] = uint8(v)
			} else {
				c.wide[row] = uint16(v)
			}
		}
	}
	return nil
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
		return d, d.array.bytes() + len(data), nil
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
