package insights

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/cases"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

func hostileEnv(events ...string) Env {
	var list []memory.Event
	for i, e := range events {
		list = append(list, memory.Event{Time: base + int64(i), Message: e})
	}
	source := memory.New("1:g", list)
	return Env{
		Open:  func(context.Context, Selection) (scan.Source, error) { return source, nil },
		Start: base, End: base + 1_000_000, Now: base, Workers: 2,
	}
}

// TestQueryBombs: each of these must end, one way or the other, in a few seconds and with
// little memory.
func TestQueryBombs(t *testing.T) {
	doubling := "fields concat(@message, @message) as a0"
	for i := range 200 {
		doubling += fmt.Sprintf(" | fields concat(a%d, a%d) as a%d", i, i, i+1)
	}
	squares := "fields toNumber(a) as a0"
	for i := range 200 {
		squares += fmt.Sprintf(" | fields a%d + a%d as a%d", i, i, i+1)
	}
	unnests := "fields @message"
	for i := range 12 {
		unnests += fmt.Sprintf(" | unnest jsonParse(@message).l into u%d", i)
	}
	list := `{"a":1,"l":[` + strings.Repeat("1,", 999) + `1]}`
	for name, query := range map[string]string{
		"texts that double":       doubling,
		"numbers that double":     squares,
		"lists times lists":       unnests + " | stats count(*)",
		"lists times lists, top":  unnests + " | limit 10",
		"lists times lists, all":  unnests + " | accum a",
		"lists times lists, keys": unnests + " | dedup u1",
		"nested repetitions":      `filter @message like /((a{1,100}){1,100}){1,100}/`,
		"alternatives":            `filter @message like /` + strings.Repeat("(a|aa)+", 500) + `$/`,
		"parse many":              `parse @message "` + strings.Repeat("*,", 400) + `" as ` + strings.TrimSuffix(strings.Repeat("a,", 400), ","),
		"parse multi of nothing":  `parse @message /()/ as x multi | stats count(*)`,
		"all operators":           "fields " + strings.TrimSuffix(strings.Repeat("1+", 2000), "+") + " as x",
		"many conditions":         "filter " + strings.TrimSuffix(strings.Repeat("a=1 or ", 1200), " or "),
		"many aggregates":         "stats " + strings.TrimSuffix(strings.Repeat("pct(a,1),", 1000), ","),
		"many groups":             `parse @message /(?<x>.)/ multi | stats count(*) by x, @message, @timestamp, @ptr`,
		"deep":                    "filter " + strings.Repeat("(", 99) + "a" + strings.Repeat(")", 99),
		"fillmissing":             "stats count(*) by bin(1ms) | fillmissing",
		"histograms":              "stats histogram(a, 1000) by @ptr",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			q, err := Parse(query)
			if err == nil {
				env := hostileEnv(list, list, strings.Repeat("a", 100_000), `{"a":"`+strings.Repeat("x", 50_000)+`"}`)
				env.Memory = 64 << 20
				_, err = q.Run(ctx, env)
			}
			runtime.ReadMemStats(&after)
			var large *TooLargeError
			var wrong *syntax.Error
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &large) && !errors.As(err, &wrong) {
				t.Errorf("unexpected error: %v", err)
			}
			if took := time.Since(start); took > 40*time.Second {
				t.Errorf("took %v: %v", took, err)
			}
			if heap := int64(after.HeapSys) - int64(before.HeapSys); heap > 1<<30 {
				t.Errorf("took %d MiB: %v", heap>>20, err)
			}
			t.Logf("%v after %v", err, time.Since(start).Round(time.Millisecond))
		})
	}
}

