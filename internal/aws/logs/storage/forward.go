package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
	"github.com/eksact/eksact/internal/logstore"
)

// Remote is a database of events that queries are run in.
type Remote interface {
	// Init makes its table, unless it is there.
	Init(ctx context.Context) error
	// AppendOnce adds a batch. One of the same name that comes again soon is not added.
	AppendOnce(ctx context.Context, batch string, rows []lower.Row) error
	// Delete removes a log's events, or those of one of its streams.
	Delete(ctx context.Context, log string, stream *string) error
	// Source is a log's events.
	Source(log string) scan.Source
}

// Forwarded keeps events in logstore, as Columns does, and brings them to a database that
// queries are run in. Events count once they are in logstore; from there each is brought,
// in order, once: what is being sent is noted before, that it was sent after, and a batch
// that is sent again has the same name. A query first waits until the database has what its
// groups had when it began.
type Forwarded struct {
	*Columns
	remote Remote
	log    func(group string) string // what @log says
	file   string                    // of what was brought
	slog   *slog.Logger

	mu      sync.Mutex
	name    string // of batches, so that those of an account that is gone are others
	groups  map[string]*brought
	waiting map[string][]chan error // for a group to be brought
	some    chan struct{}           // there is something to do
	hurry   chan struct{}           // someone waits
}

// noted is what the file holds.
type noted struct {
	Name   string
	Groups map[string]*brought
}

// brought is how much of a group the database has.
type brought struct {
	Life    int              // of groups of this name that were deleted before
	Done    int64            // the number of the first event that it lacks
	Sending int64            `json:",omitempty"` // the first one behind what is being sent; 0: nothing is
	Deleted map[string]int64 `json:",omitempty"` // streams that were deleted there, too
	Gone    bool             `json:",omitempty"` // the group was deleted, there not yet
}

// NewForwarded keeps events in a store and brings them to a database. What was brought is
// noted in a file. Run must be called.
func NewForwarded(store *logstore.Store, remote Remote, log func(group string) string, file string, logger *slog.Logger) (*Forwarded, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f := &Forwarded{
		Columns: NewColumns(store, logger), remote: remote, log: log, file: file, slog: logger,
		groups: map[string]*brought{}, waiting: map[string][]chan error{}, some: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		f.name = uuid.NewString()
		return f, f.save()
	}
	var n noted
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what of the logs is in the database: %w; restore %s, or name another table", err, file)
	}
	f.name = n.Name
	maps.Copy(f.groups, n.Groups)
	return f, nil
}

// save notes what was brought. Its caller holds f.mu.
func (f *Forwarded) save() error {
	data, err := json.Marshal(noted{f.name, f.groups})
	if err != nil {
		return err
	}
	return renameio.WriteFile(f.file, data, 0o600)
}

// note changes what is known of a group, and notes it.
func (f *Forwarded) note(group string, change func(*brought)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f.groups[group])
	return f.save()
}

func (f *Forwarded) wake() { signal(f.some) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Append implements Storage.
func (f *Forwarded) Append(s Stream, events []Event, mark string) error {
	err := f.Columns.Append(s, events, mark)
	f.wake()
	return err
}

// DeleteStream implements Storage.
func (f *Forwarded) DeleteStream(s Stream) error {
	err := f.Columns.DeleteStream(s)
	f.wake()
	return err
}

// DeleteGroup implements Storage. The note comes first, so that a new group of the name is
// not taken for the old one.
func (f *Forwarded) DeleteGroup(group string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.groups[group]; b != nil {
		b.Gone = true
		if err := f.save(); err != nil {
			return err
		}
	}
	err := f.Columns.DeleteGroup(group)
	f.wake()
	return err
}

// Source implements Storage.
func (f *Forwarded) Source(groups []Scope) (scan.Source, error) {
	all, limited := make(parts, len(groups)), false
	plain := make([]scan.Source, len(groups))
	names := make([]string, len(groups))
	for i, s := range groups {
		plain[i], names[i] = f.remote.Source(s.Log), s.Group
		all[i], limited = part{plain[i], s.Oldest}, limited || s.Oldest > 0
	}
	if limited {
		return awaited{all, f, names}, nil
	}
	return awaited{scan.All(plain...), f, names}, nil
}

// awaited is a source that waits for groups.
type awaited struct {
	scan.Source
	f     *Forwarded
	names []string
}

// Scan implements scan.Source.
func (a awaited) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	if err := a.f.wait(ctx, a.names); err != nil {
		return fmt.Errorf("bringing new events to the database of the logs: %w", err)
	}
	return a.Source.Scan(ctx, r, yield)
}

// wait waits until the database has what groups have now.
func (f *Forwarded) wait(ctx context.Context, names []string) error {
	done := make(chan error, len(names))
	f.mu.Lock()
	for _, name := range names {
		f.waiting[name] = append(f.waiting[name], done)
	}
	f.mu.Unlock()
	signal(f.hurry)
	f.wake()
	for range names {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// How long Run lets events gather, and how long it waits after an error.
const (
	gathering  = 200 * time.Millisecond
	longestGap = 30 * time.Second
)

// Run brings events to the database until ctx ends.
func (f *Forwarded) Run(ctx context.Context) {
	gap, ready := time.Second, false
	f.wake()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-f.some:
		}
		if f.unhurried() {
			pause(ctx, gathering, f.hurry)
		}
		var err error
		if !ready {
			err = f.remote.Init(ctx)
			ready = err == nil
		}
		if err = f.round(ctx, err); err == nil {
			gap = time.Second
			continue
		}
		if ctx.Err() == nil {
			f.slog.Error("log events can't be brought to the database: they wait", "error", err)
		}
		pause(ctx, gap, f.hurry)
		gap = min(2*gap, longestGap)
		f.wake()
	}
}

