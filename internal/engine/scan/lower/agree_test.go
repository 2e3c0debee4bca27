package lower_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

const log = "111122223333:g"

// asked is a source whose requests are lowered and run over rows.
type asked struct {
	rows  []lower.Row
	block int // rows of a block
	saw   func(*lower.Statement)
}

func (a *asked) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	st := lower.Lower(r, lower.Table{Name: "events", Log: log})
	if a.saw != nil {
		a.saw(st)
	}
	b := query(st, a.rows)
	for from := 0; from < b.Rows; from += a.block {
		part := slice(b, from, min(from+a.block, b.Rows))
		if batch := st.Batch(part); batch != nil && !yield(0, batch) || st.Beyond(part) {
			return nil
		}
	}
	return ctx.Err()
}

func slice(b *lower.Block, from, to int) *lower.Block {
	out := &lower.Block{Rows: to - from}
	for _, c := range b.Columns {
		out.Columns = append(out.Columns, lower.Column{Ints: cut(c.Ints, from, to), Bytes: cut(c.Bytes, from, to), Texts: cut(c.Texts, from, to), Lists: cut(c.Lists, from, to)})
	}
	return out
}

func cut[T any](list []T, from, to int) []T {
	if list == nil {
		return nil
	}
	return slices.Clone(list[from:to])
}

func rowsOf(events []memory.Event) []lower.Row {
	list := make([]lower.Row, len(events))
	for i, e := range events {
		list[i] = lower.Row{Log: log, Stream: e.Stream, Ptr: e.Ptr, Message: e.Message, Time: e.Time, Ingested: e.Ingested}
		list[i].Fill()
	}
	return list
}

func one[T any](t *rapid.T, list ...T) T { return rapid.SampledFrom(list).Draw(t, "one") }

var values = []string{`1`, `2`, `"1"`, `"1.0"`, `1.0`, `1e0`, `-0`, `0`, `-3`, `10`, `"10"`, `404`, `"404"`, `1e999`, `9007199254740993`, `"9007199254740993"`, `9007199254740992`, `"90071992547409920e-1"`, `-9007199254740993`,
	`"x"`, `"X"`, `"y'\\"`, `""`, `"true"`, `"false"`, `true`, `false`, `null`, `"user=bob code=404"`, `"a\nb"`, `"é"`, `"ÉK"`, `[1,"x"]`, `"+5"`, `"5."`, "\"\xff\"", `" 5"`}

func drawEvent(t *rapid.T, i int) memory.Event {
	e := memory.Event{Time: 1_764_000_000_000 + int64(rapid.IntRange(-5, 20).Draw(t, "time"))*17_321, Stream: one(t, "s1", "s2"), Ptr: base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%08d", i))}
	e.Ingested = e.Time + int64(i)
	if rapid.IntRange(0, 4).Draw(t, "plain") == 0 {
		e.Message = one(t, "", "plain a=1 b=x\nuser=eve", `{"a":`, "user=bob code=404 user=eve", "\xffuser=bob\xfe code=1", "x\xffy", "a\xefb", "1", "404")
		return e
	}
	var parts []string
	for _, key := range []string{"a", "b", "c.d", "o'd", "@x"} {
		switch rapid.IntRange(0, 2).Draw(t, "has") {
		case 0:
			continue
		case 1:
			if key == "c.d" {
				parts = append(parts, `"c":{"d":`+rapid.SampledFrom(values).Draw(t, "value")+`}`)
				continue
			}
		}
		parts = append(parts, fmt.Sprintf("%q:%s", key, rapid.SampledFrom(values).Draw(t, "value")))
	}
	e.Message = "{" + strings.Join(parts, ",") + "}"
	return e
}

func drawName(t *rapid.T) string {
	return one(t, "a", "a", "b", "c.d", "`o'd`", "@@x", "@message", "@logStream", "@log", "@timestamp", "@ingestionTime", "nothing")
}

func drawConstant(t *rapid.T) string {
	return one(t, "1", "2", "-3", "10", "0", "404", "0.5", "9007199254740992", `"9007199254740993"`, "-9007199254740993", "1764000000000", `"1"`, `"1.0"`, `"x"`, `'X'`, `""`, `"true"`, "true", "false", `"user=bob code=404"`, `"y'\\"`, `"é"`, `"1e999"`, `"5"`, `"9"`, `"s1"`, `"x`+"\\n"+`"`)
}

func drawCondition(t *rapid.T, depth int) string {
	if depth > 0 {
		sub := func() string { return drawCondition(t, depth-1) }
		switch rapid.IntRange(0, 4).Draw(t, "join") {
		case 0:
			return "(" + sub() + " and " + sub() + ")"
		case 1:
			return "(" + sub() + " or " + sub() + ")"
		case 2:
			return "not (" + sub() + ")"
		}
	}
	name := drawName(t)
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		return name
	case 1:
		return fmt.Sprintf("%s %s %s", name, one(t, "in", "not in"), "["+drawConstant(t)+", "+drawConstant(t)+"]")
	case 2:
		return fmt.Sprintf("%s %s %s", name, one(t, "like", "not like", "=~"), one(t, `"1"`, `"t"`, `""`, `"x"`, `"bob"`, `"'"`, `"\\"`))
	case 3:
		return fmt.Sprintf("%s %s %s", name, one(t, "like", "not like"), one(t, `/^x$/`, `/[xy]/`, `/(?i)X/`, `/(?i)k/`, `/(?i)é/`, `/true/`, `/a.b/`, `/(?s)a.b/`, `/x.y/`, `/\pL{2}/`, `/^.?$/`, `/\bcode\b/`, `/user=(bob|eve)$/`, `/(?m)^user/`, `/\x{fffd}/`, `/[^a-z]/`, `/'|\\/`))
	case 4:
		return one(t, "ispresent", "not ispresent") + "(" + name + ")"
	case 5:
		return fmt.Sprintf("%s(%s, %s)", one(t, "strcontains", "startsWith", "endsWith"), name, one(t, `"1"`, `"x"`, `""`, `"s"`))
	case 6:
		return fmt.Sprintf("%s(%s) %s %s", one(t, "strlen", "toupper"), name, one(t, "=", "<", ">="), drawConstant(t))
	}
	return fmt.Sprintf("%s %s %s", name, one(t, "=", "!=", "<", "<=", ">", ">="), drawConstant(t))
}

