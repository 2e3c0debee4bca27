package insights

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A worker is one goroutine of a scan, with what it remembers of dictionaries.
type worker struct {
	scratch
	busy   sync.Mutex // while it has a batch, and while somebody looks at its sink
	ended  bool       // nobody looks at its sink any more; guarded by busy
	single single
	plan   *plan
	ctx    context.Context
	bins   map[int]*binDict // by node
	floats arena[float64]
	ids    arena[uint32]
	dicts  map[*scan.Dictionary]*dict
	sink   sink
	err    error
	rows   int64 // that sinks were given
}

// A sink takes the rows that passed a plan's steps, those of one worker.
type sink interface {
	add(f *frame) error
	// keeps reports whether the sink keeps frames.
	keeps() bool
}

// mostDicts is how many dictionaries a worker remembers at a time.
const mostDicts = 512

func (w *worker) dictOf(d *scan.Dictionary) *dict {
	if got := w.dicts[d]; got != nil {
		return got
	}
	if len(w.dicts) >= mostDicts || w.dicts == nil {
		w.dicts = map[*scan.Dictionary]*dict{}
	}
	got := scannedDict(d)
	w.dicts[d] = got
	return got
}

// A window is the time that a query looks at, in milliseconds, both ends inclusive.
type window struct{ from, to int64 }

// An execution is one run of one query or subquery.
type execution struct {
	*runner
	source scan.Source
	window window
	main   bool        // of the query, not of a subquery
	shown  *unfinished // how to show the next scan while it runs
}

// errEnough ends a scan of which no more rows are wanted.
var errEnough = errors.New("no more rows are wanted")

// scan runs a plan over the source's events. Nodes are what sinks ask for; newSink makes
// one for each worker.
func (x *execution) scan(ctx context.Context, p *plan, at window, nodes []*node, order scan.Order, cutoff *atomic.Int64, newSink func(w *worker) sink) error {
	r := p.request(nodes)
	if p.narrowed {
		at = at.and(p.window)
	}
	r.From, r.To, r.Order, r.Cutoff = at.from, at.to, order, cutoff
	r.Workers = max(1, x.env.Workers)
	r.Progress, r.Damaged = &x.env.Progress.Progress, x.env.Damaged
	workers := make([]*worker, r.Workers)
	for i := range workers {
		w := &worker{plan: p, ctx: ctx}
		w.sink = newSink(w)
		w.floats.off, w.ids.off = w.sink.keeps(), w.sink.keeps()
		r.Passing = !w.sink.keeps()
		workers[i] = w
	}
	u := x.shown
	x.shown = nil // it is of this scan alone
	if r.From > r.To {
		return nil
	}
	if u != nil {
		defer u.begin(x.env.Partial, workers)()
	}
	err := x.source.Scan(ctx, r, func(i int, b *scan.Batch) bool {
		w := workers[i]
		w.err = w.safely(b, x.env.Progress)
		return w.err == nil && ctx.Err() == nil
	})
	for _, w := range workers {
		if w.err != nil && !errors.Is(w.err, errEnough) {
			return w.err
		}
	}
	if err != nil {
		return err
	}
	return ctx.Err()
}

// A BugError is a mistake of the engine's. It ends the query that met it, not the process.
type BugError struct {
	What  any
	Stack []byte
}

func (e *BugError) Error() string {
	return fmt.Sprintf("the query engine failed (%v): this is its mistake, not the query's", e.What)
}

// trace is where a goroutine is, as its stack says.
func trace() []byte {
	text := make([]byte, 16<<10)
	return text[:runtime.Stack(text, false)]
}

// safely is batch, in the source's goroutine: a panic there could be caught by nobody.
func (w *worker) safely(b *scan.Batch, progress *Progress) (err error) {
	w.busy.Lock()
	defer w.busy.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = &BugError{r, trace()}
		}
	}()
	return w.batch(b, progress)
}

// batch takes a batch through the plan's steps to the sink.
func (w *worker) batch(b *scan.Batch, progress *Progress) error {
	if b.Rows == 0 {
		return nil
	}
	w.floats.reset()
	w.ids.reset()
	return w.pass(&frame{w: w, n: b.Rows, batch: b}, w.plan.steps, progress)
}

