package insights

import (
	"context"
	"maps"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A view is what a table of events is made with: the columns that are shown, and those
// that the commands to come ask for.
type view struct {
	order *rowOrder
	names []string
	nodes []*node
	raw   map[string]bool // names of events' fields
}

func (x *execution) view(s *scope, rest []syntax.Command) *view {
	p := s.c.plan
	v := &view{order: newOrder(p, s.field(timestamp), s.field(pointer))}
	v.add(timestamp, s.resolve(timestamp))
	v.add(pointer, s.field(pointer))
	for _, list := range s.lists() {
		isUsual := list == &s.usual && (len(s.shown) > 0 || s.display) // nobody sees them
		for _, col := range *list {
			if looksAtShown(rest) && !isUsual {
				v.add(col.name, col.node)
			}
		}
	}
	for _, name := range fieldsOf(rest) {
		v.add(name, s.resolve(name))
	}
	v.raw = map[string]bool{}
	for i, n := range v.nodes {
		v.raw[v.names[i]] = n.kind == leaf && p.leaves[n.leaf].field == v.names[i]
	}
	return v
}

// looksAtShown reports whether the columns that are shown so far matter to commands to
// come, or to the result.
func looksAtShown(rest []syntax.Command) bool {
	for _, c := range rest {
		switch c := c.(type) {
		case *syntax.FillDown, *syntax.AppendCols:
			return true
		case *syntax.AddTotals:
			if len(c.Fields) == 0 {
				return true
			}
		case *syntax.Stats, *syntax.CountFrequent, *syntax.Pattern, *syntax.Display:
			return false
		}
	}
	return true
}

// lists are the lists of columns that may be shown.
func (s *scope) lists() []*[]shownColumn { return []*[]shownColumn{&s.shown, &s.usual, &s.made} }

func (v *view) add(name string, n *node) {
	if !slices.Contains(v.names, name) {
		v.names, v.nodes = append(v.names, name), append(v.nodes, n)
	}
}

// table makes a table of rows that have the view's nodes as cells.
func (v *view) table(s *scope, rows []orderedRow) *table {
	list := make([][]value.Value, len(rows))
	for i := range rows {
		list[i] = rows[i].cells
	}
	t := s.c.newTable(v.names, list)
	t.scope.shown, t.scope.display, t.scope.raw = nil, s.display, maps.Clone(v.raw)
	to := t.scope.lists()
	for i, list := range s.lists() {
		for _, col := range *list {
			if n := t.scope.names[col.name]; n != nil {
				*to[i] = append(*to[i], shownColumn{col.name, n})
			}
		}
	}
	t.time, t.ptr = t.scope.names[timestamp], t.scope.names[pointer]
	return t
}

// gather makes a table of all events.
func (x *execution) gather(ctx context.Context, s *scope, rest []syntax.Command, limit int) *table {
	v, p := x.view(s, rest), s.c.plan
	x.show(func(ctx context.Context, parts []any, most int) *Result {
		return x.finished(ctx, s.c, rest, min(limit, most), func(own *compiler) *table {
			return v.table(s.apart(own), v.order.rowsOf(parts, mostShown))
		})
	})
	rows, err := x.all(ctx, p, v.order, v.nodes)
	must(err)
	return v.table(s, rows)
}
