package storage

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newFiles(dir string) *Files { return NewFiles(dir, slog.New(slog.DiscardHandler), time.Now) }

func texts(t testing.TB, s Storage, q Query) (all []string) {
	t.Helper()
	for e, err := range s.Read(q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Message)
	}
	return all
}

// Whatever is written, deleted, expired and reopened, Files reads as a list would.
func TestReadsAsAList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		files := newFiles(dir)
		model, marks := map[string][]Event{}, map[string]string{}
		streams := []string{"a", "b"}
		n := 0
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			name := rapid.SampledFrom(streams).Draw(rt, "stream")
			id := Stream{"g", name}
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				files = newFiles(dir)
			case 1:
				if err := files.Delete(id); err != nil {
					rt.Fatal(err)
				}
				delete(model, name)
				delete(marks, name)
			case 2:
				oldest := int64(rapid.IntRange(0, 60).Draw(rt, "oldest"))
				if err := files.Expire(id, oldest); err != nil {
					rt.Fatal(err)
				}
				old := slices.DeleteFunc(slices.Clone(model[name]), func(e Event) bool { return e.At < oldest })
				if len(model[name])-len(old) >= len(model[name])/2 && len(old) < len(model[name]) {
					model[name] = old
				}
			default:
				var batch []Event
				for range rapid.IntRange(0, 5).Draw(rt, "events") {
					n++
					batch = append(batch, Event{Place: Place{At: int64(rapid.IntRange(0, 100).Draw(rt, "at"))}, Taken: 7, Message: strconv.Itoa(n)})
				}
				mark := rapid.SampledFrom([]string{"", "m1", "m2"}).Draw(rt, "mark")
				if err := files.Append(id, batch, mark); err != nil {
					rt.Fatal(err)
				}
				model[name] = append(model[name], batch...)
				if mark != "" {
					marks[name] = mark
				}
			}
		}
		q := Query{Group: "g", Streams: streams, From: From(int64(rapid.IntRange(0, 100).Draw(rt, "from"))), To: From(int64(rapid.IntRange(0, 120).Draw(rt, "to"))), Backward: rapid.Bool().Draw(rt, "backward")}
		var want []Event
		for _, list := range model {
			for _, e := range list {
				if e.Place.Compare(q.From) >= 0 && e.Place.Compare(q.To) < 0 {
					want = append(want, e)
				}
			}
		}
		slices.SortFunc(want, func(a, b Event) int { return a.Compare(b.Place) })
		if q.Backward {
			slices.Reverse(want)
		}
		var wanted []string
		for _, e := range want {
			wanted = append(wanted, e.Message)
		}
		if got := texts(t, files, q); !slices.Equal(got, wanted) {
			rt.Fatalf("got %v, want %v", got, wanted)
		}
		for _, name := range streams {
			if mark, err := files.Mark(Stream{"g", name}); err != nil || mark != marks[name] {
				rt.Fatalf("mark %q, %v; want %q", mark, err, marks[name])
			}
			var after int64
			if len(model[name]) > 2 {
				after = model[name][1].Serial
			}
			got, err := files.Arrived(Stream{"g", name}, after)
			if err != nil {
				rt.Fatal(err)
			}
			var order []string
			for _, e := range got {
				order = append(order, e.Message)
			}
			var wanted []string
			for _, e := range model[name] {
				if e.Serial > after {
					wanted = append(wanted, e.Message)
				}
			}
			if !slices.Equal(order, wanted) {
				rt.Fatalf("arrived %v, want %v", order, wanted)
			}
		}
	})
}

