package columns

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eksact/eksact/internal/engine/scan"
)

// A Log is a log group's events, in segments.
type Log struct {
	ID       string // in pointers
	Name     string // @log
	Segments []*Segment
	// Hidden are streams that were deleted: events before a number don't count.
	Hidden map[string]int64
}

// A Source is logs, scanned as one.
type Source []Log

// query is a scan that runs.
type query struct {
	*scan.Request
	ctx   context.Context
	yield func(worker int, b *scan.Batch) bool

	wants []want // fields, then those of extracts
	where []condition
	named map[string]bool // discovered fields that the request names
	parse bool            // there are any: messages that are kept whole are to be parsed
	joins bool            // a batch may be of several templates

	verdicts sync.Map // verdictKey: *verdict
	plans    sync.Map // planKey: what was found out of a template
	mapped   sync.Map // mappedKey: *mapping
	stopped  atomic.Bool
	mu       sync.Mutex
	err      error
	damaged  map[string]bool
}

// task is a chunk to scan.
type task struct {
	log    *Log
	s      *Segment
	number int
	first  int64
	end    int64
}

// Scan implements scan.Source.
func (s Source) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	q := newQuery(ctx, r, yield)
	tasks := s.tasks(r)
	var begun *Cache
	for i := range tasks {
		if c := tasks[i].s.cache; c != begun {
			begun = c
			c.begin()
		}
	}
	var next atomic.Int64
	work := func(number int) {
		w := &worker{query: q, number: number}
		for !q.stopped.Load() {
			i := int(next.Add(1)) - 1
			if i >= len(tasks) {
				return
			}
			if err := ctx.Err(); err != nil {
				q.fail(err)
				return
			}
			w.chunk(&tasks[i])
		}
	}
	workers := min(max(r.Workers, 1), max(len(tasks), 1))
	if workers == 1 {
		work(0)
		return q.err
	}
	var wait sync.WaitGroup
	for number := range workers {
		wait.Go(func() { work(number) })
	}
	wait.Wait()
	return q.err
}

// tasks are the chunks within the request's time, those first that come first.
func (s Source) tasks(r *scan.Request) []task {
	var tasks []task
	for i := range s {
		for _, g := range s[i].Segments {
			for n := range g.chunks {
				if c := &g.chunks[n]; c.first <= r.To && c.end >= r.From {
					tasks = append(tasks, task{&s[i], g, n, c.first, c.end})
				}
			}
		}
	}
	if r.Order == scan.Oldest {
		slices.SortStableFunc(tasks, func(a, b task) int { return cmp.Compare(a.first, b.first) })
	} else {
		slices.SortStableFunc(tasks, func(a, b task) int { return cmp.Compare(b.end, a.end) })
	}
	return tasks
}

func newQuery(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) *query {
	q := &query{Request: r, ctx: ctx, yield: yield, damaged: map[string]bool{}, named: map[string]bool{}}
	for _, f := range r.Fields {
		q.wants = append(q.wants, wantOf(f))
	}
	for i := range r.Where {
		p := &r.Where[i]
		c := condition{Predicate: p, want: wantOf(p.Field), number: i}
		if c.kind == discovered {
			c.null = p.Match(scan.Value{})
		}
		q.where = append(q.where, c)
	}
	// What is of all rows of a template comes before what is looked at row by row.
	slices.SortStableFunc(q.where, func(a, b condition) int { return cmp.Compare(a.kind, b.kind) })
	for _, e := range r.Extracts {
		q.wants = append(q.wants, wantOf(e.Field))
	}
	q.joins = r.Passing && len(r.Extracts) == 0
	for _, w := range q.wants {
		q.name(w)
		q.joins = q.joins && w.kind != message && w.kind != pointer
	}
	for _, c := range q.where {
		q.name(c.want)
	}
	return q
}

func (q *query) name(w want) {
	if w.kind == discovered {
		q.named[w.name], q.parse = true, true
	}
}

// want is a field that a request names.
type want struct {
	name string
	kind fieldKind
}

// fieldKind tells where a field is found. Cheaper ones come first.
type fieldKind int

const (
	discovered fieldKind = iota
	log
	stream
	timestamp
	ingestion
	pointer
	message
)

func wantOf(name string) want {
	kinds := map[string]fieldKind{"@log": log, "@logStream": stream, "@timestamp": timestamp, "@ingestionTime": ingestion, "@ptr": pointer, "@message": message}
	return want{name, kinds[name]}
}

