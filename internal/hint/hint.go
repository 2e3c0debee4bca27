// Package hint gives an error the lines that tell its reader what to do next.
//
// An error says what happened and on what, in one line. What helps is added by
// Wrap where the cause is known, and printed once, by main, as lines that start
// with "hint:".
package hint

import (
	"errors"
	"fmt"
	"io"
)

type hinted struct {
	err   error
	lines []string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Wrap adds lines of advice to err. A nil err stays nil.
func Wrap(err error, lines ...string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, lines}
}

// New makes an error from a text and lines of advice.
func New(text string, lines ...string) error {
	return &hinted{errors.New(text), lines}
}

// Lines returns the advice attached anywhere in err's chain, outermost first.
func Lines(err error) []string {
	var lines []string
	for err != nil {
		var h *hinted
		if !errors.As(err, &h) {
			return lines
		}
		lines = append(lines, h.lines...)
		err = h.err
	}
	return lines
}

// Print writes err as a program's last words: one line, then its hints.
func Print(w io.Writer, program string, err error) {
	fmt.Fprintf(w, "%s: %v\n", program, err)
	for _, line := range Lines(err) {
		fmt.Fprintf(w, "hint: %s\n", line)
	}
}
