// Package junit writes results of tests as JUnit's XML, in the elements that its
// readers agree on.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
)

// Suites is a run.
type Suites struct {
	XMLName xml.Name `xml:"testsuites"`
	Suites  []Suite  `xml:"testsuite"`
}

// Suite is a file of cases.
type Suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Errors   int    `xml:"errors,attr"`
	Cases    []Case `xml:"testcase"`
}

// Case is a case; it holds when it has no message.
type Case struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	File    string   `xml:"file,attr"`
	Line    int      `xml:"line,attr"`
	Failure *Message `xml:"failure"`
	Error   *Message `xml:"error"`
	Skipped *Message `xml:"skipped"`
	Output  string   `xml:"system-out,omitempty"` // what is to be known besides
}

// Message is why a case does not hold: a line, and the whole.
type Message struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Result is how a case of a file fared.
type Result struct {
	Name, File string
	Line       int
	Run        bool     // otherwise a case before it failed
	Holds      bool     // it is as expected, or fails as it is known to
	Known      string   // why it is known to fail
	Problems   []string // a line each
	Text       string   // all that is to be said of a failure
	Output     string
}

// SuiteOf is a suite of a file's cases. Those that were not run, or are known to fail,
// count as skipped.
func SuiteOf(path string, results []Result) Suite {
	s := Suite{Name: path, Tests: len(results)}
	for _, r := range results {
		c := Case{Name: r.Name, Class: path, File: r.File, Line: r.Line, Output: r.Output}
		switch {
		case !r.Run:
			c.Skipped = &Message{Message: "not run: a case before it failed"}
			s.Skipped++
		case !r.Holds:
			message := strings.Join(r.Problems, "; ")
			if message == "" {
				message = "it holds, though known to fail"
			}
			c.Failure = &Message{Message: message, Text: r.Text}
			s.Failures++
		case r.Known != "":
			c.Skipped = &Message{Message: "known to fail: " + r.Known}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

// Broken is the run in which a file could not be read.
func Broken(path string, fault error, text string) Suites {
	message := &Message{Message: fault.Error(), Text: text}
	return Suites{Suites: []Suite{{
		Name: path, Tests: 1, Errors: 1, Cases: []Case{{Name: "the file is read", Class: path, File: path, Error: message}},
	}}}
}

// Write writes the run to a file, or to out when path is "-".
func (s Suites) Write(out io.Writer, path string) error {
	marked, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("JUnit XML: %w", err)
	}
	text := append([]byte(xml.Header), append(marked, '\n')...)
	if path == "-" {
		_, err = out.Write(text)
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
