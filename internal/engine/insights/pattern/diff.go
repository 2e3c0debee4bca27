package pattern

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Difference is how often a pattern was seen, compared with the time before.
type Difference struct {
	*Pattern
	Events      int64  // @diffEventCount: more, or if negative fewer, messages than before
	Description string // @differenceDescription
}

// Differences compares patterns with the time before, the largest changes first.
func Differences(patterns []Pattern) []Difference {
	list := make([]Difference, len(patterns))
	for i := range patterns {
		p := &patterns[i]
		list[i] = Difference{p, p.Count - p.Before, describe(p.Count, p.Before)}
	}
	slices.SortStableFunc(list, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(magnitude(b.Events), magnitude(a.Events)), strings.Compare(a.Text, b.Text))
	})
	return list
}

func magnitude(n int64) int64 { return max(n, -n) }

func describe(now, before int64) string {
	switch {
	case before == 0:
		return "New pattern: not seen before"
	case now == 0:
		return "Pattern no longer seen"
	case now == before:
		return "No change"
	}
	percent := math.Abs(float64(now-before)) / float64(before) * 100
	direction := "more"
	if now < before {
		direction = "fewer"
	}
	return fmt.Sprintf("%.4g%% %s events", percent, direction)
}
