package cases_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// TestConformance decides every case of testdata, each of which names the page of
// AWS's documentation, or the recorded fact, that it follows.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			list := load(t, path)
			total += len(list)
			names := map[string]bool{}
			for _, c := range list {
				if names[c.Name] {
					t.Errorf("%s:%d: a second case is called %q", c.File, c.Line, c.Name)
				}
				names[c.Name] = true
				if c.Source == "" {
					t.Errorf("%s:%d: %s: no source is given", c.File, c.Line, c.Name)
				}
				if c.Known != "" {
					t.Errorf("%s:%d: %s: known to fail: %s", c.File, c.Line, c.Name, c.Known)
				}
				if r := c.Run(); !r.Holds() {
					t.Errorf("%s:%d: %s: %s", c.File, c.Line, c.Name, strings.Join(r.Problems, "; "))
				}
			}
		})
	}
	t.Logf("%d cases in %d files", total, len(files))
	if total < 500 {
		t.Errorf("only %d cases: the suite is not found", total)
	}
}

func load(t *testing.T, path string) []*cases.Case {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := cases.Parse(path, string(text), func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(path), name))
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
