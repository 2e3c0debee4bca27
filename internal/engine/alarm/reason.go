package alarm

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mostTold is how many points a reason lists.
const mostTold = 5

// told is what a treatment is called in reasons.
var told = map[Treatment]string{Breaching: "Breaching", NotBreaching: "NonBreaching", Missing: "Missing", "": "Missing", Ignore: "Ignore"}

// reason is CloudWatch's sentence for a state.
func (r *Rule) reason(state State, w *window) string {
	if state == InsufficientData {
		return "Insufficient Data: " + counted(r.Periods, "datapoint") + " " + was(r.Periods) + " unknown."
	}
	points, not := w.breaching, ""
	if state == OK {
		points, not = w.within, "not "
	}
	filled := w.missing > 0 && (r.Missing == Breaching || r.Missing == NotBreaching)
	if len(points) == 0 {
		// What decided is missing.
		received := "no datapoints were"
		if n := len(w.real); n > 0 {
			received = counted(n, "datapoint") + " " + was(n)
		}
		return fmt.Sprintf("Threshold Crossed: %s received for %s and %s.", received, counted(r.Periods, "period"), r.treated(w.missing))
	}
	var b strings.Builder
	b.WriteString("Threshold Crossed: ")
	if r.Datapoints > 0 {
		fmt.Fprintf(&b, "%d out of the last %d datapoints", len(points), r.Periods)
	} else {
		b.WriteString(counted(len(points), "datapoint"))
	}
	many := len(points) >= mostTold
	if !many {
		b.WriteString(" " + list(points))
	}
	fmt.Fprintf(&b, " %s %s%s the threshold (%s)", was(len(points)), not, r.Comparison.words(), Double(r.Threshold))
	if filled {
		b.WriteString(" and " + r.treated(w.missing))
	}
	if many {
		b.WriteString(". The most recent datapoints")
		if state == Alarm {
			b.WriteString(" which crossed the threshold")
		}
		b.WriteString(": " + list(points[:mostTold]))
	}
	if r.Datapoints > 0 {
		least, way := r.Datapoints, "OK -> ALARM"
		if state == OK {
			least, way = r.Periods-r.Datapoints+1, "ALARM -> OK"
		}
		fmt.Fprintf(&b, " (minimum %s for %s transition)", counted(least, "datapoint"), way)
	}
	return b.String() + "."
}

func (r *Rule) treated(n int) string {
	return counted(n, "missing datapoint") + " " + was(n) + " treated as [" + told[r.Missing] + "]"
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func list(points []Point) string {
	parts := make([]string, len(points))
	for i, p := range points {
		parts[i] = Double(p.Value) + " (" + p.Start.UTC().Format("02/01/06 15:04:05") + ")"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Double writes a number as Java does, for CloudWatch's texts are Java's: 5.0, 1.0E7.
func Double(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), "Inf", "Infinity", 1)
	case v == 0 || size >= 1e-3 && size < 1e7:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return digits + "E" + strconv.Itoa(n)
}

// Time writes a time as CloudWatch's JSON has it.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000+0000") }

// number is one in Java's notation, which is JSON's as well.
func number(v float64) json.RawMessage { return json.RawMessage(Double(v)) }

// reasonData is StateReasonData, its members in CloudWatch's order.
type reasonData struct {
	Version             string            `json:"version"`
	QueryDate           string            `json:"queryDate"`
	StartDate           string            `json:"startDate,omitempty"`
	Unit                string            `json:"unit,omitempty"`
	Statistic           string            `json:"statistic,omitempty"`
	Period              int               `json:"period"`
	RecentDatapoints    []json.RawMessage `json:"recentDatapoints"`
	Threshold           json.RawMessage   `json:"threshold"`
	EvaluatedDatapoints []evaluated       `json:"evaluatedDatapoints"`
}

type evaluated struct {
	Timestamp   string          `json:"timestamp"`
	SampleCount json.RawMessage `json:"sampleCount,omitempty"`
	Value       json.RawMessage `json:"value,omitempty"`
}

func (r *Rule) data(w *window, now time.Time) string {
	d := reasonData{
		Version: "1.0", QueryDate: Time(now), Unit: r.Unit, Statistic: r.Statistic, Period: r.Period,
		RecentDatapoints: []json.RawMessage{}, Threshold: number(r.Threshold), EvaluatedDatapoints: []evaluated{},
	}
	if n := len(w.real); n > 0 {
		d.StartDate = Time(w.real[n-1].Start)
	}
	for _, p := range slices.Backward(w.real) {
		d.RecentDatapoints = append(d.RecentDatapoints, number(p.Value))
	}
	for _, p := range w.seen(r.Periods) {
		e := evaluated{Timestamp: Time(p.Start)}
		if p.Present {
			e.Value = number(p.Value)
			if p.Samples > 0 {
				e.SampleCount = number(p.Samples)
			}
		}
		d.EvaluatedDatapoints = append(d.EvaluatedDatapoints, e)
	}
	text, _ := json.Marshal(d) // of strings and valid numbers
	return string(text)
}

// seen are the points evaluated: the real ones, and the newest missing ones as far as
// they were filled in.
func (w *window) seen(periods int) []Point {
	missing := w.missing
	var out []Point
	for _, p := range w.points {
		switch {
		case len(out) == periods:
			return out
		case p.Present:
			out = append(out, p)
		case missing > 0:
			out, missing = append(out, p), missing-1
		}
	}
	return out
}
