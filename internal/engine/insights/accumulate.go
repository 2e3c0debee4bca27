package insights

import (
	"math"

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
