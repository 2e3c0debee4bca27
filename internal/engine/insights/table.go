package insights

import (
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A table is rows that a command left which looks at all of them: of events or of
// groups. Commands after it work row by row; a row only ever grows, so that nodes made
// before stay true.
type table struct {
	scope *scope
	rows  [][]value.Value
	ptr   *node // of rows that are events: @ptr
	time  *node // and @timestamp
	bins  *binColumn
}

// A binColumn is the first key of stats that is a bin, for fillmissing.
type binColumn struct {
	column *node
	bin    *binning
	others []*node // the other keys
}

// newTable is a table with columns of these names, all of them shown.
func (c *compiler) newTable(names []string, rows [][]value.Value) *table {
	c.plan = &plan{}
	s := &scope{c: c}
	for _, name := range names {
		n := c.leaf(c.addLeaf(leafInfo{own: true, extract: -1}))
		s.define(name, n)
		s.shown = append(s.shown, shownColumn{name, n})
	}
	return &table{scope: s, rows: rows}
}

// apply runs the steps and the order that a command has put into the plan.
func (t *table) apply() {
	p := t.scope.c.plan
	var s scratch
	for _, step := range p.steps {
		var out [][]value.Value
		switch step := step.(type) {
		case whereStep:
			for _, r := range t.rows {
				if s.of(step.node, cells(r)).True() {
					out = append(out, r)
				}
			}
		case *multiplyStep:
			inputs := make([]value.Value, len(step.inputs))
			for _, r := range t.rows {
				for i, n := range step.inputs {
					inputs[i] = s.of(n, cells(r))
				}
				step.rows(inputs, func(own ...value.Value) {
					out = append(out, append(slices.Clone(r), own...))
				})
			}
		}
		t.rows = out
	}
	p.steps = nil
	if len(p.order) > 0 {
		t.sort(p.order)
		p.order = nil
	}
}

// sort orders the rows by keys; those that agree stay as they are.
func (t *table) sort(keys []orderKey) {
	type keyed struct {
		keys []value.Rank
		row  []value.Value
	}
	var s scratch
	list := make([]keyed, len(t.rows))
	for i, r := range t.rows {
		list[i].row = r
		for _, k := range keys {
			list[i].keys = append(list[i].keys, value.RankOf(s.of(k.node, cells(r))))
		}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		for i, k := range keys {
			o := a.keys[i].Compare(&b.keys[i])
			if k.desc {
				o = -o
			}
			if o != 0 {
				return o
			}
		}
		return 0
	})
	for i := range list {
		t.rows[i] = list[i].row
	}
}

// column computes a node for all rows.
func (t *table) column(n *node) []value.Value {
	var s scratch
	out := make([]value.Value, len(t.rows))
	for i, r := range t.rows {
		out[i] = s.of(n, cells(r))
	}
	return out
}

// add adds a column of values to all rows and gives it a name.
func (t *table) add(name string, values []value.Value) *node {
	n := t.scope.c.leaf(t.scope.c.addLeaf(leafInfo{own: true, extract: -1}))
	for i, r := range t.rows {
		t.rows[i] = append(slices.Clip(r), values[i])
	}
	t.set(name, n)
	return n
}

// set gives a column a name, in the place of one that is shown by this name.
func (t *table) set(name string, n *node) {
	s := t.scope
	for i, c := range s.shown {
		if c.name == name {
			s.shown[i].node = n
			s.define(name, n)
			return
		}
	}
	s.make(name, n)
}

// summarize sums the rows up.
func (t *table) summarize(e *syntax.Stats, memory *budget) (*table, error) {
	return t.sum(t.scope.stats(e), memory)
}

func (t *table) sum(sum *summary, memory *budget) (*table, error) {
	totals := newTotals(sum, memory)
	var s scratch
	for _, r := range t.rows {
		if err := totals.one(&s, cells(r)); err != nil {
			return nil, err
		}
	}
	return sum.table(t.scope.c, totals.rows(everything)), nil
}

// table is the result of a summary as a table.
func (sum *summary) table(c *compiler, rows [][]value.Value) *table {
	names := make([]string, len(sum.columns))
	for i, col := range sum.columns {
		names[i] = col.name
	}
	t := c.newTable(names, rows)
	for i, k := range sum.keys {
		if n := sum.keyColumn(t.scope, i); n != nil && k.bin != nil {
			t.bins = &binColumn{column: n, bin: k.bin}
			break
		}
	}
	for i := range sum.keys {
		if n := sum.keyColumn(t.scope, i); n != nil && t.bins != nil && n != t.bins.column {
			t.bins.others = append(t.bins.others, n)
		}
	}
	return t
}

// keyColumn is the column of a key; nil if another has taken its name.
func (sum *summary) keyColumn(s *scope, key int) *node {
	for _, col := range sum.columns {
		if col.node.kind == leaf && col.node.leaf == key {
			return s.names[col.name]
		}
	}
	return nil
}
