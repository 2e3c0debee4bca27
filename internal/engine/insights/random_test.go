package insights

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// Random events and queries of few names and values, so that they meet often.

func draw[T any](t *rapid.T, list ...T) T { return rapid.SampledFrom(list).Draw(t, "one") }

func drawEvent(t *rapid.T, i int) memory.Event {
	e := memory.Event{Time: base + int64(rapid.IntRange(0, 12).Draw(t, "time"))*20_000, Ingested: base + int64(i), Stream: draw(t, "s1", "s2")}
	if rapid.IntRange(0, 5).Draw(t, "plain") == 0 {
		e.Message = draw(t, "", "plain a=1 b=x", `{"a":`, "user=bob code=404 user=eve")
		return e
	}
	var parts []string
	for _, key := range []string{"a", "b", "c.d", "l"} {
		if rapid.Bool().Draw(t, "has") {
			continue
		}
		v := draw(t, `1`, `2`, `"1"`, `"x"`, `"y"`, `""`, `true`, `false`, `null`, `1.0`, `-3`, `"user=bob code=404 user=eve"`, `[1,"x",{"k":2}]`, `"[1,2]"`, `{"k":"x"}`, `10`, `9007199254740993`, `"9007199254740992"`)
		if key == "c.d" {
			parts = append(parts, `"c":{"d":`+v+`}`)
		} else {
			parts = append(parts, fmt.Sprintf("%q:%s", key, v))
		}
	}
	if at := rapid.IntRange(-1, 999_999).Draw(t, "t"); at >= 0 { // most with one form, which stores may keep as numbers
		parts = append(parts, fmt.Sprintf(`"t":"2026-11-22T14:0%d:0%d.%06dZ"`, at%10, at/100_000, at))
	}
	e.Message = "{" + strings.Join(parts, ",") + "}"
	return e
}

// drawNumbers makes events of one form with a number that differs in each, which stores
// may keep as integers.
func drawNumbers(t *rapid.T, events []memory.Event) []memory.Event {
	n, step := draw(t, int64(-20), 10_000, 1_795_356_000_000, 1<<60), draw(t, int64(1), 7)
	for range rapid.IntRange(32, 60).Draw(t, "numbers") {
		i := len(events)
		events = append(events, memory.Event{Time: base + int64(i%13)*20_000, Ingested: base + int64(i), Stream: "s1", Message: fmt.Sprintf(`{"a":%s,"n":%d}`, draw(t, `1`, `"x"`), n)})
		n += step
	}
	return events
}

// A maker writes random queries; names are those that are there.
type maker struct {
	t       *rapid.T
	names   []string
	grouped bool
}

func (m *maker) name() string { return rapid.SampledFrom(m.names).Draw(m.t, "name") }

func (m *maker) expr(depth int) string {
	if depth == 0 || rapid.IntRange(0, 2).Draw(m.t, "leaf") == 0 {
		switch rapid.IntRange(0, 3).Draw(m.t, "which") {
		case 0:
			return draw(m.t, "1", "2", "-3", "10", "0.5", "404", "9007199254740992")
		case 1:
			return draw(m.t, `"x"`, `'1'`, `""`, `"bob"`, "true")
		}
		return m.name()
	}
	sub := func() string { return m.expr(depth - 1) }
	switch rapid.IntRange(0, 7).Draw(m.t, "op") {
	case 0:
		return fmt.Sprintf("(%s %s %s)", sub(), draw(m.t, "+", "-", "*", "/", "%"), sub())
	case 1:
		return fmt.Sprintf("strlen(%s)", sub())
	case 2:
		return fmt.Sprintf("coalesce(%s, %s)", sub(), sub())
	case 3:
		return fmt.Sprintf("if(%s, %s, %s)", m.condition(depth-1), sub(), sub())
	case 4:
		return fmt.Sprintf("concat(%s, %s)", sub(), sub())
	case 5:
		return fmt.Sprintf("ispresent(%s)", sub())
	case 6:
		if m.grouped {
			return sub()
		}
		return draw(m.t, "bin(1m)", "toMillis(@timestamp)", "datefloor(@timestamp, 2m)", "messageSize()", "sourceIPs[0]", "l[0]", "jsonParse(@message).c.d", "jsonParse(@message).l[2]",
			"toMillis(t)", "toMillis(t) - toMillis(@timestamp)", "datefloor(t, 1m)", "bin(1mo)", "dateceil(t, 1h)")
	}
	return fmt.Sprintf("toupper(%s)", sub())
}

