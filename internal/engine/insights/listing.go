package insights

import (
	"math"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

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
