// Package junit writes results of tests as JUnit's XML, in the elements that its
// readers agree on.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
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
