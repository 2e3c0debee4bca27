package columns

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"sync"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

// The seven queries that stores are compared by, as the query engine asks them of a
// source, and the least that has to be done with the answer.

type benchQuery struct {
	name string
	r    scan.Request
	use  func(worker int, b *scan.Batch) bool
}

// counter counts rows by their values in some columns, once for each pair of numbers of
// dictionaries.
type counter struct {
	mu     sync.Mutex
	groups map[[2]scan.Value]int
}

func (c *counter) add(a, b *scan.Vector, rows int, times []int64) {
	size := func(v *scan.Vector) int {
		if v == nil || v.Dict == nil {
			return 1
		}
		return len(v.Dict.Values) + 1
	}
	wide := size(b)
	counts := make([]int, size(a)*wide) // None is behind the last
	id := func(v *scan.Vector, row int) uint32 {
		switch {
		case v == nil || v.Form == scan.Absent:
			return scan.None
		case v.IDs == nil:
			return v.Same
		}
		return v.IDs[row]
	}
	for row := range rows {
		n := int64(1)
		if times != nil {
			n = times[row]
		}
		counts[min(int(id(a, row)), len(counts)/wide-1)*wide+min(int(id(b, row)), wide-1)] += int(n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	value := func(v *scan.Vector, id int) scan.Value {
		if v == nil || v.Dict == nil || id == len(v.Dict.Values) {
			return scan.Value{}
		}
		return v.Dict.Values[id]
	}
	for i, n := range counts {
		if n > 0 {
			c.groups[[2]scan.Value{value(a, i/wide), value(b, i%wide)}] += n
		}
	}
}

func benchQueries(found *int64, c *counter) []benchQuery {
	var mu sync.Mutex
	all := scan.Request{To: math.MaxInt64, Workers: 2, Order: scan.Newest}
	with := func(fields []string, where ...scan.Predicate) scan.Request {
		r := all
		r.Fields, r.Where = fields, where
		return r
	}
	messages := func(_ int, b *scan.Batch) bool {
		n := int64(0)
		for i := range b.Rows {
			n += int64(len(b.Columns[0].At(i).Text))
		}
		mu.Lock()
		*found += n
		mu.Unlock()
		return true
	}
	rows := func(_ int, b *scan.Batch) bool {
		n := int64(b.Rows)
		if b.Counts != nil {
			n = b.Counts[0]
		}
		mu.Lock()
		*found += n
		mu.Unlock()
		return true
	}
	agents := all
	agents.Extracts = []scan.Extract{{Field: "@message", Glob: []string{`"userAgent":"`, `"`}}}
	agents.Counted = true
	counted := func(r scan.Request) scan.Request {
		r.Counted = true
		return r
	}
	return []benchQuery{
		{"1admin", with([]string{"@message", "@timestamp"}, equals("user.username", "kubernetes-admin")), messages},
		{"2user1", with([]string{"@message", "@timestamp"}, equals("user.username", "user1")), messages},
		{"3count", counted(with([]string{"user.username", "verb"})), func(_ int, b *scan.Batch) bool {
			c.add(&b.Columns[0], &b.Columns[1], b.Rows, b.Counts)
			return true
		}},
		{"4text", counted(with(nil, contains("@message", "secrets"))), rows},
		{"5latency", with([]string{"requestReceivedTimestamp", "stageTimestamp", "@timestamp"}), func(_ int, b *scan.Batch) bool {
			n := int64(0)
			for i := range b.Rows {
				n += b.Columns[1].Ints[i] - b.Columns[0].Ints[i]
			}
			mu.Lock()
			*found += n
			mu.Unlock()
			return true
		}},
		{"6refused", with([]string{"user.username"}, equals("objectRef.resource", "secrets"),
			scan.Predicate{Field: "verb", Match: func(v scan.Value) bool { return v.Text == "get" || v.Text == "list" }},
			scan.Predicate{Field: "responseStatus.code", Match: func(v scan.Value) bool { n, err := strconv.ParseFloat(v.Text, 64); return err == nil && n >= 400 }}),
			func(_ int, b *scan.Batch) bool { c.add(&b.Columns[0], nil, b.Rows, b.Counts); return true }},
		{"7parse", agents, func(_ int, b *scan.Batch) bool { c.add(&b.Columns[0], nil, b.Rows, b.Counts); return true }},
	}
}

func BenchmarkScan(b *testing.B) {
	data := auditSegment()
	for _, way := range []string{"cold", "warm"} {
		var found int64
		c := &counter{groups: map[[2]scan.Value]int{}}
		for _, q := range benchQueries(&found, c) {
			b.Run(way+"/"+q.name, func(b *testing.B) {
				cache := NewCache(256 << 20)
				s, err := Open(bytes.NewReader(data), int64(len(data)), cache)
				if err != nil {
					b.Fatal(err)
				}
				ask := func() {
					found = 0
					clear(c.groups)
					if err := (Source{{Segments: []*Segment{s}}}).Scan(context.Background(), &q.r, q.use); err != nil {
						b.Fatal(err)
					}
				}
				if way == "warm" {
					ask()
				}
				b.ResetTimer()
				defer cpu(b, 0)()
				for range b.N {
					if way == "cold" {
						s, err = Open(bytes.NewReader(data), int64(len(data)), NewCache(256<<20))
						if err != nil {
							b.Fatal(err)
						}
					}
					ask()
				}
				b.ReportMetric(float64(found), "found")
				b.ReportMetric(float64(len(c.groups)), "groups")
				b.ReportMetric(float64(cache.Bytes())/1e6, "cacheMB")
			})
		}
	}
}
