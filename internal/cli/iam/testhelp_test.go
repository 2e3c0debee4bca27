package iam

import (
	"regexp"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// TestHelpNamesFields: the help names every field that the parser knows, which it
// lists for one that it doesn't.
func TestHelpNamesFields(t *testing.T) {
	_, err := cases.Parse("x", "frobnicate: yes", nil)
	if err == nil {
		t.Fatal("the field was taken")
	}
	_, list, _ := strings.Cut(err.Error(), "there are ")
	fields := strings.Split(list, ", ")
	if len(fields) < 20 {
		t.Fatalf("the parser knows %q", fields)
	}
	for _, field := range fields {
		if !regexp.MustCompile(`\b` + field + `\b`).MatchString(testHelp) {
			t.Errorf("the help lacks %s", field)
		}
	}
}
