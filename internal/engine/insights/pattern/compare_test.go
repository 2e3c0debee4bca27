package pattern

import (
	"fmt"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	m := New(Options{})
	m.Add("steady alpha goes on", 0, 5)
	m.AddBefore("steady beta goes on", 5)
	m.Add("errors in the store", 0, 30)
	m.AddBefore("errors in the store", 10)
	m.Add("calls of the door", 0, 5)
	m.AddBefore("calls of the door", 20)
	m.Add("hello from afar", 0, 1)
	m.AddBefore("goodbye to all", 2)
	var got []string
	for _, d := range Differences(m.Patterns()) {
		got = append(got, fmt.Sprintf("%s: %d, %s, ratio %.3f", d.Text, d.Events, d.Description, d.Ratio))
	}
	want := `errors in the store: 20, 200% more events, ratio 0.732
calls of the door: -15, 75% fewer events, ratio 0.122
goodbye to all: -2, Pattern no longer seen, ratio 0.054
hello from afar: 1, New pattern: not seen before, ratio 0.024
steady <Token-1> goes on: 0, No change, ratio 0.122`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("%s\nwant\n%s", s, want)
	}
}

func TestAnomalies(t *testing.T) {
	m := New(Options{From: 0, To: 999, Bins: 20})
	for i := range 1000 {
		at := int64(i)
		m.Add(fmt.Sprintf("served request in %d ms", i%16), at, 1)
		m.Add(fmt.Sprintf(`{"path":"/a","code":%d}`, []int{200, 200, 200, 200, 503}[i%5]), at, 1)
		backend := "blue"
		if i == 500 {
			backend = "green"
		}
		m.Add(fmt.Sprintf("routed the call of a client over to %s at once", backend), at, 1)
		m.Add("retry of a call", at, 1)
	}
	for i := range 40 {
		m.Add("served request in 70000 ms", int64(i), 1)
	}
	m.Add("retry of a call", 420, 900)
	m.Add("panic in the store", 950, 3)
	var got []string
	for _, a := range Anomalies(m.Patterns()) {
		got = append(got, fmt.Sprintf("%s %.3g %s: %s", a.Kind, a.Score, a.Text, a.Description))
	}
	want := `NewPattern 0.975 panic in the store: The pattern was not seen in the first 19 of 20 parts of the time.
NumericalToken 1 served request in <Number-1> ms: <Number-1> is 65536 or more in 40 events, three quarters are below 16.
PatternFrequency 0.947 retry of a call: 950 events in part 9 of 20 of the time, where the median is 50.
TokenVariation 0.95 routed the call of a client over to <Token-1> at once: <Token-1> is "green" in 1 of 1000 events.
HttpErrorCode 0.7 {"path":"/a","code":<Number-1>}: 20% of answers at <Number-1> are errors, most of them 503.`
	lines := strings.Split(want, "\n")
	if len(got) != len(lines) {
		t.Fatalf("%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	for _, l := range lines {
		if !strings.Contains(strings.Join(got, "\n"), l) {
			t.Errorf("%s\nlacks\n%s", strings.Join(got, "\n"), l)
		}
	}
	for i := 1; i < len(got); i++ {
		if got[i-1] == got[i] {
			t.Errorf("twice: %s", got[i])
		}
	}
}

func TestAQuietLogHasNoAnomalies(t *testing.T) {
	m := New(Options{From: 0, To: 9999, Bins: 20})
	for i := range 10_000 {
		m.Add(fmt.Sprintf("served request %d in %d ms", i, i%200), int64(i), 1)
	}
	for _, a := range Anomalies(m.Patterns()) {
		t.Errorf("%s: %s", a.Text, a.Description)
	}
	if len(Anomalies(nil)) > 0 {
		t.Error("nothing is unusual about nothing")
	}
}
