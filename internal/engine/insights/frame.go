package insights

import (
	"math"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A frame is rows on their way: a batch of the source, or rows of another frame, left
// out or multiplied. Columns are brought along when they are asked for. A frame belongs
// to one worker.
type frame struct {
	w      *worker
	n      int
	batch  *scan.Batch // of the first frame
	parent *frame
	rows   []int32         // row i is the parent's rows[i]
	own    map[int]*vector // leaves that begin here
	leafs  []*vector
	memo   map[int]*vector // of calls, by node
}

// leafVector is a leaf's column.
func (f *frame) leafVector(i int) *vector {
	if v := f.own[i]; v != nil {
		return v
	}
	if f.leafs == nil {
		f.leafs = make([]*vector, len(f.w.plan.leaves))
	}
	if v := f.leafs[i]; v != nil {
		return v
	}
	var v *vector
	if f.parent == nil {
		v = f.w.scanned(f.w.plan.leaves[i].column, f.batch)
	} else {
		v = f.parent.leafVector(i).gather(f.rows)
	}
	f.leafs[i] = v
	return v
}

// at is one value of a leaf, without bringing the whole column along.
func (f *frame) at(i, row int) value.Value {
	for {
		if v := f.own[i]; v != nil {
			return v.at(row)
		}
		if f.leafs != nil && f.leafs[i] != nil {
			return f.leafs[i].at(row)
		}
		if f.parent == nil {
			return scannedAt(&f.batch.Columns[f.w.plan.leaves[i].column], row)
		}
		f, row = f.parent, int(f.rows[row])
	}
}

// forget lets go of columns that can be made again: what a row is kept for reads single
// values.
func (f *frame) forget() {
	for ; f != nil; f = f.parent {
		f.memo, f.leafs = nil, nil
	}
}

// A frameRow is one row of a frame.
type frameRow struct {
	f   *frame
	row int
}

func (r *frameRow) leaf(i int) value.Value { return r.f.at(i, r.row) }

// vector computes a node for all rows.
func (f *frame) vector(n *node) *vector {
	switch n.kind {
	case constant:
		return &vector{form: same, one: n.value}
	case leaf:
		return f.leafVector(n.leaf)
	}
	if v := f.memo[n.id]; v != nil {
		return v
	}
	v := f.compute(n)
	if f.memo == nil {
		f.memo = map[int]*vector{}
	}
	f.memo[n.id] = v
	return v
}

func (f *frame) compute(n *node) *vector {
	w := f.w
	if n.only >= 0 {
		in := f.leafVector(n.only)
		switch in.form {
		case coded:
			apply := func(v value.Value) value.Value {
				w.single.v = v
				return w.of(n, &w.single)
			}
			d := in.dict.derived[n.id]
			if d == nil {
				d = in.dict.derive(n.id, apply(in.dict.null), apply)
			}
			return &vector{form: coded, dict: d, ids: in.ids, id: in.id}
		case same:
			w.single.v = in.one
			return &vector{form: same, one: w.of(n, &w.single)}
		case times, instants:
			switch {
			case n.bin != nil:
				return w.binned(n, in.millis())
			case n.millis:
				return &vector{form: numbers, numbers: in.millisAsNumbers(w.floats.take(f.n))}
			}
		}
	}
	if n.arithmetic != nil {
		return f.calculate(n)
	}
	args := make([]*vector, len(n.args))
	for i, a := range n.args {
		args[i] = f.vector(a)
	}
	out := make([]value.Value, f.n)
	values := make([]value.Value, len(args))
	for row := range out {
		for i, a := range args {
			values[i] = a.at(row)
		}
		out[row] = n.eval(values)
	}
	return &vector{form: plain, all: out}
}

// toMillis is a time in microseconds in milliseconds, rounded down.
func toMillis(micros int64) int64 {
	ms := micros / 1000
	if micros < ms*1000 {
		ms--
	}
	return ms
}

// millis are times as milliseconds.
func (v *vector) millis() []int64 {
	if v.form == times {
		return v.ints
	}
	out := make([]int64, len(v.ints))
	for i, micros := range v.ints {
		out[i] = toMillis(micros)
	}
	return out
}

// millisAsNumbers are times as numbers of milliseconds.
func (v *vector) millisAsNumbers(out []float64) []float64 {
	if v.form == times {
		return floats(v.ints, out)
	}
	for i, micros := range v.ints {
		out[i] = float64(toMillis(micros))
	}
	return out
}

func floats(ints []int64, out []float64) []float64 {
	for i, x := range ints {
		out[i] = float64(x)
	}
	return out
}

// calculate computes an operator of two numbers for all rows.
func (f *frame) calculate(n *node) *vector {
	if a, b := f.instants(n.args[0]), f.instants(n.args[1]); n.op == syntax.Subtract && a != nil && b != nil {
		return &vector{form: numbers, numbers: elapsed(a, b, f.w.floats.take(f.n))}
	}
	x, y := f.vector(n.args[0]), f.vector(n.args[1])
	a, b := x.toNumbers(f.w, f.n), y.toNumbers(f.w, f.n)
	out := f.w.floats.take(f.n)
	switch n.op {
	case syntax.Add:
		for i := range out {
			out[i] = a[i] + b[i]
		}
	case syntax.Subtract:
		for i := range out {
			out[i] = a[i] - b[i]
		}
	case syntax.Multiply:
		for i := range out {
			out[i] = a[i] * b[i]
		}
	default:
		for i := range out {
			out[i] = n.arithmetic(a[i], b[i])
		}
	}
	for i, r := range out {
		if r-r != 0 {
			out[i] = math.NaN() // infinities are null, too
		}
	}
	return &vector{form: numbers, numbers: out}
}

// instants are the points in time that toMillis is asked of, if a node is that.
func (f *frame) instants(n *node) []int64 {
	if n.millis {
		if v := f.leafVector(n.only); v.form == instants {
			return v.ints
		}
	}
	return nil
}

// elapsed are the milliseconds from points in time to others: what latencies are.
func elapsed(to, from []int64, out []float64) []float64 {
	for i := range out {
		out[i] = float64(toMillis(to[i]) - toMillis(from[i]))
	}
	return out
}

// toNumbers are a vector's numbers; NaN where it has none.
func (v *vector) toNumbers(w *worker, n int) []float64 {
	if v.form == numbers {
		return v.numbers
	}
	out := w.floats.take(n)
	if v.form == times || v.form == integers {
		return floats(v.ints, out)
	}
	for i := range out {
		var x float64
		var ok bool
		if v.form == coded {
			x, ok = v.dict.numberAt(v.idAt(i))
		} else {
			x, ok = v.at(i).Number()
		}
		if !ok {
			x = math.NaN()
		}
		out[i] = x
	}
	return out
}

// mostBins is how many bins a batch may span to be worth a dictionary of them, moreBins
// how many earlier ones are put into it for batches to come, which mostly are older.
const (
	mostBins = 1 << 16
	moreBins = 32
)

// A binDict is a period's borders one after the other, and the dictionary of them.
type binDict struct {
	borders []int64
	end     int64 // of the last period
	length  int64 // of a period; months differ
	dict    *dict
}

// binned rounds times down to a period's borders: ids into a dictionary of borders, which
// batches share as long as it has theirs.
func (w *worker) binned(n *node, ints []int64) *vector {
	if len(ints) == 0 {
		return &vector{form: times}
	}
	ids := w.ids.take(len(ints))
	if known := w.bins[n.id]; known != nil && known.find(ints, ids) {
		return &vector{form: coded, dict: known.dict, ids: ids}
	}
	known := newBinDict(n.bin, slices.Min(ints), slices.Max(ints))
	if known == nil {
		out := make([]int64, len(ints))
		for i, t := range ints {
			out[i] = n.bin.floor(t)
		}
		return &vector{form: times, ints: out}
	}
	if w.bins == nil {
		w.bins = map[int]*binDict{}
	}
	w.bins[n.id] = known
	known.find(ints, ids)
	return &vector{form: coded, dict: known.dict, ids: ids}
}

// find gives the numbers of the periods that times are in, unless one is in none. Times
// mostly come in their order: the next is in the same period as the last.
func (d *binDict) find(ints []int64, ids []uint32) bool {
	id, from, to := 0, int64(math.MaxInt64), int64(math.MinInt64)
	for i, t := range ints {
		if t < from || t >= to {
			if t < d.borders[0] || t >= d.end {
				return false
			}
			last := len(d.borders) - 1
			id = min(int((t-d.borders[0])/d.length), last) // exact, or near for months
			for d.borders[id] > t {
				id--
			}
			for id < last && d.borders[id+1] <= t {
				id++
			}
			from, to = d.borders[id], d.end
			if id < last {
				to = d.borders[id+1]
			}
		}
		ids[i] = uint32(id)
	}
	return true
}

// newBinDict is the borders from some before low to that before high; nil if they are too
// many.
func newBinDict(b *binning, low, high int64) *binDict {
	first := b.floor(low)
	d := &binDict{length: b.next(first) - first}
	if (high-low)/d.length > mostBins-2*moreBins {
		return nil
	}
	for at := b.floor(first - moreBins*d.length); at <= high; at = b.next(at) {
		d.borders = append(d.borders, at)
	}
	d.end = b.next(d.borders[len(d.borders)-1])
	d.dict = newDict(len(d.borders), value.Value{}, func(id uint32) value.Value { return value.OfTime(d.borders[id]) })
	return d
}

// where keeps the rows for which a node holds; nil when none does.
func (f *frame) where(n *node) *frame {
	rows := make([]int32, 0, f.n)
	for i, holds := range f.mask(n) {
		if holds {
			rows = append(rows, int32(i))
		}
	}
	switch len(rows) {
	case 0:
		return nil
	case f.n:
		return f
	}
	return &frame{w: f.w, n: len(rows), parent: f, rows: rows}
}

// mask says of each row whether a node holds.
func (f *frame) mask(n *node) []bool {
	if n.kind == call && n.only == many {
		switch n.logic {
		case syntax.Not:
			m := f.mask(n.args[0])
			for i := range m {
				m[i] = !m[i]
			}
			return m
		case syntax.Or, syntax.And:
			m, other := f.mask(n.args[0]), f.mask(n.args[1])
			for i := range m {
				if n.logic == syntax.Or {
					m[i] = m[i] || other[i]
				} else {
					m[i] = m[i] && other[i]
				}
			}
			return m
		}
	}
	v := f.vector(n)
	m := make([]bool, f.n)
	for i := range m {
		if v.form == coded {
			m[i] = v.dict.isTrue(v.idAt(i))
		} else {
			m[i] = v.at(i).True()
		}
	}
	return m
}
