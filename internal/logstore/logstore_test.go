package logstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/scan"
)

// quiet is for tests in which damage is expected.
var quiet = slog.New(slog.DiscardHandler)

func openStore(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func group(t testing.TB, s *Store, name string) *Group {
	t.Helper()
	g, err := s.Group(name)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func put(t testing.TB, g *Group, stream string, events ...Event) {
	t.Helper()
	if err := g.Append(stream, events, ""); err != nil {
		t.Fatal(err)
	}
}

func numberedEvents(from, n int) []Event {
	var all []Event
	for i := from; i < from+n; i++ {
		all = append(all, Event{Time: 1_700_000_000_000 + int64(i)*10, Ingested: 1_700_000_000_000 + int64(i), Message: fmt.Sprintf(`{"n":%d,"verb":"get"}`, i)})
	}
	return all
}

// everything reads a group.
func everything(t testing.TB, g *Group, q Query) []Event {
	t.Helper()
	if q.To == (Place{}) {
		q.From, q.To = Place{math.MinInt64, math.MinInt64}, Place{math.MaxInt64, math.MaxInt64}
	}
	var all []Event
	for e, err := range g.Read(q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// scanned gives the pointers and messages of all rows that a scan gives.
func scanned(t testing.TB, g *Group) map[string]int {
	t.Helper()
	rows := map[string]int{}
	r := &scan.Request{To: math.MaxInt64, Fields: []string{"@ptr", "@message", "n"}}
	err := Source([]*Group{g}, []string{"account:" + g.name}).Scan(context.Background(), r, func(_ int, b *scan.Batch) bool {
		for i := range b.Rows {
			rows[b.Columns[0].At(i).Text+" "+b.Columns[1].At(i).Text]++
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestEventsAreReadInOrder(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "/aws/eks/cluster/cluster")
	r := rand.New(rand.NewPCG(1, 1))
	var all []Event
	for n := range 40 {
		stream := fmt.Sprintf("s%d", r.IntN(3))
		batch := numberedEvents(n*100, 1+r.IntN(100))
		for i := range batch {
			batch[i].Time += int64(r.IntN(5000) - 2500)
		}
		put(t, g, stream, batch...)
		all = append(all, batch...)
		if n%7 == 3 {
			if err := g.Seal(); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(g *Group) {
		t.Helper()
		for n := range 60 {
			q := Query{From: Place{all[r.IntN(len(all))].Time, int64(r.IntN(2000))}, To: Place{all[r.IntN(len(all))].Time, 0}, Backward: n%2 == 0}
			if n < 2 {
				q.From, q.To = Place{}, Place{math.MaxInt64, 0}
			}
			if n%3 == 0 {
				q.Streams = []string{"s0", "s2", "none"}
			}
			var want []Event
			for _, e := range all {
				p := Place{e.Time, e.Sequence}
				if p.Compare(q.From) >= 0 && p.Compare(q.To) < 0 && (q.Streams == nil || slices.Contains(q.Streams, e.Stream)) {
					want = append(want, e)
				}
			}
			slices.SortFunc(want, func(a, b Event) int {
				return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Sequence, b.Sequence))
			})
			if q.Backward {
				slices.Reverse(want)
			}
			if got := everything(t, g, q); !slices.Equal(got, want) {
				t.Fatalf("%+v: %d events, want %d", q, len(got), len(want))
			}
		}
		var of0 []Event
		for _, e := range all {
			if e.Stream == "s0" && e.Sequence > 500 {
				of0 = append(of0, e)
			}
		}
		if got, err := g.Arrived("s0", 500); err != nil || !slices.Equal(got, of0) {
			t.Errorf("%d arrived, want %d, %v", len(got), len(of0), err)
		}
		st, err := g.Stats("s0", 0)
		var want Stats
		for _, e := range all {
			if e.Stream == "s0" {
				want.add(1, int64(len(e.Message)), e.Time, e.Time, e.Ingested)
			}
		}
		if err != nil || st != want {
			t.Errorf("stats %+v, want %+v, %v", st, want, err)
		}
		since := all[len(all)/2].Time
		st, err = g.Stats("s0", since)
		n := 0
		for _, e := range all {
			if e.Stream == "s0" && e.Time >= since {
				n++
			}
		}
		if err != nil || st.Events != int64(n) || st.First < since {
			t.Errorf("stats %+v, want %d events, %v", st, n, err)
		}
		streams := g.Streams()
		slices.Sort(streams)
		if !slices.Equal(streams, []string{"s0", "s1", "s2"}) {
			t.Error(streams)
		}
		if rows := scanned(t, g); len(rows) != len(all) {
			t.Errorf("%d rows, want %d", len(rows), len(all))
		}
	}
	check(g)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, dir, Options{})
	g = group(t, again, "/aws/eks/cluster/cluster")
	check(g)
	put(t, g, "s0", all[0])
	if got := everything(t, g, Query{}); len(got) != len(all)+1 {
		t.Errorf("%d events after one more", len(got))
	}
}

func TestMarksStreamsAndPointers(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "g")
	for i := range 5 {
		if err := g.Append("a", numberedEvents(i, 1), fmt.Sprint("at ", i)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, g, "b", numberedEvents(100, 3)...)
	if err := g.Append("c", nil, "empty"); err != nil {
		t.Fatal(err)
	}
	pointer := ""
	for row := range scanned(t, g) {
		if p, m, _ := strings.Cut(row, " "); strings.Contains(m, `"n":101`) {
			pointer = p
		}
	}
	if err := g.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := g.DeleteStream("a"); err != nil {
		t.Fatal(err)
	}
	put(t, g, "a", numberedEvents(7, 1)...)
	check := func(s *Store) {
		t.Helper()
		g := group(t, s, "g")
		if a, c := g.Mark("a"), g.Mark("c"); a != "" || c != "empty" {
			t.Errorf("marks %q %q", a, c)
		}
		if got := everything(t, g, Query{Streams: []string{"a"}}); len(got) != 1 || !strings.Contains(got[0].Message, `"n":7`) {
			t.Errorf("%v of a stream that was deleted and made anew", got)
		}
		if rows := scanned(t, g); len(rows) != 4 {
			t.Errorf("%v", rows)
		}
		if st, err := g.Stats("a", 0); err != nil || st.Events != 1 {
			t.Errorf("%+v %v", st, err)
		}
		name, e, found, err := s.Record(pointer)
		if err != nil || !found || name != "g" || !strings.Contains(e.Message, `"n":101`) || e.Stream != "b" {
			t.Errorf("%s %+v %v %v", name, e, found, err)
		}
		for _, p := range []string{"", "x", pointer[:len(pointer)-4]} {
			if _, _, found, err := s.Record(p); found || err != nil {
				t.Errorf("%q: %v %v", p, found, err)
			}
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	check(s)
	if names, err := s.Groups(); err != nil || !slices.Equal(names, []string{"g"}) {
		t.Error(names, err)
	}
	if err := s.Delete("g"); err != nil {
		t.Fatal(err)
	}
	if names, _ := s.Groups(); len(names) != 0 {
		t.Error(names)
	}
	if rows := scanned(t, group(t, s, "g")); len(rows) != 0 {
		t.Error(rows)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
}

func settle(t testing.TB, g *Group) {
	t.Helper()
	if err := g.Settle(); err != nil {
		t.Fatal(err)
	}
}

func TestSegmentsAreMergedAndExpire(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "g")
	var all []Event
	for n := range 4*mergeAt + 3 {
		e := numberedEvents(n*10, 10)
		put(t, g, "s", e...)
		all = append(all, e...)
		if err := g.Seal(); err != nil {
			t.Fatal(err)
		}
		if rows := scanned(t, g); len(rows) != len(all) {
			t.Fatalf("%d rows, want %d", len(rows), len(all))
		}
	}
	settle(t, g)
	if files, _ := filepath.Glob(filepath.Join(g.dir, "*.segment")); len(files) > 8 {
		t.Errorf("%d segments", len(files))
	}
	if got := everything(t, g, Query{}); !slices.Equal(got, all) {
		t.Errorf("%d events, want %d", len(got), len(all))
	}
	if err := g.Expire(all[len(all)-1].Time); err != nil {
		t.Fatal(err)
	}
	if got := everything(t, g, Query{}); len(got) == 0 || len(got) > 100 {
		t.Errorf("%d events are left", len(got))
	}
	if g.Size() == 0 {
		t.Error("no size")
	}
}

// TestWritersAndReadersAtOnce: what was acknowledged is there, once, at every moment.
func TestWritersAndReadersAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	g := group(t, s, "g")
	const writers, batches, size = 4, 60, 25
	var wait sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	done := make(chan struct{})
	for w := range writers {
		wait.Go(func() {
			for b := range batches {
				e := numberedEvents((w*batches+b)*size, size)
				if err := g.Append(fmt.Sprint(w), e, ""); err != nil {
					t.Error(err)
				}
				mu.Lock()
				for i := range e {
					acknowledged[e[i].Message] = true
				}
				mu.Unlock()
				if b%10 == w {
					if err := g.Seal(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	go func() { wait.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		mu.Lock()
		want := make([]string, 0, len(acknowledged))
		for m := range acknowledged {
			want = append(want, m)
		}
		mu.Unlock()
		seen := map[string]int{}
		for row, n := range scanned(t, g) {
			_, m, _ := strings.Cut(row, " ")
			seen[m] += n
		}
		for _, m := range want {
			if seen[m] != 1 {
				t.Fatalf("%s was seen %d times", m, seen[m])
			}
		}
		if got := everything(t, g, Query{}); len(got) < len(want) {
			t.Fatalf("%d events, want at least %d", len(got), len(want))
		}
	}
	if len(acknowledged) != writers*batches*size {
		t.Error(len(acknowledged))
	}
}

func TestLargeTailsAreSealedByThemselves(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	g := group(t, s, "g")
	for n := range 5 {
		put(t, g, "s", numberedEvents(n*8000, 8000)...)
	}
	settle(t, g)
	files, _ := filepath.Glob(filepath.Join(g.dir, "*.segment"))
	if len(files) == 0 {
		t.Error("no segment was made")
	}
	if got := everything(t, g, Query{}); len(got) != 40000 {
		t.Errorf("%d events", len(got))
	}
	if tails, _ := filepath.Glob(filepath.Join(g.dir, "*.tail")); len(tails) != 1 {
		t.Errorf("%v", tails)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// TestManyGroups: tails of many groups are not all kept until they are full.
func TestManyGroups(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{smallest: 1000}) // a million bytes
	text := strings.Repeat("x", 1000)
	for n := range 40 {
		g := group(t, s, fmt.Sprint(n))
		for i := range 100 {
			put(t, g, "s", Event{Time: int64(i), Message: fmt.Sprint(i, text)})
		}
		settle(t, g)
		put(t, g, "s", Event{Time: 1, Message: text})
		if got := everything(t, g, Query{}); len(got) != 101 {
			t.Fatalf("group %d: %d events", n, len(got))
		}
	}
	for n := range 40 {
		g := group(t, s, fmt.Sprint(n))
		for i := range 90 {
			put(t, g, "s", Event{Time: int64(i), Message: fmt.Sprint(i, text)})
		}
	}
	for deadline := time.Now().Add(30 * time.Second); s.held.Load() > 3_000_000; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are held", s.held.Load())
		}
	}
	for n := range 40 {
		settle(t, group(t, s, fmt.Sprint(n)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := s.held.Load(); n != 0 {
		t.Errorf("%d bytes are held by a closed store", n)
	}
}

// TestWhatIsBeingSyncedIsBehindNext: whoever reads up to Next misses nothing that is on its
// way to the disk.
func TestWhatIsBeingSyncedIsBehindNext(t *testing.T) {
	g := group(t, openStore(t, t.TempDir(), Options{}), "g")
	put(t, g, "s", numberedEvents(0, 3)...)
	g.tail.syncing.Lock()
	done := make(chan error, 1)
	go func() { done <- g.Append("s", numberedEvents(3, 2), "") }()
	for written := false; !written; {
		g.mu.Lock()
		written = g.next == 5
		g.mu.Unlock()
		runtime.Gosched()
	}
	next := g.Next()
	if events, _ := g.Since(-1, nil); next != 3 || len(events) != 3 {
		t.Errorf("%d events, then number %d", len(events), next)
	}
	g.tail.syncing.Unlock()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	next = g.Next()
	if events, _ := g.Since(-1, nil); next != 5 || len(events) != 5 {
		t.Errorf("at last %d events, then number %d", len(events), next)
	}
}
