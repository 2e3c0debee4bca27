package guard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// impure are packages that engine may not import: they reach outside, or give a
// different answer each time. Clocks and randomness are handed in by callers.
var impure = []string{
	"os", "net", "net/http", "io/ioutil", "syscall", "plugin", "log", "log/slog", "testing", "unsafe", "runtime/debug",
	"math/rand", "math/rand/v2", "crypto/rand", "time/tzdata", "database/sql",
	"golang.org/x/sys", "google.golang.org/grpc", "k8s.io/client-go", "go.etcd.io", "github.com/vishvananda", "github.com/google/nftables",
}

// clocks are the functions of package time that look at the clock or wait.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "LoadLocation"}

func TestEngineIsPure(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		if room(p.path()) != "internal/engine" {
			continue
		}
		seen++
		for _, i := range p.Imports {
			if slices.ContainsFunc(impure, func(b string) bool { return i == b || strings.HasPrefix(i, b+"/") && b != "net" && b != "log" }) {
				t.Errorf("%s imports %s: engine has no I/O, no clock and no chance", p.path(), i)
			}
		}
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			set := token.NewFileSet()
			tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, use := range clockUses(tree) {
				t.Errorf("%s uses time.%s: let the caller say what time it is", set.Position(use.Pos()), use.Sel.Name)
			}
		}
	}
	if seen == 0 {
		t.Error("no package of engine was found")
	}
}

// clockUses finds the uses of clocks in a file, under whatever name it imports time.
func clockUses(tree *ast.File) []*ast.SelectorExpr {
	name := ""
	for _, i := range tree.Imports {
		if path, _ := strconv.Unquote(i.Path.Value); path == "time" {
			name = "time"
			if i.Name != nil {
				name = i.Name.Name
			}
		}
	}
	var uses []*ast.SelectorExpr
	ast.Inspect(tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && name != "" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name && slices.Contains(clocks, s.Sel.Name) {
				uses = append(uses, s)
			}
		}
		return true
	})
	return uses
}

func TestClockUses(t *testing.T) {
	const text = `package p
import clock "time"
var a = clock.Now
func f() clock.Duration { return clock.Since(clock.Time{}) + clock.Second }`
	tree, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(clockUses(tree)); got != 2 {
		t.Errorf("found %d uses of the clock, want 2", got)
	}
}