// pass takes a frame through steps to the sink.
func (w *worker) pass(f *frame, steps []frameStep, progress *Progress) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if len(steps) == 0 {
		progress.Rows.Add(f.events())
		return w.sink.add(f)
	}
	return steps[0].apply(f, func(out *frame) error { return w.pass(out, steps[1:], progress) })
}

// An orderedRow is a row with what it is sorted by.
type orderedRow struct {
	time   int64
	keys   []value.Rank
	frame  *frame
	row    int32
	number int64  // of all rows of its worker, which all rows of an event have the same
	ptr    string // read when it is needed, with
	place  string // what it is ordered by
	cells  []value.Value
	size   int64 // of cells
}

// A rowOrder is the order of events: by keys, then newest first, then by @ptr, those that
// came last first. If the first key is the time, it goes by that before other keys, and
// oldest first turns @ptr's order, too.
type rowOrder struct {
	keys   []orderKey
	byTime bool
	oldest bool
	time   *node
	ptr    *node
}

// newOrder is the order that a plan's rows are wanted in.
func newOrder(p *plan, time, ptr *node) *rowOrder {
	o := &rowOrder{keys: p.order, time: time, ptr: ptr, byTime: len(p.order) == 0}
	if len(o.keys) > 0 && o.keys[0].node.kind == leaf && o.keys[0].node.leaf == time.leaf {
		o.byTime, o.oldest, o.keys = true, !o.keys[0].desc, o.keys[1:]
	}
	return o
}

// scan's order for the source.
func (o *rowOrder) scan() scan.Order {
	switch {
	case !o.byTime:
		return scan.Any
	case o.oldest:
		return scan.Oldest
	}
	return scan.Newest
}

func (o *rowOrder) nodes() []*node {
	list := []*node{o.time, o.ptr}
	for _, k := range o.keys {
		list = append(list, k.node)
	}
	return list
}

// compare orders two rows.
func (o *rowOrder) compare(a, b *orderedRow) int {
	if o.byTime && a.time != b.time {
		return o.direction(a.time < b.time)
	}
	for i, k := range o.keys {
		c := a.keys[i].Compare(&b.keys[i])
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	if a.time != b.time {
		return o.direction(a.time < b.time)
	}
	o.readPtr(a)
	o.readPtr(b)
	switch {
	case a.ptr == b.ptr: // rows of one event, which were made in their order
		return cmp.Compare(a.number, b.number)
	case a.place == b.place:
		return o.direction(a.ptr < b.ptr)
	}
	return o.direction(a.place < b.place)
}

// direction is the order of two rows of which the first is less, by time or @ptr.
func (o *rowOrder) direction(less bool) int {
	if less == o.oldest {
		return -1
	}
	return 1
}

func (o *rowOrder) readPtr(r *orderedRow) {
	if r.ptr == "" && r.frame != nil {
		r.ptr = r.frame.w.of(o.ptr, &frameRow{r.frame, int(r.row)}).String()
		r.place = r.ptr
		if b, err := base64.StdEncoding.DecodeString(r.ptr); err == nil {
			r.place = string(b) // its letters have another order than what they stand for
		}
	}
}

func (o *rowOrder) sort(rows []orderedRow) {
	slices.SortFunc(rows, func(a, b orderedRow) int { return o.compare(&a, &b) })
}

// A keyReader reads what rows of a frame are sorted by.
type keyReader struct {
	time *vector
	keys []*vector
}

func (o *rowOrder) read(f *frame) keyReader {
	r := keyReader{time: f.vector(o.time)}
	for _, k := range o.keys {
		r.keys = append(r.keys, f.vector(k.node))
	}
	return r
}

// row is a row with what it is sorted by.
func (r *keyReader) row(f *frame, row int) orderedRow {
	f.w.rows++
	return orderedRow{time: r.timeAt(row), keys: r.keysAt(row), frame: f, row: int32(row), number: f.w.rows}
}

func (r *keyReader) timeAt(row int) int64 {
	if r.time.form == times {
		return r.time.ints[row]
	}
	ms, _ := r.time.at(row).Milliseconds()
	return ms
}

func (r *keyReader) keysAt(row int) []value.Rank {
	if len(r.keys) == 0 {
		return nil
	}
	keys := make([]value.Rank, len(r.keys))
	for i, k := range r.keys {
		keys[i] = value.RankOf(k.at(row))
	}
	return keys
}
