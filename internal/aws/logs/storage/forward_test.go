package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
	"github.com/eksact/eksact/internal/engine/scan/memory"
	"github.com/eksact/eksact/internal/logstore"
	"github.com/eksact/eksact/internal/logstore/clickhouse"
)

// database is a Remote in memory that fails when it is told to, before it has done what it
// was asked or after.
type database struct {
	mu      sync.Mutex
	rows    []lower.Row
	batches map[string]bool
	fails   func() (before, after bool)
}

var errDown = errors.New("the database is down")

func (d *database) do(change func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, after := d.fails()
	if before {
		return errDown
	}
	change()
	if after {
		return errDown
	}
	return nil
}

func (d *database) Init(context.Context) error { return d.do(func() {}) }

func (d *database) AppendOnce(_ context.Context, batch string, rows []lower.Row) error {
	return d.do(func() {
		if !d.batches[batch] {
			d.batches[batch] = true
			d.rows = append(d.rows, rows...)
		}
	})
}

func (d *database) Delete(_ context.Context, log string, stream *string) error {
	return d.do(func() {
		d.rows = slices.DeleteFunc(d.rows, func(r lower.Row) bool { return r.Log == log && (stream == nil || r.Stream == *stream) })
	})
}

func (d *database) Source(log string) scan.Source { return ofDatabase{d, log} }

type ofDatabase struct {
	d   *database
	log string
}

func (o ofDatabase) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	o.d.mu.Lock()
	var events []memory.Event
	for _, r := range o.d.rows {
		if r.Log == o.log {
			events = append(events, memory.Event{Time: r.Time, Ingested: r.Ingested, Stream: r.Stream, Message: r.Message, Ptr: r.Ptr})
		}
	}
	o.d.mu.Unlock()
	return memory.New(o.log, events).Scan(ctx, r, yield)
}

func logOf(group string) string { return "111122223333:" + group }

// rows are what a query of a group gives.
func rows(t *testing.T, s Storage, group string, oldest int64) ([]string, error) {
	t.Helper()
	source, err := s.Source([]Scope{{group, logOf(group), oldest}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := insights.Parse("fields @logStream, @message, @timestamp, @log | sort @ptr")
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.Run(t.Context(), insights.Env{Open: func(context.Context, insights.Selection) (scan.Source, error) { return source, nil }, End: 1 << 50, Limit: insights.MaxLimit})
	if err != nil {
		return nil, err
	}
	var all []string
	for i := range r.Rows {
		all = append(all, fmt.Sprint(r.Fields(i)))
	}
	return all, nil
}

// TestForwarded: whatever fails, before it is done or after, and however often the service
// ends, the database has each event that counts once, and no other.
func TestForwarded(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			db := &database{batches: map[string]bool{}}
			forwarded(t, rand.New(rand.NewPCG(seed, 1)), db, &db.mu, &db.fails)
		})
	}
}

