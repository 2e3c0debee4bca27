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
	size int   // how many values there are, null included
	base int64 // of times: the first, in grains
}

// count makes one row of those that agree, where columns have few values. Others are
// left as they are.
func (w *worker) count(b *scan.Batch) {
	digits := make([]digit, len(b.Columns))
	all := 1
	for i := range b.Columns {
		d, ok := w.digit(i, &b.Columns[i])
		if all *= d.size; !ok || all > mostCounted {
			return
		}
		digits[i] = d
	}
	c := &w.counting
	if cap(c.keys) < b.Rows {
		c.keys = make([]uint32, ChunkEvents)
	}
	keys := c.keys[:b.Rows]
	clear(keys)
	for i := range b.Columns {
		digits[i].addTo(keys, &b.Columns[i], w.Grain)
	}
	if c.counts == nil {
		c.counts = make([]int64, mostCounted)
	}
	counts := c.counts[:all]
	clear(counts)
	rows := 0
	for _, k := range keys {
		if counts[k]++; counts[k] == 1 {
			rows++
		}
	}
	if rows > b.Rows/2 {
		return
	}
	b.Rows, b.Counts = rows, make([]int64, 0, rows)
	keys = keys[:0]
	for k, n := range counts {
		if n > 0 {
			keys = append(keys, uint32(k))
			b.Counts = append(b.Counts, n)
		}
	}
	for i := len(b.Columns) - 1; i >= 0; i-- {
		digits[i].takeFrom(keys, &b.Columns[i], w.Grain)
	}
}

// digit tells how many values a column of a batch may have. It is not ok if they differ
// too much to be counted.
func (w *worker) digit(column int, v *scan.Vector) (d digit, ok bool) {
	switch {
	case v.Form == scan.Absent, v.Form == scan.Coded && v.IDs == nil:
		return digit{size: 1}, true
	case v.Form == scan.Coded:
		return digit{size: len(v.Dict.Values) + 1}, true
	case v.Form == scan.Times && w.Grain > 0 && column < len(w.wants) && w.wants[column].kind == timestamp:
		least, most := grain(v.Ints[0], w.Grain), grain(v.Ints[0], w.Grain)
		for _, t := range v.Ints {
			g := grain(t, w.Grain)
			least, most = min(least, g), max(most, g)
		}
		if n := most - least; n >= 0 && n < mostCounted {
			return digit{size: int(n) + 1, base: least}, true
		}
	}
	return digit{size: 1}, false
}

// grain is how many grains a time is, rounded down.
func grain(t, grain int64) int64 {
	n := t / grain
	if t%grain < 0 {
		n--
	}
	return n
}

func (d *digit) addTo(keys []uint32, v *scan.Vector, length int64) {
	size := uint32(d.size)
	switch {
	case d.size == 1:
	case v.Form == scan.Times:
		for i, t := range v.Ints {
			keys[i] = keys[i]*size + uint32(grain(t, length)-d.base)
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
	switch {
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
