package metricmath

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// function is one of metric math's, with how many arguments it takes.
type function struct {
	least, most int
	do          func(s *scope, args []value) (value, error)
}

// functions are filled in by init, for evaluating one may evaluate others.
var functions map[string]function

func init() {
	functions = map[string]function{
		"ABS": {1, 1, mapped(math.Abs)}, "CEIL": {1, 1, mapped(math.Ceil)}, "FLOOR": {1, 1, mapped(math.Floor)},
		"LOG": {1, 1, mapped(math.Log)}, "LOG10": {1, 1, mapped(math.Log10)},
		"SUM": {1, 1, reduced(sum)}, "AVG": {1, 1, reduced(mean)}, "MAX": {1, 1, reduced(greatest)}, "MIN": {1, 1, reduced(least)}, "STDDEV": {1, 1, reduced(deviation)},
		"DATAPOINT_COUNT": {1, 1, reduced(func(v []float64) float64 { return float64(len(v)) })},
		"DIFF":            {1, 1, walked(func(s *scope, last, x float64, periods int) float64 { return x - last })},
		"RATE": {1, 1, walked(func(s *scope, last, x float64, periods int) float64 {
			return (x - last) / float64(int64(periods)*s.grid.Period)
		})},
		"RUNNING_SUM": {1, 1, runningSum}, "FILL": {2, 2, fill}, "IF": {2, 3, conditional}, "METRICS": {0, 1, metrics}, "METRIC_COUNT": {1, 1, metricCount},
		"FIRST": {1, 1, picked(func(n int) int { return 0 })}, "LAST": {1, 1, picked(func(n int) int { return n - 1 })}, "SLICE": {2, 3, slice},
		"PERIOD": {1, 1, func(s *scope, _ []value) (value, error) { return scalar(float64(s.grid.Period)), nil }},
		"TIME_SERIES": {1, 1, func(s *scope, args []value) (value, error) {
			if args[0].kind != number {
				return value{}, fmt.Errorf("it takes a number")
			}
			return seriesOf(s.constant(args[0].number)), nil
		}},
		"REMOVE_EMPTY": {1, 1, removeEmpty},
		"EPOCH":        {1, 1, timed(func(t time.Time) int { return int(t.Unix()) })},
		"MINUTE":       {1, 1, timed(time.Time.Minute)}, "HOUR": {1, 1, timed(time.Time.Hour)}, "DATE": {1, 1, timed(time.Time.Day)},
		"DAY":   {1, 1, timed(func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 })},
		"MONTH": {1, 1, timed(func(t time.Time) int { return int(t.Month()) })}, "YEAR": {1, 1, timed(time.Time.Year)},
	}
}

func mapped(f func(float64) float64) func(*scope, []value) (value, error) {
	return func(_ *scope, args []value) (value, error) { return args[0].each(f) }
}

// reduced makes a number of a series, and a series of a list, of the values there are.
func reduced(f func([]float64) float64) func(*scope, []value) (value, error) {
	return func(s *scope, args []value) (value, error) {
		of := func(values []float64) float64 {
			var there []float64
			for _, v := range values {
				if !math.IsNaN(v) {
					there = append(there, v)
				}
			}
			if len(there) == 0 {
				return math.NaN()
			}
			return f(there)
		}
		switch v := args[0]; v.kind {
		case one:
			return scalar(of(v.series[0])), nil
		case several:
			out := make(Series, s.grid.Len)
			row := make([]float64, len(v.series))
			for i := range out {
				for j, x := range v.series {
					row[j] = x[i]
				}
				out[i] = of(row)
			}
			return seriesOf(out), nil
		}
		return value{}, fmt.Errorf("it takes a time series or a list of them")
	}
}

func sum(v []float64) (t float64) {
	for _, x := range v {
		t += x
	}
	return t
}

func mean(v []float64) float64 { return sum(v) / float64(len(v)) }

