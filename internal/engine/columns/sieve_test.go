package columns

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

// pathEvents have texts with few different letters, which sieves are good at: some differ
// from event to event, others repeat, and a few have a backslash.
func pathEvents(r *rand.Rand, n int) []Event {
	words := []string{"pods", "nodes", "leases", "config", "status", "secrets"}
	paths := make([]string, n/4)
	for i := range paths {
		paths[i] = fmt.Sprintf("/%s/%x/%s", words[r.IntN(len(words)-1)], r.Uint32(), words[r.IntN(len(words)-1)])
		if r.IntN(400) == 0 {
			paths[i] += "/secrets"
		}
	}
	texts := make([]string, n)
	for i := range texts {
		id := fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
		switch r.IntN(1500) {
		case 0:
			id += `\u0073ecret`
		case 1:
			id += "-secret-"
		}
		texts[i] = fmt.Sprintf(`{"id":"containerd://%s","path":"%s","n":%d}`, id, paths[r.IntN(len(paths))], i)
	}
	return events(texts...)
}

// TestSieves asks for what is there and what isn't, of segments with sieves, and of those
// that were merged.
func TestSieves(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e := pathEvents(r, 6000)
	first := open(t, write(t, e[:4000], 3000))
	var second bytes.Buffer
	w := NewWriter(&second, 5000)
	for i := range e[4000:] {
		if err := w.Append(&e[4000+i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var merged bytes.Buffer
	if err := Merge(&merged, []*Segment{first, open(t, second.Bytes())}); err != nil {
		t.Fatal(err)
	}
	s := open(t, merged.Bytes())
	sieves := 0
	for i := range s.chunks {
		k, err := s.chunk(i)
		if err != nil {
			t.Fatal(err)
		}
		sieves += len(k.sieves)
	}
	for i := range s.dicts {
		if s.sieveOf(i) != nil {
			sieves += 100
		}
	}
	if sieves != 103 {
		t.Fatalf("%d sieves, want those of three columns, and that of a dictionary", sieves)
	}
	segments := []*Segment{s, open(t, write(t, e, 3000))}
	texts := []string{"secret", "/secrets", "secret-", "containerd://", "docker://", "nowhere", "ets", "/", "xyz", "\\u0073", "s\",\"n"}
	for range 60 {
		texts = append(texts, piece(r, e))
	}
	for _, text := range texts {
		for _, field := range []string{"@message", "id", "path"} {
			for _, p := range []scan.Predicate{contains(field, text), equals(field, text)} {
				for _, s := range segments {
					req := &scan.Request{To: 1 << 60, Fields: []string{"@ptr"}, Where: []scan.Predicate{p}}
					agree(t, Log{ID: "id", Segments: []*Segment{s}}, e, req, field+" "+text)
				}
			}
		}
	}
}

// TestSievesSpareOpening looks for what is in none of the texts, or in few.
func TestSievesSpareOpening(t *testing.T) {
	e := pathEvents(rand.New(rand.NewPCG(3, 4)), 6000)
	data := write(t, e, 0)
	opened := func(text string) int64 {
		s, err := Open(bytes.NewReader(data), int64(len(data)), NewCache(1<<30))
		if err != nil {
			t.Fatal(err)
		}
		req := &scan.Request{To: 1 << 60, Counted: true, Where: []scan.Predicate{contains("@message", text)}}
		rowsOf(t, Source{{ID: "id", Segments: []*Segment{s}}}, req)
		return s.cache.Bytes()
	}
	all, few, none := opened("e"), opened("/secrets"), opened("docker")
	if few > all/2 || none > all/20 {
		t.Errorf("for all %d bytes are opened, for few texts %d, for none %d", all, few, none)
	}
}

// FuzzSieve holds a sieve to its word: what a page contains it lets.
func FuzzSieve(f *testing.F) {
	f.Add(strings.Repeat("some text of a page, and ", 300), uint16(20), uint16(9))
	f.Add(strings.Repeat("\x00\xff\\", 2000), uint16(5000), uint16(3))
	f.Fuzz(func(t *testing.T, text string, from, n uint16) {
		v := values{}
		for at := 0; at < len(text); at += 100 {
			v.text = append(v.text, text[at:min(len(text), at+100)]...)
			v.ends = append(v.ends, uint32(len(v.text)))
		}
		s := newSieve(&v, 1<<20)
		if s == nil {
			return
		}
		if readSieve(s) == nil {
			t.Fatal("it can't be read")
		}
		value := v.at(int(from) % v.len())
		part := string(value[:min(len(value), int(n))])
		size, page := 0, 0
		for i := range int(from) % v.len() {
			if size += len(v.at(i)); size >= pageBytes {
				size, page = 0, page+1
			}
		}
		if pages, any := s.of([]string{part}); !any || !pages[page] {
			t.Errorf("%q is in page %d, and not let", part, page)
		}
	})
}