func (m *maker) condition(depth int) string {
	if depth <= 0 {
		return fmt.Sprintf("%s %s %s", m.name(), draw(m.t, "=", "!=", "<", ">", "<=", ">="), m.expr(0))
	}
	sub := func() string { return m.condition(depth - 1) }
	switch rapid.IntRange(0, 9).Draw(m.t, "condition") {
	case 9:
		if !slices.Contains(m.names, "@timestamp") {
			return sub()
		}
		return fmt.Sprintf("@timestamp %s %s", draw(m.t, "=", "!=", "<", ">", "<=", ">="), draw(m.t, "1795356360000", "1795356360000.5", "1795356359999", "-1", "0"))
	case 0:
		return fmt.Sprintf("(%s and %s)", sub(), sub())
	case 1:
		return fmt.Sprintf("(%s or %s)", sub(), sub())
	case 2:
		return fmt.Sprintf("not (%s)", sub())
	case 3:
		return fmt.Sprintf("%s %s %s", m.name(), draw(m.t, "like", "not like", "=~"), draw(m.t, `"1"`, `"t"`, `/^x$/`, `/[xy]/`, `"user"`, `/(?i)X/`, `/true/`, `"true"`, `/1/`, `"x"`, `""`))
	case 4:
		return fmt.Sprintf("%s %s [%s, %s]", m.name(), draw(m.t, "in", "not in"), m.expr(0), m.expr(0))
	case 5:
		return m.expr(depth)
	case 6:
		return fmt.Sprintf("strcontains(%s, %s)", m.name(), draw(m.t, `"1"`, `"x"`, `"ru"`))
	}
	return fmt.Sprintf("%s %s %s", m.expr(depth-1), draw(m.t, "=", "!=", "<", ">", "<=", ">="), m.expr(depth-1))
}

func (m *maker) command(i int) string {
	switch rapid.IntRange(0, 9).Draw(m.t, "command") {
	case 0, 1, 2:
		return "filter " + m.condition(2)
	case 3:
		as := fmt.Sprintf("n%d", i)
		c := fmt.Sprintf("fields %s as %s, %s", m.expr(2), as, m.name())
		m.names = append(m.names, as)
		return c
	case 4:
		as := fmt.Sprintf("p%d", i)
		from := m.name()
		m.names = append(m.names, as, as+"b")
		return fmt.Sprintf("parse %s %s as %s, %sb", from, draw(m.t, `"user=* code=*"`, `"*a*"`, `/(\w+)=(\w)/`, `"a\":*,*"`, `/"(a)":(.)/`, `/(x)|(y)/`), as, as)
	case 5:
		as := fmt.Sprintf("u%d", i)
		c := fmt.Sprintf("unnest %s into %s", draw(m.t, "jsonParse(@message).l", m.name(), "jsonParse(l)"), as)
		if m.grouped {
			c = fmt.Sprintf("unnest %s into %s", m.name(), as)
		}
		m.names = append(m.names, as)
		return c
	case 6:
		return fmt.Sprintf("sort %s %s, %s desc", m.name(), draw(m.t, "asc", "desc", ""), m.name())
	case 7:
		as := fmt.Sprintf("m%d", i)
		from := m.name()
		m.names = append(m.names, as)
		return fmt.Sprintf("parse %s %s as %s multi", from, draw(m.t, `/user=(\w+)/`, `/(\d)/`), as)
	case 8:
		as := fmt.Sprintf("s%d", i)
		from := m.name()
		m.names = append(m.names, as)
		return fmt.Sprintf("accum %s as %s", from, as)
	}
	return "display " + m.name() + ", " + m.name()
}

func (m *maker) stats(i int) string {
	arg := func() string { return m.expr(1) }
	var columns, names []string
	for j := range rapid.IntRange(1, 3).Draw(m.t, "aggregates") {
		as := fmt.Sprintf("g%d_%d", i, j)
		agg := draw(m.t, "count(*)", "count("+arg()+")", "sum("+arg()+")", "avg("+arg()+")", "min("+arg()+")", "max("+arg()+")",
			"count_distinct("+arg()+")", "pct("+arg()+", 50)", "earliest("+arg()+")", "latest("+arg()+")", "sortsFirst("+arg()+")", "sortsLast("+arg()+")", "sum("+arg()+") / count(*)")
		if j > 0 && rapid.Bool().Draw(m.t, "of another") {
			agg = fmt.Sprintf("%s %s %s", draw(m.t, names...), draw(m.t, "+", "-", "*", "/"), draw(m.t, agg, names[0]))
		}
		columns = append(columns, agg+" as "+as)
		names = append(names, as)
	}
	c := "stats " + strings.Join(columns, ", ")
	for j := range rapid.IntRange(0, 3).Draw(m.t, "keys") {
		as := fmt.Sprintf("k%d_%d", i, j)
		c += draw(m.t, " by ", ", ")[:0] + map[bool]string{true: " by ", false: ", "}[j == 0] + m.expr(1) + " as " + as
		names = append(names, as)
	}
	m.names, m.grouped = names, true
	return c
}

