package insights

import (
	"context"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A summary is stats compiled: keys, aggregates, and columns, which are expressions over
// both, keys first.
type summary struct {
	keys       []*node
	aggregates []aggregate
	columns    []shownColumn
	time       *node // of earliest, latest and rate
}

// An aggregate is one function of stats and what it is asked for; nil is any row.
type aggregate struct {
	make func() accumulator
	arg  *node
	text string
	// of is the aggregate that already lists the numbers that this one is of; -1 if there
	// is none.
	of int
}

// isBin reports whether a call is of bin.
func isBin(e *syntax.Call) bool { return strings.EqualFold(e.Name, "bin") }

// stats compiles stats.
func (s *scope) stats(e *syntax.Stats) *summary {
	sum := &summary{time: s.resolve(timestamp)}
	out := &scope{c: s.c, outer: s, summary: sum}
	for i, by := range e.By {
		n := s.expr(by.Expr)
		if bin, ok := by.Expr.(*syntax.Call); ok && isBin(bin) && e.Offset != nil {
			n = s.shifted(n, e.Offset)
		}
		sum.keys = append(sum.keys, n)
		key := s.c.leaf(i)
		out.define(by.Name, key)
		if f, ok := by.Expr.(*syntax.Field); ok {
			out.define(f.Name, key)
		}
		sum.columns = put(sum.columns, by.Name, key)
	}
	for _, col := range e.Columns {
		sum.columns = put(sum.columns, col.Name, out.expr(col.Expr))
	}
	return sum
}

// shifted is bin with its borders shifted by an offset.
func (s *scope) shifted(n *node, offset *syntax.Period) *node {
	ms, err := function.ParseDuration(offset.Text)
	if err != nil {
		panic(syntax.Errorf(s.c.text, offset.Span, "%v", err))
	}
	if n.kind != call || n.bin == nil {
		return n
	}
	b := &binning{n.bin.period, ms}
	to := s.c.call(func(a []value.Value) value.Value {
		at, ok := a[0].Milliseconds()
		if !ok {
			return value.Value{}
		}
		return value.OfTime(b.floor(at))
	}, n.args[0])
	to.bin = b
	return to
}

// aggregate compiles a call of an aggregate; nil if it is none. Leaves of the result
// are keys, then aggregates.
func (s *scope) aggregate(e *syntax.Call) *node {
	kind, ok := aggregates[strings.ToLower(e.Name)]
	if !ok {
		return nil
	}
	sum, text := s.summary, s.c.text[e.Start:e.End]
	for i, a := range sum.aggregates {
		if a.text == text {
			return s.c.leaf(len(sum.keys) + i)
		}
	}
	a := aggregate{text: text, of: -1}
	switch {
	case e.Star && kind.star, len(e.Args) == 0 && kind.star:
	case e.Star || len(e.Args) != kind.args:
		at := e.Paren
		if !e.Star && len(e.Args) > kind.args {
			at = e.Args[kind.args].At()
		}
		panic(syntax.Unexpected(s.c.text, at))
	default:
		a.arg = s.outer.expr(e.Args[0])
	}
	var option value.Value
	if kind.args == 2 {
		n := s.outer.expr(e.Args[1])
		if n.kind != constant {
			panic(syntax.Errorf(s.c.text, e.Args[1].At(), "the second argument of %s must be a literal", e.Name))
		}
		option = n.value
	}
	var problem string
	if a.make, problem = kind.make(option); problem != "" {
		panic(syntax.Errorf(s.c.text, e.Args[1].At(), "%s", problem))
	}
	if _, ok := a.make().(*listing); ok {
		a.of = sum.listing(s.c.text, e)
	}
	sum.aggregates = append(sum.aggregates, a)
	return s.c.leaf(len(sum.keys) + len(sum.aggregates) - 1)
}

// listing is the aggregate that lists the numbers that a call is of, or -1.
func (sum *summary) listing(text string, e *syntax.Call) int {
	argument := text[e.Args[0].At().Start:e.Args[0].At().End]
	for i, a := range sum.aggregates {
		if _, ok := a.make().(*listing); ok && a.of < 0 && strings.HasPrefix(a.text[strings.IndexByte(a.text, '('):], "("+argument+",") {
			return i
		}
	}
	return -1
}

// An aggregateKind is a function of stats.
type aggregateKind struct {
	args int
	star bool // count(*), count()
	make func(option value.Value) (func() accumulator, string)
}

func plainly(make func() accumulator) func(value.Value) (func() accumulator, string) {
	return func(value.Value) (func() accumulator, string) { return make, "" }
}

func choosing(better func(value.Value, int64, value.Value, int64) bool) aggregateKind {
	return aggregateKind{args: 1, make: plainly(func() accumulator { return &best{better: better} })}
}

var aggregates = withOtherNames(map[string]aggregateKind{
	"count":          {args: 1, star: true, make: plainly(func() accumulator { return &counting{} })},
	"sum":            {args: 1, make: plainly(func() accumulator { return &summing{} })},
	"avg":            {args: 1, make: plainly(func() accumulator { return &summing{avg: true} })},
	"stddev":         {args: 1, make: plainly(func() accumulator { return &deviating{} })},
	"count_distinct": {args: 1, make: plainly(func() accumulator { return &distinct{} })},
	"min":            choosing(extreme(false)),
	"max":            choosing(extreme(true)),
	"earliest":       choosing(inTime(false)),
	"latest":         choosing(inTime(true)),
	"sortsfirst":     choosing(inOrder(false)),
	"sortslast":      choosing(inOrder(true)),
	"pct": {args: 2, make: func(option value.Value) (func() accumulator, string) {
		p, ok := option.Number()
		if !ok || p < 0 || p > 100 {
			return nil, "a percentile is a number from 0 to 100"
		}
		return func() accumulator { return &listing{finish: percentile(p)} }, ""
	}},
	"histogram": {args: 2, make: func(option value.Value) (func() accumulator, string) {
		n, ok := option.Number()
		if !ok || n < 1 || n > 1000 || n != float64(int(n)) {
			return nil, "a histogram has 1 to 1000 buckets"
		}
		return func() accumulator { return &listing{finish: histogram(int(n))} }, ""
	}},
	"rate": {args: 2, make: func(option value.Value) (func() accumulator, string) {
		ms, err := function.ParseDuration(option.String())
		if err != nil {
			return nil, err.Error()
		}
		return func() accumulator { return newRating(ms) }, ""
	}},
})

// withOtherNames adds the time series functions that are others by a further name.
func withOtherNames(kinds map[string]aggregateKind) map[string]aggregateKind {
	one := kinds["count"]
	one.star = false
	kinds["countovertime"], kinds["count_over_time"] = one, one
	kinds["sumovertime"], kinds["sum_over_time"] = kinds["sum"], kinds["sum"]
	return kinds
}

// A summing-up of rows: the groups and their aggregates, as one worker has them.
type totals struct {
	sum    *summary
	groups *grouping
	each   []accumulator
	memory *budget
	taken  int64
}

func newTotals(sum *summary, memory *budget) *totals {
	t := &totals{sum: sum, groups: newGrouping(len(sum.keys)), memory: memory}
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
	return slices.ContainsFunc(sum.aggregates, func(a aggregate) bool {
		switch x := a.make().(type) {
		case *best:
			return strings.HasPrefix(strings.ToLower(a.text), "earliest") || strings.HasPrefix(strings.ToLower(a.text), "latest")
		case *rating:
			_ = x
			return true
		}
		return false
	})
}

// grow makes room for the groups that there are.
func (t *totals) grow() {
	for _, a := range t.each {
		a.grow(len(t.groups.groups))
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
func (t *totals) add(f *frame) error {
	keys := make([]*vector, len(t.sum.keys))
	for i, k := range t.sum.keys {
		keys[i] = f.vector(k)
	}
	groups := t.groups.assign(f, keys)
	t.grow()
	var at *vector
	if t.sum.wantsTime() {
		at = f.vector(t.sum.time)
	}
	for i, a := range t.sum.aggregates {
		var in *vector
		if a.arg != nil {
			in = f.vector(a.arg)
		}
		if a.of < 0 {
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
	if n, ok := a.(numeric); ok && in.form == coded {
		for row, g := range groups {
			if x, ok := in.dict.numberAt(in.idAt(row)); ok {
				n.number(int(g), x)
			}
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
	for o := range from.groups.groups {
		g := int(t.groups.one(from.groups.values(int32(o))))
		t.grow()
		for i, a := range t.each {
			a.merge(g, from.each[i], o)
		}
	}
	return t.count()
}

// rows are the result: times among the keys newest first, other keys in ascending order.
func (t *totals) rows() [][]value.Value {
	if len(t.sum.keys) == 0 {
		t.groups.of(nil)
		t.grow()
	}
	var list [][]value.Value // keys and aggregates
	for g := range t.groups.groups {
		r := t.groups.values(int32(g))
		for i, a := range t.sum.aggregates {
			if a.of >= 0 {
				r = append(r, t.each[a.of].(*listing).by(a.make().(*listing).finish, g))
			} else {
				r = append(r, t.each[i].result(g))
			}
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b []value.Value) int {
		for i := range t.sum.keys {
			if o := keyOrder(a[i], b[i]); o != 0 {
				return o
			}
		}
		return 0
	})
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

// keyOrder is the order of groups by one key.
func keyOrder(a, b value.Value) int {
	switch x, y := a.Kind() == value.Time, b.Kind() == value.Time; {
	case x && y:
		return value.Order(b, a)
	case x:
		return -1
	case y:
		return 1
	}
	return value.Order(a, b)
}

// summarize runs a plan and sums its rows up.
func (x *execution) summarize(ctx context.Context, c *compiler, p *plan, sum *summary) (*table, error) {
	var all []*totals
	err := x.scan(ctx, p, x.window, sum.nodes(), scan.Any, nil, func(*worker) sink {
		t := newTotals(sum, x.memory)
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
	return sum.table(c, all[0].rows()), nil
}