// A batch cut short anywhere is gone as a whole, with its mark; what came before stays.
func TestACutBatch(t *testing.T) {
	dir := t.TempDir()
	id := Stream{"g", "s"}
	files := newFiles(dir)
	put := func(files *Files, mark string, messages ...string) {
		t.Helper()
		var batch []Event
		for _, m := range messages {
			batch = append(batch, Event{Place: Place{At: 1}, Message: m})
		}
		if err := files.Append(id, batch, mark); err != nil {
			t.Fatal(err)
		}
	}
	put(files, "one", "a", "b")
	path := files.file(id).path
	before, _ := os.Stat(path)
	put(files, "two", "c", "d")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Group: "g", Streams: []string{"s"}, From: First, To: Last}
	for cut := before.Size(); cut < int64(len(whole)); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := newFiles(dir)
		mark, _ := again.Mark(id)
		if got := texts(t, again, q); strings.Join(got, " ") != "a b" || mark != "one" {
			t.Fatalf("cut at %d: %v, mark %q", cut, got, mark)
		}
		put(again, "three", "e")
		if got := texts(t, newFiles(dir), q); strings.Join(got, " ") != "a b e" {
			t.Fatalf("cut at %d, then written: %v", cut, got)
		}
	}
	// Damage in the middle loses the batch that it is in.
	put(newFiles(dir), "four", "f")
	data, _ := os.ReadFile(path)
	data[before.Size()-1] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	damaged := NewFiles(dir, slog.New(slog.NewTextHandler(&log, nil)), time.Now)
	if got := texts(t, damaged, q); strings.Join(got, " ") != "e f" || !strings.Contains(log.String(), "damaged") {
		t.Errorf("damaged: %v, log %q", got, log.String())
	}
}

// Serials grow from run to run, so that ids stay unique.
func TestSerialsGrow(t *testing.T) {
	dir := t.TempDir()
	now := time.UnixMilli(1_000_000)
	batch := make([]Event, 500)
	first := NewFiles(dir, slog.Default(), at(now))
	if err := first.Append(Stream{"g", "s"}, batch, ""); err != nil {
		t.Fatal(err)
	}
	last := batch[499].Serial
	if err := NewFiles(dir, slog.Default(), at(now.Add(time.Millisecond))).Append(Stream{"g", "s"}, batch[:1], ""); err != nil {
		t.Fatal(err)
	}
	if batch[0].Serial <= last {
		t.Errorf("%d after %d", batch[0].Serial, last)
	}
	p := Place{1, last}
	if got, ok := ParseID(p.ID()); !ok || got != p || len(p.ID()) != 56 {
		t.Errorf("%s is %v", p.ID(), got)
	}
}

// TestMain is also the program that TestKilledWriter kills.
func TestMain(m *testing.M) {
	dir := os.Getenv("STORAGE_TEST_WRITER")
	if dir == "" {
		os.Exit(m.Run())
	}
	files := newFiles(dir)
	mark, err := files.Mark(Stream{"g", "s"})
	if err != nil {
		panic(err)
	}
	from, _ := strconv.Atoi(mark)
	for n := from; ; n += 3 {
		var batch []Event
		for i := range 3 {
			batch = append(batch, Event{Place: Place{At: int64(n + i)}, Message: strings.Repeat(strconv.Itoa(n+i)+" ", 500)})
		}
		if err := files.Append(Stream{"g", "s"}, batch, strconv.Itoa(n+3)); err != nil {
			panic(err)
		}
		fmt.Println(n + 3)
	}
}

// A writer that goes on from its mark, killed again and again, loses nothing that it
// was told is there, and writes nothing twice.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	acknowledged := 0
	for round := range 20 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORAGE_TEST_WRITER="+dir)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+7*round) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		lines := strings.Fields(out.String())
		if len(lines) > 0 {
			n, err := strconv.Atoi(lines[len(lines)-1])
			if err == nil {
				acknowledged = max(acknowledged, n)
			}
		}
	}
	got := texts(t, newFiles(dir), Query{Group: "g", Streams: []string{"s"}, From: First, To: Last})
	if len(got) < acknowledged || acknowledged == 0 {
		t.Errorf("%d events, %d were acknowledged", len(got), acknowledged)
	}
	for i, m := range got {
		if !strings.HasPrefix(m, strconv.Itoa(i)+" ") {
			t.Fatalf("event %d is %.10s…", i, m)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(names) != 1 {
		t.Errorf("files %v", names)
	}
}

func FuzzFrame(f *testing.F) {
	data, _ := appendFrame(nil, 0, []Event{{Place: Place{1, 2}, Taken: 3, Message: "x"}}, "m")
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, size, ok := readFrame(data, 0)
		if !ok {
			return
		}
		for _, e := range fr.entries {
			if e.offset < 0 || e.offset+int64(e.size) > size {
				t.Fatalf("%+v is not within %d", e, size)
			}
		}
	})
}
