package netpol

import (
	"bytes"
	"io"
	"strings"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/junit"
	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/cases"
)

// report writes the results for programs, where that was asked for.
func (t *tester) report(out io.Writer, files []*loaded, failed int) error {
	if t.g.JSON() {
		if err := global.Print(out, t.summary(files, failed)); err != nil {
			return err
		}
	}
	if t.junit == "" {
		return nil
	}
	return global.Unreadable(t.junit, suitesOf(files).Write(out, t.junit))
}

// testReport is the JSON form.
type testReport struct {
	Total    int        `json:"total"`
	Failed   int        `json:"failed"`
	NotRun   int        `json:"notRun"`
	Cases    []testCase `json:"cases"`
	Warnings []string   `json:"warnings,omitempty"`
}

type testCase struct {
	Name     string         `json:"name"`
	File     string         `json:"file"`
	Line     int            `json:"line"`
	Holds    bool           `json:"holds"`
	Known    string         `json:"known,omitempty"`
	Expected netpol.Outcome `json:"expected"`
	Flows    int            `json:"flows"`
	Problems []string       `json:"problems"`
	// Differs are flows whose packets fared otherwise than policies say.
	Differs []string `json:"differs,omitempty"`
	// Wrong explains the flows that are not as expected.
	Wrong []*netpol.Explanation `json:"wrong,omitempty"`
}

func (t *tester) summary(files []*loaded, failed int) testReport {
	s := testReport{Failed: failed, Cases: []testCase{}, Warnings: t.warnings}
	for _, f := range files {
		s.Total += len(f.Cases)
		s.NotRun += len(f.Cases) - len(f.results)
		for _, r := range f.results {
			s.Cases = append(s.Cases, testCase{
				Name: r.Case.Name, File: f.Path, Line: r.Case.Line, Holds: r.Holds(), Known: r.Case.Known,
				Expected: r.Case.Expect, Flows: r.Flows, Problems: append([]string{}, r.Problems...), Differs: r.Differs, Wrong: r.Wrong,
			})
		}
	}
	return s
}

// suitesOf are the results: a suite for each file.
func suitesOf(files []*loaded) (all junit.Suites) {
	for _, f := range files {
		results := make([]junit.Result, len(f.Cases))
		for i, c := range f.Cases {
			results[i] = junit.Result{Name: c.Name, File: f.Path, Line: c.Line, Known: c.Known}
			if i < len(f.results) {
				complete(&results[i], f.results[i])
			}
		}
		all.Suites = append(all.Suites, junit.SuiteOf(f.Path, results))
	}
	return all
}

func complete(r *junit.Result, of *cases.Result) {
	r.Run, r.Holds, r.Problems, r.Output = true, of.Holds(), of.Problems, strings.Join(of.Differs, "\n")
	if !r.Holds {
		var text bytes.Buffer
		showFailure(&text, of)
		r.Text = text.String()
	}
}
