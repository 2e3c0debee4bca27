package alarm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// points reads a picture as CloudWatch's guide draws it, the oldest first: 0 is within a
// threshold of 1, X breaches it, - is missing.
func points(picture string) []Point {
	var out []Point
	for i, c := range slices.Backward(strings.Fields(picture)) {
		p := Point{Start: noon.Add(time.Duration(i-len(strings.Fields(picture))) * time.Minute)}
		switch c {
		case "0":
			p.Present, p.Samples = true, 1
		case "X":
			p.Present, p.Samples, p.Value = true, 2, 5
		}
		out = append(out, p)
	}
	return out
}

// TestMissingData is the two tables of CloudWatch's guide on missing data, and what its
// text says beside them.
func TestMissingData(t *testing.T) {
	const keep = State("keep")
	for _, c := range []struct {
		picture                               string
		m                                     int
		missing, ignore, breaching, notBreach State
	}{
		{"0 - X - X", 3, OK, OK, OK, OK},
		{"0 - - - -", 3, OK, OK, OK, OK},
		{"- - - - -", 3, InsufficientData, keep, Alarm, OK},
		{"0 X X - X", 3, Alarm, Alarm, Alarm, Alarm},
		{"- - X - -", 3, Alarm, keep, Alarm, OK},
		{"0 - X - X", 2, Alarm, Alarm, Alarm, Alarm},
		{"0 0 X 0 X", 2, Alarm, Alarm, Alarm, Alarm},
		{"0 - X - -", 2, OK, OK, Alarm, OK},
		{"- - - - 0", 2, OK, OK, Alarm, OK},
		{"- - - X -", 2, Alarm, keep, Alarm, OK},
		{"- - - - X", 3, keep, keep, Alarm, OK},
		{"- - - X -", 3, keep, keep, Alarm, OK},
		{"- - - X 0", 3, OK, OK, OK, OK},
		{"- - X - 0", 3, OK, OK, OK, OK},
	} {
		for treatment, want := range map[Treatment]State{Missing: c.missing, "": c.missing, Ignore: c.ignore, Breaching: c.breaching, NotBreaching: c.notBreach} {
			r := Rule{Period: 60, Periods: 3, Datapoints: c.m, Threshold: 1, Comparison: GreaterOrEqual, Missing: treatment, Statistic: "Sum"}
			v, decided := r.Evaluate(points(c.picture), noon)
			if got := v.State; decided == (want == keep) || decided && got != want {
				t.Errorf("%s, %d of 3, missing are %q: %s, %v; want %s", c.picture, c.m, treatment, got, decided, want)
			}
		}
	}
}

// TestReasons: sentences as CloudWatch was seen to write them.
func TestReasons(t *testing.T) {
	one := Rule{Period: 60, Periods: 1, Threshold: 1, Comparison: GreaterOrEqual, Statistic: "Sum"}
	with := func(change func(r *Rule)) Rule { r := one; change(&r); return r }
	for _, c := range []struct {
		r       Rule
		picture string
		want    string
	}{
		{one, "- - X", "Threshold Crossed: 1 datapoint [5.0 (23/11/26 11:59:00)] was greater than or equal to the threshold (1.0)."},
		{one, "- - 0", "Threshold Crossed: 1 datapoint [0.0 (23/11/26 11:59:00)] was not greater than or equal to the threshold (1.0)."},
		{one, "- - -", "Insufficient Data: 1 datapoint was unknown."},
		{with(func(r *Rule) { r.Datapoints = 1 }), "- - X", "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (23/11/26 11:59:00)] was greater than or equal to the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."},
		{with(func(r *Rule) { r.Datapoints = 1 }), "- - 0", "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (23/11/26 11:59:00)] was not greater than or equal to the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition)."},
		{with(func(r *Rule) { r.Periods, r.Datapoints = 3, 3 }), "X X 0", "Threshold Crossed: 1 out of the last 3 datapoints [0.0 (23/11/26 11:59:00)] was not greater than or equal to the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition)."},
		{with(func(r *Rule) { r.Periods = 2; r.Comparison = Greater; r.Threshold = 1e7 }), "0 0", "Threshold Crossed: 2 datapoints [0.0 (23/11/26 11:59:00), 0.0 (23/11/26 11:58:00)] were not greater than the threshold (1.0E7)."},
		{with(func(r *Rule) { r.Periods = 5; r.Comparison = Less; r.Threshold = 65 }), "X X X X X", "Threshold Crossed: 5 datapoints were less than the threshold (65.0). The most recent datapoints which crossed the threshold: [5.0 (23/11/26 11:59:00), 5.0 (23/11/26 11:58:00), 5.0 (23/11/26 11:57:00), 5.0 (23/11/26 11:56:00), 5.0 (23/11/26 11:55:00)]."},
		{with(func(r *Rule) { r.Periods, r.Datapoints = 6, 5; r.Comparison = LessOrEqual; r.Threshold = 65 }), "X X X X X X", "Threshold Crossed: 6 out of the last 6 datapoints were less than or equal to the threshold (65.0). The most recent datapoints which crossed the threshold: [5.0 (23/11/26 11:59:00), 5.0 (23/11/26 11:58:00), 5.0 (23/11/26 11:57:00), 5.0 (23/11/26 11:56:00), 5.0 (23/11/26 11:55:00)] (minimum 5 datapoints for OK -> ALARM transition)."},
		{with(func(r *Rule) { r.Periods, r.Missing = 2, Breaching }), "- - - -", "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."},
		{with(func(r *Rule) { r.Missing = NotBreaching }), "- - -", "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."},
		{with(func(r *Rule) { r.Periods, r.Datapoints, r.Missing = 20, 1, NotBreaching }), strings.Repeat("- ", 21) + "X", "Threshold Crossed: 1 out of the last 20 datapoints [5.0 (23/11/26 11:59:00)] was greater than or equal to the threshold (1.0) and 19 missing datapoints were treated as [NonBreaching] (minimum 1 datapoint for OK -> ALARM transition)."},
		{with(func(r *Rule) { r.Periods, r.Datapoints, r.Missing = 3, 2, Breaching }), "- - - - 0", "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching]."},
		{with(func(r *Rule) { r.Periods = 3 }), "- - - - -", "Insufficient Data: 3 datapoints were unknown."},
	} {
		v, _ := c.r.Evaluate(points(c.picture), noon)
		if v.Reason != c.want {
			t.Errorf("%s: %s\nwant %s", c.picture, v.Reason, c.want)
		}
	}
}

