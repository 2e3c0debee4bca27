package insights

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// A countingSource gives rows that agree once, with their number, where it may.
type countingSource struct {
	scan.Source
	merged *int
}

func (s countingSource) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	return s.Source.Scan(ctx, r, func(worker int, b *scan.Batch) bool {
		if r.Counted {
			b = s.count(r, b)
		}
		return yield(worker, b)
	})
}

func (s countingSource) count(r *scan.Request, b *scan.Batch) *scan.Batch {
	out := &scan.Batch{Columns: make([]scan.Vector, len(b.Columns))}
	seen := map[string]int{}
	for row := range b.Rows {
		var key []scan.Value
		for c := range b.Columns {
			v := b.Columns[c].At(row)
			if c < len(r.Fields) && r.Fields[c] == timestamp && r.Grain > 0 {
				at := b.Columns[c].Ints[row]
				v.Text = fmt.Sprint(at - at%r.Grain)
			}
			key = append(key, v)
		}
		if at, known := seen[fmt.Sprintf("%q", key)]; known {
			out.Counts[at]++
			*s.merged++
			continue
		}
		seen[fmt.Sprintf("%q", key)] = out.Rows
		out.Rows++
		out.Counts = append(out.Counts, 1)
		for c, v := range key {
			to := &out.Columns[c]
			if to.Form = scan.Plain; b.Columns[c].Form == scan.Times {
				var at int64
				fmt.Sscan(v.Text, &at)
				to.Form, to.Ints = scan.Times, append(to.Ints, at)
				continue
			}
			to.All = append(to.All, v)
		}
	}
	return out
}

// TestRowsThatAgreeMayComeAsOne runs random queries over sources that count rows, and over
// those that don't.
func TestRowsThatAgreeMayComeAsOne(t *testing.T) {
	merged := 0
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		for i := range rapid.IntRange(0, 60).Draw(t, "events") {
			events = append(events, drawEvent(t, i))
		}
		m := &maker{t: t, names: []string{"a", "b", "c.d", "l", "@logStream"}}
		var list []string
		if rapid.Bool().Draw(t, "filter") {
			list = append(list, "filter "+m.condition(2))
		}
		text := strings.Join(append(list, m.stats(0)), " | ")
		env := Env{Start: base - 1, End: base + 200_000, Now: base + 300_000, Workers: 2}
		var results [2][]string
		var matched [2]int64
		for i, source := range []scan.Source{spread{memory.New("1:g", events)}, spread{countingSource{memory.New("1:g", events), &merged}}} {
			env.Open = func(context.Context, Selection) (scan.Source, error) { return source, nil }
			env.Progress = &Progress{}
			results[i] = rowsOf(t, text, env)
			matched[i] = env.Progress.Rows.Load()
		}
		if !slices.Equal(results[0], results[1]) || matched[0] != matched[1] {
			t.Fatalf("%s\nof %d rows\n%s\ncounted, of %d\n%s", text, matched[0], strings.Join(results[0], "\n"), matched[1], strings.Join(results[1], "\n"))
		}
	})
	if merged == 0 {
		t.Error("no rows came as one")
	}
}