// TestRegularExpressionsEndWithTheirQuery: each of these takes minutes.
func TestRegularExpressionsEndWithTheirQuery(t *testing.T) {
	env := hostileEnv(strings.Repeat("ab", 500_000)+"c", strings.Repeat("x", 500_000))
	for _, query := range []string{
		`filter @message like /(a|b|ab){990}$/`, `parse @message /(?<x>(a|b|ab){990}$)/`, `stats count(*) by strcontains(@message, "q") or @message =~ /(a|b|ab){990}$/`,
		`parse @message /(?<x>(\B|^)(x|xx){900}y|.)/ multi`, `fields regexReplace(@message, "(x|xx){900}y|.", "")`, `filter a in (filter @message like /(a|b|ab){990}$/ | fields a)`,
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		began := time.Now()
		_, err = q.Run(ctx, env)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 20*time.Second {
			t.Errorf("%s: %v after %v", query, err, took)
		}
		cancel()
	}
}

func TestLiteralsThatTakeLongAreRefused(t *testing.T) {
	began := time.Now()
	_, err := Parse(`fields regexReplace("` + strings.Repeat("x", 6000) + `", "(x|xx){900}y|.", "")`)
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "takes longer than 5s") || took > 40*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var events []string
	for i := range 20_000 {
		events = append(events, fmt.Sprintf(`{"id":"%d","text":"%s"}`, i, strings.Repeat("x", 100)))
	}
	env := hostileEnv(events...)
	env.Memory = 1 << 20
	for _, query := range []string{
		"fields id, text | accum id", "stats count(*) by id", "stats count_distinct(id)", "stats pct(toNumber(id) + 1, 50), histogram(id, 3) by text, id", "dedup id",
		"sort id | limit 20000", "fields text, @message", "limit any 20000", "stats max(concat(@message, id)) by id", "relevantfields where id > 5",
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		var large *TooLargeError
		if _, err := q.Run(context.Background(), env); !errors.As(err, &large) {
			t.Errorf("%s: %v, not that it is too large", query, err)
		}
	}
	env.Memory = 0
	q, _ := Parse("stats count(*) by id | limit 3")
	if r, err := q.Run(context.Background(), env); err != nil || len(r.Rows) != 3 {
		t.Errorf("with more memory: %v", err)
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	env := hostileEnv("a", "b", "c")
	ctx, cancel := context.WithCancel(context.Background())
	open := env.Open
	env.Open = func(c context.Context, s Selection) (scan.Source, error) {
		source, err := open(c, s)
		return stopping{source, cancel}, err
	}
	for _, query := range []string{"fields @message", "stats count(*)", "accum a", "pattern @message", "dedup a", "relevantfields where a = 1", "filter a in (fields b)"} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Run(ctx, env); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// stopping is a source during whose scan the context ends.
type stopping struct {
	scan.Source
	cancel func()
}

func (s stopping) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	s.cancel()
	return s.Source.Scan(ctx, r, yield)
}

// FuzzRun runs whatever parses over a few events.
func FuzzRun(f *testing.F) {
	all, err := cases.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range all {
		f.Add(c.Query)
	}
	if data, err := os.ReadFile("syntax/testdata/queries.txt"); err == nil {
		for _, block := range strings.Split(string(data), "\n===\n") {
			text, _, _ := strings.Cut(block, "\n---\n")
			f.Add(text)
		}
	}
	env := hostileEnv(`{"a":1,"b":"x","c":{"d":[1,2,{"e":null}]}}`, `{"a":"2","b":true}`, "plain text user=bob", "", `{"a":`)
	env.Table = func(context.Context, string) (*Table, error) {
		return &Table{Columns: []string{"a", "b"}, Rows: [][]string{{"1", "10.0.0.0/8"}, {"2"}}}, nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err != nil {
			var wrong *syntax.Error // a *BugError is none
			if !errors.As(err, &wrong) {
				t.Fatalf("%q: %v is no *syntax.Error", text, err)
			}
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r, err := q.Run(ctx, env)
		var bug *BugError
		if errors.As(err, &bug) {
			t.Fatalf("%q: %v\n%s", text, bug, bug.Stack)
		}
		if err != nil {
			return
		}
		for i := range r.Rows {
			r.Fields(i)
		}
	})
}
