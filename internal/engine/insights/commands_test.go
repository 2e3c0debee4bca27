package insights

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// any writes a command of any kind, also of those that the oracle doesn't know.
func (m *maker) any(i int) string {
	as := fmt.Sprintf("x%d", i)
	made := func(command string, names ...string) string {
		m.names = append(m.names, names...)
		return command
	}
	n := m.name
	switch rapid.IntRange(0, 16).Draw(m.t, "any") {
	case 0:
		a, b := n(), n()
		m.names, m.grouped = []string{a, b, "_approxcount"}, true
		return fmt.Sprintf("countFrequent %s, %s", a, b)
	case 1:
		return "filldown " + draw(m.t, "", n(), n()+" "+n())
	case 2:
		return made(fmt.Sprintf("autoregress %s as %s p=%s", n(), as, draw(m.t, "1", "1-3", "2-4")), as+"_p2")
	case 3:
		return made(fmt.Sprintf("addtotals fieldname=%s row=%s col=%s %s", as, draw(m.t, "true", "false"), draw(m.t, "true", "false"), draw(m.t, "", n()+", "+n())), as)
	case 4:
		f := n()
		return made(fmt.Sprintf("outlier action=%s param=%s uselower=%s mark=%s %s", draw(m.t, "transform", "remove"), draw(m.t, "0.1", "1.5"), draw(m.t, "true", "false"), draw(m.t, "true", "false"), f), f+"_outlier")
	case 5:
		return made(fmt.Sprintf("sessionize %s maxspan %s as %s", n(), draw(m.t, "20s", "1m"), as), as)
	case 6:
		return "fillmissing " + draw(m.t, "", "with 0 for "+n())
	case 7:
		return "expand " + n()
	case 8:
		return made(fmt.Sprintf("parse %s %s", n(), draw(m.t, "logfmt as "+as, "csv as "+as+", y")), as, as+".a")
	case 9:
		return made(fmt.Sprintf(`json field=%s "%s" as %s`, n(), draw(m.t, "a", "c.d", "l[0]"), as), as)
	case 10:
		return fmt.Sprintf("filter %s %s (%s)", n(), draw(m.t, "in", "not in"), draw(m.t, "fields a", "stats max(a) as m by b", "filter a = 1 | dedup b | limit 2", "fields b | sort b desc | limit 3"))
	case 11:
		return made(fmt.Sprintf("appendcols %s (%s)", draw(m.t, "", "override=true", "max=2"), draw(m.t, "fields a as z", "stats count(*) as z by b", "fields t | sort t")), "z")
	case 12:
		return made(fmt.Sprintf("join type=%s left=l right=r where l.%s = r.%s (SOURCE 'g')", draw(m.t, "inner", "left"), draw(m.t, "a", "b"), draw(m.t, "a", "b")), "r.b", "r.t")
	case 13:
		return made(fmt.Sprintf("lookup t k as %s %s v as %s", n(), draw(m.t, "OUTPUT", "OUTPUTNEW"), draw(m.t, as, "a")), as)
	case 14:
		by := draw(m.t, "", " by bin(1m) as t0", " by bin(20s) as t0, "+n()+" as k0")
		f := n()
		m.names, m.grouped = []string{"s", "h", "o", "t0", "k0"}, true
		return fmt.Sprintf("stats stddev(%s) as s, histogram(%s, 3) as h, %s as o%s", f, f, draw(m.t, "rate("+f+", 1m)", "countOverTime("+f+")", "sumOverTime("+f+")", "pct("+f+", 90)"), by)
	case 15:
		if m.grouped {
			return "limit 7"
		}
		return m.model()
	}
	return m.command(i)
}

