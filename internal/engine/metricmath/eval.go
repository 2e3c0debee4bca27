package metricmath

import (
	"fmt"
	"math"
	"slices"
)

// A Series is a metric on the grid: NaN where it has no value.
type Series []float64

// Grid is the time of series: Start is the beginning of the first period, in seconds
// since 1970, Period is in seconds.
type Grid struct {
	Start, Period int64
	Len           int
}

// Metric is one that an expression can name. METRICS() takes those that are no
// expressions themselves.
type Metric struct {
	ID      string
	Series  []Series // several, of an expression that made several
	Derived bool
}

// value is what an expression can be: a number, text, or series.
type value struct {
	kind   valueKind
	number float64
	text   string
	series []Series // one, of kind one
}

type valueKind uint8

const (
	number valueKind = iota + 1
	words
	one
	several
)

type scope struct {
	grid    Grid
	metrics []Metric
}

// Eval computes the expression: one series, or several. A number is an error, for
// there must be a time series.
func (e *Expr) Eval(grid Grid, metrics []Metric) ([]Series, error) {
	v, err := e.root.eval(&scope{grid, metrics})
	if err != nil {
		return nil, err
	}
	if v.kind != one && v.kind != several {
		return nil, fmt.Errorf("the expression does not make a time series")
	}
	out := make([]Series, len(v.series))
	for i, s := range v.series {
		out[i] = slices.Clone(s)
		for j, x := range out[i] {
			if math.IsInf(x, 0) {
				out[i][j] = math.NaN()
			}
		}
	}
	return out, nil
}

func scalar(v float64) value    { return value{kind: number, number: v} }
func seriesOf(s Series) value   { return value{kind: one, series: []Series{s}} }
func listOf(all []Series) value { return value{kind: several, series: all} }

func (n literal) eval(*scope) (value, error) { return scalar(float64(n)), nil }
func (n text) eval(*scope) (value, error)    { return value{kind: words, text: string(n)}, nil }

func (n id) eval(s *scope) (value, error) {
	for _, m := range s.metrics {
		if m.ID == string(n) {
			if len(m.Series) == 1 {
				return seriesOf(m.Series[0]), nil
			}
			return listOf(m.Series), nil
		}
	}
	return value{}, fmt.Errorf("there is no metric or expression %q", string(n))
}

func (n list) eval(s *scope) (value, error) {
	out := value{kind: several}
	for _, item := range n {
		v, err := item.eval(s)
		switch {
		case err != nil:
			return v, err
		case v.kind == number:
			out.series = append(out.series, s.constant(v.number))
		case v.kind == words:
			return v, fmt.Errorf("a list can't have text in it")
		}
		if out.series = append(out.series, v.series...); len(out.series) > mostSeries {
			return out, fmt.Errorf("a list has more than %d time series", mostSeries)
		}
	}
	return out, nil
}

func (s *scope) constant(v float64) Series {
	out := make(Series, s.grid.Len)
	for i := range out {
		out[i] = v
	}
	return out
}

func (n negation) eval(s *scope) (value, error) {
	v, err := n.of.eval(s)
	if err != nil {
		return v, err
	}
	return v.each(func(x float64) float64 { return -x })
}

// each applies a function to all numbers of a value.
func (v value) each(f func(float64) float64) (value, error) {
	if v.kind == words {
		return v, fmt.Errorf("%q is no number", v.text)
	}
	out := value{kind: v.kind, number: f(v.number)}
	for _, s := range v.series {
		mapped := make(Series, len(s))
		for i, x := range s {
			mapped[i] = f(x)
		}
		out.series = append(out.series, mapped)
	}
	return out, nil
}

func (n binary) eval(s *scope) (value, error) {
	left, err := n.left.eval(s)
	if err != nil {
		return left, err
	}
	right, err := n.right.eval(s)
	if err != nil {
		return right, err
	}
	return combine(left, right, operators[n.op])
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// ofBoth is a comparison, which has no value where one side has none.
func ofBoth(f func(a, b float64) bool) func(a, b float64) float64 {
	return func(a, b float64) float64 {
		if math.IsNaN(a) || math.IsNaN(b) {
			return math.NaN()
		}
		return truth(f(a, b))
	}
}

var operators = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b },
	"^": func(a, b float64) float64 {
		if math.IsNaN(a) || math.IsNaN(b) {
			return math.NaN()
		}
		return math.Pow(a, b)
	},
	"==": ofBoth(func(a, b float64) bool { return a == b }), "!=": ofBoth(func(a, b float64) bool { return a != b }),
	"<": ofBoth(func(a, b float64) bool { return a < b }), ">": ofBoth(func(a, b float64) bool { return a > b }),
	"<=": ofBoth(func(a, b float64) bool { return a <= b }), ">=": ofBoth(func(a, b float64) bool { return a >= b }),
	"&&": ofBoth(func(a, b float64) bool { return a != 0 && b != 0 }), "||": ofBoth(func(a, b float64) bool { return a != 0 || b != 0 }),
	"AND": ofBoth(func(a, b float64) bool { return a != 0 && b != 0 }), "OR": ofBoth(func(a, b float64) bool { return a != 0 || b != 0 }),
}

// combine applies an operator to two values: numbers to all of a series, a series to each
// of a list, two lists of the same length to each other.
func combine(a, b value, f func(a, b float64) float64) (value, error) {
	switch {
	case a.kind == words || b.kind == words:
		return a, fmt.Errorf("text is no operand")
	case a.kind == number && b.kind == number:
		return scalar(f(a.number, b.number)), nil
	case a.kind == number:
		return b.each(func(x float64) float64 { return f(a.number, x) })
	case b.kind == number:
		return a.each(func(x float64) float64 { return f(x, b.number) })
	}
	if a.kind == several && b.kind == several && len(a.series) != len(b.series) {
		return a, fmt.Errorf("lists of %d and %d time series can't be combined", len(a.series), len(b.series))
	}
	out := value{kind: max(a.kind, b.kind)}
	n := len(a.series)
	if a.kind == one {
		n = len(b.series)
	}
	for i := range n {
		x, y := a.at(i), b.at(i)
		z := make(Series, len(x))
		for j := range z {
			z[j] = f(x[j], y[j])
		}
		out.series = append(out.series, z)
	}
	return out, nil
}

func (v value) at(i int) Series {
	if v.kind == one {
		i = 0
	}
	return v.series[i]
}

func (n call) eval(s *scope) (value, error) {
	args := make([]value, len(n.args))
	for i, a := range n.args {
		var err error
		if args[i], err = a.eval(s); err != nil {
			return args[i], err
		}
	}
	v, err := functions[n.name].do(s, args)
	if err != nil {
		return v, fmt.Errorf("%s: %w", n.name, err)
	}
	return v, nil
}
