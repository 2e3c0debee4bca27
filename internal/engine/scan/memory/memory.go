// Package memory is the plainest store of log events: a list in memory that is scanned
// from one end to the other. Tests hold other stores and the query engine against it;
// files that are queried without a store are read into it.
package memory

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/eksact/eksact/internal/engine/scan"
)

// An Event is one log event. Times are milliseconds since 1970.
type Event struct {
	Time, Ingested int64
	Stream         string
	Message        string
	Ptr            string // "": the event's number
}

// A Source is the events of one log group.
type Source struct {
	log    string
	events []event
	// BatchRows is how many rows a batch has at most; 0 is 1,024.
	BatchRows int
}

// event is an event with what was discovered in it, once somebody asked.
type event struct {
	Event
	ptr    string
	fields map[string]scan.Value
}

// New makes a source of events. Log is what @log says of them: account:group.
func New(log string, events []Event) *Source {
	s := &Source{log: log, events: make([]event, len(events))}
	for i, e := range events {
		s.events[i] = event{Event: e, ptr: e.Ptr}
		if e.Ptr == "" {
			s.events[i].ptr = pointer(log, i)
		}
	}
	slices.SortStableFunc(s.events, func(a, b event) int {
		switch {
		case a.Time < b.Time:
			return -1
		case a.Time > b.Time:
			return 1
		}
		return 0
	})
	for i := range s.events {
		e := &s.events[i]
		e.fields = map[string]scan.Value{}
		for _, l := range scan.Discover(e.Message) {
			e.fields[l.Name] = l.Value
		}
	}
	return s
}

// pointer is an event's @ptr, as other stores write it: its number in the order of
// arrival, and the log.
func pointer(log string, number int) string {
	return base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(number)), log...))
}

// field is a field of an event.
func (s *Source) field(e *event, name string) scan.Value {
	switch name {
	case "@message":
		return scan.Value{Kind: scan.Text, Text: e.Message}
	case "@logStream":
		return scan.Value{Kind: scan.Text, Text: e.Stream}
	case "@log":
		return scan.Value{Kind: scan.Text, Text: s.log}
	case "@ptr":
		return scan.Value{Kind: scan.Text, Text: e.ptr}
	}
	return e.fields[name]
}

// Scan is scan.Source's. It yields from one goroutine, as worker 0.
func (s *Source) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	size := s.BatchRows
	if size <= 0 {
		size = 1024
	}
	var rows []*event
	flush := func() bool {
		if len(rows) == 0 {
			return true
		}
		b := s.batch(r, rows)
		rows = nil
		return yield(0, b)
	}
	for i := range s.events {
		e := &s.events[i]
		if r.Order == scan.Newest {
			e = &s.events[len(s.events)-1-i]
		}
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if e.Time < r.From || e.Time > r.To || beyond(r, e.Time) {
			continue
		}
		if r.Progress != nil {
			r.Progress.Records.Add(1)
			r.Progress.Bytes.Add(int64(len(e.Message)))
		}
		if !s.meets(e, r.Where) {
			continue
		}
		if r.Progress != nil {
			r.Progress.Matched.Add(1)
		}
		if rows = append(rows, e); len(rows) == size && !flush() {
			return nil
		}
	}
	flush()
	return ctx.Err()
}

func beyond(r *scan.Request, at int64) bool {
	if r.Cutoff == nil {
		return false
	}
	switch r.Order {
	case scan.Newest:
		return at < r.Cutoff.Load()
	case scan.Oldest:
		return at > r.Cutoff.Load()
	}
	return false
}

func (s *Source) meets(e *event, where []scan.Predicate) bool {
	for _, p := range where {
		var v scan.Value
		switch p.Field {
		case "@timestamp":
			v = scan.Value{Kind: scan.Number, Text: fmt.Sprint(e.Time)}
		case "@ingestionTime":
			v = scan.Value{Kind: scan.Number, Text: fmt.Sprint(e.Ingested)}
		default:
			v = s.field(e, p.Field)
		}
		if !p.Match(v) {
			return false
		}
	}
	return true
}

// batch makes the columns of some events: times as such, others by a dictionary where
// values repeat.
func (s *Source) batch(r *scan.Request, rows []*event) *scan.Batch {
	b := &scan.Batch{Rows: len(rows)}
	for _, name := range r.Fields {
		v := scan.Vector{Form: scan.Times}
		switch name {
		case "@timestamp":
			for _, e := range rows {
				v.Ints = append(v.Ints, e.Time)
			}
		case "@ingestionTime":
			for _, e := range rows {
				v.Ints = append(v.Ints, e.Ingested)
			}
		default:
			all := make([]scan.Value, len(rows))
			for i, e := range rows {
				all[i] = s.field(e, name)
			}
			v = scan.Code(all)
		}
		b.Columns = append(b.Columns, v)
	}
	for _, x := range r.Extracts {
		columns := make([][]scan.Value, x.Columns())
		out := make([]string, x.Columns())
		for _, e := range rows {
			text := s.field(e, x.Field)
			ok := text.Kind != scan.Null && x.Apply(text.Text, out)
			for c := range columns {
				v := scan.Value{}
				if ok {
					v = scan.Value{Kind: scan.Text, Text: out[c]}
				}
				columns[c] = append(columns[c], v)
			}
		}
		for _, all := range columns {
			b.Columns = append(b.Columns, scan.Code(all))
		}
	}
	return b
}
