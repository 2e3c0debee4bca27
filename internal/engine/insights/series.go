package insights

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/rows"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

func (t *table) field(f syntax.Field) []value.Value { return t.column(t.scope.resolve(f.Name)) }

func (t *table) fields(list []syntax.Field) (columns [][]value.Value) {
	for _, f := range list {
		columns = append(columns, t.field(f))
	}
	return columns
}

func (t *table) accum(e *syntax.Accum) { t.add(e.As, rows.Accum(t.field(e.Field))) }

// autoregress adds f_p1 and so on; of one row before, an alias is the whole name.
func (t *table) autoregress(e *syntax.Autoregress) {
	values := t.field(e.Field)
	for p := e.From; p <= e.To; p++ {
		name := e.As
		if e.As == e.Field.Name || e.From != e.To {
			name = fmt.Sprintf("%s_p%d", e.As, p)
		}
		t.add(name, rows.Autoregress(values, p))
	}
}

func (t *table) fillDown(e *syntax.FillDown) {
	for _, col := range t.scope.columns() {
		if len(e.Fields) == 0 || slices.ContainsFunc(e.Fields, func(f syntax.String) bool { return fits(f.Text, col.name) }) {
			t.add(col.name, rows.FillDown(t.column(col.node)))
		}
	}
}

// fits reports whether a name is the pattern, or begins as one that ends in *.
func fits(pattern, name string) bool {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, begin)
	}
	return name == pattern
}

// fillMissing adds rows for the bins between the first and the last that have none, for
// each combination of the other keys of stats, and orders all as stats does.
func (t *table) fillMissing(e *syntax.FillMissing) {
	if t.bins == nil {
		panic(syntax.Unexpected(t.scope.c.text, nameOf(t.scope.c.text, e)))
	}
	constants := map[int]value.Value{} // by column
	for i, f := range e.Fields {
		n := t.scope.expr(e.Values[i])
		if mentions(e.Values[i]) || n.kind != constant {
			panic(syntax.Errorf(t.scope.c.text, e.Values[i].At(), "the value for %s must be a literal", f.Name))
		}
		if column := t.scope.names[f.Name]; column != nil && column.kind == leaf {
			constants[column.leaf] = n.value
		}
	}
	bins := t.column(t.bins.column)
	for _, group := range t.groups(t.bins.others) {
		there := map[int64]bool{}
		for _, row := range group {
			if ms, ok := bins[row].Milliseconds(); ok {
				there[ms] = true
			}
		}
		for _, at := range rows.Missing(t.span(bins, there), t.bins.bin.next) {
			row := make([]value.Value, len(t.rows[group[0]]))
			for _, k := range t.bins.others {
				row[k.leaf] = t.rows[group[0]][k.leaf]
			}
			for column, v := range constants {
				row[column] = v
			}
			row[t.bins.column.leaf] = value.OfTime(at)
			t.rows = append(t.rows, row)
			if len(t.rows) > MaxLimit {
				panic(failure{fmt.Errorf("fillmissing would make more than %d rows: use longer bins", MaxLimit)})
			}
		}
	}
	keys := append([]*node{t.bins.column}, t.bins.others...)
	slices.SortStableFunc(t.rows, func(a, b []value.Value) int {
		for _, k := range keys {
			x, y := value.RankOf(a[k.leaf]), value.RankOf(b[k.leaf])
			if o := keyOrder(&x, &y); o != 0 {
				return o
			}
		}
		return 0
	})
}

// mentions reports whether an expression has a field in it.
func mentions(e syntax.Expr) (found bool) {
	syntax.Walk(e, func(e syntax.Expr) bool {
		_, isField := e.(*syntax.Field)
		found = found || isField
		return true
	})
	return found
}

// span are the bins of a group, with the first and the last of all groups beside them,
// which are added to the group's rows where they are missing there.
func (t *table) span(all []value.Value, there map[int64]bool) []value.Value {
	first, last, some := int64(0), int64(0), false
	for _, v := range all {
		if ms, ok := v.Milliseconds(); ok {
			if !some {
				first, last, some = ms, ms, true
			}
			first, last = min(first, ms), max(last, ms)
		}
	}
	list := []value.Value{}
	if !some {
		return list
	}
	// Missing leaves out what is there, and gives what lies between: a bin before the
	// first and one after the last let it give those, too.
	for ms := range there {
		list = append(list, value.OfTime(ms))
	}
	if !there[first] {
		list = append(list, value.OfTime(t.bins.bin.floor(first-1)))
	}
	if !there[last] {
		list = append(list, value.OfTime(t.bins.bin.next(last)))
	}
	return list
}

// groups are the rows that agree on keys.
func (t *table) groups(keys []*node) [][]int {
	var list [][]int
	index := map[string]int{}
	for row, r := range t.rows {
		key := ""
		for _, k := range keys {
			key += fmt.Sprintf("%d:%s", r[k.leaf].Kind(), r[k.leaf].JSON()) + "\x00"
		}
		i, ok := index[key]
		if !ok {
			i = len(list)
			index[key] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], row)
	}
	return list
}

func (b *binning) next(at int64) int64 { return b.period.Next(at-b.offset) + b.offset }

// outlier removes rows with numbers beyond the fence, or moves the numbers to it.
func (t *table) outlier(e *syntax.Outlier) {
	out := make([]bool, len(t.rows))
	for _, f := range e.Fields {
		values := t.field(f)
		fence := rows.NewFence(values, e.Param, e.UseLower)
		marks, clamped := make([]value.Value, len(values)), make([]value.Value, len(values))
		for i, v := range values {
			isOut := fence.Out(v)
			out[i] = out[i] || isOut
			marks[i], clamped[i] = value.OfBool(isOut), fence.Clamp(v)
		}
		if !e.Remove {
			t.add(f.Name, clamped)
		}
		if e.Mark {
			t.add(f.Name+"_outlier", marks)
		}
	}
	if !e.Remove {
		return
	}
	var kept [][]value.Value
	for i, r := range t.rows {
		if !out[i] {
			kept = append(kept, r)
		}
	}
	t.rows = kept
}

func (t *table) sessionize(e *syntax.Sessionize) {
	span := int64(rows.DefaultSpan)
	if e.MaxSpan != nil {
		ms, err := function.ParseDuration(e.MaxSpan.Text)
		if err != nil {
			panic(syntax.Errorf(t.scope.c.text, e.MaxSpan.Span, "%v", err))
		}
		span = ms
	}
	t.add(e.As, rows.Sessions(t.fields(e.Fields), t.column(t.scope.resolve(timestamp)), span))
}

// addTotals adds a column with each row's sum, and a row with each column's. Of columns
// it takes those named, or else all that are shown.
func (t *table) addTotals(e *syntax.AddTotals) {
	var names []string
	for _, f := range e.Fields {
		names = append(names, f.Name)
	}
	columns := t.fields(e.Fields)
	if len(e.Fields) == 0 {
		for _, col := range t.scope.columns() {
			if col.name != timestamp && col.name != pointer {
				names, columns = append(names, col.name), append(columns, t.column(col.node))
			}
		}
	}
	if e.Row {
		t.add(e.Name, rows.RowTotals(columns, len(t.rows)))
	}
	if !e.Col {
		return
	}
	// The columns become ones of their own: what they were computed from has no value in
	// the new row.
	width := len(t.scope.c.plan.leaves)
	t.rows = append(t.rows, make([]value.Value, width))
	for i, name := range names {
		t.add(name, append(slices.Clip(columns[i]), rows.ColumnTotal(columns[i])))
	}
}
