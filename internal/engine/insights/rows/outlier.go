package rows

import (
	"math"
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A Fence is beyond what a number is an outlier: a multiple of the range between the
// quartiles above the third one, and below the first.
type Fence struct{ Low, High float64 }

// NewFence is the fence of a column's numbers. Without lower there is nothing too low.
// Quartiles lie between two numbers where their place does.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Outlier.html
func NewFence(column []value.Value, param float64, lower bool) Fence {
	var sorted []float64
	for _, v := range column {
		if x, ok := v.Number(); ok {
			sorted = append(sorted, x)
		}
	}
	f := Fence{math.Inf(-1), math.Inf(1)}
	if len(sorted) == 0 {
		return f
	}
	slices.Sort(sorted)
	first, third := quantile(sorted, 0.25), quantile(sorted, 0.75)
	f.High = third + param*(third-first)
	if lower {
		f.Low = first - param*(third-first)
	}
	return f
}

// quantile of numbers in order, between the two nearest ones.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Out reports whether a value is an outlier. What is no number is none.
func (f Fence) Out(v value.Value) bool {
	x, ok := v.Number()
	return ok && (x < f.Low || x > f.High)
}

// Clamp is a value, or the fence if it lies beyond.
func (f Fence) Clamp(v value.Value) value.Value {
	x, ok := v.Number()
	switch {
	case ok && x > f.High:
		return value.OfNumber(f.High)
	case ok && x < f.Low:
		return value.OfNumber(f.Low)
	}
	return v
}
