package metric

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A Statistic is a way to make one number of a set.
type Statistic struct {
	name  string
	kind  kind
	lo    bound
	hi    bound
	exact bool // of the five that need no values
}

type kind uint8

const (
	average kind = iota + 1
	sum
	samples
	least
	greatest
	percentile
	trimmedMean
	winsorizedMean
	trimmedCount
	trimmedSum
	percentileRank
)

// A bound is a part of all values, in percent, or a value; open: there is none.
type bound struct {
	at      float64
	percent bool
	open    bool
}

// ErrNoStatistic is returned for what is no statistic.
var ErrNoStatistic = errors.New("no statistic")

var basic = map[string]kind{"Average": average, "Sum": sum, "SampleCount": samples, "Minimum": least, "Maximum": greatest}

var (
	short = regexp.MustCompile(`^(p|tm|wm|tc|ts)(\d{1,2}(?:\.\d{1,10})?|100)$`)
	long  = regexp.MustCompile(`^(TM|WM|TC|TS|PR)\(([^:()]*):([^:()]*)\)$`)
)

// Parse reads a statistic's name: Average, Sum, SampleCount, Minimum, Maximum, or an
// extended one: p99.9, tm90, TM(10%:90%), wm98, WM(:5), tc90, ts90, PR(:300), IQM.
func Parse(name string) (Statistic, error) {
	s := Statistic{name: name}
	if s.kind = basic[name]; s.kind != 0 {
		s.exact = true
		return s, nil
	}
	if strings.EqualFold(name, "IQM") {
		s.kind, s.lo, s.hi = trimmedMean, bound{25, true, false}, bound{75, true, false}
		return s, nil
	}
	if m := short.FindStringSubmatch(name); m != nil {
		p, _ := strconv.ParseFloat(m[2], 64)
		s.kind = map[string]kind{"p": percentile, "tm": trimmedMean, "wm": winsorizedMean, "tc": trimmedCount, "ts": trimmedSum}[m[1]]
		s.lo, s.hi = bound{open: true}, bound{p, true, false}
		return s, nil
	}
	m := long.FindStringSubmatch(name)
	if m == nil {
		return s, fmt.Errorf("%w: %q", ErrNoStatistic, name)
	}
	s.kind = map[string]kind{"TM": trimmedMean, "WM": winsorizedMean, "TC": trimmedCount, "TS": trimmedSum, "PR": percentileRank}[m[1]]
	var okLo, okHi bool
	s.lo, okLo = parseBound(m[2])
	s.hi, okHi = parseBound(m[3])
	mixed := !s.lo.open && !s.hi.open && (s.lo.percent != s.hi.percent || s.lo.at >= s.hi.at)
	if !okLo || !okHi || mixed || s.lo.open && s.hi.open || s.kind == percentileRank && (s.lo.percent || s.hi.percent) {
		return s, fmt.Errorf("%w: %q", ErrNoStatistic, name)
	}
	return s, nil
}

func parseBound(text string) (bound, bool) {
	if text = strings.TrimSpace(text); text == "" {
		return bound{open: true}, true
	}
	number, percent := strings.CutSuffix(text, "%")
	at, err := strconv.ParseFloat(number, 64)
	ok := err == nil && !math.IsInf(at, 0) && !math.IsNaN(at) && (!percent || at >= 0 && at <= 100)
	return bound{at, percent, false}, ok
}

// String is the name that was read.
func (s Statistic) String() string { return s.name }

// Extended says that the statistic needs values, not only their statistics.
func (s Statistic) Extended() bool { return !s.exact }

// Percentile is the statistic's percentile, if it is one.
func (s Statistic) Percentile() (float64, bool) { return s.hi.at, s.kind == percentile }

// Growth says how the statistic of a set can change with values that are yet to come: 1
// it can only grow, -1 only shrink, 0 both. A sum can only grow as far as its values were
// not negative.
func (s Statistic) Growth(of Set) int {
	switch {
	case s.kind == samples, s.kind == greatest, s.kind == sum && of.Min >= 0:
		return 1
	case s.kind == least:
		return -1
	}
	return 0
}

// Of is the statistic of a set; there is none of an empty set, and no extended one of a
// set whose values are not known.
func (s Statistic) Of(set Set) (float64, bool) {
	if set.Count <= 0 {
		return 0, false
	}
	switch s.kind {
	case average:
		return set.Sum / set.Count, true
	case sum:
		return set.Sum, true
	case samples:
		return set.Count, true
	case least:
		return set.Min, true
	case greatest:
		return set.Max, true
	}
	if len(set.Values) == 0 {
		return 0, false
	}
	switch s.kind {
	case percentile:
		return rank(set, s.hi.at), true
	case winsorizedMean:
		return s.winsorized(set), true
	}
	count, total := s.between(set)
	switch s.kind {
	case trimmedCount:
		return count, true
	case trimmedSum:
		return total, true
	case percentileRank:
		return 100 * count / set.Count, true
	}
	if count == 0 {
		return 0, false
	}
	return total / count, true
}

// rank is the least value that at least that part of all do not exceed.
func rank(set Set, percent float64) float64 {
	want, seen := percent/100*set.Count, 0.0
	for _, v := range set.Values {
		if seen += v.Count; seen >= want-1e-9*set.Count {
			return v.Value
		}
	}
	return set.Values[len(set.Values)-1].Value
}

// between counts and sums up the values within the bounds: above the lower and not above
// the upper one; of bounds in percent by rank.
func (s Statistic) between(set Set) (count, total float64) {
	from, to := 0.0, set.Count
	if s.lo.percent {
		from = s.lo.at / 100 * set.Count
	}
	if s.hi.percent {
		to = s.hi.at / 100 * set.Count
	}
	seen := 0.0
	for _, v := range set.Values {
		part := min(seen+v.Count, to) - max(seen, from)
		seen += v.Count
		switch {
		case part <= 0,
			!s.lo.percent && !s.lo.open && v.Value <= s.lo.at,
			!s.hi.percent && !s.hi.open && v.Value > s.hi.at:
			continue
		}
		count += part
		total += part * v.Value
	}
	return count, total
}

// winsorized is the mean with values outside of the bounds moved to them.
func (s Statistic) winsorized(set Set) float64 {
	low, high := set.Min, set.Max
	if !s.lo.open {
		if low = s.lo.at; s.lo.percent {
			low = rank(set, s.lo.at)
		}
	}
	if !s.hi.open {
		if high = s.hi.at; s.hi.percent {
			high = rank(set, s.hi.at)
		}
	}
	total := 0.0
	for _, v := range set.Values {
		total += v.Count * min(max(v.Value, low), high)
	}
	return total / set.Count
}
