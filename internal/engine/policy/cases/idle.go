package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// Idle tells of actions in the policies' statements that match none of a service
// whose actions are known. AWS takes them; they do nothing. AWS's own policies are
// left out: they name actions that its reference no longer has, or not yet.
func (l *Layers) Idle() []string {
	var out []string
	l.policies(func(p *Policy) {
		if isAWSPolicy(p.Source.ARN) {
			return
		}
		for i := range p.Document.Statements {
			s := &p.Document.Statements[i]
			for _, a := range s.Actions {
				if text := idle(a); text != "" {
					out = append(out, fmt.Sprintf("%s of %s: %s", p.Statement(i), p.Name, text))
				}
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

func idle(a policy.Text) string {
	service, name, ok := strings.Cut(a.Value, ":")
	t, known := actions.Service(service)
	if !ok || !known {
		return ""
	}
	if !strings.ContainsAny(name, "*?") {
		if d := DoubtAction(a.Value); d != nil {
			return d.Text
		}
		return ""
	}
	pattern := strings.ToLower(name)
	if slices.ContainsFunc(t.Actions, func(a actions.Action) bool { return wild(pattern, strings.ToLower(a.Name)) }) {
		return ""
	}
	return fmt.Sprintf("no action in %s matches %s", t.Prefix, name)
}

// wild matches a pattern of * and ?, going back to the last star alone.
func wild(pattern, text string) bool {
	star, mark, p := -1, 0, 0
	for i := 0; i < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, i, p+1
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[i]):
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
