package insights

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// Rows of what the random tests don't reach. Events come a minute apart, from 14:05 on.
func TestEdges(t *testing.T) {
	numbers := []string{`{"n":1}`, `{"n":4}`, `{"n":2}`, `{"n":9}`}
	for _, c := range []struct {
		query  string
		events []string
		want   string
	}{
		{"stats rate(n, 1m) as r, rate(n, 1h) as h", numbers, "r=2.6666666666666665 h=160"},
		{"stats rate(n, 1m) as r", numbers[:1], ""},
		{"stats stddev(n) as s, stddev(x) as none", numbers, "s=3.082207001484488"},
		{"stats stddev(n + 100000000) as s", numbers, "s=3.082207001484488"},
		{"stats histogram(n, 2) as h, histogram(x, 2) as none", numbers, `h={"1-5":3,"5-9":1}`},
		{"stats histogram(n, 5) as h", numbers[:1], `h={"1-1":1}`},
		{"stats count() as n, countOverTime(n) as c, sum_over_time(n) as s", numbers, "n=4 c=4 s=16"},
		{"stats pct(n, 0) as a, pct(n, 50) as b, pct(n, 100) as c, pct(n, 75) as d", numbers, "a=1 b=2 c=9 d=4"},
		{"stats count(*) as c by bin(2m) as b offset 1m", numbers, "b=2026-11-22 14:07:00.000 c=2, b=2026-11-22 14:05:00.000 c=2"},
		{"stats count(*) as c by bin(1mo) as b", numbers, "b=2026-11-01 00:00:00.000 c=4"},
		{"stats count(*) as c by bin(1w), bin(1d)", numbers, "bin(1w)=2026-11-16 00:00:00.000 bin(1d)=2026-11-22 00:00:00.000 c=4"},
		{"stats sum(n) as s by bin(1m) | stats max(s) as m by dateceil(`bin(1m)`, 1h) as h", numbers, "h=2026-11-22 15:00:00.000 m=9"},
		{"stats count(*) by n | sort count(*) desc, n desc | limit 1", numbers, "n=9 count(*)=1"},
		{"stats count(*) as c by n | countFrequent c", numbers, "c=1 _approxcount=4"},
		{"countFrequent n, n | limit 1", numbers, "n=1 _approxcount=1"},
		{"stats max(n) as b by n > 1 as b, b", numbers, "b=1, b=9"},
		{"stats sum(n) as s by bin(1m) as t, n > 0 as k, k | filter s in [1, 2] | fillmissing with 0 for s | display s, k", numbers, "s=2, s=0, s=1"},
		{"stats min(x) as a, max(x) as b", []string{`{"x":"b"}`, `{"x":"a10"}`, `{"x":"a9"}`}, "a=a9 b=b"},
		{"stats min(x) as a, max(x) as b", []string{`{"x":"b"}`, `{"x":7}`, `{"x":"10"}`}, "a=7 b=10"},
		{"stats count(*) as c by l", []string{`{"l":[1]}`}, "c=1"},
		{"stats count(*) as c by jsonParse(@message) as m | fields ispresent(m) as p", []string{`{"l":[1]}`}, "c=1 p=0"},
		{`parse @message logfmt as m | display m.a, m.b, m.c, m.d`, []string{`a=1 b="x \"y\" \t" c = d=`}, "m.a=1 m.b=x \"y\" \t m.c=1 m.d="},
		{`parse @message csv as a, b, c | display a, b, c`, []string{`1,"x,y"`}, "a=1 b=x,y"},
		{`json field=@message "a.b" as x, "c" | display x, c`, []string{`{"a":{"b":[1,2]},"c":"d"}`}, "x=[1,2] c=d"},
		{`fields jsonParse(@message) as m | display m.l.1, m.l[0], m["l"], m.x.y, m.a.b`, []string{`{"l":[1,"z"],"a.b":5}`}, `m.l.1=z m.l[0]=1 m["l"]=[1,"z"] m.a.b=5`},
		{"fields 1/0 as a, -n as b, 2^3^2 as c, -2^2 as d, 7 % 4 as e, 'x' + 1 as f, - 'x' as g", numbers[:1], "b=-1 c=512 d=4 e=3"},
		{"filter true and not false | fields true as t", numbers[:1], "t=1"},
		{"filter n in [1, '4', nothing] and n not in [] | display n", numbers[:2], "error: unexpected symbol found ] at line 1 and position 44"},
		{"filter n in [1, '4', nothing] | display n", numbers[:2], "n=4, n=1"},
		{"filter @message like /(?i)N\":1/ | display n", numbers, "n=1"},
		{"filter @timestamp = 1795356300000 | display n", numbers, "n=1"},
		{"filter @timestamp like '14:06' | display n", numbers, "n=4"},
		{"unmask n | limit 1", numbers, "n=9"},
		{"display unmask(n) | limit 1", numbers, "unmask(n)=9"},
		{"filterIndex n = 4 and n in [4] | display n", numbers, "n=4"},
		{"sort @timestamp asc | limit 2 | display n", numbers, "n=1, n=4"},
		{"sort n | limit 2 | display n", numbers, "n=1, n=2"},
		{"limit any 4 | stats count(*) as c", numbers, "c=4"},
		{"stats count(*) as c by n | pattern n | display @sampleCount", numbers[:1], "@sampleCount=1"},
		{"fields n | addtotals row=false col=true | display n", numbers[:2], "n=4, n=1, n=5"},
		{"fields @ptr, n | limit 1", numbers, "n=9"},
		{"accum n as n | display n", numbers[:2], "n=4, n=5"},
		{"fields n as @timestamp | accum n as s | display s, @timestamp", numbers[:2], "s=4 @timestamp=4, s=5 @timestamp=1"},
		{"stats latest(n) as a, earliest(n) as b, latest(x) as c", numbers, "a=9 b=1"},
		{"stats count_distinct(n) as c, count_distinct(x) as d", []string{`{"n":1}`, `{"n":"1"}`, `{"n":1.0}`}, "c=2 d=0"},
		{"stats sum(n) * 2 + count(*) as x by n > 1 as big", numbers, "big=0 x=3, big=1 x=33"},
		{"dedup n | limit 2", []string{`{"n":1}`, `{}`, `{"n":1}`, `{}`}, "@timestamp=2026-11-22 14:08:00.000 @message={}, @timestamp=2026-11-22 14:07:00.000 @message={\"n\":1}"},
		{"fillmissing", numbers, "error: unexpected symbol found fillmissing at line 1 and position 0"},
		{"stats sum(n) as s by bin(1m) | filter s != 4 and s != 2 | fillmissing with 0 for s", numbers,
			"bin(1m)=2026-11-22 14:08:00.000 s=9, bin(1m)=2026-11-22 14:07:00.000 s=0, bin(1m)=2026-11-22 14:06:00.000 s=0, bin(1m)=2026-11-22 14:05:00.000 s=1"},
	} {
		got := strings.TrimSuffix(strings.ReplaceAll(run(t, c.query, c.events...), " \n", ", "), ", ")
		got = strings.TrimSuffix(got, "\n")
		if got != c.want {
			t.Errorf("%s\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
}

func TestRefusedQueries(t *testing.T) {
	for query, want := range map[string]string{
		"fields a | SOURCE 'g'": "unexpected symbol found SOURCE at line 1 and position 11",
		"limit 0":               "limit is 0, not 1 to 100000",
		"limit 100001":          "limit is 100001, not 1 to 100000",
		strings.Repeat("stats count(*) | ", 10) + "stats count(*)": "the query has more than 10 stats commands",
		"dedup a | fields b":                                         "unexpected symbol found fields at line 1 and position 10",
		"sort a | pattern a":                                         "unexpected symbol found pattern at line 1 and position 9",
		"filter a | anomaly":                                         "unexpected symbol found anomaly at line 1 and position 11",
		"stats count(*) | relevantfields where a":                    "unexpected symbol found relevantfields at line 1 and position 17",
		"stats count(*) | logcompare timeshift 1d":                   "unexpected symbol found logcompare at line 1 and position 17",
		"stats count(*) | diff":                                      "unexpected symbol found diff at line 1 and position 17",
		"estimate | limit 1":                                         "unexpected symbol found limit at line 1 and position 11",
		"filter a in (filter b in (filter c | fields d) | fields e)": "unexpected symbol found filter at line 1 and position 13",
		"sort count(*)":                                              "unexpected symbol found ( at line 1 and position 10",
		"sort bin(5m)":                                               "unexpected symbol found ( at line 1 and position 8",
		"stats a":                                                    "unexpected symbol found a at line 1 and position 6",
		"stats sum(a) + b by c":                                      "unexpected symbol found b at line 1 and position 15",
		"stats sum(*)":                                               "unexpected symbol found ( at line 1 and position 9",
		"stats sum(a, b)":                                            "unexpected symbol found b at line 1 and position 13",
		"stats pct(a)":                                               "unexpected symbol found ( at line 1 and position 9",
		"stats pct(a, b)":                                            "the second argument of pct must be a literal",
		"stats pct(a, 101)":                                          "a percentile is a number from 0 to 100",
		"stats histogram(a, 0.5)":                                    "a histogram has 1 to 1000 buckets",
		"stats rate(a, 5)":                                           `"5" is no period such as 30s, 5m or 1h`,
		"stats nosuch(a)":                                            "unexpected symbol found ( at line 1 and position 12",
		"fields substr(a)":                                           "substr takes 2 to 3 arguments, not 1",
		"stats count(*) by bin(x)":                                   "argument 1 of bin must be a literal",
		"stats count(*) by bin(5m) offset 3z":                        `"3z" is no period such as 30s, 5m or 1h`,
		"SOURCE nosuch(a: 'b')":                                      "unexpected symbol found nosuch at line 1 and position 7",
		"SOURCE logGroups(nosuch: ['b'])":                            "unexpected symbol found nosuch at line 1 and position 17",
		"SOURCE logGroups(namePrefix: ['1','2','3','4','5','6'])":                         "namePrefix takes at most 5 values",
		"SOURCE 'g' START='soon'":                                                         "unexpected symbol found 'soon' at line 1 and position 17",
		"join where left.a=right.a (source 'g') | join where left.a=right.a (source 'g')": "unexpected symbol found join at line 1 and position 41",
		"sessionize a maxspan 3z":                                                         `"3z" is no period such as 30s, 5m or 1h`,
		"logcompare timeshift 3z":                                                         `"3z" is no period such as 30s, 5m or 1h`,
		"stats count(*) by bin(5m) | fillmissing with a for b":                            "the value for b must be a literal",
	} {
		_, err := Parse(query)
		var wrong *syntax.Error
		if !errors.As(err, &wrong) || wrong.Message != want {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

func TestWhatAQueryReadsFrom(t *testing.T) {
	q, err := Parse(`SOURCE logGroups(namePrefix: ['/aws/eks', 'b'], class: ['STANDARD'], accountIdentifiers: ['1'])
		| filter a in (SOURCE 'g', "h" | fields a) | lookup t k OUTPUT v | cidrlookup u ip OUTPUT v
		| join where left.a=right.a (SOURCE other) | appendcols (SOURCE logGroups() | lookup w k OUTPUT v)`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Selection{
		{Prefixes: []string{"/aws/eks", "b"}, Classes: []string{"STANDARD"}, Accounts: []string{"1"}},
		{Groups: []string{"g", "h"}}, {Groups: []string{"other"}}, {All: true},
	}
	if got := q.Selections(); !reflect.DeepEqual(got, want) {
		t.Errorf("selections: %+v, want %+v", got, want)
	}
	if got := fmt.Sprint(q.Tables()); got != "[t u w]" {
		t.Errorf("tables: %s", got)
	}
	if q, _ = Parse("fields a"); !q.Selections()[0].IsDefault() {
		t.Error("a query without SOURCE leaves the choice to who starts it")
	}
}

func TestSourcesTimes(t *testing.T) {
	const now = base + 3600_000
	for text, want := range map[string]window{
		"SOURCE g":                                               {base, now},
		"SOURCE g START=-1h END=0s":                              {now - 3600_000, now},
		"SOURCE g start=-2d end=now()":                           {now - 2*86_400_000, now},
		"SOURCE g START=1795356000 END=1795356300001":            {1795356000000, 1795356300001},
		"SOURCE g START='2026-11-22T14:00:00Z' END='2026-11-23'": {1795356000000, 1795392000000},
		"SOURCE g END=-1m":                                       {base, now - 60_000},
	} {
		q, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := windowOf(q.tree, window{base, now}, now); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	month := window{1795356300000, 1795359900000}.previous("previousMonth") // of November 22
	if month != (window{1795356300000 - 31*86_400_000, 1795359900000 - 31*86_400_000}) {
		t.Errorf("the month before: %v", month)
	}
}

func TestErrorsOfAQuerysSurroundings(t *testing.T) {
	broken := errors.New("broken")
	for query, env := range map[string]Env{
		"fields a":               {Open: func(context.Context, Selection) (scan.Source, error) { return nil, broken }},
		"stats count(*)":         {Open: func(context.Context, Selection) (scan.Source, error) { return failing{broken}, nil }},
		"filter a in (fields b)": {Open: func(context.Context, Selection) (scan.Source, error) { return failing{broken}, nil }},
		"lookup t k OUTPUT v":    {Open: hostileEnv("a").Open, Table: func(context.Context, string) (*Table, error) { return nil, broken }},
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		env.Start, env.End = base, base+1
		if _, err := q.Run(context.Background(), env); !errors.Is(err, broken) {
			t.Errorf("%s: %v", query, err)
		}
	}
	env := hostileEnv("a")
	q, _ := Parse("lookup t k OUTPUT v")
	if _, err := q.Run(context.Background(), env); err == nil || err.Error() != "lookup table t: there are no lookup tables here" {
		t.Errorf("without tables: %v", err)
	}
	env.Table = func(context.Context, string) (*Table, error) { return &Table{Columns: []string{"a", "b"}}, nil }
	if _, err := q.Run(context.Background(), env); err == nil || err.Error() != "lookup table t has no column k: its columns are a, b" {
		t.Errorf("without the column: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Scan(context.Context, *scan.Request, func(int, *scan.Batch) bool) error {
	return f.err
}

func TestJoinsAreBounded(t *testing.T) {
	var events []memory.Event
	for i := range MaxJoinKeys + 1 {
		events = append(events, memory.Event{Time: base, Message: fmt.Sprintf(`{"a":%d}`, i)})
	}
	source := memory.New("1:g", events)
	q, err := Parse("join where left.a=right.a (SOURCE g) | stats count(*)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.Run(context.Background(), Env{
		Open: func(context.Context, Selection) (scan.Source, error) { return source, nil }, Start: base, End: base,
	})
	if err == nil || !strings.HasPrefix(err.Error(), "the right side of the join has more than 50000 different keys") {
		t.Error(err)
	}
}

func TestProgressIsKept(t *testing.T) {
	env := hostileEnv(`{"a":1}`, `{"a":2}`, `{"a":2}`)
	env.Progress = &Progress{}
	q, _ := Parse("filter a = 2 and strlen(@message) > a | stats count(*)")
	if _, err := q.Run(context.Background(), env); err != nil {
		t.Fatal(err)
	}
	if p := env.Progress; p.Records.Load() != 3 || p.Rows.Load() != 2 || p.Bytes.Load() != 21 {
		t.Errorf("%d records, %d bytes, %d rows", p.Records.Load(), p.Bytes.Load(), p.Rows.Load())
	}
}
