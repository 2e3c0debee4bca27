package insights_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/insights/cases"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// TestCases runs the conformance suite on the store in memory, whole and in batches that
// could tear rows apart, and on columns.
func TestCases(t *testing.T) {
	all, err := cases.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			for _, batch := range []int{0, 1, 2} {
				rows, err := answer(&c, inMemoryOf(batch))
				if problem := c.Check(rows, err); problem != "" {
					t.Errorf("%s\nin batches of %d: %s", c.Query, batch, problem)
				}
			}
			for _, segment := range []int{3, 1000} {
				rows, err := answer(&c, inColumnsOf(t, segment))
				if problem := c.Check(rows, err); problem != "" {
					t.Errorf("%s\nin segments of %d: %s", c.Query, segment, problem)
				}
			}
		})
	}
}

// Of an event with more leaves than may be fields the rest is there for jsonParse and
// parse alone.
func TestOnlyTheFirstFieldsAreDiscovered(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"spec":{`)
	for i := range scan.MaxFields + 10 {
		fmt.Fprintf(&b, `"f%d":%d,`, i, i)
	}
	b.WriteString(`"last":"x"}}`)
	c := cases.Case{
		Query:  fmt.Sprintf("fields spec.f%d as a, spec.f%d as b, jsonParse(@message).spec.last as c | parse @message '\"last\":\"*\"' as d | display a, b, c, d", scan.MaxFields-1, scan.MaxFields),
		Events: []cases.Event{{At: cases.Start, Message: b.String()}},
		Rows:   []map[string]string{{"a": fmt.Sprint(scan.MaxFields - 1), "c": "x", "d": "x"}},
	}
	rows, err := answer(&c, inMemoryOf(0))
	if problem := c.Check(rows, err); problem != "" {
		t.Error(problem)
	}
}

// A maker makes a store of a group's events.
type maker func(group string, events []memory.Event) scan.Source

// inMemoryOf gives batches of so many rows, or the usual ones for 0.
func inMemoryOf(batch int) maker {
	return func(group string, events []memory.Event) scan.Source {
		source := memory.New(cases.Account+":"+group, events)
		source.BatchRows = batch
		return source
	}
}

// inColumnsOf makes segments of so many events.
func inColumnsOf(t *testing.T, segment int) maker {
	return func(group string, events []memory.Event) scan.Source {
		log := columns.Log{ID: cases.Account + ":" + group, Name: cases.Account + ":" + group}
		for from := 0; from < len(events); from += segment {
			var out bytes.Buffer
			w := columns.NewWriter(&out, int64(from))
			for _, e := range events[from:min(from+segment, len(events))] {
				if err := w.Append(&columns.Event{Time: e.Time, Ingested: e.Ingested, Stream: e.Stream, Message: []byte(e.Message)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			s, err := columns.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), columns.NewCache(1<<20))
			if err != nil {
				t.Fatal(err)
			}
			log.Segments = append(log.Segments, s)
		}
		return columns.Source{log}
	}
}

// answer asks a case's query of its events.
func answer(c *cases.Case, store maker) ([]map[string]string, error) {
	groups := map[string][]memory.Event{}
	for _, e := range c.Events {
		group := e.Group
		if group == "" {
			group = cases.Group
		}
		groups[group] = append(groups[group], memory.Event{Time: e.At, Ingested: e.At, Stream: e.Stream, Message: e.Message})
	}
	q, err := insights.Parse(c.Query)
	if err != nil {
		return nil, err
	}
	r, err := q.Run(context.Background(), insights.Env{
		Open: func(_ context.Context, s insights.Selection) (scan.Source, error) {
			if s.IsDefault() {
				s.Groups = []string{cases.Group}
			}
			var list []scan.Source
			for name, events := range groups {
				fits := s.All || slices.Contains(s.Groups, name) || slices.ContainsFunc(s.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
				if fits {
					list = append(list, store(name, events))
				}
			}
			return scan.All(list...), nil
		},
		Table: func(_ context.Context, name string) (*insights.Table, error) {
			text, ok := c.Tables[name]
			if !ok {
				return nil, fmt.Errorf("there is none")
			}
			records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil {
				return nil, err
			}
			return &insights.Table{Columns: records[0], Rows: records[1:]}, nil
		},
		Start: cases.Start, End: cases.End, Now: cases.Now,
	})
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	for i := range r.Rows {
		row := map[string]string{}
		for _, f := range r.Fields(i) {
			row[f.Name] = f.Value
		}
		rows = append(rows, row)
	}
	return rows, nil
}
