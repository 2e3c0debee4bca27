package iam

import (
	"bytes"
	"io"
	"strings"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/junit"
	"github.com/eksact/eksact/internal/engine/policy/answer"
	"github.com/eksact/eksact/internal/engine/policy/cases"
	"github.com/eksact/eksact/internal/hint"
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
	return t.writeJunit(out, suitesOf(files))
}

// reportBroken reports a file with an error as JUnit does, so that no older report
// is taken for this run's.
func (t *tester) reportBroken(out io.Writer, path string, fault error) error {
	if t.junit == "" {
		return nil
	}
	return t.writeJunit(out, junit.Broken(path, fault, strings.Join(hint.Lines(fault), "\n")))
}

func (t *tester) writeJunit(out io.Writer, all junit.Suites) error {
	return global.Unreadable(t.junit, all.Write(out, t.junit))
}

// testReport is the JSON form.
type testReport struct {
	Total  int        `json:"total"`
	Failed int        `json:"failed"`
	NotRun int        `json:"notRun"`
	Cases  []testCase `json:"cases"`
	// Warnings are of names that could not be checked.
	Warnings []string `json:"warnings,omitempty"`
}

type testCase struct {
	Name     string         `json:"name"`
	File     string         `json:"file"`
	Line     int            `json:"line"`
	Holds    bool           `json:"holds"`
	Known    string         `json:"known,omitempty"`
	Expected answer.Outcome `json:"expected"`
	Got      answer.Outcome `json:"got"`
	Problems []string       `json:"problems"`
	// Explanation is there of cases that do not hold.
	Explanation *answer.Explanation `json:"explanation,omitempty"`
}

func (t *tester) summary(files []*loaded, failed int) testReport {
	s := testReport{Failed: failed, Cases: []testCase{}, Warnings: t.warnings}
	for _, f := range files {
		s.Total += len(f.cases)
		s.NotRun += len(f.cases) - len(f.results)
		for _, r := range f.results {
			c := testCase{
				Name: r.Case.Name, File: r.Case.File, Line: r.Case.Line, Holds: r.Holds(), Known: r.Case.Known,
				Expected: r.Case.Expect.Outcome, Got: r.Outcome, Problems: append([]string{}, r.Problems...),
			}
			if !c.Holds {
				c.Explanation = r.Case.Question.Explain()
			}
			s.Cases = append(s.Cases, c)
		}
	}
	return s
}

// suitesOf are the results: a suite for each file.
func suitesOf(files []*loaded) (all junit.Suites) {
	for _, f := range files {
		results := make([]junit.Result, len(f.cases))
		for i, c := range f.cases {
			results[i] = junit.Result{Name: c.Name, File: c.File, Line: c.Line, Known: c.Known}
			if i < len(f.results) {
				complete(&results[i], f.results[i])
			}
		}
		all.Suites = append(all.Suites, junit.SuiteOf(f.path, results))
	}
	return all
}

func complete(r *junit.Result, of *cases.Result) {
	r.Run, r.Holds, r.Problems = true, of.Holds(), of.Problems
	if !r.Holds {
		var text bytes.Buffer
		showFailure(&text, of)
		r.Text = text.String()
	}
}
