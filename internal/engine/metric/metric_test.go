package metric

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func setOf(values ...float64) Set {
	var s Set
	for _, v := range values {
		s = Merge(s, One(v, 1))
	}
	return s
}

func TestStatistics(t *testing.T) {
	ten := setOf(10, 3, 1, 2, 5, 4, 8, 7, 6, 9)
	for _, c := range []struct {
		name string
		set  Set
		want float64 // NaN: none
	}{
		{"Average", ten, 5.5}, {"Sum", ten, 55}, {"SampleCount", ten, 10}, {"Minimum", ten, 1}, {"Maximum", ten, 10},
		{"p50", ten, 5}, {"p90", ten, 9}, {"p90.1", ten, 10}, {"p0", ten, 1}, {"p100", ten, 10}, {"p99.999", ten, 10},
		{"tm90", ten, 5}, {"TM(10%:90%)", ten, 5.5}, {"TM(:3)", ten, 2}, {"TM(3:5)", ten, 4.5}, {"TM(25%:75%)", ten, 5.5}, {"IQM", ten, 5.5},
		{"TM(20:30)", ten, math.NaN()},
		{"tc90", ten, 9}, {"TC(3:5)", ten, 2}, {"TC(20:30)", ten, 0}, {"ts90", ten, 45}, {"TS(80%:)", ten, 19},
		{"wm80", ten, (36 + 2*8) / 10.0}, {"WM(2:5)", ten, (2 + 2 + 3 + 4 + 5*6) / 10.0},
		{"PR(:3)", ten, 30}, {"PR(3:5)", ten, 20},
		{"p50", One(7, 3), 7}, {"tm50", Merge(One(1, 3), One(9, 1)), 1},
		{"p50", Statistics(2, 10, 5, 5), 5}, {"p50", Statistics(3, 10, 1, 5), math.NaN()}, {"Average", Statistics(4, 10, 1, 5), 2.5},
		{"Average", Set{}, math.NaN()}, {"p50", Merge(One(1, 1), Statistics(3, 10, 1, 5)), math.NaN()},
	} {
		s, err := Parse(c.name)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.Of(c.set)
		if ok == math.IsNaN(c.want) || ok && math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s of %+v: %v, %v; want %v", c.name, c.set, got, ok, c.want)
		}
		if s.String() != c.name {
			t.Errorf("%s reads as %s", c.name, s)
		}
	}
}

func TestWhatIsNoStatistic(t *testing.T) {
	for _, name := range []string{"", "average", "p", "p101", "p-1", "TM(:)", "TM(90%:10%)", "TM(10%:5)", "PR(10%:20%)", "TM(a:b)", "TM(1:2", "max", "p99.99999999999", "TM(101%:)", "TM(:NaN)", "TM(:Inf)"} {
		if _, err := Parse(name); !errors.Is(err, ErrNoStatistic) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestGrowth(t *testing.T) {
	for name, want := range map[string]int{"Sum": 1, "SampleCount": 1, "Maximum": 1, "Minimum": -1, "Average": 0, "p99": 0} {
		s, _ := Parse(name)
		if got := s.Growth(setOf(1, 2)); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
	if s, _ := Parse("Sum"); s.Growth(setOf(-1, 2)) != 0 {
		t.Error("a sum of negative values can shrink")
	}
}

// TestMerging: statistics of merged sets are those of all values, and growth holds.
func TestMerging(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1000, 1000), 1, 600).Draw(t, "values")
		cut := rapid.IntRange(0, len(values)).Draw(t, "cut")
		first, all := setOf(values[:cut]...), setOf(values...)
		merged := Merge(first, setOf(values[cut:]...))
		for _, name := range []string{"Average", "Sum", "SampleCount", "Minimum", "Maximum", "p50", "tm90", "wm90", "tc50"} {
			s, _ := Parse(name)
			a, okA := s.Of(all)
			m, okM := s.Of(merged)
			if okA != okM || math.Abs(a-m) > 1e-6*max(1, math.Abs(a), math.Abs(m), math.Abs(all.Max), math.Abs(all.Min))+(0.1*math.Abs(a)+1)*boolean(len(all.Values) < len(values)) {
				t.Fatalf("%s: %v of all, %v merged", name, a, m)
			}
			if before, ok := s.Of(first); ok && (s.Growth(merged) > 0 && m < before-1e-9 || s.Growth(merged) < 0 && m > before) {
				t.Fatalf("%s went from %v to %v", name, before, m)
			}
		}
		if n := len(all.Values); n > mostValues {
			t.Fatalf("%d values are kept", n)
		}
		total := 0.0
		for i, v := range all.Values {
			if total += v.Count; i > 0 && all.Values[i-1].Value > v.Value {
				t.Fatal("values are not in order")
			}
		}
		if total != all.Count {
			t.Fatalf("%v of %v values are there", total, all.Count)
		}
	})
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestAges(t *testing.T) {
	for _, c := range []struct {
		width int64
		age   time.Duration
		want  int64
	}{
		{1, 0, 1}, {1, 3 * time.Hour, 1}, {1, 3*time.Hour + 1, 60}, {60, 0, 60}, {60, 15*day + 1, 300}, {1, 63*day + 1, 3600}, {60, 456 * day, 0}, {1, -time.Hour, 1},
	} {
		if got := WidthAt(c.width, c.age); got != c.want {
			t.Errorf("%d s, %v old: %d, want %d", c.width, c.age, got, c.want)
		}
	}
	for at, want := range map[int64]int64{0: 0, 59: 0, 60: 60, 61: 60, -1: -60, -60: -60} {
		if got := Floor(at, 60); got != want {
			t.Errorf("floor of %d is %d", at, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"p99.9", "TM(10%:90%)", "PR(:300)", "IQM", "TM(1e308:)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := Parse(name)
		if err != nil {
			return
		}
		if v, ok := s.Of(setOf(1, 2, 3)); ok && math.IsNaN(v) {
			t.Errorf("%q of 1, 2, 3 is %v", name, v)
		}
	})
}
