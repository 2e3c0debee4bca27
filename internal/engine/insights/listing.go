package insights

import (
	"math"
	"math/bits"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// listing keeps all numbers: pct and histogram. Those that are small and whole, as most
// milliseconds, bytes and codes are, each group counts as soon as it has had some: that
// takes less time and, in the end, less memory. Others lie in the order in which they
// came, each with its group, until a result is asked for.
type listing struct {
	full    []numbered // parts of listPart numbers
	last    numbered
	listed  []uint32   // how many of each group's lie there
	counts  [][]uint32 // of 0 and so on, of each group
	counted int64      // the lengths of all counts
	finish  func(d *distribution) value.Value
	others  []*listing           // that were merged into this one
	renamed map[*listing][]int32 // their groups' numbers here
	sorted  []float64            // by group
	starts  []int                // of each group in sorted, and the end
}

const (
	listPart   = 1 << 16
	smallWhole = 1 << 12 // numbers below it may be counted
	fewListed  = 32      // numbers that a group must have had before
	roomEach   = 8       // how long counts may be, for each number listed
)

// numbered are numbers, each with its group.
type numbered struct {
	numbers []float64
	groups  []int32
}

func (l *listing) grow(groups int) {
	l.listed, l.counts = grown(l.listed, groups), grown(l.counts, groups)
}

func (l *listing) add(g int, v value.Value, _ int64) { numbersOnly(l, g, v) }

// all takes a number of each row into its group; NaN is none.
func (l *listing) all(groups []int32, numbers []float64) {
	for row, g := range groups {
		x := numbers[row]
		if c, i := l.counts[g], int(x); uint(i) < uint(len(c)) && float64(i) == x {
			c[i]++
		} else if x == x {
			l.number(int(g), x)
		}
	}
}

func (l *listing) number(g int, x float64) {
	if i := int(x); uint(i) < smallWhole && float64(i) == x && (i < len(l.counts[g]) || l.makeRoom(g, i)) {
		l.counts[g][i]++
		return
	}
	l.listed[g]++
	if len(l.last.numbers) == listPart {
		l.full = append(l.full, l.last)
		l.last = numbered{make([]float64, 0, listPart), make([]int32, 0, listPart)}
	}
	l.last.numbers, l.last.groups = append(l.last.numbers, x), append(l.last.groups, int32(g))
}

// makeRoom makes a group's counts reach to a number, if it has had enough of them.
func (l *listing) makeRoom(g, to int) bool {
	length := 1 << max(6, bits.Len(uint(to)))
	if n := int(l.listed[g]); n < fewListed || length > n*roomEach {
		return false
	}
	l.counted += int64(length - len(l.counts[g]))
	l.counts[g] = append(l.counts[g], make([]uint32, length-len(l.counts[g]))...)
	return true
}

func (l *listing) merge(g int, from accumulator, o int) {
	f := from.(*listing)
	names := l.renamed[f]
	if names == nil {
		if l.renamed == nil {
			l.renamed = map[*listing][]int32{}
		}
		names = make([]int32, len(f.listed))
		l.renamed[f], l.others = names, append(l.others, f)
	}
	names[o] = int32(g)
	more, less := f.counts[o], l.counts[g]
	if len(more) < len(less) {
		more, less = less, more
	}
	for i, n := range less {
		more[i] += n
	}
	l.counts[g] = more
}

// each calls do for all numbers that are listed.
func (l *listing) each(do func(g int32, x float64)) {
	for _, part := range append(l.full, l.last) {
		for i, x := range part.numbers {
			do(part.groups[i], x)
		}
	}
}

// gather brings the listed numbers of each group together.
func (l *listing) gather() {
	each := func(do func(g int32, x float64)) {
		l.each(do)
		for _, f := range l.others {
			names := l.renamed[f]
			f.each(func(g int32, x float64) { do(names[g], x) })
		}
	}
	groups := len(l.listed)
	l.starts = make([]int, groups+1)
	each(func(g int32, _ float64) { l.starts[g+1]++ })
	for g := range groups {
		l.starts[g+1] += l.starts[g]
	}
	at := slices.Clone(l.starts)
	l.sorted = make([]float64, l.starts[groups])
	each(func(g int32, x float64) { l.sorted[at[g]] = x; at[g]++ })
}

func (l *listing) result(g int) value.Value { return l.by(l.finish, g) }

// by is another function of the same numbers.
func (l *listing) by(finish func(*distribution) value.Value, g int) value.Value {
	if l.starts == nil {
		l.gather()
	}
	d := &distribution{list: l.sorted[l.starts[g]:l.starts[g+1]], counts: l.counts[g]}
	d.total = len(d.list)
	for _, n := range d.counts {
		d.total += int(n)
	}
	if d.total == 0 {
		return value.Value{}
	}
	return finish(d)
}

func (l *listing) size() int64 {
	return int64(len(l.listed))*32 + int64(len(l.full)*listPart+len(l.last.numbers))*24 + l.counted*4
}

// A distribution is the numbers of one group: a list of some, in any order, which may be
// changed, and how often each small whole number comes besides.
type distribution struct {
	list   []float64
	counts []uint32
	total  int
}

// at is the number at a place of the sorted numbers.
func (d *distribution) at(n int) float64 {
	if d.counts == nil {
		return nth(d.list, n)
	}
	slices.Sort(d.list)
	next := 0
	for x, count := range d.counts {
		for next < len(d.list) && d.list[next] < float64(x) {
			if n == 0 {
				return d.list[next]
			}
			n, next = n-1, next+1
		}
		if n < int(count) {
			return float64(x)
		}
		n -= int(count)
	}
	return d.list[next+n]
}

// each calls do for all numbers, with how often they come.
func (d *distribution) each(do func(x float64, n int)) {
	for _, x := range d.list {
		do(x, 1)
	}
	for x, n := range d.counts {
		if n > 0 {
			do(float64(x), int(n))
		}
	}
}

// percentile is the value that p percent are at or below, by nearest rank.
func percentile(p float64) func(*distribution) value.Value {
	return func(d *distribution) value.Value {
		rank := int(math.Ceil(p / 100 * float64(d.total)))
		return value.OfNumber(d.at(min(max(rank, 1), d.total) - 1))
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
func histogram(n int) func(*distribution) value.Value {
	return func(d *distribution) value.Value {
		low, high := d.at(0), d.at(d.total-1)
		buckets, width := n, (high-low)/float64(n)
		if width == 0 {
			buckets = 1
		}
		counts := make([]int, buckets)
		d.each(func(x float64, times int) {
			i := 0
			if buckets > 1 {
				i = min(int((x-low)/width), buckets-1)
			}
			counts[i] += times
		})
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
