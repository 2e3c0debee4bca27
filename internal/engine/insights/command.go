package insights

import (
	"context"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// command runs a command on a table.
func (x *execution) command(ctx context.Context, t *table, command syntax.Command) *table {
	switch e := command.(type) {
	case *syntax.Stats:
		t, err := t.summarize(e, x.memory)
		must(err)
		return t
	case *syntax.CountFrequent:
		t, err := t.frequencies(e, x.memory)
		must(err)
		return t
	case *syntax.Dedup:
		t.dedup(e)
	case *syntax.Accum:
		t.accum(e)
	case *syntax.Autoregress:
		t.autoregress(e)
	case *syntax.FillDown:
		t.fillDown(e)
	case *syntax.FillMissing:
		t.fillMissing(e)
	case *syntax.Outlier:
		t.outlier(e)
	case *syntax.Sessionize:
		t.sessionize(e)
	case *syntax.AddTotals:
		t.addTotals(e)
	case *syntax.Pattern:
		return t.pattern(e)
	case *syntax.AppendCols:
		x.appendCols(ctx, t, e)
	default:
		if !t.scope.event(command) {
			panic(syntax.Unexpected(t.scope.c.text, nameOf(t.scope.c.text, command)))
		}
		t.apply()
	}
	must(x.memory.take(int64(len(t.rows)) * 40))
	return t
}

// frequencies is countFrequent as stats.
func (s *scope) frequencies(e *syntax.CountFrequent) *summary {
	sum := &summary{time: s.resolve(timestamp)}
	for i, f := range e.Fields {
		sum.keys = append(sum.keys, s.resolve(f.Name))
		sum.columns = put(sum.columns, f.Name, s.c.leaf(i))
	}
	sum.aggregates = []aggregate{{of: -1, make: func() accumulator { return &counting{} }}}
	sum.columns = put(sum.columns, frequency, s.c.leaf(len(sum.keys)))
	return sum
}

const frequency = "_approxcount"

func (t *table) frequencies(e *syntax.CountFrequent, memory *budget) (*table, error) {
	sum := t.scope.frequencies(e)
	out, err := t.sum(sum, memory)
	if err != nil {
		return nil, err
	}
	out.sortByCount()
	return out, nil
}

func (t *table) sortByCount() {
	t.sort([]orderKey{{t.scope.names[frequency], true}})
}

// appendCols puts a subquery's columns beside the rows: the first beside the first, and
// so on. Without override, columns that are there stay as they are.
func (x *execution) appendCols(ctx context.Context, t *table, e *syntax.AppendCols) {
	within, cancel := context.WithTimeoutCause(ctx, subqueryTime, errSlowSubquery)
	defer cancel()
	result := x.query(within, e.Sub, windowOf(e.Sub, x.window, x.env.Now), e.Max)
	for i, name := range result.Columns {
		values := make([]value.Value, len(t.rows))
		at := slices.IndexFunc(t.scope.columns(), func(c shownColumn) bool { return c.name == name })
		if at >= 0 && !e.Override {
			continue
		}
		if at >= 0 {
			values = t.column(t.scope.columns()[at].node)
		}
		for row := range min(len(values), len(result.Rows)) {
			values[row] = result.Rows[row].Values[i]
		}
		t.add(name, values)
	}
}
