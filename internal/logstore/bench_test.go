package logstore

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/bench/auditevents"
)

// BenchmarkAppend takes in audit events in batches of a megabyte, each on disk before the
// next, up to segments that are merged
// (EKSACT_BENCH_EVENTS=1000000 go test -run - -bench . ./internal/logstore).
func BenchmarkAppend(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("EKSACT_BENCH_EVENTS"))
	if err != nil {
		n = 100_000
	}
	var batches [][]Event
	g := auditevents.New(1, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), 86*time.Millisecond)
	raw, size := int64(0), 1<<30
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