// TestForwardedToServer is the same on the server that EKSACT_CLICKHOUSE names.
func TestForwardedToServer(t *testing.T) {
	named := os.Getenv("EKSACT_CLICKHOUSE")
	if named == "" {
		t.Skip("EKSACT_CLICKHOUSE names no server (clickhouse://USER:PASSWORD@HOST:9000/DATABASE; test/clickhouse serves one)")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			server, err := clickhouse.Open(fmt.Sprintf("%s?table=eksact_forwarded_%d", named, time.Now().UnixNano()))
			if err != nil {
				t.Fatal(err)
			}
			db := &unreliable{Store: server}
			forwarded(t, rand.New(rand.NewPCG(seed, 1)), db, &db.mu, &db.fails)
			for _, group := range []string{"a", "b"} { // the table is left, empty
				if err := server.Delete(t.Context(), logOf(group), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// unreliable is a server whose answers are lost at times, or that is not reached.
type unreliable struct {
	*clickhouse.Store
	mu    sync.Mutex
	fails func() (before, after bool)
}

func (u *unreliable) do(change func() error) error {
	u.mu.Lock()
	before, after := u.fails()
	u.mu.Unlock()
	if before {
		return errDown
	}
	if err := change(); err != nil {
		return err
	}
	if after {
		return errDown
	}
	return nil
}

func (u *unreliable) AppendOnce(ctx context.Context, batch string, rows []lower.Row) error {
	return u.do(func() error { return u.Store.AppendOnce(ctx, batch, rows) })
}

func (u *unreliable) Delete(ctx context.Context, log string, stream *string) error {
	return u.do(func() error { return u.Store.Delete(ctx, log, stream) })
}

func forwarded(t *testing.T, r *rand.Rand, db Remote, mu *sync.Mutex, fail *func() (before, after bool)) {
	dir := t.TempDir()
	fails := rand.New(rand.NewPCG(r.Uint64(), 1))
	*fail = func() (bool, bool) { return fails.IntN(6) == 0, fails.IntN(6) == 0 }
	store, err := logstore.Open(filepath.Join(dir, "logs"), logstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var f *Forwarded
	stop := func() {}
	start := func() {
		if f, err = NewForwarded(store, db, logOf, filepath.Join(dir, "brought.json"), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func(f *Forwarded) { f.Run(ctx); close(done) }(f)
		stop = func() { cancel(); <-done }
	}
	start()
	defer func() { stop() }()
	groups, streams := []string{"a", "b"}, []string{"s", "t"}
	number := 0
	for range 80 {
		group, stream := groups[r.IntN(2)], streams[r.IntN(2)]
		switch r.IntN(12) {
		case 0:
			stop()
			start()
		case 1:
			err = f.DeleteStream(Stream{group, stream})
		case 2:
			err = f.DeleteGroup(group)
		case 3:
			_, _ = rows(t, f, group, 0) // it may fail: then the events are not there yet
		default:
			var events []Event
			for range 1 + r.IntN(20) {
				number++
				events = append(events, Event{Place: Place{At: 1_700_000_000_000 + int64(number)}, Taken: 1, Message: fmt.Sprintf(`{"n":%d}`, number)})
			}
			err = f.Append(Stream{group, stream}, events, "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	*fail = func() (bool, bool) { return false, false }
	mu.Unlock()
	local := NewColumns(store, slog.New(slog.DiscardHandler))
	for _, group := range groups {
		for _, oldest := range []int64{0, 1_700_000_000_000 + int64(number)/2} {
			want, err := rows(t, local, group, oldest)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rows(t, f, group, oldest)
			if err != nil { // a failure from before
				time.Sleep(50 * time.Millisecond)
				got, err = rows(t, f, group, oldest)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("group %s has %d rows there, %d here: %v\n%s\n%s", group, len(got), len(want), err, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// forwarding brings events to a database until the test ends.
func forwarding(t *testing.T, db *database) *Forwarded {
	t.Helper()
	dir := t.TempDir()
	store, err := logstore.Open(filepath.Join(dir, "logs"), logstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f, err := NewForwarded(store, db, logOf, filepath.Join(dir, "brought.json"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	return f
}

// TestForwardedNewGroups: a query of a group that was made a moment ago has its events,
// also if the database is being brought others' meanwhile.
func TestForwardedNewGroups(t *testing.T) {
	f := forwarding(t, &database{batches: map[string]bool{}, fails: func() (bool, bool) { return false, false }})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for ctx.Err() == nil {
			f.wake()
			signal(f.hurry)
		}
	}()
	for i := range 60 {
		group := fmt.Sprintf("g%d", i)
		if err := f.Append(Stream{group, "s"}, []Event{{Place: Place{At: 1_700_000_000_000}, Message: "m"}}, ""); err != nil {
			t.Fatal(err)
		}
		if got, err := rows(t, f, group, 0); err != nil || len(got) != 1 {
			t.Fatalf("%s has %d rows: %v", group, len(got), err)
		}
	}
}

// TestForwardedDown: where the database can't be reached, events are taken, and queries
// say why they have no answer.
func TestForwardedDown(t *testing.T) {
	db := &database{batches: map[string]bool{}, fails: func() (bool, bool) { return true, false }}
	f := forwarding(t, db)
	if err := f.Append(Stream{"g", "s"}, []Event{{Place: Place{At: 1_700_000_000_000}, Message: "m"}}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := rows(t, f, "g", 0); !errors.Is(err, errDown) {
		t.Errorf("a query says %v", err)
	}
	n := 0
	for range f.Read(Query{Group: "g", Streams: []string{"s"}, From: First, To: Last}) {
		n++
	}
	if n != 1 {
		t.Errorf("%d events are read", n)
	}
	db.mu.Lock()
	db.fails = func() (bool, bool) { return false, false }
	db.mu.Unlock()
	got, err := rows(t, f, "g", 0)
	if err != nil || len(got) != 1 {
		t.Errorf("again: %v %v", got, err)
	}
}
