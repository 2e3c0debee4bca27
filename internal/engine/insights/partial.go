package insights

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
)

// A Partial shows what a query has found so far while it runs (Env.Partial). The zero value
// is ready. A query that nobody looks at pays an uncontended lock for each batch.
//
// Shown are the first rows of an order, of dedup, of groups, the patterns of messages, the
// fields that go with a condition, and what later commands make of these, as far as no
// subquery is among them; of what takes too much to bring together nothing more is.
type Partial struct {
	looking sync.Mutex // one at a time
	mu      sync.Mutex
	now     *unfinished
	last    *Result
}

// mostShown bounds what is brought together for one look, in bytes of rows or groups of all
// workers.
const mostShown = 64 << 20

// ShownAfter is how many bytes may be brought together, at about 5 ns each, of a query that
// has run so long, for it to lose three per cent.
func ShownAfter(ran time.Duration) int64 {
	return min(ran.Milliseconds()*6_000, mostShown)
}

// Result is the first rows of what is known by now, so many at most; nil if there is
// nothing to show. It waits for workers to end their batches as long as ctx lasts; of those
// that don't it shows what they had before. If there are more bytes than so many, it is
// what it was before.
func (p *Partial) Result(ctx context.Context, rows int, bytes int64) *Result {
	p.looking.Lock()
	defer p.looking.Unlock()
	p.mu.Lock()
	u := p.now
	p.mu.Unlock()
	if u == nil {
		return p.last
	}
	parts := u.look(ctx, glimpse{rows, min(bytes, mostShown) / int64(len(u.workers))})
	if slices.ContainsFunc(parts, func(part any) bool { _, is := part.(tooMuch); return is }) {
		return p.last
	}
	var result *Result
	if err := catch(func() { result = u.result(context.WithoutCancel(ctx), parts, rows) }); err == nil && result != nil {
		p.last = result
	}
	return p.last
}

// Forget lets go of what was shown last.
func (p *Partial) Forget() {
	p.looking.Lock()
	defer p.looking.Unlock()
	p.last = nil
}

// unfinished is a scan that is looked at.
type unfinished struct {
	workers []*worker
	// result brings together what workers have. It must not change it.
	result func(ctx context.Context, parts []any, rows int) *Result

	mu    sync.Mutex
	asked []bool // somebody waits for the worker
	parts []any  // what the worker had, when it was asked last
}

// A showing is a sink that can say what it has so far. It is asked between batches.
type showing interface {
	// sofar is what unfinished.result needs of the sink, or tooMuch; it never changes
	// afterwards.
	sofar(g glimpse) any
}

// A glimpse is what is wanted of a worker: so many rows are enough, and so many bytes may
// be brought together.
type glimpse struct {
	rows  int
	bytes int64
}

// tooMuch stands for what would take too much to bring together.
type tooMuch struct{}

// show lets the scan that is next be looked at, if it is the query's own.
func (x *execution) show(result func(ctx context.Context, parts []any, rows int) *Result) {
	if x.main && x.env.Partial != nil {
		x.shown = &unfinished{result: result}
	}
}

// begin lets others look. The end, which the result is to be called at, waits for those
// who do.
func (u *unfinished) begin(p *Partial, workers []*worker) (end func()) {
	u.workers, u.asked, u.parts = workers, make([]bool, len(workers)), make([]any, len(workers))
	p.mu.Lock()
	p.now = u
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		p.now = nil
		p.mu.Unlock()
		for _, w := range workers {
			w.busy.Lock() // who has it looks
			w.ended = true
			w.busy.Unlock()
		}
	}
}

