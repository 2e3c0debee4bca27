package alarm

import (
	"fmt"
	"math"
	"time"
)

// A State is an alarm's.
type State string

const (
	OK               State = "OK"
	Alarm            State = "ALARM"
	InsufficientData State = "INSUFFICIENT_DATA"
)

// Created is the reason of the state that an alarm begins in.
const Created = "Unchecked: Initial alarm creation"

// A Comparison is how a point is compared with the threshold, as CloudWatch names it.
type Comparison string

const (
	GreaterOrEqual Comparison = "GreaterThanOrEqualToThreshold"
	Greater        Comparison = "GreaterThanThreshold"
	Less           Comparison = "LessThanThreshold"
	LessOrEqual    Comparison = "LessThanOrEqualToThreshold"
)

// words are the comparison as a reason says it; "" of one that is not known.
func (c Comparison) words() string {
	switch c {
	case GreaterOrEqual:
		return "greater than or equal to"
	case Greater:
		return "greater than"
	case Less:
		return "less than"
	case LessOrEqual:
		return "less than or equal to"
	}
	return ""
}

// Known says whether the comparison is one of the four.
func (c Comparison) Known() bool { return c.words() != "" }

// Growth is in which direction a value goes that breaches more: 1 or -1.
func (c Comparison) Growth() int {
	if c == Greater || c == GreaterOrEqual {
		return 1
	}
	return -1
}

func (c Comparison) holds(value, threshold float64) bool {
	switch c {
	case GreaterOrEqual:
		return value >= threshold
	case Greater:
		return value > threshold
	case Less:
		return value < threshold
	case LessOrEqual:
		return value <= threshold
	}
	return false
}

// A Treatment is what missing points count as.
type Treatment string

const (
	Missing      Treatment = "missing"
	NotBreaching Treatment = "notBreaching"
	Breaching    Treatment = "breaching"
	Ignore       Treatment = "ignore"
)

// A Rule is what a metric alarm watches for.
type Rule struct {
	Statistic  string // of the reason's data; "" of a math expression
	Unit       string // as the alarm asks for it, or ""
	Period     int    // seconds
	Periods    int    // N: how many points are evaluated
	Datapoints int    // M of them must breach; 0: all, and reasons don't count them
	Threshold  float64
	Comparison Comparison
	Missing    Treatment // "": missing
	// Percentile and IgnoreFew: an alarm on a percentile that shall not decide by too few
	// samples. A Percentile of 0 is none.
	Percentile float64
	IgnoreFew  bool
}

// A Point is what a metric was in one period; absent when nothing was measured.
type Point struct {
	Start   time.Time
	Present bool
	Value   float64
	Samples float64 // 0 of a math expression
}

// A Verdict is a state with its reason.
type Verdict struct {
	State  State
	Reason string
	Data   string // StateReasonData, JSON
}

// Range is how many periods Evaluate wants to see.
func (r *Rule) Range() int { return r.Periods + 2 }

// required is M.
func (r *Rule) required() int {
	if r.Datapoints > 0 {
		return r.Datapoints
	}
	return r.Periods
}

// Evaluate decides by the points of the last periods, the newest first, without gaps.
// It reports false where the alarm keeps the state that it has.
func (r *Rule) Evaluate(points []Point, now time.Time) (Verdict, bool) {
	w := r.window(points)
	if r.IgnoreFew && r.Percentile > 0 && w.tooFew(r.Percentile) {
		return Verdict{}, false
	}
	state, decided := r.decide(w)
	if !decided {
		return Verdict{}, false
	}
	return Verdict{State: state, Reason: r.reason(state, w), Data: r.data(w, now)}, true
}

// window is what is evaluated of the points looked at.
type window struct {
	points    []Point // as given
	real      []Point // those evaluated, newest first
	breaching []Point
	within    []Point // the threshold
	missing   int     // how many are filled in
	oldest    int     // which of points is the oldest that breaches, if all real ones do
}

func (r *Rule) window(points []Point) *window {
	w := &window{points: points}
	for i, p := range points {
		if !p.Present || len(w.real) == r.Periods {
			continue
		}
		w.real = append(w.real, p)
		if r.Comparison.holds(p.Value, r.Threshold) {
			w.breaching, w.oldest = append(w.breaching, p), i
		} else {
			w.within = append(w.within, p)
		}
	}
	w.missing = r.Periods - len(w.real)
	return w
}

// tooFew says that a real point has fewer samples than make its percentile meaningful.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
func (w *window) tooFew(percentile float64) bool {
	rest := percentile / 100
	if rest >= 0.5 {
		rest = 1 - rest
	}
	for _, p := range w.real {
		if rest <= 0 || p.Samples < math.Floor(10/rest+1e-9) {
			return true
		}
	}
	return false
}

func (r *Rule) decide(w *window) (State, bool) {
	breach := len(w.breaching)
	switch {
	case breach >= r.required():
		return Alarm, true
	case w.missing == 0:
		return OK, true
	}
	switch r.Missing {
	case Breaching:
		if breach+w.missing >= r.required() {
			return Alarm, true
		}
		return OK, true
	case NotBreaching:
		return OK, true
	case Ignore:
		return OK, len(w.within) > 0
	}
	switch {
	case len(w.real) == 0:
		return InsufficientData, true
	case len(w.within) > 0:
		return OK, true
	}
	// Only breaching points: enough, once the oldest is as old as those required.
	return Alarm, w.oldest+1 >= r.required()
}

// Check says what is wrong with a rule, in words for its maker.
func (r *Rule) Check() error {
	switch {
	case !r.Comparison.Known():
		return fmt.Errorf("the comparison %q is not known", r.Comparison)
	case r.Period < 1 || r.Periods < 1:
		return fmt.Errorf("a rule needs a period and a number of periods")
	case r.Datapoints < 0 || r.Datapoints > r.Periods:
		return fmt.Errorf("%d of %d datapoints can't breach", r.Datapoints, r.Periods)
	}
	return nil
}
