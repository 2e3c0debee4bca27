package cases

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// All cases on the store in memory, whole and cut into batches of every size that could
// tear rows apart.
func TestTheEngineConforms(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{0, 1, 2} {
		for _, c := range all {
			rows, err := run(&c, batch)
			problem := c.Check(rows, err)
			if c.Known != "" {
				if problem == "" {
					t.Errorf("%s holds now: it is no longer known to fail", c.Name)
				}
				continue
			}
			if problem != "" {
				t.Errorf("%s, batches of %d\n%s\n%s", c.Name, batch, c.Query, problem)
			}
		}
	}
}

func run(c *Case, batch int) ([]map[string]string, error) {
	q, err := insights.Parse(c.Query)
	if err != nil {
		return nil, err
	}
	result, err := q.Run(context.Background(), insights.Env{
		Open:  func(_ context.Context, s insights.Selection) (scan.Source, error) { return c.source(s, batch), nil },
		Table: c.table,
		Zone:  time.LoadLocation,
		Start: Start, End: End, Now: Now, Workers: 2,
	})
	if err != nil {
		return nil, err
	}
	rows := make([]map[string]string, len(result.Rows))
	for i := range rows {
		rows[i] = map[string]string{}
		for _, f := range result.Fields(i) {
			rows[i][f.Name] = f.Value
		}
	}
	return rows, nil
}

// source is the events of the groups that a query selects.
func (c *Case) source(s insights.Selection, batch int) scan.Source {
	wanted := func(group string) bool {
		if s.IsDefault() {
			return group == Group
		}
		return s.All || slices.Contains(s.Groups, group) ||
			slices.ContainsFunc(s.Prefixes, func(p string) bool { return strings.HasPrefix(group, p) })
	}
	groups := map[string][]memory.Event{}
	for _, e := range c.Events {
		if wanted(e.Group) {
			groups[e.Group] = append(groups[e.Group], memory.Event{Time: e.At, Ingested: e.At, Stream: e.Stream, Message: e.Message})
		}
	}
	var list sources
	for group, events := range groups {
		m := memory.New("123456789012:"+group, events)
		m.BatchRows = batch
		list = append(list, named{group, m})
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.group, b.group) })
	return list
}

type named struct {
	group string
	scan.Source
}

// sources are several groups, one after the other.
type sources []named

func (s sources) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	enough := false
	for _, one := range s {
		err := one.Source.Scan(ctx, r, func(w int, b *scan.Batch) bool {
			enough = !yield(w, b)
			return !enough
		})
		if err != nil || enough {
			return err
		}
	}
	return ctx.Err()
}

func (c *Case) table(_ context.Context, name string) (*insights.Table, error) {
	text, ok := c.Tables[name]
	if !ok {
		return nil, errors.New("there is no such table")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("the table can't be read: %w", err)
	}
	return &insights.Table{Columns: rows[0], Rows: rows[1:]}, nil
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
	c := Case{
		Query: fmt.Sprintf("fields spec.f%d as a, spec.f%d as b, jsonParse(@message).spec.last as c | parse @message '\"last\":\"*\"' as d | display a, b, c, d", scan.MaxFields-1, scan.MaxFields),
		Rows:  []map[string]string{{"a": fmt.Sprint(scan.MaxFields - 1), "c": "x", "d": "x"}},
	}
	c.Events = []Event{{At: Start, Message: b.String(), Group: Group}}
	rows, err := run(&c, 0)
	if problem := c.Check(rows, err); problem != "" {
		t.Error(problem)
	}
}
