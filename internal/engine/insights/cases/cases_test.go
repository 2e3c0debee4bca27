package cases

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/insights/function"
)

func TestCasesAreWellFormed(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	text := ""
	for _, c := range all {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
		text += strings.ToLower(c.Query) + "\n"
	}
	for _, f := range function.All() {
		if !strings.Contains(text, strings.ToLower(f.Name)+"(") {
			t.Errorf("no case uses %s", f.Name)
		}
	}
	for _, command := range strings.Fields("fields display filter where stats sort limit parse dedup pattern diff anomaly unnest expand unmask filterindex source join lookup cidrlookup json accum " +
		"autoregress filldown fillmissing addtotals outlier sessionize appendcols logcompare relevantfields countfrequent count_frequent estimate") {
		if !regexp.MustCompile(`(?m)(^|\| *)` + command + `\b`).MatchString(text) {
			t.Errorf("no case uses %s", command)
		}
	}
	for _, aggregate := range strings.Fields("count count_distinct sum avg min max pct stddev earliest latest sortsfirst sortslast rate histogram countovertime count_over_time sumovertime sum_over_time") {
		if !regexp.MustCompile(`stats [^|]*\b` + aggregate + `\(`).MatchString(text) {
			t.Errorf("no case uses %s", aggregate)
		}
	}
}

func TestFilesThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"cases: [{name: a}]": "needs a name, a query",
		"cases: [{name: a, query: limit 1, rows: [], error: x}]": "rows or an error",
		"events: [{at: soon}]":         "invalid duration",
		"expressions: [['abs(1)', x]]": "or no event",
		"nosuch: 1":                    "unknown field",
	} {
		if _, err := read("x.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	row := func(fields ...string) map[string]string {
		m := map[string]string{}
		for _, f := range fields {
			k, v, _ := strings.Cut(f, "=")
			m[k] = v
		}
		return m
	}
	rows := func(r ...map[string]string) []map[string]string { return r }
	for _, c := range []struct {
		name string
		c    Case
		rows []map[string]string
		err  error
		ok   bool
	}{
		{"the rows", Case{Rows: rows(row("a=1"), row("b=2"))}, rows(row("a=1", "@ptr=x"), row("b=2")), nil, true},
		{"in another order", Case{Rows: rows(row("a=1"), row("b=2"))}, rows(row("b=2"), row("a=1")), nil, false},
		{"in whatever order", Case{Rows: rows(row("a=1"), row("b=2")), Unordered: true}, rows(row("b=2"), row("a=1")), nil, true},
		{"a field too many", Case{Rows: rows(row("a=1"))}, rows(row("a=1", "b=2")), nil, false},
		{"a row missing", Case{Rows: rows(row("a=1"))}, nil, nil, false},
		{"an error", Case{}, nil, errors.New("x"), false},
		{"the error", Case{Error: "a"}, nil, errors.New("abc"), true},
		{"another error", Case{Error: "b"}, nil, errors.New("abc"), false},
		{"any error", Case{Error: AnyError}, nil, errors.New("abc"), true},
		{"no error", Case{Error: "b"}, nil, nil, false},
		{"known to fail", Case{Rows: rows(row("a=1")), Known: "why"}, nil, nil, true},
		{"known to fail, and holds", Case{Rows: rows(row("a=1")), Known: "why"}, rows(row("a=1")), nil, false},
	} {
		if problem := c.c.Check(c.rows, c.err); (problem == "") != c.ok {
			t.Errorf("%s: %q", c.name, problem)
		}
	}
}
