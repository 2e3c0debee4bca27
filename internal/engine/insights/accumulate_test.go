package insights

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
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
