package insights

import (
	"math"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// An accumulator is an aggregate of all groups, as one worker sees it.
type accumulator interface {
	// grow makes room for groups.
	grow(groups int)
	// add takes a value, which is neither null nor a list or map, of an event's time into
	// a group.
	add(group int, v value.Value, at int64)
	// merge takes what another of the same kind has of a group.
	merge(group int, from accumulator, other int)
	result(group int) value.Value
	// size is roughly how many bytes it keeps.
	size() int64
}

// A numeric accumulator wants numbers alone, and no times.
type numeric interface {
	accumulator
	number(group int, x float64)
}

// numbersOnly is what numeric accumulators do with values.
func numbersOnly(n numeric, group int, v value.Value) {
	if x, ok := v.Number(); ok {
		n.number(group, x)
	}
}

// counting is count.
type counting struct{ n []int64 }

func (c *counting) grow(groups int)                   { c.n = grown(c.n, groups) }
func (c *counting) add(g int, _ value.Value, _ int64) { c.n[g]++ }
func (c *counting) merge(g int, from accumulator, o int) {
	c.n[g] += from.(*counting).n[o]
}
func (c *counting) result(g int) value.Value { return value.OfNumber(float64(c.n[g])) }
func (c *counting) size() int64              { return int64(len(c.n)) * 8 }

func grown[T any](list []T, n int) []T {
	if n <= len(list) {
		return list
	}
	return append(list, make([]T, n-len(list))...)
}

// An exact sum keeps what rounding would lose, so that its order does not matter.
type exact struct{ high, low float64 }

func (s *exact) add(x float64) {
	sum := s.high + x
	part := sum - s.high
	s.low += (s.high - (sum - part)) + (x - part)
	s.high = sum
}

func (s *exact) merge(o exact)  { s.add(o.high); s.add(o.low) }
func (s *exact) value() float64 { return s.high + s.low }

// summing is sum and avg.
type summing struct {
	sums []exact
	n    []int64
	avg  bool
}

func (s *summing) grow(groups int)                   { s.sums, s.n = grown(s.sums, groups), grown(s.n, groups) }
func (s *summing) add(g int, v value.Value, _ int64) { numbersOnly(s, g, v) }
func (s *summing) number(g int, x float64)           { s.sums[g].add(x); s.n[g]++ }
func (s *summing) merge(g int, from accumulator, o int) {
	f := from.(*summing)
	s.sums[g].merge(f.sums[o])
	s.n[g] += f.n[o]
}
func (s *summing) result(g int) value.Value {
	switch {
	case s.n[g] == 0:
		return value.Value{}
	case s.avg:
		return value.OfNumber(s.sums[g].value() / float64(s.n[g]))
	}
	return value.OfNumber(s.sums[g].value())
}
func (s *summing) size() int64 { return int64(len(s.n)) * 24 }

// deviating is stddev, of the population.
type deviating struct {
	sums, squares []exact
	n             []int64
}

func (d *deviating) grow(groups int) {
	d.sums, d.squares, d.n = grown(d.sums, groups), grown(d.squares, groups), grown(d.n, groups)
}
func (d *deviating) add(g int, v value.Value, _ int64) { numbersOnly(d, g, v) }
func (d *deviating) number(g int, x float64) {
	d.sums[g].add(x)
	square := x * x
	d.squares[g].add(square)
	d.squares[g].add(math.FMA(x, x, -square))
	d.n[g]++
}
func (d *deviating) merge(g int, from accumulator, o int) {
	f := from.(*deviating)
	d.sums[g].merge(f.sums[o])
	d.squares[g].merge(f.squares[o])
	d.n[g] += f.n[o]
}
func (d *deviating) result(g int) value.Value {
	if d.n[g] == 0 {
		return value.Value{}
	}
	n := float64(d.n[g])
	mean := d.sums[g].value() / n
	// The squares minus n*mean², with what the product's rounding loses.
	product := mean * d.sums[g].value()
	variance := (d.squares[g].high - product + d.squares[g].low - math.FMA(mean, d.sums[g].value(), -product)) / n
	return value.OfNumber(math.Sqrt(max(0, variance)))
}
func (d *deviating) size() int64 { return int64(len(d.n)) * 40 }

// listing keeps all numbers: pct and histogram. They lie in the order in which they came,
// each with its group, until a result is asked for.
type listing struct {
	full    []numbered // parts of listPart numbers
	last    numbered
	finish  func(numbers []float64) value.Value // may change their order
	n       int                                 // groups
	others  []*listing                          // that were merged into this one
	renamed map[*listing][]int32                // their groups' numbers here
	sorted  []float64                           // by group
	starts  []int                               // of each group in sorted, and the end
}

func (l *listing) grow(groups int)                   { l.n = groups }
func (l *listing) add(g int, v value.Value, _ int64) { numbersOnly(l, g, v) }
func (l *listing) number(g int, x float64) {
	if len(l.last.numbers) == listPart {
		l.full = append(l.full, l.last)
		l.last = numbered{make([]float64, 0, listPart), make([]int32, 0, listPart)}
	}
	l.last.numbers, l.last.groups = append(l.last.numbers, x), append(l.last.groups, int32(g))
}

// numbered are numbers, each with its group.
type numbered struct {
	numbers []float64
	groups  []int32
}

const listPart = 1 << 16

// each calls do for all numbers.
func (l *listing) each(do func(g int32, x float64)) {
	for _, part := range append(l.full, l.last) {
		for i, x := range part.numbers {
			do(part.groups[i], x)
		}
	}
}

func (l *listing) merge(g int, from accumulator, o int) {
	f := from.(*listing)
	names := l.renamed[f]
	if names == nil {
		if l.renamed == nil {
			l.renamed = map[*listing][]int32{}
		}
		names = make([]int32, f.n)
		l.renamed[f], l.others = names, append(l.others, f)
	}
	names[o] = int32(g)
}

// gather brings the numbers of each group together.
func (l *listing) gather() {
	each := func(do func(g int32, x float64)) {
		l.each(do)
		for _, f := range l.others {
			names := l.renamed[f]
			f.each(func(g int32, x float64) { do(names[g], x) })
		}
	}
	l.starts = make([]int, l.n+1)
	each(func(g int32, _ float64) { l.starts[g+1]++ })
	for g := range l.n {
		l.starts[g+1] += l.starts[g]
	}
	at := slices.Clone(l.starts)
	l.sorted = make([]float64, l.starts[l.n])
	each(func(g int32, x float64) { l.sorted[at[g]] = x; at[g]++ })
}

func (l *listing) result(g int) value.Value { return l.by(l.finish, g) }

// by is another function of the same numbers.
func (l *listing) by(finish func(numbers []float64) value.Value, g int) value.Value {
	if l.starts == nil {
		l.gather()
	}
	list := l.sorted[l.starts[g]:l.starts[g+1]]
	if len(list) == 0 {
		return value.Value{}
	}
	return finish(list)
}

func (l *listing) size() int64 {
	return int64(l.n)*8 + int64(len(l.full)*listPart+len(l.last.numbers))*24
}

// percentile is the value that p percent are at or below, by nearest rank.
func percentile(p float64) func([]float64) value.Value {
	return func(list []float64) value.Value {
		rank := int(math.Ceil(p / 100 * float64(len(list))))
		return value.OfNumber(nth(list, min(max(rank, 1), len(list))-1))
	}
}

// nth is the number at a place of the sorted list. It sorts no more of the list than it
// must.
func nth(list []float64, n int) float64 {
	for len(list) > 12 {
		// The middle of three in the list's three places, so that what is sorted already
		// is cut in half.
		a, b, c := list[0], list[len(list)/2], list[len(list)-1]
		pivot := max(min(a, b), min(max(a, b), c))
		low, at, high := 0, 0, len(list) // less | equal | not looked at | more
		for at < high {
			switch x := list[at]; {
			case x < pivot:
				list[low], list[at] = x, list[low]
				low++
				at++
			case x > pivot:
				high--
				list[at], list[high] = list[high], x
			default:
				at++
			}
		}
		switch {
		case n < low:
			list = list[:low]
		case n < high:
			return pivot
		default:
			list, n = list[high:], n-high
		}
	}
	slices.Sort(list)
	return list[n]
}

// histogram counts values in n ranges of the same width: a map by the ranges' borders.
func histogram(n int) func([]float64) value.Value {
	return func(list []float64) value.Value {
		low, high := slices.Min(list), slices.Max(list)
		buckets, width := n, (high-low)/float64(n)
		if width == 0 {
			buckets = 1
		}
		counts := make([]int, buckets)
		for _, x := range list {
			i := 0
			if buckets > 1 {
				i = min(int((x-low)/width), buckets-1)
			}
			counts[i]++
		}
		keys, items := make([]string, buckets), make([]value.Value, buckets)
		for i := range counts {
			from, to := low+width*float64(i), low+width*float64(i+1)
			if i == buckets-1 {
				to = high
			}
			keys[i] = value.FormatNumber(from) + "-" + value.FormatNumber(to)
			items[i] = value.OfNumber(float64(counts[i]))
		}
		return value.OfMap(keys, items)
	}
}

// sharing is an aggregate of numbers that another one lists.
type sharing struct{}

func (sharing) grow(int)                    {}
func (sharing) add(int, value.Value, int64) {}
func (sharing) merge(int, accumulator, int) {}
func (sharing) result(int) value.Value      { return value.Value{} }
func (sharing) size() int64                 { return 0 }

// distinct is count_distinct. Values have codes, so that those of a dictionary are looked
// up once; pairs are the groups and codes that were seen.
type distinct struct {
	codes  *interner
	pairs  map[uint64]struct{}
	n      []int64
	kept   int64
	groups [][]uint32 // the pairs by groups, once another takes them
}

func newDistinct() *distinct {
	return &distinct{codes: &interner{byText: map[string]uint32{}}, pairs: map[uint64]struct{}{}}
}

func (d *distinct) grow(groups int) { d.n = grown(d.n, groups) }

func (d *distinct) code(v value.Value) uint32 {
	code, isNew := d.codes.code(v)
	if isNew {
		d.kept += perGroup + weight(v)
	}
	return code
}

func (d *distinct) put(g int, code uint32) {
	pair := uint64(g)<<32 | uint64(code)
	if _, seen := d.pairs[pair]; !seen {
		d.pairs[pair] = struct{}{}
		d.n[g]++
		d.kept += 32
	}
}

func (d *distinct) add(g int, v value.Value, _ int64) { d.put(g, d.code(v)) }

func (d *distinct) merge(g int, from accumulator, o int) {
	f := from.(*distinct)
	if f.groups == nil {
		f.groups = make([][]uint32, len(f.n))
		for pair := range f.pairs {
			f.groups[pair>>32] = append(f.groups[pair>>32], uint32(pair))
		}
	}
	for _, code := range f.groups[o] {
		d.add(g, f.codes.values[code-1], 0)
	}
}

func (d *distinct) result(g int) value.Value { return value.OfNumber(float64(d.n[g])) }
func (d *distinct) size() int64              { return int64(len(d.n))*8 + d.kept }

// best keeps one value of each group, the one that better prefers, and its time.
type best struct {
	values []value.Value
	times  []int64
	kept   int64
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
