package insights

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// Run runs the query. It ends with ctx's error when ctx does.
func (q *Query) Run(ctx context.Context, env Env) (*Result, error) { return q.run(ctx, env, false) }

func (q *Query) run(ctx context.Context, env Env, dry bool) (*Result, error) {
	if env.Progress == nil {
		env.Progress = &Progress{}
	}
	if env.Memory == 0 {
		env.Memory = DefaultMemory
	}
	r := &runner{env: &env, dry: dry, memory: &budget{limit: env.Memory}, main: q.tree}
	var result *Result
	err := catch(func() {
		limit := env.Limit
		if limit <= 0 {
			limit = DefaultLimit
		}
		result = r.query(ctx, q.tree, windowOf(q.tree, window{env.Start, env.End}, env.Now), limit)
	})
	return result, err
}

// A runner runs a query and its subqueries.
type runner struct {
	env    *Env
	dry    bool // over nothing, to find what is wrong with the query
	memory *budget
	main   *syntax.Query
}

func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// query runs a query over a window of time. What was cut short by ctx is no result.
func (r *runner) query(ctx context.Context, q *syntax.Query, at window, limit int) *Result {
	result := r.commands(ctx, q, at, limit)
	must(ctx.Err())
	return result
}

func (r *runner) commands(ctx context.Context, q *syntax.Query, at window, limit int) *Result {
	any := false
	for _, c := range q.Commands {
		if l, ok := c.(*syntax.Limit); ok {
			limit, any = l.N, l.Any
		}
	}
	x, c, s := r.prepare(ctx, q, at)
	rest := c.events(s, q.Commands)
	if len(rest) == 0 {
		return x.top(ctx, s, limit, any)
	}
	t, rest := x.block(ctx, s, rest, limit)
	for _, command := range rest {
		t = x.command(ctx, t, command)
		must(ctx.Err())
	}
	return t.result(limit)
}

// prepare makes what a run of a query needs.
func (r *runner) prepare(ctx context.Context, q *syntax.Query, at window) (*execution, *compiler, *scope) {
	source, err := r.env.Open(ctx, selection(q))
	must(err)
	x := &execution{runner: r, source: source, window: at, main: q == r.main}
	c := &compiler{
		text: q.Text, plan: &plan{}, x: x, ctx: ctx,
		context: &function.Context{Now: r.env.Now, QueryStart: at.from, QueryEnd: at.to, Zone: r.env.Zone, Until: ctx},
	}
	return x, c, c.newScope()
}

// top is the result of a query of which no command looks at all rows.
func (x *execution) top(ctx context.Context, s *scope, limit int, any bool) *Result {
	order := newOrder(s.c.plan, s.field(timestamp), s.field(pointer))
	columns := s.columns()
	nodes := make([]*node, len(columns))
	result := &Result{}
	for i, col := range columns {
		nodes[i] = col.node
		result.Columns = append(result.Columns, col.name)
	}
	if any {
		any = len(s.c.plan.order) == 0
	}
	x.showRows(order, result.Columns, limit)
	rows, err := x.first(ctx, s.c.plan, order, nodes, limit, any)
	must(err)
	result.Rows = order.events(rows)
	return result
}

// events are rows of events as those of a result.
func (o *rowOrder) events(rows []orderedRow) (list []Row) {
	for i := range rows {
		o.readPtr(&rows[i])
		list = append(list, Row{Values: rows[i].cells, Ptr: rows[i].ptr})
	}
	return list
}

// result is a table as a result.
func (t *table) result(limit int) *Result {
	columns := t.scope.columns()
	result := &Result{}
	for _, col := range columns {
		result.Columns = append(result.Columns, col.name)
	}
	var s scratch
	for _, cellsOf := range t.rows[:min(limit, len(t.rows))] {
		row := Row{Values: make([]value.Value, len(columns))}
		for i, col := range columns {
			row.Values[i] = s.of(col.node, cells(cellsOf))
		}
		if t.ptr != nil {
			row.Ptr = s.of(t.ptr, cells(cellsOf)).String()
		}
		result.Rows = append(result.Rows, row)
	}
	return result
}

