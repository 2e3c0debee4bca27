package memory

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

var events = []Event{
	{Time: 20, Ingested: 25, Stream: "s2", Message: `{"a":1,"b":"x"}`},
	{Time: 10, Ingested: 15, Stream: "s1", Message: `{"a":2}`},
	{Time: 30, Ingested: 35, Stream: "s1", Message: `user=bob`},
	{Time: 20, Ingested: 26, Stream: "s1", Message: `{"b":true}`},
}

// rows are what a scan gives, a row a line, its values separated by commas.
func rows(t *testing.T, s scan.Source, r *scan.Request) (lines []string) {
	t.Helper()
	err := s.Scan(context.Background(), r, func(worker int, b *scan.Batch) bool {
		for row := range b.Rows {
			var values []string
			for i := range b.Columns {
				values = append(values, b.Columns[i].At(row).Text)
			}
			lines = append(lines, strings.Join(values, ","))
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestScans(t *testing.T) {
	s := New("1:g", events)
	a := func(text string) func(scan.Value) bool { return func(v scan.Value) bool { return v.Text == text } }
	for _, c := range []struct {
		name string
		r    scan.Request
		want []string
	}{
		{"in the order of time and arrival", scan.Request{To: 99, Fields: []string{"@timestamp", "a", "b"}}, []string{"10,2,", "20,1,x", "20,,true", "30,,"}},
		{"newest first", scan.Request{To: 99, Order: scan.Newest, Fields: []string{"@timestamp", "a", "b"}}, []string{"30,,", "20,,true", "20,1,x", "10,2,"}},
		{"both ends belong to it", scan.Request{From: 20, To: 20, Fields: []string{"@ingestionTime", "@logStream", "@log"}}, []string{"25,s2,1:g", "26,s1,1:g"}},
		{"conditions", scan.Request{To: 99, Fields: []string{"a"}, Where: []scan.Predicate{{Field: "@logStream", Match: a("s1")}, {Field: "@timestamp", Match: a("10")}}}, []string{"2"}},
		{"of what isn't there", scan.Request{To: 99, Fields: []string{"@timestamp"}, Where: []scan.Predicate{{Field: "b", Match: func(v scan.Value) bool { return v.Kind == scan.Null }}}}, []string{"10", "30"}},
		{"extracts", scan.Request{To: 99, Extracts: []scan.Extract{{Field: "@message", Glob: []string{"user=", ""}}}}, []string{"", "", "", "bob"}},
		{"nothing but rows", scan.Request{To: 99}, []string{"", "", "", ""}},
	} {
		for _, size := range []int{1, 3, 0} {
			s.BatchRows = size
			if got := rows(t, s, &c.r); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s, batches of %d: %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestPointersAreInTheOrderOfArrival(t *testing.T) {
	got := rows(t, New("1:g", events), &scan.Request{To: 99, Fields: []string{"@ptr"}})
	if got[0] != "AAAAAAAAAAExOmc=" || got[1] != "AAAAAAAAAAAxOmc=" {
		t.Errorf("%q", got)
	}
	if got := rows(t, New("1:g", []Event{{Ptr: "p"}}), &scan.Request{Fields: []string{"@ptr"}}); got[0] != "p" {
		t.Errorf("a pointer that was given is %q", got)
	}
}

func TestScansStop(t *testing.T) {
	s := New("1:g", events)
	s.BatchRows = 1
	var cutoff atomic.Int64
	var progress scan.Progress
	seen := 0
	r := &scan.Request{To: 99, Order: scan.Newest, Cutoff: &cutoff, Progress: &progress}
	err := s.Scan(context.Background(), r, func(int, *scan.Batch) bool {
		seen++
		cutoff.Store(20) // what is older isn't wanted any more
		return true
	})
	if err != nil || seen != 3 || progress.Records.Load() != 3 || progress.Matched.Load() != 3 || progress.Bytes.Load() != 33 {
		t.Errorf("%d rows, %d records of %d bytes, %d matched, %v", seen, progress.Records.Load(), progress.Bytes.Load(), progress.Matched.Load(), err)
	}
	seen = 0
	if err := s.Scan(context.Background(), &scan.Request{To: 99}, func(int, *scan.Batch) bool { seen++; return seen < 2 }); err != nil || seen != 2 {
		t.Errorf("told to stop: %d rows, %v", seen, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Scan(ctx, &scan.Request{To: 99}, func(int, *scan.Batch) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("its context ended: %v", err)
	}
}

func TestFormsOfColumns(t *testing.T) {
	var many []Event
	for i := range 100 {
		many = append(many, Event{Message: fmt.Sprintf(`{"few":%d,"all":%d}`, i%3, i)})
	}
	want := []scan.Form{scan.Coded, scan.Plain, scan.Absent, scan.Times}
	err := New("1:g", many).Scan(context.Background(), &scan.Request{Fields: []string{"few", "all", "none", "@timestamp"}}, func(_ int, b *scan.Batch) bool {
		for i, form := range want {
			if got := b.Columns[i].Form; got != form {
				t.Errorf("column %d has form %d, want %d", i, got, form)
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSeveralSourcesAsOne(t *testing.T) {
	s := scan.All(New("1:g", events[:2]), New("1:h", events[2:]))
	if got := rows(t, s, &scan.Request{To: 99, Fields: []string{"@log", "@timestamp"}}); !reflect.DeepEqual(got, []string{"1:g,10", "1:g,20", "1:h,20", "1:h,30"}) {
		t.Errorf("%q", got)
	}
	seen := 0
	if err := s.Scan(context.Background(), &scan.Request{To: 99}, func(int, *scan.Batch) bool { seen++; return false }); err != nil || seen != 1 {
		t.Errorf("told to stop: %d batches, %v", seen, err)
	}
	if one := New("1:g", nil); scan.All(one) != scan.Source(one) {
		t.Error("one source is itself")
	}
}