func drawQuery(t *rapid.T) string {
	list := []string{}
	for range rapid.IntRange(0, 2).Draw(t, "filters") {
		list = append(list, "filter "+drawCondition(t, 2))
	}
	if rapid.IntRange(0, 2).Draw(t, "parse") == 0 {
		list = append(list, fmt.Sprintf("parse %s %s as p, q", one(t, "@message", "@logStream", "a"), one(t, `"user=* code=*"`, `"*a*"`, `/(\w+)=(\w)/`, `/(?:(x)|(.))y/`, `"*\n*"`)))
	}
	switch rapid.IntRange(0, 3).Draw(t, "end") {
	case 0:
		list = append(list, fmt.Sprintf("fields a, b, c.d, `o'd`, @@x, @ingestionTime, @message | limit %d", rapid.IntRange(1, 8).Draw(t, "limit")))
	case 1:
		list = append(list, "fields a, @logStream, @log | sort "+one(t, "a desc", "@timestamp", "@timestamp asc, b", "b"))
	case 2:
		list = append(list, fmt.Sprintf("stats count(*) as n, %s(%s) as x, %s(%s) as y by %s", one(t, "count", "sum", "avg", "min", "max", "count_distinct", "pct50"), drawName(t), one(t, "count", "sum"), drawName(t), one(t, "a", "b, @logStream", "bin(1m)", "bin(1m) as w, a", "bin(1w) as w", "bin(1h) as w, @log", "datefloor(@timestamp, 10s)")))
		last := strings.ReplaceAll(list[len(list)-1], "pct50(", "earliest(")
		list[len(list)-1] = last
	default:
		list = append(list, "stats count(*) as n, max(@timestamp) as last")
	}
	return strings.Join(list, " | ")
}

func run(t interface{ Fatalf(string, ...any) }, query string, source scan.Source) []string {
	q, err := insights.Parse(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	r, err := q.Run(context.Background(), insights.Env{
		Open:  func(context.Context, insights.Selection) (scan.Source, error) { return source, nil },
		Start: 1_764_000_000_000 - 60_000, End: 1_764_000_000_000 + 300_000, Now: 1_764_000_000_000,
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var out []string
	for i := range r.Rows {
		out = append(out, fmt.Sprintf("%q", r.Fields(i)))
	}
	return out
}

// TestLoweredQueriesAgree runs random queries over random events in memory, and by the SQL
// that they are lowered to.
func TestLoweredQueriesAgree(t *testing.T) {
	seen := map[string]int{"kinds[": 0, "count()": 0, "positiveModulo": 0, "extractGroups": 0, "ORDER BY": 0}
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		for i := range rapid.IntRange(0, 25).Draw(t, "events") {
			events = append(events, drawEvent(t, i))
		}
		text := drawQuery(t)
		var sql string
		saw := func(st *lower.Statement) {
			sql = st.SQL
			for part := range seen {
				seen[part] += strings.Count(sql, part)
			}
		}
		want := run(t, text, memory.New(log, events))
		got := run(t, text, &asked{rowsOf(events), rapid.IntRange(1, 30).Draw(t, "block"), saw})
		if !slices.Equal(got, want) {
			t.Fatalf("%s\n%s\ngives\n%s\nwant\n%s", text, sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	for part, n := range seen {
		if n == 0 {
			t.Errorf("no query was lowered to %s", part)
		}
	}
}