func (m *maker) query() string {
	var list []string
	ordered := false
	for i := range rapid.IntRange(1, 5).Draw(m.t, "commands") {
		if !m.grouped && !ordered && rapid.IntRange(0, 9).Draw(m.t, "model") == 0 {
			list = append(list, m.model())
		} else if rapid.IntRange(0, 4).Draw(m.t, "stats") == 0 {
			list = append(list, m.stats(i))
		} else {
			list = append(list, m.command(i))
			ordered = ordered || strings.HasPrefix(list[len(list)-1], "sort") || strings.HasPrefix(list[len(list)-1], "accum")
		}
	}
	switch rapid.IntRange(0, 3).Draw(m.t, "end") {
	case 0:
		list = append(list, fmt.Sprintf("limit %d", rapid.IntRange(1, 5).Draw(m.t, "limit")))
	case 1:
		list = append(list, "dedup "+m.name())
	}
	return strings.Join(list, " | ")
}

// TestEngineAgreesWithTheOracle runs random queries over random events.
func TestEngineAgreesWithTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		for i := range rapid.IntRange(0, 30).Draw(t, "events") {
			events = append(events, drawEvent(t, i))
		}
		m := &maker{t: t, names: []string{"a", "b", "c.d", "l", "@message", "@timestamp", "@logStream", "l.2.k", "nothing", "t"}}
		text := m.query()
		env := Env{Start: base - 1 + draw(t, int64(0), 0, 100_000), End: base + 200_000, Now: base + 300_000, Workers: 2}
		want := ask(t, text, events, env)
		for _, size := range []int{1, 3, 1024} {
			source := memory.New("1:g", events)
			source.BatchRows = size
			env.Open = func(context.Context, Selection) (scan.Source, error) { return spread{source}, nil }
			got := rowsOf(t, text, env)
			if !slices.Equal(got, want) {
				t.Fatalf("%s\nbatches of %d\n%s\nthe oracle says\n%s", text, size, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

// TestStoresAgree runs random queries over the same events in memory and in columns.
func TestStoresAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		for i := range rapid.IntRange(0, 40).Draw(t, "events") {
			events = append(events, drawEvent(t, i))
		}
		names := []string{"a", "b", "c.d", "l", "@message", "@timestamp", "@logStream", "l.2.k", "nothing", "t"}
		if rapid.Bool().Draw(t, "numbers too") {
			events, names = drawNumbers(t, events), append(names, "n", "n")
		}
		m := &maker{t: t, names: names}
		text := m.query()
		env := Env{Start: base - 1 + draw(t, int64(0), 0, 100_000), End: base + 200_000, Now: base + 300_000, Workers: 2}
		var answers [2][]string
		for i, source := range []scan.Source{memory.New("1:g", events), stored(t, events)} {
			env.Open = func(context.Context, Selection) (scan.Source, error) { return source, nil }
			answers[i] = rowsOf(t, text, env)
		}
		if !slices.Equal(answers[0], answers[1]) {
			t.Fatalf("%s\nin memory\n%s\nin columns\n%s", text, strings.Join(answers[0], "\n"), strings.Join(answers[1], "\n"))
		}
	})
}

// stored puts events into segments of columns.
func stored(t *rapid.T, events []memory.Event) scan.Source {
	log := columns.Log{ID: "g", Name: "1:g"}
	for i := 0; i < len(events); {
		var out bytes.Buffer
		w := columns.NewWriter(&out, int64(i))
		for n := draw(t, 1, 7, 30, 200); n > 0 && i < len(events); n, i = n-1, i+1 {
			e := columns.Event{Time: events[i].Time, Ingested: events[i].Ingested, Stream: events[i].Stream, Message: []byte(events[i].Message)}
			if err := w.Append(&e); err != nil {
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

// ask asks the oracle.
func ask(t interface{ Fatalf(string, ...any) }, text string, events []memory.Event, env Env) []string {
	return askOf(t, text, events, events, false, env)
}

// askOf asks the oracle of events of the query's time, and others that it compares with,
// which may be pending.
func askOf(t interface{ Fatalf(string, ...any) }, text string, events, earlier []memory.Event, pending bool, env Env) []string {
	tree, err := syntax.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	o := &oracle{text: text, context: function.Context{Now: env.Now, QueryStart: env.Start, QueryEnd: env.End}, window: window{env.Start, env.End}, earlier: earlier, pending: pending}
	o.take(events, o.window)
	return o.run(tree)
}

func rowsOf(t interface{ Fatalf(string, ...any) }, text string, env Env) []string {
	q, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r, err := q.Run(context.Background(), env)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return linesOf(r)
}

// spread gives batches to workers in turn, as a store with several goroutines does.
type spread struct{ scan.Source }

func (s spread) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	next := 0
	return s.Source.Scan(ctx, r, func(_ int, b *scan.Batch) bool {
		next++
		return yield(next%r.Workers, b)
	})
}
