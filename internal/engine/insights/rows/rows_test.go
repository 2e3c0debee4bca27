package rows

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// column reads values: - is null.
func column(s string) []value.Value {
	var c []value.Value
	for w := range strings.FieldsSeq(s) {
		if w == "-" {
			c = append(c, value.Value{})
		} else {
			c = append(c, value.OfText(w))
		}
	}
	return c
}

func print(c []value.Value) string {
	words := make([]string, len(c))
	for i, v := range c {
		if words[i] = v.String(); v.IsNull() {
			words[i] = "-"
		}
	}
	return strings.Join(words, " ")
}

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []value.Value
		want string
	}{
		{"accum", Accum(column("1 2 - x 3.5")), "1 3 - - 6.5"},
		{"accum of nothing", Accum(nil), ""},
		{"autoregress by 1", Autoregress(column("a b c"), 1), "- a b"},
		{"autoregress by all", Autoregress(column("a b c"), 3), "- - -"},
		{"autoregress by more", Autoregress(column("a"), 5), "-"},
		{"filldown", FillDown(column("- a - - b -")), "- a a a b b"},
		{"row totals", RowTotals([][]value.Value{column("1 - x"), column("2 3 -")}, 3), "3 3 -"},
		{"row totals of no columns", RowTotals(nil, 2), "- -"},
		{"times are not summed", RowTotals([][]value.Value{{value.OfTime(5)}, column("1")}, 1), "1"},
		{"column total", []value.Value{ColumnTotal(column("1 x - 2"))}, "3"},
		{"no column total", []value.Value{ColumnTotal(column("x -"))}, "-"},
	} {
		if got := print(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMissing(t *testing.T) {
	minute := func(ms int64) int64 { return ms + 60_000 }
	for _, c := range []struct{ in, want string }{
		{"120000 0 300000 x - 120000", "[60000 180000 240000]"},
		{"0 60000", "[]"},
		{"", "[]"},
		{"-60000 60000", "[0]"},
	} {
		if got := fmt.Sprint(Missing(column(c.in), minute)); got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
	if n := len(Missing(column("0 90000000000000"), minute)); n != MaxMissing {
		t.Errorf("%d rows", n)
	}
	if n := len(Missing(column("0 10"), func(ms int64) int64 { return ms })); n != 0 {
		t.Errorf("a period that does not end: %d rows", n)
	}
}

func TestOutliers(t *testing.T) {
	c := column("1 2 3 4 5 100 -50 x -") // quartiles 1.5 and 4.5
	for _, test := range []struct {
		param float64
		lower bool
		want  string
	}{
		{2.5, false, "1 2 3 4 5 12 -50 x -"},
		{2.5, true, "1 2 3 4 5 12 -6 x -"},
		{100, true, "1 2 3 4 5 100 -50 x -"},
	} {
		f := NewFence(c, test.param, test.lower)
		clamped := make([]value.Value, len(c))
		for i, v := range c {
			clamped[i] = f.Clamp(v)
			if f.Out(v) != (clamped[i] != v) {
				t.Errorf("%v: out %v, clamped %v", v, f.Out(v), clamped[i])
			}
		}
		if got := print(clamped); got != test.want {
			t.Errorf("%v %v: %s, want %s", test.param, test.lower, got, test.want)
		}
	}
	if f := NewFence(column("x -"), 2.5, true); f.Out(value.OfNumber(1e300)) {
		t.Error("without numbers there are no outliers")
	}
}

func TestSessions(t *testing.T) {
	user := column("a a b a a - a")
	device := column("1 1 1 2 1 1 1")
	times := column("1000 2000 1500 1000 9000 1000 x")
	got := Sessions([][]value.Value{user, device}, times, 5000)
	names := map[string]string{}
	var short []string
	for _, v := range got {
		s := v.String()
		if s != "" && names[s] == "" {
			names[s] = string(rune('A' + len(names)))
		}
		short = append(short, names[s]+"-")
	}
	if s := strings.Join(short, " "); s != "A- A- B- C- D- - -" {
		t.Errorf("sessions %s", s)
	}
	if len(got[0].String()) != 16 {
		t.Errorf("a session's name is %q", got[0])
	}
	slices.Reverse(user)
	slices.Reverse(device)
	slices.Reverse(times)
	back := Sessions([][]value.Value{user, device}, times, 5000)
	slices.Reverse(back)
	if print(back) != print(got) {
		t.Errorf("in another order: %s, want %s", print(back), print(got))
	}
}

func relevance(in, out []value.Value) Relevant {
	var r Relevance
	for _, v := range in {
		r.Add(v, true)
	}
	for _, v := range out {
		r.Add(v, false)
	}
	return r.Result(int64(len(in)), int64(len(out)))
}

func repeat(n int, s string) []value.Value { return column(strings.Repeat(s+" ", n)) }

func numbers(from, to int) (c []value.Value) {
	for i := from; i < to; i++ {
		c = append(c, value.OfNumber(float64(i)))
	}
	return c
}

func TestRelevance(t *testing.T) {
	ids := func(prefix string) (c []value.Value) {
		for i := range 1000 {
			c = append(c, value.OfText(fmt.Sprint(prefix, i)))
		}
		return c
	}
	for _, c := range []struct {
		name    string
		in, out []value.Value
		want    string
	}{
		{"one value tells both apart", repeat(10, "bad"), repeat(40, "good"), "1 | bad (100%, otherwise 0%), good (0%, otherwise 100%) |  | "},
		{"alike", repeat(10, "x y"), repeat(40, "x y"), "0 |  |  | "},
		{"in part", append(repeat(5, "x"), repeat(5, "y")...), repeat(40, "y"), "0.5 | x (50%, otherwise 0%), y (50%, otherwise 100%) |  | "},
		{"identifiers say nothing", ids("a"), ids("b"), "0 |  |  | "},
		{"having it or not", repeat(10, "x"), repeat(10, "-"), "1 | x (100%, otherwise 0%) |  | "},
		{"numbers", numbers(500, 600), numbers(0, 101), "1 |  | 549.5 | 50"},
		{"numbers, in part", numbers(50, 150), numbers(0, 100), "0.5 |  | 99.5 | 49.5"},
		{"few numbers are values", repeat(10, "503"), repeat(10, "200"), "1 | 200 (0%, otherwise 100%), 503 (100%, otherwise 0%) |  | "},
		{"numbers that only one set has", numbers(0, 20), repeat(20, "-"), "1 |  | 9.5 | "},
		{"no events of one kind", repeat(10, "x"), nil, "0 |  |  | "},
	} {
		r := relevance(c.in, c.out)
		if got := fmt.Sprint(r.Score, " | ", r.Contributors, " | ", r.ConditionalMedian, " | ", r.BaselineMedian); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestManyNumbersAreRounded(t *testing.T) {
	r := relevance(numbers(50_000, 80_001), numbers(0, 30_001))
	x, _ := r.ConditionalMedian.Number()
	y, _ := r.BaselineMedian.Number()
	if r.Score != 1 || math.Abs(x-65_000) > 650 || math.Abs(y-15_000) > 150 {
		t.Errorf("score %v, medians %v and %v", r.Score, x, y)
	}
}

// Who counted what does not matter.
func TestRelevanceMerges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.Map(rapid.SampledFrom(strings.Split("a b c 1 2 3.5 -7 -", " ")), func(s string) value.Value { return column(s)[0] }))
		in, out := values.Draw(t, "in"), values.Draw(t, "out")
		var parts [2]Relevance
		for i, v := range in {
			parts[i%2].Add(v, true)
		}
		for i, v := range out {
			parts[i%2].Add(v, false)
		}
		parts[1].Merge(&parts[0])
		got, want := parts[1].Result(int64(len(in)), int64(len(out))), relevance(in, out)
		if fmt.Sprint(got) != fmt.Sprint(want) || got.Score < 0 || got.Score > 1 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// A clone knows what was learnt until then, and learns on by itself.
func TestRelevanceClones(t *testing.T) {
	add := func(r *Relevance, from, to int) {
		for i := from; i < to; i++ {
			r.Add(value.OfNumber(float64(i*i)), i%3 == 0) // more than are told apart
			r.Add(value.OfText(fmt.Sprint("t", i%20_000)), i%2 == 0)
		}
	}
	const half, all = 9_000, 15_000
	r, until, whole := &Relevance{}, &Relevance{}, &Relevance{}
	add(r, 0, half)
	add(until, 0, half)
	add(whole, 0, all)
	early, late := r.Clone(), r.Clone()
	add(r, half, all)
	add(late, half, all)
	merged := &Relevance{}
	merged.Merge(r)
	for name, pair := range map[string][2]*Relevance{"before the rest": {early, until}, "the original": {r, whole}, "a clone that went on": {late, whole}} {
		if got, want := pair[0].Result(5000, 10_000), pair[1].Result(5000, 10_000); got != want || pair[0].Size() != pair[1].Size() {
			t.Errorf("%s: %+v of %d bytes, want %+v of %d", name, got, pair[0].Size(), want, pair[1].Size())
		}
	}
	if got := whole.Size(); got < 500_000 || got > 3<<20 {
		t.Errorf("a field of very many values takes %d bytes", got)
	}
	if merged.Size() != r.Size() {
		t.Errorf("merged it takes %d bytes, not %d", merged.Size(), r.Size())
	}
}
