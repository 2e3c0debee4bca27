package columns

import (
	"github.com/eksact/eksact/internal/engine/scan"
)

// mostCounted is how many different rows a batch may have that is counted in an array.
const mostCounted = 1 << 16

// counting has room for counting rows, from batch to batch.
type counting struct {
	keys   []uint32 // of rows: which of all combinations of values they have
	counts []int64  // by key
}

// digit is a column's part of a row's key.
type digit struct {
	size   int   // how many values there are, null included
	base   int64 // of times: the first, in grains
	column *column
	dict   *fieldValues // of the column's
	null   bool         // the last value is null
	vector *scan.Vector // or one that was made already
}

// counted makes a batch of a row for each combination of values in a stretch. It gives none
// if the request does not allow that, or it does not pay.
func (w *worker) counted(s *stretch) (*scan.Batch, error) {
	if !w.Counted || len(w.Extracts) > 0 || s.groups[0].number == 0 {
		return nil, nil
	}
	digits, all := make([]digit, len(w.Fields)), 1
	for i := range digits {
		d := &digits[i]
		ok, err := w.digit(s, i, d)
		if err != nil {
			return nil, err
		}
		if all *= d.size; !ok || all > mostCounted || all > 64+4*s.rows {
			return nil, nil
		}
	}
	keys := w.counting.room(s.rows)
	for i := range digits {
		if err := w.addDigit(s, i, &digits[i], keys); err != nil {
			return nil, err
		}
	}
	b := &scan.Batch{Columns: make([]scan.Vector, len(digits))}
	if keys = w.counting.count(b, keys, all); keys == nil {
		return nil, nil
	}
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i].takeFrom(keys, &b.Columns[i], w.Grain)
	}
	return b, nil
}

// room gives keys of so many rows, 0 all.
func (c *counting) room(rows int) []uint32 {
	if cap(c.keys) < rows {
		c.keys = make([]uint32, ChunkEvents)
	}
	keys := c.keys[:rows]
	clear(keys)
	return keys
}

// count counts rows by their keys, of which there are so many, into a batch, and gives the
// batch's keys; none if most differ.
func (c *counting) count(b *scan.Batch, keys []uint32, all int) []uint32 {
	if c.counts == nil {
		c.counts = make([]int64, mostCounted)
	}
	counts := c.counts[:all]
	clear(counts)
	for _, k := range keys {
		counts[k]++
	}
	rows := 0
	for _, n := range counts {
		if n > 0 {
			rows++
		}
	}
	if rows > len(keys)/2 && len(keys) > 1 {
		return nil
	}
	b.Rows, b.Counts = rows, make([]int64, 0, rows)
	keys = keys[:0]
	for k, n := range counts {
		if n > 0 {
			keys = append(keys, uint32(k))
			b.Counts = append(b.Counts, n)
		}
	}
	return keys
}

// digit tells how many values a field of a stretch may have. It is not ok if they differ too
// much to be counted.
func (w *worker) digit(s *stretch, want int, d *digit) (ok bool, err error) {
	d.size = 1
	switch k := s.groups[0].k; w.wants[want].kind {
	case discovered:
		if s.entries[want] < 0 {
			return true, nil
		}
		e := &k.entries[s.entries[want]]
		if e.form >= formArray {
			return false, nil
		}
		if d.column, err = k.column(int(s.entries[want])); err != nil {
			return false, err
		}
		if d.dict, err = d.column.dict.values(k.shapes.columns[e.column].kind); err != nil {
			return false, err
		}
		if d.column.form != formOne {
			d.size = len(d.column.used)
		}
		if d.null = s.lacks(want); d.null {
			d.size++
		}
		return true, nil
	case timestamp:
		if w.Grain <= 0 {
			return false, nil
		}
		v, err := w.vector(s, w.wants[want], want)
		if err != nil {
			return false, err
		}
		return d.ofTimes(&v, w.Grain), nil
	case log, stream:
		v, err := w.vector(s, w.wants[want], want)
		d.ofCodes(&v)
		return true, err
	}
	return false, nil
}

func (d *digit) ofTimes(v *scan.Vector, length int64) bool {
	least, most := v.Ints[0], v.Ints[0]
	for _, t := range v.Ints {
		least, most = min(least, t), max(most, t)
	}
	least, most = grain(least, length), grain(most, length)
	d.vector, d.base, d.size = v, least, int(most-least)+1
	return most-least >= 0 && most-least < mostCounted
}

