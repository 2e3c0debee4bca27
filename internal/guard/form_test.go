package guard

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Longest file of ours, in lines. Beyond it a file has more than one subject.
const longest = 500

// generated is Go's own mark of files that a program wrote (go help generate).
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// unfinished marks work left undone: what isn't there answers with an error, or
// stands in docs/LIMITS.md.
var unfinished = regexp.MustCompile(`//.*\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name == "" || len(p.GoFiles) == 0 {
			continue // tests only
		}
		if len(strings.Fields(p.Doc)) < 5 {
			t.Errorf("%s has no package comment that says what it is for (go list sees %q)", p.path(), p.Doc)
		}
		if n := len(docs(t, p)); n > 1 {
			t.Errorf("%s has %d package comments: keep one, in doc.go or the file named after the package", p.path(), n)
		}
	}
}

// docs lists the files of p that carry a package comment.
func docs(t *testing.T, p pkg) []string {
	t.Helper()
	var files []string
	for _, name := range p.GoFiles {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
		} else if tree.Doc != nil {
			files = append(files, name)
		}
	}
	return files
}

func TestFiles(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			file := filepath.Join(p.Dir, name)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
				continue
			}
			if generated.Match(text) {
				continue
			}
			lines := bytes.Count(text, []byte("\n"))
			switch {
			case lines > longest && strings.HasSuffix(name, "_test.go"):
				t.Logf("%s/%s has %d lines", p.path(), name, lines)
			case lines > longest:
				t.Errorf("%s/%s has %d lines, more than %d: it has more than one subject", p.path(), name, lines, longest)
			}
			if mark := unfinished.Find(text); mark != nil {
				t.Errorf("%s/%s: %q: finish it, or let it answer with an error and say so in docs/LIMITS.md", p.path(), name, mark)
			}
		}
	}
}
