package columns

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

// TestTopK reads the newest events as the query engine does: once it has enough, older
// chunks are passed by.
func TestTopK(t *testing.T) {
	e := audit()[:20_000]
	log := Log{ID: "l", Segments: []*Segment{open(t, write(t, e, 1000))}}
	for _, order := range []scan.Order{scan.Newest, scan.Oldest} {
		const k = 50
		var cutoff atomic.Int64
		cutoff.Store(math.MinInt64)
		if order == scan.Oldest {
			cutoff.Store(math.MaxInt64)
		}
		progress := &scan.Progress{}
		r := &scan.Request{From: math.MinInt64, To: math.MaxInt64, Fields: []string{"@timestamp"}, Order: order, Cutoff: &cutoff, Progress: progress}
		var best []int64
		err := Source{log}.Scan(context.Background(), r, func(_ int, b *scan.Batch) bool {
			best = append(best, b.Columns[0].Ints...)
			slices.Sort(best)
			if order == scan.Newest {
				slices.Reverse(best)
			}
			if len(best) >= k {
				best = best[:k]
				cutoff.Store(best[k-1])
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []int64
		for i := range e {
			want = append(want, e[i].Time)
		}
		slices.Sort(want)
		if order == scan.Newest {
			slices.Reverse(want)
		}
		if !slices.Equal(best, want[:k]) {
			t.Errorf("order %d: %v, want %v", order, best, want[:k])
		}
		if n := progress.Skipped.Load(); n < int64(len(e))*8/10 {
			t.Errorf("order %d: %d of %d events were passed by", order, n, len(e))
		}
		if n := progress.Records.Load(); n != int64(len(e)) {
			t.Errorf("order %d: %d records", order, n)
		}
	}
}

// TestProgress: what no value fits is passed by unopened.
func TestProgress(t *testing.T) {
	e := audit()[:5000]
	s := open(t, write(t, e, 1000))
	p := &scan.Progress{}
	r := &scan.Request{To: math.MaxInt64, Where: []scan.Predicate{equals("user.username", "nobody")}, Progress: p}
	if rows := rowsOf(t, Source{{Segments: []*Segment{s}}}, r); len(rows) > 0 {
		t.Error(rows)
	}
	if records, skipped, matched := p.Records.Load(), p.Skipped.Load(), p.Matched.Load(); records != 5000 || skipped != 5000 || matched != 0 {
		t.Errorf("%d records, %d passed by, %d matched", records, skipped, matched)
	}
	if p.Bytes.Load() != s.Bytes() {
		t.Errorf("%d bytes, want %d", p.Bytes.Load(), s.Bytes())
	}
}

func TestScansStop(t *testing.T) {
	s := Source{{Segments: []*Segment{open(t, write(t, audit()[:5000], 100))}}}
	for _, workers := range []int{1, 4} {
		var calls atomic.Int32
		r := &scan.Request{To: math.MaxInt64, Workers: workers}
		err := s.Scan(context.Background(), r, func(int, *scan.Batch) bool { calls.Add(1); return false })
		if n := calls.Load(); err != nil || n == 0 || n > int32(workers) {
			t.Errorf("%d calls after the first said no, %v", n, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		calls.Store(0)
		err = s.Scan(ctx, r, func(int, *scan.Batch) bool { calls.Add(1); cancel(); return true })
		if !errors.Is(err, context.Canceled) || calls.Load() > 200 {
			t.Errorf("%d calls after the context ended, %v", calls.Load(), err)
		}
	}
}
