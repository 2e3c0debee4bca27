package iam

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// warn prints what does not hinder, but is worth a look.
func warn(w io.Writer, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
}

// uncheckable are the names of services that the reference does not hold, each
// once: cases about them may be misspelt.
func uncheckable(files []*loaded) []string {
	var out []string
	seen := map[string]bool{}
	look := func(name string, doubt func(string) *cases.Doubt) {
		if seen[name] {
			return
		}
		seen[name] = true
		if d := doubt(name); d != nil && !d.Sure {
			out = append(out, d.Text)
		}
	}
	for _, f := range files {
		for _, c := range f.cases {
			if c.Unchecked {
				continue
			}
			look(c.Question.Action, cases.DoubtAction)
			for _, key := range slices.Sorted(maps.Keys(c.Question.Context)) {
				look(key, cases.DoubtKey)
			}
		}
	}
	return out
}

// doubts are the names in a question, and the actions in its policies, that AWS
// does not have.
func doubts(q *cases.Question) []string {
	var out []string
	for _, d := range q.Doubts() {
		out = append(out, d.Text)
	}
	return append(out, q.Layers.Idle()...)
}