// fail ends the scan with an error.
func (q *query) fail(err error) {
	q.stopped.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
}

// damage tells of what can't be read, once.
func (q *query) damage(err error) {
	if q.Damaged == nil {
		q.fail(err)
		return
	}
	q.mu.Lock()
	known := q.damaged[err.Error()]
	q.damaged[err.Error()] = true
	q.mu.Unlock()
	if !known {
		q.Damaged(err)
	}
}

// worker is one of the goroutines of a scan.
type worker struct {
	*query
	number   int
	hits     []byte // 1 for rows that pass
	buffer   []byte
	memos    map[string]*memo // by text
	taken    []taken          // by condition
	chosen   []uint32         // rows, while they are being chosen
	near     nearVerdicts
	counting counting
	held     held
	groups   []group  // of a chunk
	numbers  []uint16 // of a column's rows
	stretch  stretch
	rooms    []room // by want
	slots    map[*template][]int32

	decodedOf   *integers
	decodedInts []int64
}

// bounds are the times that are still of use.
func (w *worker) bounds() (from, to int64) {
	from, to = w.From, w.To
	if w.Cutoff != nil {
		switch w.Order {
		case scan.Newest:
			from = max(from, w.Cutoff.Load())
		case scan.Oldest:
			to = min(to, w.Cutoff.Load())
		}
	}
	return from, to
}

// chunk scans a chunk.
func (w *worker) chunk(t *task) {
	info := &t.s.chunks[t.number]
	if p := w.Progress; p != nil {
		defer func() {
			p.Records.Add(int64(info.rows))
			p.Bytes.Add(info.bytes)
		}()
	}
	from, to := w.bounds()
	if t.end < from || t.first > to {
		w.skip(info.rows)
		return
	}
	k, err := t.s.chunk(t.number)
	if err != nil {
		w.damage(err)
		return
	}
	k = k.forWorker(&w.held)
	if cap(w.groups) < len(k.templates) {
		w.groups = make([]group, len(k.templates))
	}
	stretch := &w.stretch
	stretch.w = w
	for i := range k.templates {
		if w.stopped.Load() {
			return
		}
		g := &w.groups[:len(k.templates)][i]
		*g = group{chunkRows: &k.templates[i], k: k, log: t.log, place: i}
		g.rows.n = g.count
		if err := w.choose(g, from, to); err != nil {
			w.damage(err)
			continue
		}
		if g.rows.len() == 0 {
			if !g.opened {
				w.skip(g.count)
			}
			continue
		}
		if !stretch.takes(g) {
			stretch.yield()
			stretch.takes(g)
		}
	}
	stretch.yield()
}

// skip counts events that were passed by unopened.
func (w *worker) skip(n int) {
	if w.Progress != nil {
		w.Progress.Skipped.Add(int64(n))
	}
}

// group is the rows of a template in a chunk.
type group struct {
	*chunkRows
	k      *chunk
	log    *Log
	place  int
	rows   selection
	slots  []int32        // of the wants
	opened bool           // data of rows were opened to choose them
	fields [][]namedValue // of messages that are kept whole, by row
	whole  *messages      // once they were opened
}

// selection is some of the rows of a group: all n of them, or those listed.
type selection struct {
	n    int
	some bool
	list []uint32
}

func (s *selection) len() int {
	if s.some {
		return len(s.list)
	}
	return s.n
}

// at is the row in the group of one of those chosen.
func (s *selection) at(i int) int {
	if s.some {
		return int(s.list[i])
	}
	return i
}

func (s *selection) none() { s.some, s.list = true, nil }

// leave keeps, of all rows, those listed.
func (s *selection) leave(rows []uint32) {
	if len(rows) < s.n {
		s.some, s.list = true, slices.Clone(rows)
	}
}

// keep keeps the rows that f takes.
func (s *selection) keep(f func(row int) bool) {
	if !s.some {
		list := make([]uint32, 0, min(s.n, 256))
		for row := range s.n {
			if f(row) {
				list = append(list, uint32(row))
			}
		}
		if len(list) < s.n {
			s.some, s.list = true, list
		}
		return
	}
	kept := make([]uint32, 0, len(s.list)) // vectors may hold the list as it was
	for _, row := range s.list {
		if f(int(row)) {
			kept = append(kept, row)
		}
	}
	s.list = kept
}
