package irsa

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var shares = []float64{0.5, 0.9, 0.99}

// quantile sorts what it is given.
func quantile(all []float64, share float64) float64 {
	slices.Sort(all)
	return all[min(int(share*float64(len(all))), len(all)-1)]
}

// quantiles tells those of all, in ms, each with its interval of 95 %.
func quantiles(all []float64) string {
	return told(func(share float64) float64 { return quantile(all, share) }, func(draw *rand.Rand) func(float64) float64 {
		again := drawn(draw, all)
		return func(share float64) float64 { return quantile(again, share) }
	})
}

// differences tells how much larger the quantiles of b are than those of a.
func differences(a, b []float64) string {
	return told(func(share float64) float64 { return quantile(b, share) - quantile(a, share) }, func(draw *rand.Rand) func(float64) float64 {
		a, b := drawn(draw, a), drawn(draw, b)
		return func(share float64) float64 { return quantile(b, share) - quantile(a, share) }
	})
}

// draws is how often a sample is drawn again for an interval: the bootstrap.
const draws = 1000

func told(found func(share float64) float64, again func(*rand.Rand) func(share float64) float64) string {
	draw := rand.New(rand.NewPCG(1, 2))
	spread := make([][]float64, len(shares))
	for range draws {
		of := again(draw)
		for i, share := range shares {
			spread[i] = append(spread[i], of(share))
		}
	}
	var out strings.Builder
	for i, share := range shares {
		fmt.Fprintf(&out, "  p%v: %5.2f (%.2f to %.2f) ms", 100*share, found(share), quantile(spread[i], 0.025), quantile(spread[i], 0.975))
	}
	return out.String()
}

// drawn is a sample of as many, each drawn from all.
func drawn(draw *rand.Rand, all []float64) []float64 {
	out := make([]float64, len(all))
	for i := range out {
		out[i] = all[draw.IntN(len(all))]
	}
	return out
}

func TestQuantiles(t *testing.T) {
	var a, b []float64
	for i := range 1000 {
		a, b = append(a, float64(i)/1000), append(b, float64(999-i)/1000+2)
	}
	if got := quantile(b, 0.9); got != 2.9 {
		t.Errorf("the quantile is %v", got)
	}
	if got := differences(a, b); !strings.Contains(got, "p50:  2.00 (1.9") || !strings.Contains(got, "p99:  2.00 (1.9") {
		t.Errorf("what is 2 larger differs by %s", got)
	}
}
