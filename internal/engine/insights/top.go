package insights

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// top is the first rows of an order: limit. Columns are read for those that are left at
// the end alone.
type top struct {
	order  *rowOrder
	limit  int
	any    bool // any rows do
	cutoff *atomic.Int64
	memory *budget
	rows   []orderedRow
	bound  *orderedRow // what isn't before it needs not be kept
	taken  int64
	nodes  []*node // that are wanted of rows
	// now reads values as rows come, for frames that would keep too much.
	now []*node
	x   *execution
}

// perRow is roughly what a row costs that is kept, without its values.
const perRow = 160

func (*top) keeps() bool { return true }

func (t *top) add(f *frame) error {
	defer f.forget()
	keys := t.order.read(f)
	for row := range f.n {
		if at := keys.timeAt(row); t.bound != nil && t.order.byTime && at != t.bound.time && (at < t.bound.time) != t.order.oldest {
			continue
		}
		r := keys.row(f, row)
		if t.bound != nil && t.order.compare(&r, t.bound) > 0 {
			continue
		}
		if t.now != nil {
			t.order.readPtr(&r)
			if err := t.x.readCells(&r, t.now); err != nil {
				return err
			}
			r.frame = nil
		}
		t.rows = append(t.rows, r)
		if t.bound == nil && len(t.rows) == t.limit || len(t.rows) >= t.limit+max(t.limit, 256) {
			t.prune()
		}
	}
	if t.any && len(t.rows) >= t.limit {
		return errEnough
	}
	kept := int64(len(t.rows)) * perRow
	if err := t.memory.take(kept - t.taken); err != nil {
		return err
	}
	t.taken = kept
	return nil
}

// prune leaves the first rows, and lets the source know from which time on none is
// wanted any more.
func (t *top) prune() {
	t.order.sort(t.rows)
	for _, r := range t.rows[t.limit:] {
		t.memory.used.Add(-r.size)
	}
	clear(t.rows[t.limit:])
	t.rows = t.rows[:t.limit]
	if t.limit == 0 {
		return
	}
	last := t.rows[t.limit-1]
	t.bound = &last
	if !t.order.byTime {
		return
	}
	for {
		old := t.cutoff.Load()
		better := last.time > old
		if t.order.oldest {
			better = last.time < old
		}
		if !better || t.cutoff.CompareAndSwap(old, last.time) {
			return
		}
	}
}

// first runs a plan and gives its first rows, with the values of nodes.
func (x *execution) first(ctx context.Context, p *plan, order *rowOrder, nodes []*node, limit int, any bool) ([]orderedRow, error) {
	cutoff := new(atomic.Int64)
	cutoff.Store(x.window.from)
	if order.oldest {
		cutoff.Store(x.window.to)
	}
	var tops []*top
	err := x.scan(ctx, p, x.window, append(order.nodes(), nodes...), order.scan(), cutoff, func(*worker) sink {
		t := &top{order: order, limit: limit, any: any, cutoff: cutoff, memory: x.memory, nodes: nodes, x: x}
		if p.multiplies() {
			t.now = nodes
		}
		tops = append(tops, t)
		return t
	})
	if err != nil {
		return nil, err
	}
	var rows []orderedRow
	for _, t := range tops {
		rows = append(rows, t.rows...)
		t.rows, t.bound = nil, nil // what rows were found in may go as soon as they are read
	}
	order.sort(rows)
	clear(rows[min(limit, len(rows)):])
	rows = rows[:min(limit, len(rows))]
	return rows, x.readAll(ctx, rows, order, nodes)
}

// readAll reads the values of nodes for rows, and lets their frames go. Each worker reads
// the rows that it found, all of them at once: what a row's frame remembers is its worker's.
func (x *execution) readAll(ctx context.Context, rows []orderedRow, order *rowOrder, nodes []*node) error {
	byWorker := map[*worker][]*orderedRow{}
	for i := range rows {
		if f := rows[i].frame; f != nil {
			byWorker[f.w] = append(byWorker[f.w], &rows[i])
		}
	}
	var wait sync.WaitGroup
	errs := make([]error, 0, len(byWorker))
	for _, own := range byWorker {
		errs = append(errs, nil)
		err := &errs[len(errs)-1]
		wait.Go(func() {
			for i, r := range own {
				if i%256 == 0 && *err == nil {
					*err = ctx.Err()
				}
				if *err != nil {
					return
				}
				order.readPtr(r)
				if *err = x.readCells(r, nodes); *err == nil {
					r.frame = nil
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// readCells reads the values of nodes for a row.
func (x *execution) readCells(r *orderedRow, nodes []*node) error {
	return readCells(r, nodes, x.memory)
}

func readCells(r *orderedRow, nodes []*node, memory *budget) error {
	r.cells = make([]value.Value, len(nodes))
	at := frameRow{r.frame, int(r.row)}
	size := int64(40 * len(nodes))
	for i, n := range nodes {
		r.cells[i] = r.frame.w.of(n, &at)
		size += weight(r.cells[i])
	}
	r.size = size
	return memory.take(size)
}

// weight is roughly how much memory a value takes besides itself.
func weight(v value.Value) int64 {
	if v.Kind() == value.Text {
		return int64(len(v.String()))
	}
	size := int64(0)
	for _, k := range v.Keys() {
		size += int64(len(k)) + 16
	}
	for _, item := range v.Items() {
		size += 40 + weight(item)
	}
	return size
}

// all runs a plan and gives all its rows in order, with the values of nodes.
func (x *execution) all(ctx context.Context, p *plan, order *rowOrder, nodes []*node) ([]orderedRow, error) {
	var sinks []*gathering
	err := x.scan(ctx, p, x.window, append(order.nodes(), nodes...), order.scan(), nil, func(w *worker) sink {
		g := &gathering{x: x, order: order, nodes: nodes}
		sinks = append(sinks, g)
		return g
	})
	if err != nil {
		return nil, err
	}
	var rows []orderedRow
	for _, g := range sinks {
		rows = append(rows, g.rows...)
	}
	order.sort(rows)
	return rows, nil
}

// gathering keeps all rows.
type gathering struct {
	x     *execution
	order *rowOrder
	nodes []*node
	rows  []orderedRow
}

func (*gathering) keeps() bool { return false }

func (g *gathering) add(f *frame) error {
	keys := g.order.read(f)
	for row := range f.n {
		r := keys.row(f, row)
		g.order.readPtr(&r)
		if err := g.x.readCells(&r, g.nodes); err != nil {
			return err
		}
		if err := g.x.memory.take(perRow); err != nil {
			return err
		}
		r.frame = nil
		g.rows = append(g.rows, r)
	}
	return nil
}
