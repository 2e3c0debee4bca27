package logstore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"github.com/eksact/eksact/internal/engine/columns"
)

// An Event is a log event. Times are milliseconds since 1970.
type Event struct {
	Time     int64
	Ingested int64
	Sequence int64 // of all events of its group, in the order they came
	Stream   string
	Message  string
}

// A Group is one log group's events. It is safe for use by several goroutines.
type Group struct {
	s    *Store
	id   string
	name string
	dir  string

	merging sync.Mutex // held while segments are merged; before mu

	mu       sync.Mutex
	room     *sync.Cond // there is one tail less to be sealed, or an error
	closed   bool
	next     int64 // number of the next event
	tail     *tail
	sealing  []*tail
	segments []*segment // by their numbers
	marks    map[string]string
	hidden   map[string]int64 // streams' events before a number were deleted
	sealErr  error
}

// segment is one on disk.
type segment struct {
	*columns.Segment
	path          string
	file          *os.File
	first, behind int64
	apart         bool // it can't be merged
}

// mostSealing is how many tails may wait to become segments before Append waits for them.
const mostSealing = 1

// ErrPaused says that new events can't be taken for now; why, it wraps.
var ErrPaused = errors.New("log events are not taken until there is room on disk again")

// Append adds events of a stream, in their order, and notes how far the stream's source
// was read, unless mark is "". It gives the events' numbers. When it returns they are on
// disk; after an error none of them is there.
func (g *Group) Append(stream string, events []Event, mark string) error {
	r := record{kind: eventsRecord, stream: stream, mark: mark, entries: make([]entry, len(events)), texts: make([]string, len(events))}
	for i := range events {
		e := &events[i]
		if len(e.Message) > columns.MaxMessage {
			return fmt.Errorf("an event of %d bytes is longer than %d", len(e.Message), columns.MaxMessage)
		}
		r.entries[i].Event = columns.Event{Time: e.Time, Ingested: e.Ingested, Stream: stream}
		r.texts[i] = e.Message
	}
	if len(events) == 0 && mark == "" {
		return nil
	}
	if err := g.append(&r); err != nil {
		return err
	}
	for i := range events {
		events[i].Sequence, events[i].Stream = r.entries[i].sequence, stream
	}
	return nil
}

// DeleteStream forgets a stream's events and its mark. Their place on disk is free again
// when they expire.
func (g *Group) DeleteStream(stream string) error {
	return g.append(&record{kind: deleteRecord, stream: stream})
}

func (g *Group) append(r *record) error {
	g.mu.Lock()
	if err := g.ready(); err != nil {
		g.mu.Unlock()
		return err
	}
	for i := range r.entries {
		r.entries[i].sequence = g.next + int64(i)
	}
	r.before = g.next
	t := g.tail
	data := r.appendTo(nil, t.mark)
	if _, err := t.f.WriteAt(data, t.size); err != nil {
		err = errors.Join(fmt.Errorf("%w: %w", ErrPaused, err), t.f.Truncate(t.size))
		g.mu.Unlock()
		return err
	}
	g.next += int64(len(r.entries))
	t.size += int64(len(data))
	g.s.held.Add(int64(len(data)))
	t.pending = append(t.pending, pending{t.size, *r})
	t.waiting += len(r.entries)
	end := t.size
	g.mu.Unlock()
	if err := g.commit(t, end); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tail == t && g.s.full(t) && !g.closed {
		if err := g.rotate(); err != nil {
			g.s.log.Warn("a new file for log events could not be made: the old one goes on", "group", g.name, "error", err)
		}
	}
	return nil
}

// ready waits until there is room for events. It is called with the lock held.
func (g *Group) ready() error {
	for len(g.sealing) >= mostSealing && g.sealErr == nil && !g.closed {
		g.room.Wait()
	}
	if g.closed {
		return errClosed
	}
	if len(g.sealing) >= mostSealing {
		g.s.seals.add(g)
		return fmt.Errorf("%w: %w", ErrPaused, g.sealErr)
	}
	if g.tail == nil || g.tail.failed != nil || g.tail.size >= 4*tailBytes {
		if err := g.rotate(); err != nil {
			return fmt.Errorf("%w: %w", ErrPaused, err)
		}
	}
	return nil
}

// commit returns when what a tail's file had up to a place is on disk.
func (g *Group) commit(t *tail, end int64) error {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	g.mu.Lock()
	if t.synced >= end || t.failed != nil {
		defer g.mu.Unlock()
		return t.outcome(end)
	}
	f, size := t.f, t.size
	g.mu.Unlock()
	err := f.Sync()
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.synced < end && t.failed == nil { // else it was closed meanwhile
		g.settle(t, size, err)
	}
	return t.outcome(end)
}

