package metricmath

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

var grid = Grid{Start: 1795435200, Period: 60, Len: 4} // 2026-11-23T12:00:00Z, a Monday

func series(text string) Series {
	var s Series
	for f := range strings.FieldsSeq(text) {
		v := math.NaN()
		if f != "-" {
			fmt.Sscan(f, &v)
		}
		s = append(s, v)
	}
	return s
}

func written(s Series) string {
	var parts []string
	for _, v := range s {
		if math.IsNaN(v) {
			parts = append(parts, "-")
			continue
		}
		parts = append(parts, fmt.Sprint(math.Round(v*1e6)/1e6))
	}
	return strings.Join(parts, " ")
}

func query() []Metric {
	return []Metric{{ID: "m1", Series: []Series{series("1 2 - 4")}}, {ID: "m2", Series: []Series{series("10 0 30 -")}}, {ID: "e1", Series: []Series{series("5 5 5 5")}, Derived: true}}
}

func TestExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		"m1": "1 2 - 4", "m1 + m2": "11 2 - -", "m1*2 + 1": "3 5 - 9", "2^m1": "2 4 - 16", "-m1": "-1 -2 - -4", "1 - -m1": "2 3 - 5",
		"m1 / m2": "0.1 - - -", "m1 > 1": "0 1 - 1", "m1 >= 1 AND m2 > 5": "1 0 - -", "m1 > 3 || m2 == 10": "1 0 - -", "(m1 + 1) * 2": "4 6 - 10",
		"SUM([m1,m2])": "11 2 30 4", "SUM(METRICS())": "11 2 30 4", `SUM(METRICS("m1"))`: "1 2 - 4", "AVG([m1,m2])": "5.5 1 30 4", "MAX([m1,m2,3])": "10 3 30 4", "MIN([m1,m2])": "1 0 30 4",
		"m1 - AVG(m2)": "-12.333333 -11.333333 - -9.333333", "STDDEV([m1,m2])": "4.5 1 0 0", "TIME_SERIES(SUM(m1))": "7 7 7 7",
		"FILL(m1, 0)": "1 2 0 4", "FILL(m1, REPEAT)": "1 2 2 4", "FILL(m1, LINEAR)": "1 2 3 4", "FILL(m1, m2)": "1 2 30 4",
		"IF(m1 > 1, m1, 0)": "0 2 - 4", "IF(m1 > 1, m2)": "- 0 - -", "IF(FILL(m1, 0) == 0, 1, 2)": "2 2 1 2", "DIFF(m1)": "- 1 - 2", "RATE(m1)": "- 0.016667 - 0.016667", "RUNNING_SUM(m1)": "1 3 - 7",
		"ABS(m1 - 3)": "2 1 - 1", "CEIL(m1 / 3)": "1 1 - 2", "FLOOR(m1/3)": "0 0 - 1", "LOG10(m2)": "1 - 1.477121 -", "LOG(m1)": "0 0.693147 - 1.386294",
		"FIRST([m2,m1])": "10 0 30 -", "LAST([m2,m1])": "1 2 - 4", "m1 * PERIOD(m1)": "60 120 - 240", "m1 * METRIC_COUNT([m1,m2])": "2 4 - 8", "m1 * DATAPOINT_COUNT(m1)": "3 6 - 12",
		"MINUTE(m1)": "0 1 - 3", "HOUR(m1)": "12 12 - 12", "DAY(m1)": "1 1 - 1", "DATE(m1)": "23 23 - 23", "MONTH(m1)": "11 11 - 11", "YEAR(m1)": "2026 2026 - 2026", "EPOCH(m1) - 1795435200": "0 60 - 180",
		"e1 + m1": "6 7 - 9", "1e2 * m1": "100 200 - 400", "SUM(SLICE([m1,m2,e1], 1, 2))": "10 0 30 -", "SUM(REMOVE_EMPTY([m1]))": "1 2 - 4", "sum([m1, m2])": "11 2 30 4", "SUM(METRICS() / m1)": "11 1 - 1",
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		out, err := e.Eval(grid, query())
		if err != nil || len(out) != 1 {
			t.Errorf("%s: %v, %v", expr, out, err)
			continue
		}
		if got := written(out[0]); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
	e, _ := Parse("METRICS() * 2")
	if out, err := e.Eval(grid, query()); err != nil || len(out) != 2 || written(out[1]) != "20 0 60 -" || !e.All() {
		t.Errorf("a list: %v, %v", out, err)
	}
}

func TestRefusals(t *testing.T) {
	for expr, want := range map[string]string{
		"": "too early", "m1 +": "too early", "m1 m2": "unexpected", "m1 $ 2": `"$"`, "(m1": "too early", "[m1": "too early", `METRICS("a`: "not closed",
		"SEARCH('{AWS/EC2}', 'Sum')": "SEARCH is not supported", "ANOMALY_DETECTION_BAND(m1, 2)": "ANOMALY_DETECTION_BAND is not", "SELECT AVG(x) FROM y": "SELECT", "NOPE(m1)": "NOPE",
		"SUM()": "arguments", "SUM(m1,m2)": "arguments", "M1": "lower case", "1.2.3": "unexpected", strings.Repeat("(", 100): "nested", strings.Repeat("m1+", 1000): "longer", strings.Repeat("-", 100) + "m1": "nested",
		"SUM(m1)": "time series", "1 + 2": "time series", "m9": `"m9"`, "m1 + 'x'": "text", "[m1,m2] + [m1,m2,e1]": "2 and 3", "SUM(1)": "time series", "IF([m1,m2], 1, 2)": "single", "FILL(m1, ASC)": "REPEAT",
		"FIRST(m1)": "list", "[m1, 'a']": "text", "-'a'": "no number",
	} {
		e, err := Parse(expr)
		if err == nil {
			_, err = e.Eval(grid, query())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %s", expr, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"IF(m1 > 1, FILL(m2, REPEAT), SUM([m1, m2]) / 2)", "METRICS('m') ^ -1e3", "SLICE(METRICS(), 1e308)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		e, err := Parse(expr)
		if err != nil {
			return
		}
		out, err := e.Eval(grid, query())
		if err != nil {
			return
		}
		for _, s := range out {
			if len(s) != grid.Len {
				t.Errorf("%q makes %d of %d values", expr, len(s), grid.Len)
			}
		}
	})
}
