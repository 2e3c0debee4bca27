package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Verdict is what became of a claim.
type Verdict string

const (
	Proven   Verdict = "PROVEN"
	Refuted  Verdict = "REFUTED"
	Unproven Verdict = "UNPROVEN"
	Failed   Verdict = "ERROR"
)

// Control is a claim and how to try it.
type Control struct {
	ID    string // names it on the command line: "secret-read"
	Claim string
	// Check tries the claim. An error is the verdict ERROR, unless it is one of
	// Refute's or Skip's.
	Check func(ctx context.Context, s *Session) (proof string, err error)
}

// Report is the verdict on one control.
type Report struct {
	ID       string        `json:"id"`
	Claim    string        `json:"claim"`
	Verdict  Verdict       `json:"verdict"`
	Said     string        `json:"said"`          // the proof, or what is wrong, in one line
	Fix      string        `json:"fix,omitempty"` // of what is refuted
	Took     time.Duration `json:"took"`          // in nanoseconds
	Evidence []Exchange    `json:"evidence"`
}

// Exchange is a probe and its answer.
type Exchange struct {
	Probe  string `json:"probe"`
	Answer string `json:"answer"`
}

// verdict is an error that is a verdict other than ERROR.
type verdict struct {
	Verdict
	said, fix string
}

func (v *verdict) Error() string { return v.said }

// Refute says that a probe disproved the claim, and how to mend it.
func Refute(fix, format string, args ...any) error {
	return &verdict{Refuted, fmt.Sprintf(format, args...), fix}
}

// Skip says why the claim can't be tried here.
func Skip(format string, args ...any) error {
	return &verdict{Unproven, fmt.Sprintf(format, args...), ""}
}

// Run tries one control.
func (s *Session) Run(ctx context.Context, c Control) Report {
	began := time.Now()
	s.evidence = []Exchange{}
	said, err := c.Check(ctx, s)
	r := Report{ID: c.ID, Claim: c.Claim, Verdict: Proven, Said: said, Took: time.Since(began), Evidence: s.evidence}
	var v *verdict
	switch {
	case errors.As(err, &v):
		r.Verdict, r.Said, r.Fix = v.Verdict, v.said, v.fix
	case err != nil:
		r.Verdict, r.Said = Failed, err.Error()
	}
	return r
}

// ExitCode sums reports up as the command's exit status: 1 when a claim is
// refuted, else 3 when a probe failed, else 2 when one could not be tried, else 0.
func ExitCode(all []Report) int {
	code := 0
	for _, r := range all {
		switch r.Verdict {
		case Refuted:
			return 1
		case Failed:
			code = 3
		case Unproven:
			code = max(code, 2)
		}
	}
	return code
}