// block runs the first command that looks at all rows, and those before it, and gives
// what is left to do. If that is nothing, the first rows are enough, up to a limit.
func (x *execution) block(ctx context.Context, s *scope, rest []syntax.Command, limit int) (*table, []syntax.Command) {
	switch e := rest[0].(type) {
	case *syntax.Stats:
		sum, rows := s.stats(e), limit
		if slices.ContainsFunc(rest[1:], func(c syntax.Command) bool { _, is := c.(*syntax.Limit); return !is }) {
			rows = everything
		}
		x.showTotals(s.c, sum, rest[1:], limit, false)
		t, err := x.summarize(ctx, s.c, s.c.plan, sum, rows)
		must(err)
		return t, rest[1:]
	case *syntax.CountFrequent:
		sum := s.frequencies(e)
		x.showTotals(s.c, sum, rest[1:], limit, true)
		t, err := x.summarize(ctx, s.c, s.c.plan, sum, everything)
		must(err)
		t.sortByCount()
		return t, rest[1:]
	case *syntax.Dedup:
		return x.dedup(ctx, s, e, limit), rest[1:]
	case *syntax.Pattern, *syntax.Diff, *syntax.LogCompare:
		return x.patterns(ctx, s, rest, limit)
	case *syntax.RelevantFields:
		return x.relevant(ctx, s, e, rest[1:], limit), rest[1:]
	case *syntax.Estimate:
		return x.estimate(ctx, s), rest[1:]
	}
	return x.gather(ctx, s, rest, limit), rest
}

// everything is no limit.
const everything = math.MaxInt32

// fieldsOf are the names of fields that commands mention up to the next that makes
// groups of rows.
func fieldsOf(commands []syntax.Command) (names []string) {
	for _, c := range commands {
		var walk func(v reflect.Value)
		walk = func(v reflect.Value) {
			switch v.Kind() {
			case reflect.Interface, reflect.Pointer:
				if _, ok := v.Interface().(*syntax.Query); !ok && !v.IsNil() {
					if _, ok := v.Interface().(*syntax.Regex); !ok {
						walk(v.Elem())
					}
				}
			case reflect.Slice:
				for i := range v.Len() {
					walk(v.Index(i))
				}
			case reflect.Struct:
				switch f := v.Interface().(type) {
				case syntax.Field:
					names = append(names, f.Name)
				case syntax.LookupField:
					names = append(names, f.As)
				case syntax.Access:
					if _, name, ok := path(&f); ok {
						names = append(names, name)
					}
				case syntax.Call:
					names = append(names, implicit(f)...)
				}
				for i := range v.NumField() {
					walk(v.Field(i))
				}
			}
		}
		walk(reflect.ValueOf(c))
		switch c.(type) {
		case *syntax.Stats:
			return names
		case *syntax.Unnest, *syntax.Expand:
			names = append(names, message)
		}
	}
	return names
}

// implicit is the field that a function is of without saying so.
func implicit(c syntax.Call) []string {
	if f, ok := function.Lookup(c.Name); ok && f.HasImplicit(len(c.Args)) {
		return []string{f.Implicit}
	}
	return nil
}

// subqueryTime is how long a subquery may take.
const subqueryTime = 30 * time.Second

// errSlowSubquery says that a subquery took too long.
var errSlowSubquery = fmt.Errorf("a subquery took longer than %v: narrow its time range or its filters", subqueryTime)

// values are the values of the first column of a subquery's result.
func (r *runner) values(ctx context.Context, sub *syntax.Query) []value.Value {
	within, cancel := context.WithTimeoutCause(ctx, subqueryTime, errSlowSubquery)
	defer cancel()
	var result *Result
	err := catch(func() {
		result = r.query(within, sub, windowOf(sub, window{r.env.Start, r.env.End}, r.env.Now), DefaultLimit)
	})
	if err != nil && errors.Is(context.Cause(within), errSlowSubquery) {
		err = errSlowSubquery
	}
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		panic(wrong)
	}
	must(err)
	var list []value.Value
	for _, row := range result.Rows {
		if len(row.Values) > 0 {
			list = append(list, row.Values[0])
		}
	}
	return list
}