func greatest(v []float64) float64 {
	m := v[0]
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func least(v []float64) float64 {
	m := v[0]
	for _, x := range v {
		m = min(m, x)
	}
	return m
}

func deviation(v []float64) float64 {
	m, t := mean(v), 0.0
	for _, x := range v {
		t += (x - m) * (x - m)
	}
	return math.Sqrt(t / float64(len(v)))
}

// onEach applies a function to each series of a value.
func onEach(v value, f func(Series) Series) (value, error) {
	if v.kind != one && v.kind != several {
		return v, fmt.Errorf("it takes a time series or a list of them")
	}
	out := value{kind: v.kind}
	for _, s := range v.series {
		out.series = append(out.series, f(s))
	}
	return out, nil
}

// walked makes a value of each and the one before it, which is so many periods older.
func walked(f func(s *scope, last, x float64, periods int) float64) func(*scope, []value) (value, error) {
	return func(s *scope, args []value) (value, error) {
		return onEach(args[0], func(in Series) Series {
			out, last := s.constant(math.NaN()), -1
			for i, x := range in {
				if math.IsNaN(x) {
					continue
				}
				if last >= 0 {
					out[i] = f(s, in[last], x, i-last)
				}
				last = i
			}
			return out
		})
	}
}

func runningSum(s *scope, args []value) (value, error) {
	return onEach(args[0], func(in Series) Series {
		out, total := s.constant(math.NaN()), 0.0
		for i, x := range in {
			if !math.IsNaN(x) {
				total += x
				out[i] = total
			}
		}
		return out
	})
}

// fill gives periods without a value one: a number, another series', the last, or one
// between those around.
func fill(s *scope, args []value) (value, error) {
	with := args[1]
	if with.kind == several || with.kind == words && with.text != "REPEAT" && with.text != "LINEAR" {
		return with, fmt.Errorf("it fills with a number, a time series, REPEAT or LINEAR")
	}
	return onEach(args[0], func(in Series) Series {
		out, last := make(Series, len(in)), -1
		for i, x := range in {
			out[i] = x
			switch {
			case !math.IsNaN(x):
				if with.text == "LINEAR" && last >= 0 {
					for j := last + 1; j < i; j++ {
						out[j] = in[last] + (x-in[last])*float64(j-last)/float64(i-last)
					}
				}
				last = i
			case with.kind == number:
				out[i] = with.number
			case with.kind == one:
				out[i] = with.series[0][i]
			case with.text == "REPEAT" && last >= 0:
				out[i] = in[last]
			}
		}
		return out
	})
}

// conditional is IF: without a third argument, there is no value where the first is false.
func conditional(s *scope, args []value) (value, error) {
	otherwise := scalar(math.NaN())
	if len(args) == 3 {
		otherwise = args[2]
	}
	for _, a := range args {
		if a.kind == several || a.kind == words {
			return a, fmt.Errorf("it takes numbers and single time series")
		}
	}
	if args[0].kind == number && args[1].kind == number && otherwise.kind == number {
		if args[0].number != 0 {
			return args[1], nil
		}
		return otherwise, nil
	}
	at := func(v value, i int) float64 {
		if v.kind == number {
			return v.number
		}
		return v.series[0][i]
	}
	out := make(Series, s.grid.Len)
	for i := range out {
		switch c := at(args[0], i); {
		case math.IsNaN(c):
			out[i] = c
		case c != 0:
			out[i] = at(args[1], i)
		default:
			out[i] = at(otherwise, i)
		}
	}
	return seriesOf(out), nil
}

// metrics are all of the query, or those whose ids have a text in them.
func metrics(s *scope, args []value) (value, error) {
	part := ""
	if len(args) == 1 {
		if args[0].kind != words {
			return value{}, fmt.Errorf("it takes text")
		}
		part = args[0].text
	}
	out := value{kind: several}
	for _, m := range s.metrics {
		if !m.Derived && strings.Contains(m.ID, part) {
			out.series = append(out.series, m.Series...)
		}
	}
	return out, nil
}

func metricCount(_ *scope, args []value) (value, error) {
	if args[0].kind != one && args[0].kind != several {
		return value{}, fmt.Errorf("it takes time series")
	}
	return scalar(float64(len(args[0].series))), nil
}

func picked(which func(n int) int) func(*scope, []value) (value, error) {
	return func(_ *scope, args []value) (value, error) {
		if args[0].kind != several || len(args[0].series) == 0 {
			return value{}, fmt.Errorf("it takes a list of time series")
		}
		return seriesOf(args[0].series[which(len(args[0].series))]), nil
	}
}

// slice takes the series from a place to before another.
func slice(_ *scope, args []value) (value, error) {
	if args[0].kind != several || args[1].kind != number || len(args) == 3 && args[2].kind != number {
		return value{}, fmt.Errorf("it takes a list of time series and numbers")
	}
	n := len(args[0].series)
	from, to := int(min(max(args[1].number, 0), float64(n))), n
	if len(args) == 3 {
		to = int(min(max(args[2].number, float64(from)), float64(n)))
	}
	return listOf(args[0].series[from:to]), nil
}

func removeEmpty(_ *scope, args []value) (value, error) {
	if args[0].kind != one && args[0].kind != several {
		return value{}, fmt.Errorf("it takes time series")
	}
	out := value{kind: several}
	for _, s := range args[0].series {
		for _, x := range s {
			if !math.IsNaN(x) {
				out.series = append(out.series, s)
				break
			}
		}
	}
	return out, nil
}

// timed makes values of the time of each period that has one.
func timed(f func(time.Time) int) func(*scope, []value) (value, error) {
	return func(s *scope, args []value) (value, error) {
		return onEach(args[0], func(in Series) Series {
			out := s.constant(math.NaN())
			for i, x := range in {
				if !math.IsNaN(x) {
					out[i] = float64(f(time.Unix(s.grid.Start+int64(i)*s.grid.Period, 0).UTC()))
				}
			}
			return out
		})
	}
}
