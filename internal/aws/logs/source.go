package logs

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// source lets queries scan what groups' streams hold: events are read in order of time,
// those that can't meet the conditions are passed by unread, and the rest is taken apart
// by several workers.
type source struct {
	s      *Service
	groups []Group
}

// scanned is how many events a worker takes apart at once.
const scanned = 1024

// Scan implements scan.Source.
func (x *source) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := make(chan *memory.Source)
	var workers sync.WaitGroup
	var ended atomic.Bool
	for w := range max(1, r.Workers) {
		workers.Go(func() {
			for part := range work {
				own := *r
				own.Progress, own.Workers = nil, 1
				_ = part.Scan(ctx, &own, func(_ int, b *scan.Batch) bool { // ends with ctx alone
					if r.Progress != nil {
						r.Progress.Matched.Add(int64(b.Rows))
					}
					if ended.Load() || !yield(w, b) {
						ended.Store(true)
						stop()
						return false
					}
					return true
				})
			}
		})
	}
	err := x.read(ctx, r, work)
	close(work)
	workers.Wait()
	if ended.Load() {
		return nil
	}
	return err
}

// read hands the events that may meet the request's conditions to workers.
func (x *source) read(ctx context.Context, r *scan.Request, work chan<- *memory.Source) error {
	for _, g := range x.groups {
		streams, err := x.s.chosen(g.Name, nil, nil)
		if err != nil {
			return err
		}
		q := storage.Query{Group: g.Name, Streams: streams, From: storage.From(max(r.From, x.s.oldest(&g))), To: storage.From(r.To + 1), Backward: r.Order == scan.Newest}
		var part []memory.Event
		flush := func() error {
			if len(part) == 0 {
				return nil
			}
			select {
			case work <- memory.New(x.s.Place.AccountID+":"+g.Name, part):
				part = nil
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		count := 0
		for e, err := range x.s.Events.Read(q) {
			if err != nil {
				return err
			}
			if count++; count%256 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if beyond(r, e.At) {
				break
			}
			if r.Progress != nil {
				r.Progress.Records.Add(1)
				r.Progress.Bytes.Add(int64(len(e.Message)))
			}
			if !possible(r.Where, e.Message) {
				continue
			}
			id := storage.Stream{Group: g.Name, Name: e.Stream}
			part = append(part, memory.Event{Time: e.At, Ingested: e.Taken, Stream: e.Stream, Message: e.Message, Ptr: Pointer(id, e.Place)})
			if len(part) == scanned {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// beyond says whether a request has no use for an event of a time any more, nor for
// those that follow.
func beyond(r *scan.Request, at int64) bool {
	if r.Cutoff == nil {
		return false
	}
	return r.Order == scan.Newest && at < r.Cutoff.Load() || r.Order == scan.Oldest && at > r.Cutoff.Load()
}

// possible says whether a message may meet conditions, by the texts that it must hold.
func possible(where []scan.Predicate, message string) bool {
	for i := range where {
		p := &where[i]
		for _, text := range p.Contains {
			switch {
			case p.Field == "@message":
				if !strings.Contains(message, text) {
					return false
				}
			case strings.HasPrefix(p.Field, "@") && !strings.HasPrefix(p.Field, "@@"): // of the event, not in its message
			case !filter.MayHold(message, text):
				return false
			}
		}
	}
	return true
}