// pause waits a while, or until someone asks.
func pause(ctx context.Context, d time.Duration, hurry chan struct{}) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	case <-hurry:
	}
}

// unhurried says whether no query waits.
func (f *Forwarded) unhurried() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting) == 0
}

// round brings what all groups have, unless there is an error already, and tells those who
// wait.
func (f *Forwarded) round(ctx context.Context, failed error) error {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = map[string][]chan error{}
	all := map[string]bool{}
	for name := range f.groups {
		all[name] = true
	}
	f.mu.Unlock()
	names, err := f.store.Groups() // after those who wait, whose groups may be new
	failed = errors.Join(failed, err)
	for _, name := range names {
		all[name] = true
	}
	tell := func(name string, err error) {
		for _, done := range waiting[name] {
			done <- err
		}
		delete(waiting, name)
	}
	// Those that someone waits for come first.
	for _, these := range []map[string]bool{asked(waiting), all} {
		for name := range these {
			if !all[name] {
				tell(name, failed)
				continue
			}
			err := failed
			if err == nil {
				err = f.bring(ctx, name)
			}
			tell(name, err)
			failed = errors.Join(failed, err)
			delete(all, name)
		}
	}
	return failed
}

func asked(waiting map[string][]chan error) map[string]bool {
	names := map[string]bool{}
	for name := range waiting {
		names[name] = true
	}
	return names
}

// bring brings what a group has now.
func (f *Forwarded) bring(ctx context.Context, name string) error {
	target := int64(-1)
	for {
		behind, err := f.step(ctx, name, &target)
		if err != nil || target >= 0 && behind >= target {
			return err
		}
	}
}

// step brings a batch of a group, after what was deleted of it is deleted there. It gives
// the number of the first event that is lacking. The target is the group's next number,
// once it is known.
func (f *Forwarded) step(ctx context.Context, name string, target *int64) (int64, error) {
	f.mu.Lock()
	b := f.groups[name]
	if b == nil {
		b = &brought{}
		f.groups[name] = b
	}
	if b.Gone {
		f.mu.Unlock()
		if err := f.remote.Delete(ctx, f.log(name), nil); err != nil {
			return 0, err
		}
		*target = -1
		return 0, f.note(name, func(b *brought) { *b = brought{Life: b.Life + 1} })
	}
	if !f.store.Has(name) {
		f.mu.Unlock()
		*target = b.Done
		return b.Done, nil
	}
	g, err := f.store.Group(name)
	if err != nil {
		f.mu.Unlock()
		return 0, err
	}
	next := g.Next()
	if *target < 0 || *target > next { // or it was of an earlier group of the name
		*target = next
	}
	from, to, life := b.Done, b.Sending, b.Life
	events, deleted := g.Since(from-1, func(err error) {
		f.slog.Error("a part of a log group can't be read: it is passed over", "group", name, "error", err)
	})
	applied := maps.Clone(b.Deleted)
	f.mu.Unlock()

	if err := f.deleteStreams(ctx, name, applied, deleted); err != nil {
		return 0, err
	}
	switch {
	case to > 0: // what was sent before is sent again as it was, if it is there
		for len(events) > 0 && events[len(events)-1].Sequence >= to {
			events = events[:len(events)-1]
		}
	case len(events) > 0:
		to = events[len(events)-1].Sequence + 1
	default:
		to = max(from, next)
	}
	if len(events) > 0 {
		if err := f.note(name, func(b *brought) { b.Sending = to }); err != nil {
			return 0, err
		}
		batch := fmt.Sprintf("%s/%s/%d/%d", f.name, f.log(name), life, from)
		if err := f.remote.AppendOnce(ctx, batch, f.rows(g.ID(), name, events)); err != nil {
			return 0, err
		}
	} else if to == from {
		return from, nil
	}
	return to, f.note(name, func(b *brought) { b.Done, b.Sending = to, 0 })
}

// deleteStreams deletes there what was deleted here since. The events that were brought
// are all older than that.
func (f *Forwarded) deleteStreams(ctx context.Context, name string, applied, deleted map[string]int64) error {
	for stream, before := range deleted {
		if applied[stream] >= before {
			continue
		}
		if err := f.remote.Delete(ctx, f.log(name), &stream); err != nil {
			return err
		}
		err := f.note(name, func(b *brought) {
			if b.Deleted == nil {
				b.Deleted = map[string]int64{}
			}
			b.Deleted[stream] = before
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Forwarded) rows(id, group string, events []logstore.Event) []lower.Row {
	rows := make([]lower.Row, len(events))
	for i, e := range events {
		rows[i] = lower.Row{
			Log: f.log(group), Stream: e.Stream, Ptr: columns.Pointer(id, e.Sequence), Message: e.Message, Time: e.Time, Ingested: e.Ingested,
		}
	}
	return rows
}
