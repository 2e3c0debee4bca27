package metric

import (
	"cmp"
	"math"
)

// mostValues is how many different values a set keeps exactly.
const mostValues = 256

// A Set is what was measured in a while.
type Set struct {
	Count, Sum, Min, Max float64
	// Values are those measured, in order, each once. They are nil where only the other
	// four are known: then percentiles are not.
	Values []Value `json:",omitempty"`
}

// A Value was measured so many times.
type Value struct{ Value, Count float64 }

// One is a set of one value, measured count times.
func One(value, count float64) Set {
	return Set{Count: count, Sum: value * count, Min: value, Max: value, Values: []Value{{value, count}}}
}

// Statistics is a set of which a client told the statistics alone. The values are known
// where they must all be the same.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
func Statistics(count, sum, least, greatest float64) Set {
	s := Set{Count: count, Sum: sum, Min: least, Max: greatest}
	if count == 1 || least == greatest {
		s.Values = []Value{{least, count}}
	}
	return s
}

// Merge is both sets together.
func Merge(a, b Set) Set {
	switch {
	case a.Count == 0:
		return b
	case b.Count == 0:
		return a
	}
	m := Set{Count: a.Count + b.Count, Sum: a.Sum + b.Sum, Min: min(a.Min, b.Min), Max: max(a.Max, b.Max)}
	if a.Values == nil || b.Values == nil {
		return m
	}
	m.Values = mergeValues(a.Values, b.Values)
	if len(m.Values) > mostValues {
		m.Values = coarser(m.Values)
	}
	return m
}

func mergeValues(a, b []Value) []Value {
	out := make([]Value, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0].Value, b[0].Value); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, Value{a[0].Value, a[0].Count + b[0].Count})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// coarser rounds values to powers of 1.01, or of more until they are few enough; those at
// the ends stay.
func coarser(values []Value) []Value {
	for step := math.Log(1.01); len(values) > mostValues; step *= 2 {
		values = rounded(values, step)
	}
	return values
}

func rounded(values []Value, step float64) []Value {
	least, greatest := values[0].Value, values[len(values)-1].Value
	out := make([]Value, 0, len(values))
	for i, v := range values {
		if i > 0 && i < len(values)-1 && v.Value != 0 {
			size := math.Exp(math.Round(math.Log(math.Abs(v.Value))/step) * step)
			v.Value = min(max(math.Copysign(size, v.Value), least), greatest)
		}
		if n := len(out); n > 0 && out[n-1].Value == v.Value {
			out[n-1].Count += v.Count
			continue
		}
		out = append(out, v)
	}
	return out
}
