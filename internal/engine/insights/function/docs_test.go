package function

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Each function is in the documentation, and nothing else is.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/INSIGHTS-FUNCTIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range regexp.MustCompile("`(\\w+)\\(([^`]*)\\)`").FindAllStringSubmatch(strings.SplitN(line, "|", 3)[1], -1) {
			written[m[1]] = m[2]
		}
	}
	for _, f := range All() {
		args, ok := written[f.Name]
		if !ok {
			t.Errorf("%s is not described", f.Name)
			continue
		}
		delete(written, f.Name)
		if got := strings.Contains(args, "["); got != (f.Min != f.Max && f.Max >= 0) {
			t.Errorf("%s(%s) takes %d to %d arguments", f.Name, args, f.Min, f.Max)
		}
		required, _, _ := strings.Cut(args, "[")
		n := 0
		for a := range strings.SplitSeq(required, ",") {
			if a = strings.TrimSpace(a); a != "" && !strings.HasPrefix(a, "…") {
				n++
			}
		}
		if n != f.Min {
			t.Errorf("%s(%s) takes at least %d arguments", f.Name, args, f.Min)
		}
	}
	for name := range written {
		t.Errorf("%s is described, and isn't there", name)
	}
}
