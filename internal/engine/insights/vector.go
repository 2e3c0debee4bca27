package insights

import (
	"strconv"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A vector is one column of a frame.
type vector struct {
	form form
	one  value.Value // same
	dict *dict       // coded
	ids  []uint32    // coded; nil: all rows have id
	id   uint32      // coded, without ids
	ints []int64     // times, integers; instants: microseconds since 1970
	// digits is how many digits instants have after the seconds.
	digits  int
	numbers []float64     // numbers; what is null is NaN
	all     []value.Value // plain
	late    *scan.Vector  // late
	rows    []int32       // late: the rows of late; nil: all, as they come
}

type form uint8

const (
	same     form = iota // in all rows
	coded                // by ids into a dictionary
	times                // milliseconds since 1970
	instants             // texts in RFC 3339
	integers             // an event's numbers of 64 bits, which a float might round
	numbers
	plain
	late // read when asked for
)

func (v *vector) at(i int) value.Value {
	switch v.form {
	case coded:
		return v.dict.at(v.idAt(i))
	case times:
		return value.OfTime(v.ints[i])
	case instants:
		return value.OfText(scan.FormatInstant(v.ints[i], v.digits))
	case integers:
		return value.Scanned(scan.Value{Kind: scan.Number, Text: strconv.FormatInt(v.ints[i], 10)})
	case numbers:
		return value.OfNumber(v.numbers[i])
	case plain:
		return v.all[i]
	case late:
		if v.rows != nil {
			i = int(v.rows[i])
		}
		return value.Scanned(v.late.At(i))
	}
	return v.one
}

func (v *vector) idAt(i int) uint32 {
	if v.ids == nil {
		return v.id
	}
	return v.ids[i]
}

// gather is the vector of some rows.
func (v *vector) gather(rows []int32) *vector {
	g := &vector{form: v.form, one: v.one, dict: v.dict, id: v.id, late: v.late, digits: v.digits}
	switch v.form {
	case coded:
		if v.ids != nil {
			g.ids = make([]uint32, len(rows))
			for i, r := range rows {
				g.ids[i] = v.ids[r]
			}
		}
	case times, instants, integers:
		g.ints = make([]int64, len(rows))
		for i, r := range rows {
			g.ints[i] = v.ints[r]
		}
	case numbers:
		g.numbers = make([]float64, len(rows))
		for i, r := range rows {
			g.numbers[i] = v.numbers[r]
		}
	case plain:
		g.all = make([]value.Value, len(rows))
		for i, r := range rows {
			g.all[i] = v.all[r]
		}
	case late:
		if v.rows == nil {
			g.rows = rows
			break
		}
		g.rows = make([]int32, len(rows))
		for i, r := range rows {
			g.rows[i] = v.rows[r]
		}
	}
	return g
}

// A dict is a dictionary as one worker sees it: of a store, or derived from another by a
// function of its values. Values are worked out when they are first asked for, since few
// of a dictionary's may be in use; so is what else is remembered of them.
type dict struct {
	size    int
	compute func(id uint32) value.Value
	null    value.Value // for scan.None: null, or a function of it
	values  []value.Value
	known   []bool
	truth   []int8 // of values as conditions: 0 not known, 1 true, -1 false
	derived map[int]*dict
	codes   map[any][]uint32 // by who asks: each value's number there, and 0 if it has none yet
	numbers []float64
	number  []int8 // 0 not known, 1 a number, -1 none
}

func newDict(size int, null value.Value, compute func(id uint32) value.Value) *dict {
	return &dict{size: size, compute: compute, null: null}
}

func scannedDict(d *scan.Dictionary) *dict {
	return newDict(len(d.Values), value.Value{}, func(id uint32) value.Value { return value.Scanned(d.Values[id]) })
}

func (d *dict) at(id uint32) value.Value {
	if id == scan.None {
		return d.null
	}
	if d.values == nil {
		d.values, d.known = make([]value.Value, d.size), make([]bool, d.size)
	}
	if !d.known[id] {
		d.values[id], d.known[id] = d.compute(id), true
	}
	return d.values[id]
}

func (d *dict) isTrue(id uint32) bool {
	if id == scan.None {
		return d.null.True()
	}
	if d.truth == nil {
		d.truth = make([]int8, d.size)
	}
	if d.truth[id] == 0 {
		d.truth[id] = -1
		if d.at(id).True() {
			d.truth[id] = 1
		}
	}
	return d.truth[id] > 0
}

func (d *dict) numberAt(id uint32) (float64, bool) {
	if id == scan.None {
		return d.null.Number()
	}
	if d.number == nil {
		d.numbers, d.number = make([]float64, d.size), make([]int8, d.size)
	}
	if d.number[id] == 0 {
		d.number[id] = -1
		if f, ok := d.at(id).Number(); ok {
			d.numbers[id], d.number[id] = f, 1
		}
	}
	return d.numbers[id], d.number[id] > 0
}

// derive is the dictionary of a function of the values.
func (d *dict) derive(node int, null value.Value, f func(v value.Value) value.Value) *dict {
	if got := d.derived[node]; got != nil {
		return got
	}
	if d.derived == nil {
		d.derived = map[int]*dict{}
	}
	to := newDict(d.size, null, func(id uint32) value.Value { return f(d.at(id)) })
	d.derived[node] = to
	return to
}

// codesFor are the numbers that owner gave to the values, 0 for those without one yet;
// the last is null's.
func (d *dict) codesFor(owner any) []uint32 {
	if d.codes == nil {
		d.codes = map[any][]uint32{}
	}
	codes := d.codes[owner]
	if codes == nil {
		codes = make([]uint32, d.size+1)
		d.codes[owner] = codes
	}
	return codes
}
