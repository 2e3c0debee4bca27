package storage

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/logstore"
)

// Columns is logstore as a Storage.
type Columns struct {
	store *logstore.Store
	log   *slog.Logger
}

// NewColumns keeps events in a store, which its caller opens and closes.
func NewColumns(store *logstore.Store, log *slog.Logger) *Columns { return &Columns{store, log} }

// Append implements Storage.
func (c *Columns) Append(s Stream, events []Event, mark string) error {
	g, err := c.store.Group(s.Group)
	if err != nil {
		return err
	}
	own := make([]logstore.Event, len(events))
	for i, e := range events {
		own[i] = logstore.Event{Time: e.At, Ingested: e.Taken, Message: e.Message}
	}
	if err := g.Append(s.Name, own, mark); err != nil {
		return err
	}
	for i := range events {
		events[i].Serial, events[i].Stream = own[i].Sequence, s.Name
	}
	return nil
}

// Mark implements Storage.
func (c *Columns) Mark(s Stream) (string, error) {
	g, err := c.store.Group(s.Group)
	if err != nil {
		return "", err
	}
	return g.Mark(s.Name), nil
}

func eventOf(e logstore.Event) Event {
	return Event{Place: Place{e.Time, e.Sequence}, Stream: e.Stream, Taken: e.Ingested, Message: e.Message}
}

// Read implements Storage. What is damaged on disk is told of and passed over.
func (c *Columns) Read(q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if len(q.Streams) == 0 {
			return
		}
		g, err := c.store.Group(q.Group)
		if err != nil {
			yield(Event{}, err)
			return
		}
		own := logstore.Query{
			Streams: q.Streams, From: logstore.Place{Time: q.From.At, Sequence: q.From.Serial}, To: logstore.Place{Time: q.To.At, Sequence: q.To.Serial},
			Backward: q.Backward, May: q.May,
		}
		if q.Passed != nil {
			own.Passed = func(next logstore.Place) bool { return q.Passed(Place{next.Time, next.Sequence}) }
		}
		for e, err := range g.Read(own) {
			if err != nil {
				c.log.Error("a part of a log group can't be read: it is passed over", "group", q.Group, "error", err)
				continue
			}
			if !yield(eventOf(e), nil) {
				return
			}
		}
	}
}

// Arrived implements Storage.
func (c *Columns) Arrived(s Stream, after int64) ([]Event, error) {
	g, err := c.store.Group(s.Group)
	if err != nil {
		return nil, err
	}
	found, err := g.Arrived(s.Name, after)
	events := make([]Event, len(found))
	for i, e := range found {
		events[i] = eventOf(e)
	}
	return events, err
}

// Next implements Storage.
func (c *Columns) Next(group string) (int64, error) {
	g, err := c.store.Group(group)
	if err != nil {
		return 0, err
	}
	return g.Next(), nil
}

// Stats implements Storage.
func (c *Columns) Stats(s Stream, since int64) (Stats, error) {
	g, err := c.store.Group(s.Group)
	if err != nil {
		return Stats{}, err
	}
	st, err := g.Stats(s.Name, since)
	return Stats{Events: st.Events, Bytes: st.Bytes, First: st.First, Last: st.Last, LastTaken: st.Ingested}, err
}

// Source implements Storage.
func (c *Columns) Source(groups []Scope) (scan.Source, error) {
	var all []*logstore.Group
	var names []string
	limited := false
	for _, s := range groups {
		g, err := c.store.Group(s.Group)
		if err != nil {
			return nil, err
		}
		all, names = append(all, g), append(names, s.Log)
		limited = limited || s.Oldest > 0
	}
	if !limited {
		return logstore.Source(all, names), nil
	}
	// Each group ends at a time of its own.
	parts := make(parts, len(all))
	for i, g := range all {
		parts[i] = part{logstore.Source([]*logstore.Group{g}, names[i:i+1]), groups[i].Oldest}
	}
	return parts, nil
}

// parts are sources that are scanned one after the other, each from a time on.
type parts []part

type part struct {
	scan.Source
	oldest int64
}

// Scan implements scan.Source.
func (p parts) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var ended atomic.Bool
	for _, one := range p {
		own := *r
		own.From = max(r.From, one.oldest)
		err := one.Scan(ctx, &own, func(worker int, b *scan.Batch) bool {
			if yield(worker, b) {
				return true
			}
			ended.Store(true)
			return false
		})
		if err != nil || ended.Load() {
			return err
		}
	}
	return nil
}

// Record implements Storage.
func (c *Columns) Record(pointer string) (Stream, Event, bool, error) {
	group, e, found, err := c.store.Record(pointer)
	return Stream{group, e.Stream}, eventOf(e), found, err
}

// Expire implements Storage.
func (c *Columns) Expire(group string, oldest int64) error {
	g, err := c.store.Group(group)
	if err != nil {
		return err
	}
	return g.Expire(oldest)
}

// DeleteStream implements Storage.
func (c *Columns) DeleteStream(s Stream) error {
	g, err := c.store.Group(s.Group)
	if err != nil {
		return err
	}
	if g.Mark(s.Name) == "" && !slices.Contains(g.Streams(), s.Name) {
		return nil
	}
	return g.DeleteStream(s.Name)
}

// DeleteGroup implements Storage.
func (c *Columns) DeleteGroup(group string) error { return c.store.Delete(group) }