func (t *tail) outcome(end int64) error {
	if t.synced >= end {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPaused, t.failed)
}

// settle takes note of a sync of so much of a tail's file, or that it failed: then what
// was to be synced is dropped, for what the disk has of it is not known. It is called
// with the lock held.
func (g *Group) settle(t *tail, size int64, err error) {
	if err != nil {
		t.failed, t.pending, t.waiting = err, nil, 0
		return
	}
	t.synced = max(t.synced, size)
	n := 0
	for ; n < len(t.pending) && t.pending[n].end <= size; n++ {
		r := &t.pending[n].record
		t.keep(r.entries)
		t.waiting -= len(r.entries)
		g.note(r)
	}
	t.pending = t.pending[n:]
}

// note takes over what a record changes beside events.
func (g *Group) note(r *record) {
	switch r.kind {
	case eventsRecord:
		if r.mark != "" {
			g.marks[r.stream] = r.mark
		}
	case deleteRecord:
		g.hidden[r.stream] = r.before
		delete(g.marks, r.stream)
	case stateRecord:
		g.marks, g.hidden = maps.Clone(r.marks), maps.Clone(r.hidden)
	}
}

// rotate begins a new tail and hands the old one to the sealer. It is called with the
// lock held.
func (g *Group) rotate() error {
	old := g.tail
	if old != nil && old.failed == nil && len(old.pending) > 0 {
		g.settle(old, old.size, old.f.Sync())
	}
	if old != nil && len(old.entries) == 0 && old.failed == nil && old.size < tailBytes {
		return nil
	}
	if old != nil && old.first == g.next {
		g.next++ // the new one has another name
	}
	t, err := g.s.newTail(g.dir, g.next, &record{kind: stateRecord, marks: g.marks, hidden: g.hidden})
	if err != nil {
		return err
	}
	g.tail = t
	g.s.held.Add(t.size)
	if old == nil {
		return nil
	}
	if err := old.close(); err != nil {
		g.s.log.Warn("closing a file of log events", "group", g.name, "error", err)
	}
	if len(old.entries) == 0 {
		g.s.held.Add(-old.size)
		return os.Remove(old.path)
	}
	g.sealing = append(g.sealing, old)
	g.s.seals.add(g)
	return nil
}

// Mark is how far a stream's source was read.
func (g *Group) Mark(stream string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.marks[stream]
}

// ID names the group in its events' pointers.
func (g *Group) ID() string { return g.id }

// Next is the number behind the events that count: what is not on disk yet has it or a
// later one, and so does the next event.
func (g *Group) Next() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tail != nil && len(g.tail.pending) > 0 {
		return g.tail.pending[0].before
	}
	return g.next
}

// Seal makes a segment of the tail, whatever its size.
func (g *Group) Seal() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errClosed
	}
	return g.rotate()
}

// Expire removes segments whose events are all older than a time.
func (g *Group) Expire(oldest int64) error {
	g.mu.Lock()
	var kept, gone []*segment
	for _, s := range g.segments {
		if _, last := s.Times(); last < oldest {
			gone = append(gone, s)
		} else {
			kept = append(kept, s)
		}
	}
	g.segments = kept
	first := g.next
	if len(kept) > 0 {
		first = kept[0].first
	} else if len(g.sealing) > 0 {
		first = g.sealing[0].first
	} else if g.tail != nil {
		first = g.tail.first
	}
	maps.DeleteFunc(g.hidden, func(_ string, before int64) bool { return before <= first })
	g.mu.Unlock()
	var err error
	for _, s := range gone {
		g.s.cache.Forget(s.Segment)
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// Size is how many bytes the group takes on disk.
func (g *Group) Size() (n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.segments {
		n += s.Size()
	}
	for _, t := range g.tails() {
		n += t.size
	}
	return n
}

// tails are those with events that are in no segment, the oldest first. It is called
// with the lock held.
func (g *Group) tails() []*tail {
	all := append([]*tail(nil), g.sealing...)
	if g.tail != nil {
		all = append(all, g.tail)
	}
	return all
}

// close ends all writing.
func (g *Group) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	g.room.Broadcast()
	for _, t := range g.tails() {
		g.s.held.Add(-t.size)
	}
	var err error
	for _, s := range g.segments {
		g.s.cache.Forget(s.Segment)
		err = errors.Join(err, s.file.Close())
	}
	if g.tail == nil {
		return err
	}
	if g.tail.failed == nil && len(g.tail.pending) > 0 {
		g.settle(g.tail, g.tail.size, g.tail.f.Sync())
	}
	return errors.Join(err, g.tail.close())
}