func (d *digit) ofCodes(v *scan.Vector) {
	d.vector, d.size = v, 1
	if v.IDs != nil {
		d.size = len(v.Dict.Values) + 1
	}
}

// addDigit adds a field's part to keys.
func (w *worker) addDigit(s *stretch, want int, d *digit, keys []uint32) error {
	switch {
	case d.size == 1:
		return nil
	case d.vector != nil:
		d.addTo(keys, w.Grain)
		return nil
	}
	size := uint32(d.size)
	return s.each(want, func(at, from, n int, chosen []uint32) error {
		out := keys[at : at+n]
		switch {
		case from < 0:
			for i := range out {
				out[i] = out[i]*size + size - 1
			}
		case d.column.form == formOne:
			for i := range out {
				out[i] *= size
			}
		case chosen != nil:
			for i, row := range chosen {
				out[i] = out[i]*size + uint32(d.column.local(from+int(row)))
			}
			return d.column.broken()
		default:
			locals, err := w.locals(d.column, from, n)
			if err != nil {
				return err
			}
			for i, l := range locals {
				out[i] = out[i]*size + uint32(l)
			}
		}
		return nil
	})
}

// count makes one row of those that agree, where a batch's columns have few values. Others
// are left as they are.
func (w *worker) count(b *scan.Batch) {
	digits := make([]digit, len(b.Columns))
	all := 1
	for i := range b.Columns {
		d, v, ok := &digits[i], &b.Columns[i], true
		d.size = 1
		switch {
		case v.Form == scan.Absent:
			d.vector = v
		case v.Form == scan.Coded:
			d.ofCodes(v)
		case v.Form == scan.Times && w.Grain > 0 && i < len(w.Fields) && w.wants[i].kind == timestamp:
			ok = d.ofTimes(v, w.Grain)
		default:
			ok = false
		}
		if all *= d.size; !ok || all > mostCounted {
			return
		}
	}
	keys := w.counting.room(b.Rows)
	for i := range digits {
		digits[i].addTo(keys, w.Grain)
	}
	if keys = w.counting.count(b, keys, all); keys == nil {
		return
	}
	for i := len(b.Columns) - 1; i >= 0; i-- {
		digits[i].takeFrom(keys, &b.Columns[i], w.Grain)
	}
}

// grain is how many grains a time is, rounded down.
func grain(t, grain int64) int64 {
	n := t / grain
	if t%grain < 0 {
		n--
	}
	return n
}

func (d *digit) addTo(keys []uint32, length int64) {
	size, v := uint32(d.size), d.vector
	switch {
	case d.size == 1:
	case v.Form == scan.Times:
		at := d.base // of the grain before
		from, to := at*length, (at+1)*length
		for i, t := range v.Ints {
			if t < from || t >= to { // rows mostly come in the order of time
				at = grain(t, length)
				from, to = at*length, (at+1)*length
			}
			keys[i] = keys[i]*size + uint32(at-d.base)
		}
	default:
		for i, id := range v.IDs {
			keys[i] = keys[i]*size + min(id, size-1) // null is behind the last
		}
	}
}

// takeFrom makes the column one of a row for each key, and takes its part off the keys.
func (d *digit) takeFrom(keys []uint32, v *scan.Vector, length int64) {
	size := uint32(d.size)
	if d.vector != nil {
		*v = *d.vector
	}
	switch {
	case d.column != nil:
		d.takeCodes(keys, v)
	case v.Form == scan.Times:
		out := make([]int64, len(keys))
		for i, k := range keys {
			out[i], keys[i] = (d.base+int64(k%size))*length, k/size
		}
		v.Ints = out
	case d.size > 1:
		out := make([]uint32, len(keys))
		for i, k := range keys {
			if out[i] = k % size; out[i] == size-1 {
				out[i] = scan.None
			}
			keys[i] = k / size
		}
		v.IDs = out
	}
}

// takeCodes is takeFrom where digits are places in used.
func (d *digit) takeCodes(keys []uint32, v *scan.Vector) {
	*v = scan.Vector{Form: scan.Coded, Dict: d.dict.Dictionary, Same: d.dict.id(d.column.one)}
	if d.size == 1 && d.column.form == formOne {
		return
	}
	size := uint32(d.size)
	v.IDs = make([]uint32, len(keys))
	for i, k := range keys {
		local := k % size
		switch keys[i] = k / size; {
		case d.null && local == size-1:
			v.IDs[i] = scan.None
		case d.column.form == formOne:
			v.IDs[i] = v.Same
		default:
			v.IDs[i] = d.dict.id(d.column.used[local])
		}
	}
}
