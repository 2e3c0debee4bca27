package columns

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/bench/auditevents"
)

// benchEvents is how many events the figures are of: 1,000,000 for those in docs/LOGSTORE.md
// (EKSACT_BENCH_EVENTS=1000000 go test -run - -bench . ./internal/engine/columns).
var benchEvents = func() int {
	if n, err := strconv.Atoi(os.Getenv("EKSACT_BENCH_EVENTS")); err == nil {
		return n
	}
	return 100_000
}()

var benchStart = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// audit gives generated events, in batches as an API server's log is read.
var audit = sync.OnceValue(func() []Event {
	g := auditevents.New(1, benchStart, 86*time.Millisecond)
	all := make([]Event, benchEvents)
	var ingested int64
	for i := range all {
		e := g.Next()
		if e.Time > ingested {
			ingested = e.Time + 400
		}
		all[i] = Event{Time: e.Time, Ingested: ingested, Stream: "kube-apiserver-audit-0123456789abcdef0123456789abcdef", Message: bytes.Clone(e.Message)}
	}
	return all
})

// auditSegment is those events in a segment.
var auditSegment = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := NewWriter(&out, 0)
	for i := range audit() {
		if err := w.Append(&audit()[i]); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
})

func rawBytes() (n int64) {
	for i := range audit() {
		n += int64(len(audit()[i].Message))
	}
	return n
}

// cpu reports processor time beside time on the wall, which means little on a machine
// that others use.
func cpu(b *testing.B, bytes int64) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() {
		ns := float64(used()-before) / float64(b.N)
		b.ReportMetric(ns/1e6, "cpu-ms/op")
		if bytes > 0 {
			b.ReportMetric(float64(bytes)/ns*1e3, "MB/cpu-s")
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	events := audit()
	b.SetBytes(rawBytes())
	var out bytes.Buffer
	defer cpu(b, rawBytes())()
	for b.Loop() {
		out.Reset()
		w := NewWriter(&out, 0)
		for i := range events {
			if err := w.Append(&events[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len())/1e6, "MB")
	b.ReportMetric(float64(rawBytes())/float64(out.Len()), "ratio")
}

func BenchmarkRebuild(b *testing.B) {
	data := auditSegment()
	b.SetBytes(rawBytes())
	defer cpu(b, rawBytes())()
	for b.Loop() {
		s := open(b, data)
		if err := s.Each(func(_ int64, e *Event) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAuditEventsComeBack(t *testing.T) {
	same(t, open(t, auditSegment()), audit())
}

// BenchmarkMerge makes one segment of those of a chunk each.
func BenchmarkMerge(b *testing.B) {
	var parts []*Segment
	size := 0
	for from := 0; from < len(audit()); from += ChunkEvents {
		var out bytes.Buffer
		w := NewWriter(&out, int64(from))
		for i := from; i < min(from+ChunkEvents, len(audit())); i++ {
			if err := w.Append(&audit()[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		size += out.Len()
		parts = append(parts, open(b, out.Bytes()))
	}
	b.SetBytes(rawBytes())
	defer cpu(b, rawBytes())()
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := Merge(&out, parts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/1e6, "MBbefore")
	b.ReportMetric(float64(out.Len())/1e6, "MB")
}
