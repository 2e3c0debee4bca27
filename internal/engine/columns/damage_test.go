package columns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

// TestDamageIsSeen flips bits all over a segment: rows that still come are right, and
// what is missing was told of.
func TestDamageIsSeen(t *testing.T) {
	e := random(rand.New(rand.NewPCG(4, 4)), 600)
	data := write(t, e, 100)
	all := map[string]int{}
	for i := range e {
		all[Pointer("l", 1000+int64(i))+string(e[i].Message)]++
	}
	r := rand.New(rand.NewPCG(5, 5))
	lost, unreadable := 0, 0
	for n := range 400 {
		bad := bytes.Clone(data)
		at := r.IntN(len(bad))
		bad[at] ^= 1 << r.IntN(8)
		s, err := Open(bytes.NewReader(bad), int64(len(bad)), NewCache(1<<20))
		if err != nil {
			unreadable++
			continue
		}
		var mu sync.Mutex
		var damage []error
		rows, nulls := 0, 0
		req := &scan.Request{To: math.MaxInt64, Fields: []string{"@ptr", "@message", "user"}, Damaged: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			damage = append(damage, err)
		}}
		err = Source{{ID: "l", Segments: []*Segment{s}}}.Scan(context.Background(), req, func(_ int, b *scan.Batch) bool {
			for i := range b.Rows {
				p, m := b.Columns[0].At(i), b.Columns[1].At(i)
				if m.Kind == scan.Null {
					nulls++
					continue
				}
				if rows++; all[p.Text+m.Text] == 0 {
					t.Errorf("flip %d at %d: a row that never was: %s %s", n, at, p.Text, m.Text)
				}
			}
			return true
		})
		if err != nil {
			t.Fatalf("flip at %d: %v", at, err)
		}
		if rows < len(e) {
			if lost++; len(damage) == 0 {
				t.Errorf("flip at %d: %d rows of %d, and nobody was told", at, rows, len(e))
			}
			// Without being asked to go on, a scan ends with the error.
			req := &scan.Request{To: math.MaxInt64, Fields: []string{"user", "verb", "time"}, Where: []scan.Predicate{contains("@message", "zzzz")}}
			err := Source{{Segments: []*Segment{s}}}.Scan(context.Background(), req, func(int, *scan.Batch) bool { return true })
			if err != nil && !errors.Is(err, errCorrupt) {
				t.Error(err)
			}
		}
	}
	if unreadable > 0 || lost < 100 {
		t.Errorf("%d segments could not be opened, %d lost rows", unreadable, lost)
	}
}

// TestTruncated: no beginning of a segment is taken for one.
func TestTruncated(t *testing.T) {
	data := write(t, events(hostile()[:20]...), 5)
	for n := range data {
		if n > len(data)/2 && bytes.Contains(data[:n], []byte(magic)) && bytes.HasSuffix(data[:n], []byte(magic)) {
			continue // behind the first copy of its contents it is whole
		}
		s, err := Open(bytes.NewReader(data[:n]), int64(n), NewCache(1<<20))
		if err != nil {
			continue
		}
		same(t, s, events(hostile()[:20]...)) // the first copy was found
	}
}

func FuzzMessages(f *testing.F) {
	for _, m := range hostile() {
		if len(m) < 4096 {
			f.Add([]byte(m), []byte(`{"a":1,"b":["x"]}`))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		e := []Event{{Time: 1, Message: a}, {Time: 2, Message: b}, {Time: 3, Message: a}, {Time: 4, Message: bytes.ToUpper(b)}, {Time: 5, Message: a[:len(a)/2]}}
		s := open(t, write(t, e, 0))
		same(t, s, e)
		names := map[string]bool{}
		for i := range e {
			for name := range fieldsOf(e[i].Message) {
				names[name] = true
			}
		}
		r := &scan.Request{To: math.MaxInt64, Fields: []string{"@message"}}
		for name := range names {
			r.Fields = append(r.Fields, name)
		}
		log := Log{ID: "l", Segments: []*Segment{s}}
		agree(t, log, e, r, "fields")
		if len(a) > 3 {
			text := string(a[len(a)/3 : len(a)/3+1+len(a)/4])
			agree(t, log, e, &scan.Request{To: math.MaxInt64, Fields: []string{"@ptr"}, Where: []scan.Predicate{contains("@message", text)},
				Extracts: []scan.Extract{{Field: "@message", Glob: []string{text[:1], text[len(text)-1:]}}}}, text)
		}
		delete(remembered, string(a))
	})
}

func FuzzInstants(f *testing.F) {
	for _, s := range []string{"2026-11-23T19:00:00.123456Z", "2024-02-29T23:59:59Z", "2200-02-29T00:00:00Z", "1970-01-01T00:00:00.0Z", "9999-12-31T23:59:59.999999Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		micros, digits, ok := parseInstant([]byte(s))
		if !ok {
			return
		}
		if got := string(appendInstant(nil, micros, digits)); got != s {
			t.Errorf("%s became %s", s, got)
		}
		if got := scan.FormatInstant(micros, digits); got != s {
			t.Errorf("%s is %s to package scan", s, got)
		}
	})
}

func TestIntegersComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		values := make([]int64, r.IntN(700))
		for i := range values {
			switch n % 4 {
			case 0:
				values[i] = int64(r.Uint64())
			case 1:
				values[i] = int64(i) * 1000
			case 2:
				values[i] = int64(r.IntN(50)) << (uint(r.IntN(8)) * uint(r.IntN(8)))
			case 3:
				values[i] = []int64{math.MinInt64, math.MaxInt64, 0, -1}[r.IntN(4)]
			}
		}
		c := cursor{b: appendInts(nil, values)}
		if got := c.ints(len(values)); c.err != nil || len(c.b) != 0 || fmt.Sprint(got) != fmt.Sprint(values) {
			t.Fatalf("%v became %v, %v", values, got, c.err)
		}
	}
}

// TestCacheHoldsItsBound opens more than fits.
func TestCacheHoldsItsBound(t *testing.T) {
	e := random(rand.New(rand.NewPCG(8, 8)), 5000)
	data := write(t, e, 500)
	const bound = 100 << 10
	cache := NewCache(bound)
	s, err := Open(bytes.NewReader(data), int64(len(data)), cache)
	if err != nil {
		t.Fatal(err)
	}
	same(t, s, e)
	if n := cache.Bytes(); n > bound || n == 0 {
		t.Errorf("%d bytes", n)
	}
	cache.Forget(s)
	if n := cache.Bytes(); n != 0 {
		t.Errorf("%d bytes of a segment that was forgotten", n)
	}
}

func TestPointers(t *testing.T) {
	if log, n, ok := ParsePointer(Pointer("log", 1<<40)); !ok || log != "log" || n != 1<<40 {
		t.Error(log, n, ok)
	}
	for _, p := range []string{"", "!", "AAAA"} {
		if _, _, ok := ParsePointer(p); ok {
			t.Errorf("%q was taken", p)
		}
	}
}
