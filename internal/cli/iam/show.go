package iam

import (
	"fmt"
	"io"
	"strings"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/policy/answer"
	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// nearest is how many statements that did not match are shown of a layer.
const nearest = 3

// line writes one line; what a terminal would obey in names that callers chose is
// replaced.
func line(w io.Writer, form string, args ...any) {
	fmt.Fprintln(w, global.Printable(fmt.Sprintf(form, args...)))
}

// showFailure tells of a case that does not hold, and why it was decided so.
func showFailure(w io.Writer, r *cases.Result) {
	line(w, "FAIL  %s:%d: %s", r.Case.File, r.Case.Line, r.Case.Name)
	if len(r.Problems) == 0 {
		line(w, "      it holds, though known to fail: remove its known (%s)", r.Case.Known)
		return
	}
	for _, p := range r.Problems {
		line(w, "      %s", p)
	}
	showExplanation(w, "      ", r.Case.Question.Explain())
}

// showExplanation tells what was decided, by what, and what each layer said.
func showExplanation(w io.Writer, indent string, e *answer.Explanation) {
	line(w, "%s%s", indent, sentence(e))
	for i := range e.Layers {
		l := &e.Layers[i]
		line(w, "%s%s: %s", indent, layerTitle(l), layerSays(l, e))
		for _, s := range l.Matched {
			line(w, "%s  %s matches", indent, statementText(&s))
		}
		for i, m := range l.Missed {
			if i == nearest {
				line(w, "%s  and %d further from matching", indent, len(l.Missed)-nearest)
				break
			}
			line(w, "%s  %s does not: %s", indent, statementText(&m.Statement), missText(&m))
		}
	}
}

func sentence(e *answer.Explanation) string {
	if e.Sentence != "" {
		return e.Sentence
	}
	text := fmt.Sprintf("%s may perform %s on %s", e.Principal, e.Action, e.Resource)
	if e.DecidedBy != nil {
		return text + ": " + statementText(e.DecidedBy)
	}
	return text + ": nothing denies it, and this caller needs no policy for it"
}

// layerTitle is the layer as AWS's refusals call it.
func layerTitle(l *answer.Layer) string {
	title := answer.LayerNames()[l.Layer].String()
	switch {
	case l.Level == nil:
	case *l.Level == 0:
		title += ", root"
	default:
		title += fmt.Sprintf(", level %d", *l.Level)
	}
	return title
}

func layerSays(l *answer.Layer, e *answer.Explanation) string {
	switch {
	case l.Outcome == answer.ExplicitDeny:
		return "denies"
	case l.Delegates:
		return "allows the account, so that the caller's own policies must allow too"
	case l.Outcome == answer.Allowed:
		return "allows"
	case len(l.Matched)+len(l.Missed) == 0:
		return "there is none, so nothing is allowed"
	case e.Decision == answer.Allowed:
		return "does not allow, and need not"
	}
	return "does not allow"
}

// statementText is "Allow [Sid] of policy P (file:line)".
func statementText(s *answer.Statement) string {
	name := fmt.Sprintf("Statement[%d]", s.Index)
	if s.Sid != "" {
		name = s.Sid
	}
	text := fmt.Sprintf("%s %s of %s", s.Effect, name, s.Policy)
	if s.File == "" {
		return text
	}
	place := s.File
	if s.Line > 0 {
		place += fmt.Sprintf(":%d:%d", s.Line, s.Column)
	}
	if s.Policy == s.File {
		return fmt.Sprintf("%s %s at %s", s.Effect, name, place)
	}
	return text + " at " + place
}

// missText says which part of a statement did not match.
func missText(m *answer.Miss) string {
	switch m.Miss {
	case "condition":
		got := "the key is absent"
		if len(m.Got) > 0 {
			got = "the request has " + quoted(m.Got)
		}
		return fmt.Sprintf("%s %s wants %s, %s", m.Element, m.Key, quoted(m.Wanted), got)
	case "principal":
		if m.Element == "NotPrincipal" {
			return "NotPrincipal spares " + quoted(m.Got)
		}
	}
	if strings.HasPrefix(m.Element, "Not") {
		return fmt.Sprintf("%s has %s", m.Element, quoted(m.Got))
	}
	return fmt.Sprintf("%s is %s, not %s", m.Element, quoted(m.Wanted), quoted(m.Got))
}

// quoted lists values, a few of many.
func quoted(list []string) string {
	const most = 5
	var out []string
	for i, v := range list {
		if i == most {
			out = append(out, fmt.Sprintf("%d more", len(list)-most))
			break
		}
		if v == "" || strings.ContainsAny(v, " ,") {
			v = fmt.Sprintf("%q", v)
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}
