package insights

import (
	"context"
	"strconv"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// deduping keeps the first row, in the order that rows are wanted in, of each key; all
// rows of which a key is null.
type deduping struct {
	order  *rowOrder
	keys   []*node
	memory *budget
	first  map[string]*orderedRow
	others []orderedRow
	nodes  []*node // of rows that are shown while it runs
	// now reads values as rows come, for frames that would keep too much.
	now []*node
	x   *execution
}

func (*deduping) keeps() bool { return true }

func (d *deduping) add(f *frame) error {
	defer f.forget()
	read := d.order.read(f)
	keys := make([]*vector, len(d.keys))
	for i, k := range d.keys {
		keys[i] = f.vector(k)
	}
	values := make([]value.Value, len(keys))
	var buffer []byte
	size := int64(0)
	for row := range f.n {
		r := read.row(f, row)
		isNull := false
		buffer = buffer[:0]
		for i, k := range keys {
			values[i] = k.at(row)
			isNull = isNull || values[i].IsNull() || values[i].IsComposite()
			text := values[i].String()
			buffer = append(append(strconv.AppendInt(buffer, int64(len(text)), 10), ':'), text...)
		}
		old := d.first[string(buffer)]
		if !isNull && old != nil && d.order.compare(&r, old) >= 0 {
			continue
		}
		if d.now != nil {
			d.order.readPtr(&r)
			if err := d.x.readCells(&r, d.now); err != nil {
				return err
			}
			r.frame = nil
		}
		size += perRow
		switch {
		case isNull:
			d.others = append(d.others, r)
		case old == nil:
			d.first[string(buffer)] = &r
			size += int64(len(buffer)) + 48
		default:
			size -= perRow + old.size
			*old = r
		}
	}
	return d.memory.take(size)
}

// dedup runs a plan and gives the rows that dedup leaves.
func (x *execution) dedup(ctx context.Context, s *scope, e *syntax.Dedup, limit int) *table {
	view := x.view(s, nil)
	var keys []*node
	for _, k := range e.Fields {
		keys = append(keys, s.expr(k))
	}
	var all []*deduping
	nodes := append(append(view.order.nodes(), view.nodes...), keys...)
	order := scan.Newest
	if view.order.oldest {
		order = scan.Oldest
	}
	seen := x.view(s, []syntax.Command{e}) // with the keys, by which workers' rows are brought together
	if !s.c.plan.multiplies() {
		x.show(func(ctx context.Context, parts []any, most int) *Result {
			return x.finished(ctx, s.c, nil, min(limit, most), func(own *compiler) *table {
				t := seen.table(s.apart(own), view.order.rowsOf(parts, everything))
				t.dedup(e)
				return t
			})
		})
	}
	must(x.scan(ctx, s.c.plan, x.window, nodes, order, nil, func(*worker) sink {
		d := &deduping{order: view.order, keys: keys, memory: x.memory, first: map[string]*orderedRow{}, nodes: seen.nodes, x: x}
		if s.c.plan.multiplies() {
			d.now = view.nodes
		}
		all = append(all, d)
		return d
	}))
	merged := all[0]
	for _, d := range all[1:] {
		merged.others = append(merged.others, d.others...)
		for key, r := range d.first {
			if old := merged.first[key]; old == nil || view.order.compare(r, old) < 0 {
				merged.first[key] = r
			}
		}
	}
	rows := merged.others
	for _, r := range merged.first {
		rows = append(rows, *r)
	}
	view.order.sort(rows)
	must(x.readAll(ctx, rows, view.order, view.nodes))
	return view.table(s, rows)
}

// dedup leaves the first row of each key, and all rows of which a key is null.
func (t *table) dedup(e *syntax.Dedup) {
	var columns [][]value.Value
	for _, k := range e.Fields {
		columns = append(columns, t.column(t.scope.expr(k)))
	}
	seen := map[string]bool{}
	var out [][]value.Value
	for row, r := range t.rows {
		values := make([]value.Value, len(columns))
		for i, c := range columns {
			values[i] = c[row]
		}
		key, ok := joinKey(values)
		if !ok || !seen[key] {
			out = append(out, r)
		}
		seen[key] = true
	}
	t.rows = out
}
