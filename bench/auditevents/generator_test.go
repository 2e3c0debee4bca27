package auditevents

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// TestEvents holds the events to what figures are given for: their sizes, and who does what.
func TestEvents(t *testing.T) {
	g := New(1, start, 86*time.Millisecond)
	const n = 100_000
	var sizes []int
	total := 0
	count := map[string]int{}
	for range n {
		e := g.Next()
		if !json.Valid(e.Message) {
			t.Fatalf("not JSON: %s", e.Message)
		}
		sizes = append(sizes, len(e.Message))
		total += len(e.Message)
		for _, s := range []string{`"username":"kubernetes-admin"`, `"username":"user1"`, "secrets", `"stage":"RequestReceived"`, `"code":403`} {
			if bytes.Contains(e.Message, []byte(s)) {
				count[s]++
			}
		}
	}
	slices.Sort(sizes)
	mean, p99 := total/n, sizes[n*99/100]
	t.Logf("mean %d, p50 %d, p99 %d, largest %d; %v", mean, sizes[n/2], p99, sizes[n-1], count)
	if mean < 1300 || mean > 1480 || p99 < 4000 || p99 > 5500 {
		t.Errorf("mean %d, p99 %d bytes", mean, p99)
	}
	for s, c := range count {
		if c == 0 {
			t.Errorf("no event has %s", s)
		}
	}
}

func TestSameSeedSameEvents(t *testing.T) {
	a, b := New(7, start, time.Millisecond), New(7, start, time.Millisecond)
	for range 5000 {
		if x, y := a.Next(), b.Next(); x.Time != y.Time || !bytes.Equal(x.Message, y.Message) {
			t.Fatalf("%s\n%s", x.Message, y.Message)
		}
	}
}
