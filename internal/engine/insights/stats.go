package insights

import (
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A summary is stats compiled: keys, aggregates, and columns, which are expressions over
// both, keys first. A column may use the aliases of those before it, outside of aggregates:
// within them names are still those of events.
type summary struct {
	keys       []*node
	aggregates []aggregate
	columns    []shownColumn
	time       *node // of earliest, latest and rate
}

// An aggregate is one function of stats and what it is asked for; nil is any row.
type aggregate struct {
	make  func() accumulator
	arg   *node
	text  string
	timed bool // it asks for events' times, too
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
		n := out.expr(col.Expr)
		sum.columns = put(sum.columns, col.Name, n)
		if col.Alias {
			out.define(col.Name, n) // for the columns after it
		}
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
	a := aggregate{text: text, of: -1, timed: kind.timed}
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
	args  int
	star  bool // count(*), count()
	timed bool
	make  func(option value.Value) (func() accumulator, string)
}

func plainly(make func() accumulator) func(value.Value) (func() accumulator, string) {
	return func(value.Value) (func() accumulator, string) { return make, "" }
}

func choosing(order int8, better func(value.Value, int64, value.Value, int64) bool) aggregateKind {
	return aggregateKind{args: 1, make: plainly(func() accumulator { return &best{order: order, better: better} })}
}

func timely(k aggregateKind) aggregateKind { k.timed = true; return k }

var aggregates = withOtherNames(map[string]aggregateKind{
	"count":          {args: 1, star: true, make: plainly(func() accumulator { return &counting{} })},
	"sum":            {args: 1, make: plainly(func() accumulator { return &summing{} })},
	"avg":            {args: 1, make: plainly(func() accumulator { return &summing{avg: true} })},
	"stddev":         {args: 1, make: plainly(func() accumulator { return &deviating{} })},
	"count_distinct": {args: 1, make: plainly(func() accumulator { return newDistinct() })},
	"min":            choosing(-1, extreme(false)),
	"max":            choosing(1, extreme(true)),
	"earliest":       timely(choosing(0, inTime(false))),
	"latest":         timely(choosing(0, inTime(true))),
	"sortsfirst":     choosing(-1, inOrder(false)),
	"sortslast":      choosing(1, inOrder(true)),
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
	"rate": {args: 2, timed: true, make: func(option value.Value) (func() accumulator, string) {
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
