package syntax

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden parses the queries of testdata/queries.txt: each is followed by its tree,
// after a line of three dashes, and by a line of three equals signs.
func TestGolden(t *testing.T) {
	const file = "testdata/queries.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSuffix(string(data), "\n===\n"), "\n===\n") {
		text, want, _ := strings.Cut(block+"\n", "\n---\n")
		want = strings.TrimSuffix(want, "\n")
		q, err := Parse(text)
		var got string
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = show(q)
		}
		if got != want && !*update {
			t.Errorf("%s\nis\n%s\nwant\n%s", text, got, want)
		}
		out.WriteString(text + "\n---\n" + got + "\n===\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMalformedQueries(t *testing.T) {
	for _, c := range []struct {
		text, want string
		start, end int
	}{
		{"", "unexpected symbol found <EOF> at line 1 and position 0", 0, 0},
		{"   # nothing", "unexpected symbol found <EOF> at line 1 and position 12", 12, 12},
		{"filter @message like /x/i", "unexpected symbol found i at line 1 and position 24", 24, 25},
		{"fields @timestamp\n| stats count((1)", "unexpected symbol found <EOF> at line 2 and position 17", 35, 35},
		{"select a", "unexpected symbol found select at line 1 and position 0", 0, 6},
		{"fields a |", "unexpected symbol found <EOF> at line 1 and position 10", 10, 10},
		{"fields a | | limit 1", "unexpected symbol found | at line 1 and position 11", 11, 12},
		{"fields é, \n | b", "unexpected symbol found | at line 2 and position 1", 12, 13},
		{"filter a = = 1", "unexpected symbol found = at line 1 and position 11", 11, 12},
		{"filter a = 1 = 2", "unexpected symbol found = at line 1 and position 13", 13, 14},
		{`filter a = "x`, `unexpected symbol found " at line 1 and position 11`, 11, 12},
		{"filter a like b", "unexpected symbol found b at line 1 and position 14", 14, 15},
		{"filter a like /x", "unexpected symbol found / at line 1 and position 14", 14, 15},
		{"filter a in 1", "unexpected symbol found 1 at line 1 and position 12", 12, 13},
		{"filter a not 1", "unexpected symbol found 1 at line 1 and position 13", 13, 14},
		{"filter a ; b", "unexpected symbol found ; at line 1 and position 9", 9, 10},
		{"filter `a", "unexpected symbol found ` at line 1 and position 7", 7, 8},
		{"limit 1.5", "unexpected symbol found 1.5 at line 1 and position 6", 6, 9},
		{"limit", "unexpected symbol found <EOF> at line 1 and position 5", 5, 5},
		{"sort a b", "unexpected symbol found b at line 1 and position 7", 7, 8},
		{"fields a (b)", "unexpected symbol found b at line 1 and position 10", 0, 0},
		{"parse @message", "unexpected symbol found <EOF> at line 1 and position 14", 14, 14},
		{`parse "a * b *" as x`, "the glob expression has 2 wildcards and 1 names: there must be a name for each", 6, 20},
		{`parse /(a)/ as x, y`, "the regular expression has 1 groups and 2 names: there must be a group for each name", 6, 11},
		{`parse /a/`, "the regular expression has 0 groups and 0 names: there must be a group for each name", 6, 9},
		{`parse /(?=a)b/`, "invalid regular expression: invalid or unsupported Perl syntax: `(?=`", 6, 14},
		{"join type=outer left=a right=b where a.x=b.x (source 'g')", "unexpected symbol found outer at line 1 and position 10", 10, 15},
		{"join left=a right=b where a.x=c.x (source 'g')", "a join compares a field of a with one of b", 26, 33},
		{"join left=a right=b where a.x=b.x (source 'g' | limit 1)", "the right side of a join is a SOURCE and nothing more", 34, 56},
		{"filterIndex a > 1", "unexpected symbol found a > 1 at line 1 and position 12", 12, 17},
		{"filter " + strings.Repeat("(", 101) + "a", "the query is nested deeper than 100 levels", 106, 107},
		{"filter " + strings.Repeat("-", 200) + "a", "the query is nested deeper than 100 levels", 106, 107},
		{"filter " + strings.Repeat("not ", 200) + "a", "the query is nested deeper than 100 levels", 403, 406},
		{"filter a = " + strings.Repeat("2^", 200) + "2", "the query is nested deeper than 100 levels", 209, 210},
		{strings.Repeat("x", 10_001), "the query has 10001 characters, more than 10000", 0, 10001},
		{"filter a like /" + strings.Repeat("x", 4001) + "/", "the regular expression has 4001 bytes, more than 4000", 14, 4017},
	} {
		_, err := Parse(c.text)
		var e *Error
		if !errors.As(err, &e) {
			if c.end != 0 || c.want == "" {
				t.Errorf("%.80q: %v, want %q", c.text, err, c.want)
			}
			continue
		}
		if e.Message != c.want || e.Start != c.start || e.End != c.end {
			t.Errorf("%.80q: %q (%d-%d), want %q (%d-%d)", c.text, e.Message, e.Start, e.End, c.want, c.start, c.end)
		}
	}
}

func TestGlobParts(t *testing.T) {
	for glob, want := range map[string][]string{
		"a * b *": {"a ", " b ", ""}, "*": {"", ""}, `a\*b*`: {"a*b", ""}, "": {""}, "**": {"", "", ""},
	} {
		if got := GlobParts(glob); strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Errorf("%q: %q, want %q", glob, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/queries.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(string(data), "\n===\n") {
		text, _, _ := strings.Cut(block, "\n---\n")
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err == nil {
			for _, c := range q.Commands {
				if at := c.At(); at.Start < 0 || at.End > len(text) || at.Start > at.End {
					t.Fatalf("%T is at %v of %d bytes", c, at, len(text))
				}
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		if e.Start < 0 || e.End < e.Start || e.End > len(text) {
			t.Fatalf("the error is at %d to %d of %d bytes", e.Start, e.End, len(text))
		}
	})
}