// TestReasonData: StateReasonData as CloudWatch was seen to write it.
func TestReasonData(t *testing.T) {
	r := Rule{Period: 60, Periods: 3, Datapoints: 2, Threshold: 1, Comparison: GreaterOrEqual, Statistic: "Sum", Unit: "Count", Missing: NotBreaching}
	v, _ := r.Evaluate(points("- - 0 - X"), noon.Add(1234*time.Millisecond))
	want := `{"version":"1.0","queryDate":"2026-11-23T12:00:01.234+0000","startDate":"2026-11-23T11:57:00.000+0000","unit":"Count","statistic":"Sum","period":60,"recentDatapoints":[0.0,5.0],"threshold":1.0,"evaluatedDatapoints":[{"timestamp":"2026-11-23T11:59:00.000+0000","sampleCount":2.0,"value":5.0},{"timestamp":"2026-11-23T11:58:00.000+0000"},{"timestamp":"2026-11-23T11:57:00.000+0000","sampleCount":1.0,"value":0.0}]}`
	if v.Data != want {
		t.Errorf("%s\nwant %s", v.Data, want)
	}
	r = Rule{Period: 10, Periods: 2, Threshold: 2, Comparison: Greater, Missing: Breaching}
	v, _ = r.Evaluate(points("- - - -"), noon)
	want = `{"version":"1.0","queryDate":"2026-11-23T12:00:00.000+0000","period":10,"recentDatapoints":[],"threshold":2.0,"evaluatedDatapoints":[{"timestamp":"2026-11-23T11:59:00.000+0000"},{"timestamp":"2026-11-23T11:58:00.000+0000"}]}`
	if v.Data != want {
		t.Errorf("%s\nwant %s", v.Data, want)
	}
}

func TestDoubles(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0", 1: "1.0", -2.5: "-2.5", 0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 9999999: "9999999.0", 123456789.5: "1.234567895E8", 99.50160229693434: "99.50160229693434"} {
		if got := Double(v); got != want || !json.Valid([]byte(got)) {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestFewSamples(t *testing.T) {
	r := Rule{Period: 60, Periods: 1, Threshold: 1, Comparison: Greater, Percentile: 99, IgnoreFew: true}
	p := points("- - X")
	if p[0].Samples = 999; true {
		if v, decided := r.Evaluate(p, noon); decided {
			t.Errorf("999 samples decide: %+v", v)
		}
	}
	p[0].Samples = 1000
	if v, _ := r.Evaluate(p, noon); v.State != Alarm {
		t.Errorf("1000 samples: %+v", v)
	}
	r.IgnoreFew, p[0].Samples = false, 1
	if v, _ := r.Evaluate(p, noon); v.State != Alarm {
		t.Errorf("an alarm that evaluates: %+v", v)
	}
}

// TestRules: whatever is missing, what the points say for certain holds.
func TestRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rule{Period: 60, Periods: rapid.IntRange(1, 8).Draw(t, "n"), Threshold: 1, Comparison: GreaterOrEqual, Statistic: "Sum"}
		r.Datapoints = rapid.IntRange(0, r.Periods).Draw(t, "m")
		picture := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"0", "X", "-"}), r.Range(), r.Range()).Draw(t, "points"), " ")
		real := strings.Count(picture, "0") + strings.Count(picture, "X")
		var states []State
		for _, r.Missing = range []Treatment{NotBreaching, Missing, Ignore, Breaching} {
			v, decided := r.Evaluate(points(picture), noon)
			if !decided {
				if real >= r.Periods {
					t.Fatalf("%s: enough points, and yet nothing is decided", picture)
				}
				continue
			}
			states = append(states, v.State)
			if !json.Valid([]byte(v.Data)) || v.Reason == "" || strings.Contains(v.Reason, "[]") {
				t.Fatalf("%s: %+v", picture, v)
			}
			if r.Missing == NotBreaching && v.State == Alarm && strings.Count(picture, "X") < r.required() {
				t.Fatalf("%s: an alarm by %d of %d", picture, strings.Count(picture, "X"), r.required())
			}
		}
		if real >= r.Periods && slices.ContainsFunc(states, func(s State) bool { return s != states[0] }) {
			t.Fatalf("%s: enough points, and yet %v", picture, states)
		}
		if states[0] == Alarm && slices.ContainsFunc(states, func(s State) bool { return s != Alarm }) {
			t.Fatalf("%s: an alarm for certain, and yet %v", picture, states)
		}
	})
}

func TestChecks(t *testing.T) {
	for _, r := range []Rule{{}, {Comparison: Greater}, {Comparison: Greater, Period: 60, Periods: 2, Datapoints: 3}} {
		if r.Check() == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	if r := (Rule{Comparison: Less, Period: 60, Periods: 2, Datapoints: 2}); r.Check() != nil {
		t.Error(r.Check())
	}
	if Less.Growth() != -1 || GreaterOrEqual.Growth() != 1 {
		t.Error("growth")
	}
}
