package insights

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

const base = 1795356300000 // 2026-11-22 14:05:00.000

func run(t *testing.T, text string, events ...string) string {
	t.Helper()
	q, err := Parse(text)
	if err != nil {
		return "error: " + err.Error()
	}
	var list []memory.Event
	for i, e := range events {
		list = append(list, memory.Event{Time: base + int64(i)*60_000, Ingested: base + int64(i)*60_000 + 5, Stream: "s", Message: e})
	}
	source := memory.New("111122223333:g", list)
	r, err := q.Run(context.Background(), Env{
		Open:  func(context.Context, Selection) (scan.Source, error) { return source, nil },
		Start: base, End: base + 3600_000, Now: base + 3600_000,
	})
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for i := range r.Rows {
		for _, f := range r.Fields(i) {
			if f.Name != "@ptr" {
				fmt.Fprintf(&b, "%s=%s ", f.Name, f.Value)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestQueriesRun(t *testing.T) {
	events := []string{`{"a":1,"b":"x","l":[1,2]}`, `{"a":2,"b":"y","ua":"curl/1"}`, `{"a":3,"b":"x"}`, `plain user=bob`}
	for query, want := range map[string]string{
		"filter a > 1 | fields a":                          "a=3 \na=2 \n",
		"stats count(*), avg(a), pct(a, 50) by b":          "count(*)=1 \nb=x count(*)=2 avg(a)=2 pct(a, 50)=1 \nb=y count(*)=1 avg(a)=2 pct(a, 50)=2 \n",
		"filter b in (filter a = 1 | fields b) | fields a": "a=3 \na=1 \n",
	} {
		if got := run(t, query, events...); got != want {
			t.Errorf("%s\n%s\nwant\n%s", query, got, want)
		}
	}
}