// TestCommandsDoNotSeeHowEventsAreRead: queries of all commands give the same whatever the
// store, the size of batches and the number of workers, and whether somebody looks.
func TestCommandsDoNotSeeHowEventsAreRead(t *testing.T) {
	drawn, ran, withRows := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		for i := range rapid.IntRange(0, 40).Draw(t, "events") {
			events = append(events, drawEvent(t, i))
		}
		m := &maker{t: t, names: []string{"a", "b", "c.d", "l", "@message", "@timestamp", "@logStream", "l.2.k", "nothing", "t"}}
		var list []string
		for i := range rapid.IntRange(1, 5).Draw(t, "commands") {
			list = append(list, m.any(i))
		}
		text := strings.Join(list, " | ")
		q, err := Parse(text)
		var bug *BugError
		if errors.As(err, &bug) {
			t.Fatalf("%s: %v\n%s", text, err, bug.Stack)
		}
		if drawn++; err != nil {
			return
		}
		table := &Table{Columns: []string{"k", "v"}, Rows: [][]string{{"1", "one"}, {"x", ""}, {"1", "again"}, {"y", "why"}}}
		env := Env{
			Start: base - 1 + draw(t, int64(0), 0, 100_000), End: base + 200_000, Now: base + 300_000, Workers: 1,
			Table: func(context.Context, string) (*Table, error) { return table, nil },
		}
		run := func(source scan.Source, workers int) []string {
			env := env
			env.Workers, env.Partial = workers, &Partial{}
			env.Open = func(context.Context, Selection) (scan.Source, error) {
				return watched{source, func() { env.Partial.Result(context.Background(), 100, mostShown) }}, nil
			}
			r, err := q.Run(context.Background(), env)
			var bug *BugError
			if errors.As(err, &bug) {
				t.Fatalf("%s: %v\n%s", text, err, bug.Stack)
			}
			if err != nil {
				return []string{"error: " + err.Error()}
			}
			return linesOf(r)
		}
		whole, single := memory.New("1:g", events), memory.New("1:g", events)
		single.BatchRows = 1
		want := run(whole, 1)
		if ran++; len(want) > 0 && !strings.HasPrefix(want[0], "error") {
			withRows++
		}
		for name, got := range map[string][]string{"row by row": run(spread{single}, 3), "from columns": run(stored(t, events), 2)} {
			if !slices.Equal(got, want) {
				t.Fatalf("%s\n%s\n%s\nat once\n%s", text, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
	if t.Logf("of %d queries %d are read, %d have rows", drawn, ran, withRows); withRows < 20 {
		t.Error("too few queries have rows")
	}
}

// call writes a call of any function.
func (m *maker) call(depth int) string {
	f := rapid.SampledFrom(function.All()).Draw(m.t, "function")
	most := f.Max
	if most < 0 {
		most = f.Min + 2
	}
	var args []string
	for i := range rapid.IntRange(f.Min, most).Draw(m.t, "arguments") {
		switch {
		case slices.Contains(f.Literal, i):
			args = append(args, draw(m.t, `"%Y-%m-%d"`, `"yyyy-MM-dd"`, "1m", "2h", "1mo", `"UTC"`, `"+09:00"`, `"10.0.0.0/8"`, "1", "2", `"."`, `"(x)"`))
		case depth > 0 && rapid.IntRange(0, 2).Draw(m.t, "nested") == 0:
			args = append(args, m.call(depth-1))
		case rapid.IntRange(0, 3).Draw(m.t, "literal") == 0:
			args = append(args, draw(m.t, "0", "1", "-1", "2.5", `""`, `"x"`, `"10.1.2.3"`, `"[1,2]"`, `"2026-11-22T14:05:00Z"`, "9007199254740993", "1e18"))
		default:
			args = append(args, m.name())
		}
	}
	return fmt.Sprintf("%s(%s)", f.Name, strings.Join(args, ", "))
}

// TestFunctionsOfColumns: functions of whatever columns stores have give what they give of
// one row's values, and conditions by them hold for the same rows.
func TestFunctionsOfColumns(t *testing.T) {
	ran, seen := 0, map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		for i := range rapid.IntRange(1, 20).Draw(t, "events") {
			events = append(events, drawEvent(t, i))
		}
		names := []string{"a", "b", "c.d", "l", "@message", "@timestamp", "t"}
		if rapid.Bool().Draw(t, "numbers too") {
			events, names = drawNumbers(t, events), append(names, "n", "n")
		}
		m := &maker{t: t, names: names}
		call := m.call(2)
		text := fmt.Sprintf(draw(t, "fields %[1]s as x", "fields %[1]s as x, %[2]s as y | filter x = y or x > 0", "filter %[1]s | fields %[2]s as x", "fields %[1]s as x | stats count(*) as c, max(x) as m by %[2]s as k", "fields %[1]s as x | sort x desc, a | limit 3"), call, m.call(1))
		if _, err := Parse(text); err != nil {
			return
		}
		ran++
		seen[call[:strings.IndexByte(call, '(')]] = true
		env := Env{Start: base - 1, End: base + 200_000, Now: base + 300_000, Workers: 2}
		want := ask(t, text, events, env)
		for name, source := range map[string]scan.Source{"memory": memory.New("1:g", events), "columns": stored(t, events)} {
			env.Open = func(context.Context, Selection) (scan.Source, error) { return source, nil }
			if got := rowsOf(t, text, env); !slices.Equal(got, want) {
				t.Fatalf("%s\nof %s\n%s\nthe oracle says\n%s", text, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
	t.Logf("%d queries, %d functions outermost", ran, len(seen))
}

// watched lets somebody look after each batch.
type watched struct {
	scan.Source
	look func()
}

func (w watched) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	return w.Source.Scan(ctx, r, func(worker int, b *scan.Batch) bool {
		ok := yield(worker, b)
		w.look()
		return ok
	})
}