// look asks all workers.
func (u *unfinished) look(ctx context.Context, g glimpse) []any {
	told := make(chan struct{}, len(u.workers))
	waiting := 0
	u.mu.Lock()
	for i, w := range u.workers {
		if u.asked[i] {
			continue
		}
		u.asked[i] = true
		waiting++
		go func() {
			part := u.ask(w, g)
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.asked[i] = false; part != nil {
				u.parts[i] = part
			}
			told <- struct{}{}
		}()
	}
	u.mu.Unlock()
	for ; waiting > 0; waiting-- {
		select {
		case <-told:
		case <-ctx.Done():
			waiting = 1
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.parts)
}

// ask is what a worker has, once it is between two batches.
func (u *unfinished) ask(w *worker, g glimpse) (part any) {
	w.busy.Lock()
	defer w.busy.Unlock()
	if s, ok := w.sink.(showing); ok && !w.ended {
		_ = catch(func() { part = s.sofar(g) }) // what can't be shown is not
	}
	return part
}

// finished is the result that a table leads to by the commands to come. The table is made
// with a compiler of its own, for the query's compiles at the same time.
func (x *execution) finished(ctx context.Context, c *compiler, rest []syntax.Command, limit int, begin func(c *compiler) *table) *Result {
	if slices.ContainsFunc(rest, hasSubquery) {
		return nil
	}
	env := *x.env
	env.Progress = &Progress{}
	apart := &execution{runner: &runner{env: &env, memory: &budget{limit: env.Memory}}, source: x.source, window: x.window}
	own := &compiler{text: c.text, context: c.context, plan: &plan{}, x: apart, ctx: ctx}
	t := begin(own)
	for _, command := range rest {
		t = apart.command(ctx, t, command)
	}
	return t.result(limit)
}

// apart is the scope for another compiler.
func (s *scope) apart(c *compiler) *scope {
	out := *s
	out.c = c
	return &out
}

// sofar implements showing: the first rows, with their values.
func (t *top) sofar(g glimpse) any {
	if int64(len(t.rows))*perRow > g.bytes {
		return tooMuch{}
	}
	list := slices.Clone(t.rows)
	t.order.sort(list)
	return t.x.glimpsed(list[:min(g.rows, t.limit, len(list))], t.order, t.nodes, g)
}

// shownRows are the first rows of a worker, with their values.
type shownRows struct {
	rows []orderedRow
	cut  bool // there would be more, which took too many bytes
}

// glimpsed are rows with their values, apart from the frames they were found in.
func (x *execution) glimpsed(rows []orderedRow, order *rowOrder, nodes []*node, g glimpse) shownRows {
	memory := &budget{limit: g.bytes}
	for i := range rows {
		r := &rows[i]
		if r.frame == nil {
			continue
		}
		order.readPtr(r)
		if readCells(r, nodes, memory) != nil {
			return shownRows{rows[:i], true}
		}
		r.frame = nil
	}
	return shownRows{rows, false}
}

// rowsOf are the first rows of what workers have: none behind the last that is known of one
// that has more.
func (o *rowOrder) rowsOf(parts []any, rows int) (all []orderedRow) {
	var end *orderedRow
	for _, p := range parts {
		of, _ := p.(shownRows)
		if of.cut && len(of.rows) == 0 {
			return nil
		}
		if of.cut {
			if last := &of.rows[len(of.rows)-1]; end == nil || o.compare(last, end) < 0 {
				end = last
			}
		}
		all = append(all, of.rows...)
	}
	o.sort(all)
	if end != nil {
		all = all[:sort.Search(len(all), func(i int) bool { return o.compare(&all[i], end) > 0 })]
	}
	return all[:min(rows, len(all))]
}

// sofar implements showing.
func (g *gathering) sofar(wanted glimpse) any {
	if int64(len(g.rows))*(perRow+perField*int64(len(g.nodes))) > wanted.bytes {
		return tooMuch{}
	}
	return shownRows{rows: slices.Clip(g.rows)}
}

// perField is roughly what commands on a table cost for each field, as bytes.
const perField = 40

// sofar implements showing: the first rows of those that dedup leaves.
func (d *deduping) sofar(g glimpse) any {
	if int64(len(d.first)+len(d.others))*perRow > g.bytes {
		return tooMuch{}
	}
	all := slices.Clone(d.others)
	for _, r := range d.first {
		all = append(all, *r)
	}
	d.order.sort(all)
	return d.x.glimpsed(all[:min(g.rows, len(all))], d.order, d.nodes, g)
}

// sofar implements showing.
func (t *totals) sofar(g glimpse) any {
	if t.taken > g.bytes {
		return tooMuch{}
	}
	return t.apart()
}

// apart is a copy, for others to merge: these grow, and merging may keep what it is given.
func (t *totals) apart() *totals {
	out := &totals{sum: t.sum, groups: &grouping{codes: slices.Clone(t.groups.codes), count: t.groups.count}}
	for _, k := range t.groups.keys {
		out.groups.keys = append(out.groups.keys, &interner{values: slices.Clone(k.values)})
	}
	for i, a := range t.each {
		out.each = append(out.each, apart(a, t.sum.aggregates[i], t.groups.count))
	}
	return out
}

// apart is a copy of an accumulator of so many groups.
func apart(a accumulator, of aggregate, groups int) accumulator {
	switch a := a.(type) {
	case sharing:
		return a
	case *listing:
		return a.apart()
	case *distinct:
		defer func() { a.groups = nil }() // merging made them of what there is now
	}
	out := of.make()
	out.grow(groups)
	for g := range groups {
		out.merge(g, a, g)
	}
	return out
}

// apart is a copy of numbers that were not merged with others.
func (l *listing) apart() *listing {
	out := &listing{full: slices.Clip(l.full), last: numbered{slices.Clip(l.last.numbers), slices.Clip(l.last.groups)}, listed: slices.Clone(l.listed), counted: l.counted, finish: l.finish}
	for _, c := range l.counts {
		out.counts = append(out.counts, slices.Clone(c))
	}
	return out
}

// showRows lets the first rows of an order be looked at while more are found.
func (x *execution) showRows(order *rowOrder, columns []string, limit int) {
	x.show(func(_ context.Context, parts []any, most int) *Result {
		return &Result{Columns: columns, Rows: order.events(order.rowsOf(parts, min(limit, most)))}
	})
}

// showTotals lets groups be looked at while they are made, by their count if byCount.
func (x *execution) showTotals(c *compiler, sum *summary, rest []syntax.Command, limit int, byCount bool) {
	x.show(func(ctx context.Context, parts []any, most int) *Result {
		return x.finished(ctx, c, rest, min(limit, most), func(own *compiler) *table {
			t := sum.table(own, sum.totalsOf(parts).rows(everything))
			if byCount {
				t.sortByCount()
			}
			return t
		})
	})
}

// totalsOf brings together what workers have.
func (sum *summary) totalsOf(parts []any) *totals {
	all := newTotals(sum, &budget{limit: DefaultMemory})
	for _, p := range parts {
		if t, ok := p.(*totals); ok {
			must(all.merge(t.apart()))
		}
	}
	return all
}
