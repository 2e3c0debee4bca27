package insights

import (
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// best keeps one value of each group, the one that better prefers, and its time.
type best struct {
	values []value.Value
	times  []int64
	kept   int64
	// order says that better goes by values' order alone: 1, the last is preferred, -1, the
	// first; 0: it doesn't.
	order  int8
	better func(v value.Value, at int64, than value.Value, thanAt int64) bool
}

func (b *best) grow(groups int) {
	b.values, b.times = grown(b.values, groups), grown(b.times, groups)
}
func (b *best) add(g int, v value.Value, at int64) {
	if !v.IsNull() && (b.values[g].IsNull() || b.better(v, at, b.values[g], b.times[g])) {
		b.kept += weight(v) - weight(b.values[g])
		b.values[g], b.times[g] = v, at
	}
}
func (b *best) merge(g int, from accumulator, o int) {
	f := from.(*best)
	b.add(g, f.values[o], f.times[o])
}
func (b *best) result(g int) value.Value { return b.values[g] }
func (b *best) size() int64              { return int64(len(b.values))*48 + b.kept }

// instants takes points in time into their groups. Texts of as many digits have the order of
// the times that they tell, so that only the best of each group is written out.
func (b *best) instants(groups []int32, in *vector) {
	found := make([]int32, len(b.values)) // the row, from 1
	for row, g := range groups {
		if at := found[g]; at == 0 || in.ints[row] > in.ints[at-1] == (b.order > 0) {
			found[g] = int32(row) + 1
		}
	}
	for g, at := range found {
		if at > 0 {
			b.add(g, in.at(int(at-1)), 0)
		}
	}
}

// extreme prefers the largest value, or the smallest: of numbers, if there are any, else
// of texts.
func extreme(largest bool) func(value.Value, int64, value.Value, int64) bool {
	return func(v value.Value, _ int64, than value.Value, _ int64) bool {
		_, a := v.Number()
		_, b := than.Number()
		if a != b {
			return a
		}
		return before(v, than, largest)
	}
}

// before reports whether v sorts before another value, or after it. Of "1", 1 and true,
// which sort alike, it is the text.
func before(v, than value.Value, after bool) bool {
	if o := value.Order(v, than); o != 0 {
		return o < 0 != after
	}
	return v.Kind() < than.Kind()
}

// inTime prefers the latest value, or the earliest; of those at one time, the one that
// sorts first.
func inTime(latest bool) func(value.Value, int64, value.Value, int64) bool {
	return func(v value.Value, at int64, than value.Value, thanAt int64) bool {
		if at != thanAt {
			return (at > thanAt) == latest
		}
		return before(v, than, false)
	}
}

// inOrder prefers the value that sorts first, or last.
func inOrder(last bool) func(value.Value, int64, value.Value, int64) bool {
	return func(v value.Value, _ int64, than value.Value, _ int64) bool {
		return before(v, than, last)
	}
}

// rating is rate: how much a number changes in an interval, from the first value of the
// group to the last.
type rating struct {
	first, last best
	interval    float64 // milliseconds
}

func newRating(interval int64) *rating {
	return &rating{best{better: inTime(false)}, best{better: inTime(true)}, float64(interval)}
}

func (r *rating) grow(groups int) { r.first.grow(groups); r.last.grow(groups) }
func (r *rating) add(g int, v value.Value, at int64) {
	if _, ok := v.Number(); ok {
		r.first.add(g, v, at)
		r.last.add(g, v, at)
	}
}
func (r *rating) merge(g int, from accumulator, o int) {
	r.first.merge(g, &from.(*rating).first, o)
	r.last.merge(g, &from.(*rating).last, o)
}
func (r *rating) result(g int) value.Value {
	from, ok := r.first.values[g].Number()
	to, _ := r.last.values[g].Number()
	if !ok || r.first.times[g] == r.last.times[g] {
		return value.Value{}
	}
	return value.OfNumber((to - from) / (float64(r.last.times[g]-r.first.times[g]) / r.interval))
}
func (r *rating) size() int64 { return r.first.size() + r.last.size() }
