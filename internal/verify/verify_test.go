package verify

import (
	"context"
	"errors"
	"testing"
)

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		said string
		err  error
		want Report
	}{
		"proof":      {said: "tried", want: Report{Verdict: Proven, Said: "tried"}},
		"refutation": {err: Refute("mend it", "%s got in", "eve"), want: Report{Verdict: Refuted, Said: "eve got in", Fix: "mend it"}},
		"wrapped":    {err: errors.Join(Refute("mend it", "eve got in"), nil), want: Report{Verdict: Refuted, Said: "eve got in", Fix: "mend it"}},
		"no try":     {err: Skip("no nodes"), want: Report{Verdict: Unproven, Said: "no nodes"}},
		"error":      {said: "half a proof", err: errors.New("connection refused"), want: Report{Verdict: Failed, Said: "connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Session{}
			got := s.Run(context.Background(), Control{ID: "x", Claim: "y", Check: func(_ context.Context, s *Session) (string, error) {
				s.Note("asked", "answered")
				s.Note("asked", "answered") // by a loop
				return test.said, test.err
			}})
			if got.ID != "x" || got.Claim != "y" || got.Verdict != test.want.Verdict || got.Said != test.want.Said || got.Fix != test.want.Fix {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if len(got.Evidence) != 1 || got.Evidence[0] != (Exchange{"asked", "answered"}) {
				t.Errorf("evidence %v", got.Evidence)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		verdicts []Verdict
		want     int
	}{
		{nil, 0}, {[]Verdict{Proven, Proven}, 0}, {[]Verdict{Proven, Unproven}, 2}, {[]Verdict{Failed, Unproven}, 3},
		{[]Verdict{Failed, Refuted, Proven}, 1}, {[]Verdict{Unproven, Refuted}, 1},
	} {
		var all []Report
		for _, v := range test.verdicts {
			all = append(all, Report{Verdict: v})
		}
		if got := ExitCode(all); got != test.want {
			t.Errorf("%v: %d, want %d", test.verdicts, got, test.want)
		}
	}
}
