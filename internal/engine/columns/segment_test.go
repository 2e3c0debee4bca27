package columns

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// write makes a segment of events; every so many a chunk ends.
func write(t testing.TB, events []Event, every int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, 1000)
	for i := range events {
		if err := w.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
		if every > 0 && (i+1)%every == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB, data []byte) *Segment {
	t.Helper()
	s, err := Open(bytes.NewReader(data), int64(len(data)), NewCache(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// same checks that a segment gives back the events.
func same(t testing.TB, s *Segment, events []Event) {
	t.Helper()
	i := 0
	err := s.Each(func(_ int64, e *Event) error {
		if i >= len(events) {
			return fmt.Errorf("more than %d events", len(events))
		}
		w := &events[i]
		if e.Time != w.Time || e.Ingested != w.Ingested || e.Stream != w.Stream || !bytes.Equal(e.Message, w.Message) {
			return fmt.Errorf("event %d: %d %d %q %.2000q, want %d %d %q %.2000q", i, e.Time, e.Ingested, e.Stream, e.Message, w.Time, w.Ingested, w.Stream, w.Message)
		}
		i++
		return nil
	})
	if err == nil && i != len(events) {
		err = fmt.Errorf("%d events, want %d", i, len(events))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func events(messages ...string) []Event {
	var all []Event
	for i, m := range messages {
		all = append(all, Event{Time: 1_700_000_000_000 + int64(i), Ingested: 1_700_000_000_500, Stream: "s", Message: []byte(m)})
	}
	return all
}

// hostile are messages that are hard to take apart.
func hostile() []string {
	fields := func(n int, key string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%s%d":%d`, key, i, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	return []string{
		"", " ", "{", "{}", " { } ", "[]", "null", `"a"`, "text", "\x00\x01\x02", `{"a":1}x`, `{"a":1,}`, `{"a" : 1 , "b":[ 1 ,2, {"c":null} ] } `,
		`{"a":1,"a":2}`, `{"a":{"b":1},"a":{"c":2}}`, `{"a.b":1,"a":{"b":2}}`, `{"@a":1,"@@a":2,"":3,"a":{"":4}}`,
		`{"a":"\u0041\n\"","b":"A\n\""}`, `{"a":"\ud83d\ude00","b":"\ud83d","c":"\uzzzz"}`, `{"a":"\x"}`, "{\"a\":\"\xff\xfe\"}", "{\"\xff\":1}", "{\"a\":\"\x01\"}", "{\"a\":\"tab\t\"}",
		`{"a":01}`, `{"a":-}`, `{"a":1e5,"b":-0,"c":1.50,"d":1E+5,"e":123456789012345678901234567890}`, `{"a":tru}`, `{"a":true,"b":false,"c":null}`,
		"{\"a\":\x00}", "{\"a\":\x01}", "{\"a\":\"\x00\"}", `{"a":"2026-11-23T19:00:00.123456Z"}`, `{"a":"2026-02-30T19:00:00Z"}`, `{"a":"2026-11-23T19:00:00.Z"}`,
		`{"a":"b0b1f9a2-54f8-4c3e-9a55-0123456789ab"}`, `{"a":"B0B1f9a2-54f8-4c3e-9a55-0123456789ab"}`, `{"a":"007"}`, `{"a":"-0"}`, `{"a":"9"}`,
		strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), strings.Repeat("[", 100_000), strings.Repeat(`{"a":[`, 5000) + strings.Repeat("]}", 5000),
		fields(199, "k"), fields(201, "k"), fields(10_000, "k"), `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, strings.Repeat("y\xff", 1<<19), "{\"a\":1}\n", "\r\n{\"a\":1}",
	}
}

func TestHostileMessagesComeBack(t *testing.T) {
	all := hostile()
	for _, every := range []int{0, 1, 7} {
		e := events(append(all, all...)...)
		same(t, open(t, write(t, e, every)), e)
	}
}

// TestUniqueKeys: events whose keys are values make no more templates than they may.
func TestUniqueKeys(t *testing.T) {
	var all []string
	for i := range 5000 {
		all = append(all, fmt.Sprintf(`{"labels":{"k%d":"v"},"n":%d}`, i, i))
	}
	e := events(all...)
	s := open(t, write(t, e, 0))
	same(t, s, e)
	if shapes, err := s.texts.read(s.cache); err != nil || len(shapes.templates) > chunkTemplates {
		t.Errorf("%d templates, %v", len(shapes.templates), err)
	}
}

// random makes messages of few shapes with values of all kinds.
func random(r *rand.Rand, n int) []Event {
	words := []string{"get", "list", "kube-system", "system:node:ip-10-0-1-2", "", "a\\\"b", "é", "\\u00e9", "2026-11-23T19:00:00Z", "17", "-4", "null", "true"}
	scalar := func() string {
		switch r.IntN(9) {
		case 0:
			return strconv.Itoa(r.IntN(3))
		case 1:
			return strconv.Itoa(r.IntN(1e9))
		case 2:
			return []string{"true", "false", "null"}[r.IntN(3)]
		case 3:
			return fmt.Sprintf(`"2026-11-%02dT19:%02d:00.%06dZ"`, 1+r.IntN(28), r.IntN(60), r.IntN(1e6))
		case 4:
			return fmt.Sprintf(`"%08x-0000-4000-8000-%012x"`, r.Uint32(), r.Uint64()>>16)
		case 5:
			return fmt.Sprintf(`"%x"`, r.Uint64())
		}
		return `"` + words[r.IntN(len(words))] + `"`
	}
	var value func(depth int) string
	value = func(depth int) string {
		switch k := r.IntN(10); {
		case depth < 3 && k == 0:
			var parts []string
			for range r.IntN(3) {
				parts = append(parts, value(depth+1))
			}
			return "[" + strings.Join(parts, ",") + "]"
		case depth < 3 && k < 3:
			var parts []string
			for i := range r.IntN(3) {
				parts = append(parts, fmt.Sprintf(`"%c":%s`, 'a'+i, value(depth+1)))
			}
			return "{" + strings.Join(parts, ",") + "}"
		}
		return scalar()
	}
	var all []Event
	at := int64(1_700_000_000_000)
	for range n {
		var parts []string
		for i := range 1 + r.IntN(4) {
			parts = append(parts, fmt.Sprintf(`"%s":%s`, []string{"verb", "user", "time", "code"}[i], value(0)))
		}
		m := "{" + strings.Join(parts, ",") + "}"
		if r.IntN(50) == 0 {
			m = words[r.IntN(len(words))] + m
		}
		at += int64(r.IntN(2000) - 500)
		all = append(all, Event{Time: at, Ingested: at + int64(r.IntN(100)), Stream: "stream" + strconv.Itoa(r.IntN(3)), Message: []byte(m)})
	}
	return all
}

func TestRandomMessagesComeBack(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := random(r, 1+r.IntN(4000))
		s := open(t, write(t, e, 500+r.IntN(2000)))
		same(t, s, e)
		if s.Events() != int64(len(e)) {
			t.Errorf("%d events", s.Events())
		}
	}
}

// TestMergedSegments are one segment with the same events, and are scanned as those are.
func TestMergedSegments(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		e := random(r, 200+r.IntN(2000))
		if seed%3 == 0 {
			e = append(e, events(hostile()[:31]...)...)
		}
		var parts []*Segment
		for from := 0; from < len(e); {
			to := min(len(e), from+1+r.IntN(700))
			var out bytes.Buffer
			w := NewWriter(&out, 1000+int64(from))
			for i := from; i < to; i++ {
				if err := w.Append(&e[i]); err != nil {
					t.Fatal(err)
				}
				if r.IntN(200) == 0 {
					if err := w.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			parts = append(parts, open(t, out.Bytes()))
			from = to
		}
		var out bytes.Buffer
		if err := Merge(&out, parts); err != nil {
			t.Fatal(err)
		}
		s := open(t, out.Bytes())
		same(t, s, e)
		streams := map[string]StreamStats{}
		for _, o := range s.Streams() {
			streams[o.Name] = o
		}
		for _, o := range open(t, write(t, e, 0)).Streams() {
			if streams[o.Name] != o {
				t.Errorf("%+v, want %+v", streams[o.Name], o)
			}
		}
		log := Log{ID: "id", Name: "account:group", Segments: []*Segment{s}}
		for n := range 10 {
			req := request(r, e)
			agree(t, log, e, req, fmt.Sprintf("seed %d, request %d: %+v", seed, n, req))
		}
		// And once more: a merged one is merged with others.
		var again bytes.Buffer
		if err := Merge(&again, []*Segment{s}); err != nil {
			t.Fatal(err)
		}
		same(t, open(t, again.Bytes()), e)
	}
}
