package insights

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// conditionsOf are what a query's first command asks the source.
func conditionsOf(t interface{ Fatalf(string, ...any) }, text string) []scan.Predicate {
	tree, err := syntax.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	env := Env{Open: func(context.Context, Selection) (scan.Source, error) { return memory.New("g", nil), nil }}
	r := &runner{env: &env}
	_, c, s := r.prepare(t.(interface{ Context() context.Context }).Context(), tree, window{})
	if err := catch(func() { c.events(s, tree.Commands) }); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c.plan.where
}

// holds is what scan.Test's words say.
func holds(t *scan.Test, v scan.Value) bool {
	x := value.Scanned(v)
	text, isText := x.Text()
	order, comparable := value.Compare(x, value.Scanned(t.Value))
	equal := comparable && order == 0
	switch t.Op {
	case scan.And:
		for _, of := range t.Of {
			if !holds(of, v) {
				return false
			}
		}
		return true
	case scan.Or:
		for _, of := range t.Of {
			if holds(of, v) {
				return true
			}
		}
		return false
	case scan.Not:
		return !holds(t.Of[0], v)
	case scan.Present:
		return v.Kind != scan.Null
	case scan.Truth:
		return x.True()
	case scan.Equal:
		return equal
	case scan.Unequal:
		return v.Kind != scan.Null && !equal
	case scan.Less:
		return comparable && order < 0
	case scan.LessEqual:
		return comparable && order <= 0
	case scan.Greater:
		return comparable && order > 0
	case scan.GreaterEqual:
		return comparable && order >= 0
	case scan.In:
		for _, c := range t.Values {
			if holds(&scan.Test{Op: scan.Equal, Value: c}, v) {
				return true
			}
		}
		return false
	case scan.Contains:
		return isText && strings.Contains(text, t.Text)
	case scan.Begins:
		return isText && strings.HasPrefix(text, t.Text)
	case scan.Ends:
		return isText && strings.HasSuffix(text, t.Text)
	case scan.Matches:
		return isText && t.Regexp.MatchString(text)
	}
	panic("a question without a meaning")
}

// TestDescriptionsAgreeWithFunctions holds what conditions are said to ask against what
// they decide, for random conditions and values.
func TestDescriptionsAgreeWithFunctions(t *testing.T) {
	described := 0
	rapid.Check(t, func(t *rapid.T) {
		m := &maker{t: t, names: []string{draw(t, "a", "c.d", "l[0]", "@message")}}
		text := "filter " + m.condition(2)
		for _, p := range conditionsOf(t, text) {
			if p.Test == nil {
				continue
			}
			described++
			for range 20 {
				v := scan.Value{Kind: draw(t, scan.Null, scan.Text, scan.Number, scan.Bool)}
				switch v.Kind {
				case scan.Text:
					v.Text = draw(t, "", "0", "1", "1.0", "x", "X", "true", "false", "10", "-3", "404", "bob", "user", "é", "1e999")
				case scan.Number:
					v.Text = draw(t, "0", "1", "1.0", "1e0", "10", "-3", "-0", "404", "0.5", "1e999", "9007199254740993", "9007199254740992")
				case scan.Bool:
					v.Text = draw(t, "true", "false")
				}
				if p.Field == timestamp || p.Field == ingestionTime { // whole milliseconds
					v = scan.Value{Kind: scan.Number, Text: draw(t, "0", "1", "-3", "10", "404", "1764000000000")}
				}
				if holds(p.Test, v) != p.Match(v) {
					t.Fatalf("%s: of %v it is said %v", text, v, holds(p.Test, v))
				}
			}
		}
	})
	if described == 0 {
		t.Error("no condition was described")
	}
}

// TestWhatIsDescribed are conditions whose meaning stores must be told, or must not.
func TestWhatIsDescribed(t *testing.T) {
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{`user.username = "user1"`, true},
		{`400 <= responseStatus.code`, true},
		{`verb in ["get", "list"] or verb = "watch"`, true},
		{`not (verb not in ["get"])`, true},
		{`@message not like /(?i)secret/`, true},
		{`ispresent(a) and not startsWith(a, "system:")`, true},
		{`sourceIPs[0] = "10.0.0.1"`, true},
		{`a`, true},
		{`@timestamp != 5`, true},
		{`@timestamp like "2026"`, false},
		{`strlen(a) = 3`, false},
		{`toupper(a) = "X"`, false},
		{`isIpInSubnet(sourceIPs.0, "10.0.0.0/8")`, false},
	} {
		list := conditionsOf(t, "filter "+c.condition)
		for _, p := range list {
			if got := p.Test != nil; got != c.want {
				t.Errorf("%s: described: %v", c.condition, got)
			}
		}
		if len(list) == 0 {
			t.Errorf("%s: nothing is asked of the source", c.condition)
		}
	}
}
