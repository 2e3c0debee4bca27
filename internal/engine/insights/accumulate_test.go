package insights

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

func TestNthIsThatOfTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Map(rapid.IntRange(-20, 20), func(i int) float64 { return float64(i) }), 1, 200).Draw(t, "list")
		n := rapid.IntRange(0, len(list)-1).Draw(t, "n")
		sorted := slices.Sorted(slices.Values(list))
		if got := nth(list, n); got != sorted[n] {
			t.Fatalf("%v, want %v", got, sorted[n])
		}
	})
}

// Groups of many numbers, most of them small and whole, give what a plain list gives.
func TestPercentilesOfManyNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	parts := []*listing{{}, {}, {}}
	lists := make([][]float64, 3)
	for _, l := range parts {
		l.grow(len(lists))
	}
	for i := range 60_000 {
		g := i % 7 % len(lists)
		x := float64(r.IntN(6000) - 500)
		switch {
		case g == 1:
			x = r.Float64() * 100
		case i%5 == 0:
			x /= 3
		}
		parts[r.IntN(len(parts))].number(g, x)
		lists[g] = append(lists[g], x)
	}
	// The groups of the others have other numbers.
	all := &listing{}
	all.grow(len(lists))
	for _, l := range parts {
		for g := range lists {
			all.merge((g+1)%len(lists), l, g)
		}
	}
	for g, list := range lists {
		slices.Sort(list)
		for _, p := range []float64{0, 0.1, 1, 25, 50, 75, 99, 99.9, 100} {
			want := list[max(int(math.Ceil(p/100*float64(len(list)))), 1)-1]
			if got, _ := all.by(percentile(p), (g+1)%len(lists)).Number(); got != want {
				t.Errorf("group %d: %v percent are up to %v, want %v", g, p, got, want)
			}
		}
		total := 0.0
		for _, n := range all.by(histogram(7), (g+1)%len(lists)).Items() {
			x, _ := n.Number()
			total += x
		}
		if total != float64(len(list)) {
			t.Errorf("group %d: the histogram has %v numbers of %d", g, total, len(list))
		}
	}
}

// TestExtremesOfInstants: points in time that are compared as numbers have the extremes of
// their texts, however many digits they are written with.
func TestExtremesOfInstants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const groups = 3
		for _, name := range []string{"min", "max", "sortsfirst", "sortslast"} {
			made, _ := aggregates[name].make(value.Value{})
			fast, plain := made().(*best), made().(*best)
			fast.grow(groups)
			plain.grow(groups)
			for range rapid.IntRange(1, 4).Draw(t, "batches") {
				in := &vector{form: instants, digits: rapid.IntRange(0, 6).Draw(t, "digits")}
				step := int64(math.Pow10(6 - in.digits))
				var of []int32
				for range rapid.IntRange(2, 20).Draw(t, "rows") {
					in.ints = append(in.ints, rapid.Int64Range(0, 30).Draw(t, "at")*step+draw(t, int64(0), 1_795_356_000_000_000/step*step, 253_402_300_000_000_000))
					of = append(of, rapid.Int32Range(0, groups-1).Draw(t, "group"))
				}
				accumulate(fast, of, in, nil)
				for row, g := range of {
					plain.add(int(g), in.at(row), 0)
				}
			}
			for g := range groups {
				if got, want := fast.result(g).String(), plain.result(g).String(); got != want {
					t.Fatalf("%s of group %d: %s, want %s", name, g, got, want)
				}
			}
		}
	})
}
