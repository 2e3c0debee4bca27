package insights

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/regex"
)

func TestLiteralsOfRegularExpressions(t *testing.T) {
	for expression, want := range map[string]struct {
		required     string // joined by |
		enough       bool
		alternatives string
	}{
		"secrets":                {"secrets", true, "secrets"},
		"^secrets$":              {"secrets", false, ""},
		"(?i)x(?-i)secrets":      {"secrets", false, ""},
		"a.*b":                   {"a|b", false, ""},
		"(?i)secrets":            {"", false, ""},
		"get|list|watch":         {"", false, "get|list|watch"},
		"\"(verb|verbs)\":\"x\"": {"\"|verb|\":\"x\"", false, "\"verb\":\"x\"|\"verbs\":\"x\""},
		"fo(o|r)":                {"fo", false, "foo|for"},
		"(ab)+c{2,}":             {"ab|c|c", false, ""},
		"x?y":                    {"y", false, ""},
		"[a-z]x":                 {"x", false, ""},
		"":                       {"", false, ""},
	} {
		re := regexp.MustCompile(expression)
		literals, enough := required(re)
		if got := strings.Join(literals, "|"); got != want.required || enough != want.enough {
			t.Errorf("%s: required %q, enough %v; want %q, %v", expression, got, enough, want.required, want.enough)
		}
		if got := strings.Join(alternatives(re), "|"); got != want.alternatives {
			t.Errorf("%s: alternatives %q, want %q", expression, got, want.alternatives)
		}
	}
}

// What is looked for instead of a regular expression finds the same.
func TestMatchersAgreeWithRegularExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.StringMatching(`(\(?[abéks]{0,3}[|?+.*]?[abéks]\)?|\[ab\]|\(\?i\)){0,4}`).Draw(t, "expression")
		re, err := regexp.Compile(expression)
		if err != nil {
			return
		}
		search, err := regex.New(re)
		if err != nil {
			t.Fatal(err)
		}
		text := rapid.StringMatching(`[abABéckKsSk\x{212a}\x{17f}\x{fffd}]{0,6}`).Draw(t, "text")
		if rapid.Bool().Draw(t, "broken") {
			text += "\xff"
		}
		if got := regexMatcher(context.Background(), search)(text); got != re.MatchString(text) {
			t.Fatalf("/%s/ and %q: %v", expression, text, got)
		}
		literals, enough := required(re)
		contains := !slices.ContainsFunc(literals, func(l string) bool { return !strings.Contains(text, l) })
		if re.MatchString(text) && !contains || enough && contains != re.MatchString(text) {
			t.Fatalf("/%s/ and %q: required are %q, enough %v", expression, text, literals, enough)
		}
	})
}
