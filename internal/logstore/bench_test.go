package logstore

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/bench/auditevents"
	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/engine/scan"
)

// BenchmarkAppend takes in audit events in batches of a megabyte, each on disk before the
// next, up to segments that are merged
// (EKSACT_BENCH_EVENTS=1000000 go test -run - -bench . ./internal/logstore).
func BenchmarkAppend(b *testing.B) {
	batches, raw := audited()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.SetBytes(raw)
	before := used()
	disk := int64(0)
	for i := range b.N {
		s := openStore(b, b.TempDir(), Options{})
		g := group(b, s, fmt.Sprint(i))
		for _, batch := range batches {
			put(b, g, "s", batch...)
		}
		settle(b, g)
		disk = g.Size()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(raw)*float64(b.N)/float64(used()-before)*1e3, "MB/cpu-s")
	b.ReportMetric(float64(disk)/1e6, "MB")
}

// audited are generated audit events in batches of a megabyte, EKSACT_BENCH_EVENTS of them,
// and the length of their messages.
func audited() (batches [][]Event, raw int64) {
	n, err := strconv.Atoi(os.Getenv("EKSACT_BENCH_EVENTS"))
	if err != nil {
		n = 100_000
	}
	g := auditevents.New(1, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), 86*time.Millisecond)
	size := 1 << 30
	for range n {
		e := g.Next()
		if size += len(e.Message) + 26; size > 1<<20 {
			batches = append(batches, nil)
			size = len(e.Message) + 26
		}
		last := &batches[len(batches)-1]
		*last = append(*last, Event{Time: e.Time, Ingested: e.Time + 400, Message: string(e.Message)})
		raw += int64(len(e.Message))
	}
	return batches, raw
}

// BenchmarkPatterns looks for what filter patterns match among audit events, to the end:
// with the conditions that the store knows how to ask, and by reading every message
// (EKSACT_BENCH_EVENTS=1000000 go test -run - -bench Patterns -benchtime 3x ./internal/logstore).
func BenchmarkPatterns(b *testing.B) {
	batches, _ := audited()
	g := group(b, openStore(b, b.TempDir(), Options{}), "g")
	for _, batch := range batches {
		put(b, g, "s", batch...)
	}
	batches = nil
	settle(b, g)
	for _, text := range []string{
		`{ $.user.username = "user1" }`,
		`{ $.user.username = "user1" && $.responseStatus.code >= 400 }`,
		`{ $.objectRef.resource = "secrets" && ($.verb = "get" || $.verb = "list") && $.responseStatus.code = 403 }`,
		`user1 secrets`,
		`"nothing has this"`,
	} {
		p, err := filter.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		for _, way := range []struct {
			name string
			may  [][]scan.Predicate
		}{{"asked", p.May()}, {"read", nil}} {
			b.Run(text+"/"+way.name, func(b *testing.B) {
				found := 0
				for b.Loop() {
					found = 0
					for e, err := range g.Read(Query{To: Place{math.MaxInt64, 0}, May: way.may}) {
						if err != nil {
							b.Fatal(err)
						}
						if p.Match(e.Message) {
							found++
						}
					}
				}
				b.ReportMetric(float64(found), "found")
			})
		}
	}
}
