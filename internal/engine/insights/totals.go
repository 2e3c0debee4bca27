package insights

import (
	"context"
	"slices"
	"sync"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// totals are groups and their aggregates, as one worker has them.
type totals struct {
	sum    *summary
	groups *grouping
	each   []accumulator
	memory *budget
	taken  int64
	// workers is how many goroutines work out results.
	workers int
}

func newTotals(sum *summary, memory *budget) *totals {
	t := &totals{sum: sum, groups: newGrouping(len(sum.keys)), memory: memory, workers: 1}
	for _, a := range sum.aggregates {
		if a.of >= 0 {
			t.each = append(t.each, sharing{})
			continue
		}
		t.each = append(t.each, a.make())
	}
	return t
}

// nodes are what a summary asks of rows.
func (sum *summary) nodes() []*node {
	list := append([]*node(nil), sum.keys...)
	for _, a := range sum.aggregates {
		if a.arg != nil {
			list = append(list, a.arg)
		}
	}
	if sum.wantsTime() {
		list = append(list, sum.time)
	}
	return list
}

func (sum *summary) wantsTime() bool {
	return slices.ContainsFunc(sum.aggregates, func(a aggregate) bool { return a.timed })
}

// grow makes room for the groups that there are.
func (t *totals) grow() {
	for _, a := range t.each {
		a.grow(t.groups.count)
	}
}

// count tells the budget what is kept.
func (t *totals) count() error {
	size := t.groups.size
	for _, a := range t.each {
		size += a.size()
	}
	err := t.memory.take(size - t.taken)
	t.taken = size
	return err
}

// add takes the rows of a frame.
func (*totals) keeps() bool { return false }

func (t *totals) add(f *frame) error {
	keys := make([]*vector, len(t.sum.keys))
	for i, k := range t.sum.keys {
		keys[i] = f.vector(k)
	}
	groups := t.groups.assign(f, keys)
	t.grow()
	counts := f.counts()
	var at *vector
	if t.sum.wantsTime() {
		at = f.vector(t.sum.time)
	}
	for i, a := range t.sum.aggregates {
		var in *vector
		if a.arg != nil {
			in = f.vector(a.arg)
		}
		switch {
		case a.of >= 0:
		case counts != nil:
			accumulateCounted(t.each[i], groups, in, counts)
		default:
			accumulate(t.each[i], groups, in, at)
		}
	}
	return t.count()
}

// accumulate takes a column into an accumulator, each row into its group.
func accumulate(a accumulator, groups []int32, in, at *vector) {
	if c, ok := a.(*counting); ok && in == nil {
		for _, g := range groups {
			c.n[g]++
		}
		return
	}
	if in != nil && in.form == integers && wantsNumbers(a) {
		in = &vector{form: numbers, numbers: floats(in.ints, make([]float64, len(in.ints)))}
	}
	if l, ok := a.(*listing); ok && in.form == numbers {
		l.all(groups, in.numbers)
		return
	}
	if n, ok := a.(numeric); ok && in.form == coded {
		for row, g := range groups {
			if x, ok := in.dict.numberAt(in.idAt(row)); ok {
				n.number(int(g), x)
			}
		}
		return
	}
	if d, ok := a.(*distinct); ok && in.form == coded {
		codes := in.dict.codesFor(d)
		for row, g := range groups {
			id := in.idAt(row)
			slot := min(id, uint32(in.dict.size)) // null's is the last
			if codes[slot] == 0 {
				v := in.dict.at(id)
				if v.IsNull() || v.IsComposite() {
					continue
				}
				codes[slot] = d.code(v)
			}
			d.put(int(g), codes[slot])
		}
		return
	}
	if n, ok := a.(numeric); ok && in.form == numbers {
		for row, g := range groups {
			if x := in.numbers[row]; x == x {
				n.number(int(g), x)
			}
		}
		return
	}
	if b, ok := a.(*best); ok && b.order != 0 && in.form == instants && len(b.values) <= 2*len(groups) {
		b.instants(groups, in)
		return
	}
	for row, g := range groups {
		v := in.at(row)
		if v.IsNull() || v.IsComposite() {
			continue
		}
		when := int64(0)
		if at != nil {
			when, _ = at.at(row).Milliseconds()
		}
		a.add(int(g), v, when)
	}
}

// wantsNumbers says whether an accumulator takes numbers as well as the values they are of.
func wantsNumbers(a accumulator) bool {
	_, whole := a.(*listing)
	_, one := a.(numeric)
	return whole || one
}

// one takes one row.
func (t *totals) one(s *scratch, r row) error {
	keys := make([]value.Value, len(t.sum.keys))
	for i, k := range t.sum.keys {
		keys[i] = s.of(k, r)
	}
	g := int(t.groups.one(keys))
	t.grow()
	when, _ := s.of(t.sum.time, r).Milliseconds()
	for i, a := range t.sum.aggregates {
		v := value.OfNumber(1)
		if a.arg != nil {
			v = s.of(a.arg, r)
		}
		if !v.IsNull() && !v.IsComposite() {
			t.each[i].add(g, v, when)
		}
	}
	return t.count()
}

// merge takes what another worker has.
func (t *totals) merge(from *totals) error {
	var keys []value.Value
	for o := range from.groups.count {
		keys = from.groups.values(keys[:0], int32(o))
		g := int(t.groups.one(keys))
		t.grow()
		for i, a := range t.each {
			a.merge(g, from.each[i], o)
		}
	}
	return t.count()
}

// rows are the first of the result, so many at most, in the order of their keys.
func (t *totals) rows(limit int) [][]value.Value {
	if len(t.sum.keys) == 0 {
		t.groups.of(nil)
		t.grow()
	}
	list := t.results(t.groups.first(limit))
	var s scratch
	for i, r := range list {
		out := make([]value.Value, len(t.sum.columns))
		for c, col := range t.sum.columns {
			out[c] = s.of(col.node, cells(r))
		}
		list[i] = out
	}
	return list
}

// results are groups' keys and aggregates. Several groups are worked out at once: to
// find percentiles takes as long as to scan.
func (t *totals) results(groups []int32) [][]value.Value {
	for _, a := range t.each {
		if l, ok := a.(*listing); ok {
			l.gather()
		}
	}
	finish := make([]func(*distribution) value.Value, len(t.each))
	for i, a := range t.sum.aggregates {
		if a.of >= 0 {
			finish[i] = a.make().(*listing).finish
		}
	}
	list := make([][]value.Value, len(groups))
	some := func(from, to int) {
		for n := from; n < to; n++ {
			g := int(groups[n])
			r := t.groups.values(make([]value.Value, 0, len(t.sum.keys)+len(t.each)), groups[n])
			for i, a := range t.sum.aggregates {
				if a.of >= 0 {
					r = append(r, t.each[a.of].(*listing).by(finish[i], g))
				} else {
					r = append(r, t.each[i].result(g))
				}
			}
			list[n] = r
		}
	}
	var wait sync.WaitGroup
	for part := range t.workers {
		wait.Go(func() { some(len(list)*part/t.workers, len(list)*(part+1)/t.workers) })
	}
	wait.Wait()
	return list
}

// summarize runs a plan and sums its rows up, into so many groups at most.
func (x *execution) summarize(ctx context.Context, c *compiler, p *plan, sum *summary, limit int) (*table, error) {
	sum.mayCount(p)
	var all []*totals
	err := x.scan(ctx, p, x.window, sum.nodes(), scan.Any, nil, func(*worker) sink {
		t := newTotals(sum, x.memory)
		t.workers = max(1, x.env.Workers)
		all = append(all, t)
		return t
	})
	if err != nil {
		return nil, err
	}
	for _, t := range all[1:] {
		if err := all[0].merge(t); err != nil {
			return nil, err
		}
	}
	return sum.table(c, all[0].rows(limit)), nil
}
