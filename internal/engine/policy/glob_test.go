package policy

import (
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		fold, want    bool
	}{
		{"*", "", false, true},
		{"*", "a:b/c", false, true},
		{"", "", false, true},
		{"", "a", false, false},
		{"a*", "a", false, true},
		{"a*", "A", false, false},
		{"a*", "Abc", true, true},
		{"iam:Create*", "IAM:createrole", true, true},
		{"iam:*Role", "iam:CreateRole", false, true},
		{"iam:*Role", "iam:CreateRoles", false, false},
		{"?", "é", false, true},
		{"?", "", false, false},
		{"??", "é", false, false},
		{"a?c", "abc", false, true},
		{"a?c", "ac", false, false},
		{"*?", "", false, false},
		{"*a*b", "xaxbxb", false, true},
		{"*ab*ab", "ab", false, false},
		{"a*a", "a", false, false},
		{"a**b", "ab", false, true},
		{"*?b?*", "abbc", false, true},
		{"*bb?", "abbbc", false, true},
		{"arn:aws:s3:::b/*/k", "arn:aws:s3:::b/x/y/k", false, true},
		{"*.txt", "a.txt.txt", false, true},
		{"a.c", "abc", false, false},
	} {
		g := compileGlob(c.pattern, c.fold)
		if got := g.match(c.text, nil); got != c.want {
			t.Errorf("%q on %q (fold %v) = %v", c.pattern, c.text, c.fold, got)
		}
	}
}

// TestGlobCost wants many stars on a long text to be quick: a backtracking
// matcher would not end.
func TestGlobCost(t *testing.T) {
	g := compileGlob(strings.Repeat("*?a", 200)+"*b", false)
	start := time.Now()
	if g.match(strings.Repeat("a", 100_000), nil) {
		t.Error("matched")
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

// FuzzGlob compares with regular expressions.
func FuzzGlob(f *testing.F) {
	for _, s := range []string{"*", "a*b", "?", "*a?b*", "", "**", "x", "*?a?a?a?a?a?b*"} {
		f.Add(s, "axbab", true)
		f.Add(s, "", false)
	}
	f.Fuzz(func(t *testing.T, pattern, text string, fold bool) {
		if strings.ContainsRune(pattern, 0xFFFD) || strings.ContainsRune(text, 0xFFFD) || len(pattern) > 40 {
			return // invalid UTF-8 reads otherwise in regular expressions
		}
		for _, r := range pattern + text {
			if r > 127 && fold {
				return // only ASCII is folded
			}
		}
		expr := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		flags := "(?s)"
		if fold {
			flags = "(?si)"
		}
		want := regexp.MustCompile(flags + `\A` + expr + `\z`).MatchString(text)
		g := compileGlob(pattern, fold)
		if got := g.match(text, nil); got != want {
			t.Errorf("%q on %q (fold %v) = %v", pattern, text, fold, got)
		}
	})
}

func TestDateForms(t *testing.T) {
	for s, want := range map[string]string{
		"2020-01-02":                "2020-01-02T00:00:00Z",
		"2020-01-02T03:04:05Z":      "2020-01-02T03:04:05Z",
		"2020-01-02t03:04:05.25z":   "2020-01-02T03:04:05.25Z",
		"2020-01-02T03:04:05+02:00": "2020-01-02T01:04:05Z",
		"2020-01-02T03:04Z":         "2020-01-02T03:04:00Z",
		"1577934245":                "2020-01-02T03:04:05Z",
		"2020-01-02T03:04:05-02":    "2020-01-02T05:04:05Z",
		"2020-01-02T":               "2020-01-02T00:00:00Z",
		"2020-01":                   "2020-01-01T00:00:00Z",
		"2024-02-29":                "2024-02-29T00:00:00Z",
		"2023-02-29":                "",
		"2020-13-01":                "",
		"2020-01-02T24:00:00Z":      "",
		"2020-01-02T03:04:05.Z":     "",
		"2020-01-02T03:04:05Zx":     "",
		"2020-01-02 03:04:05Z":      "",
		"soon":                      "",
		"":                          "",
	} {
		got, ok := parseDate(s)
		if ok != (want != "") || ok && time.Unix(got.second, int64(got.nano)).UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
}

func TestNumbers(t *testing.T) {
	for s, ok := range map[string]bool{"10": true, "10.0": true, "-0.5": true, "+1": true, "1e3": false, "": false, "-": false, "1.": false, ".5": false, "0x10": false, "--1": false} {
		if _, got := parseNumber(s); got != ok {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestNumbersCompare(t *testing.T) {
	texts := []string{"0", "-0", "0.0", "+0", "1", "01", "1.0", "10", "9", "9.99", "9.9", "-1", "-10", "-9.5", "0.5", "0.45", "123456789012345678901234567890.1", "123456789012345678901234567890.2"}
	for _, a := range texts {
		for _, b := range texts {
			x, _ := parseNumber(a)
			y, _ := parseNumber(b)
			p, _ := new(big.Rat).SetString(a)
			q, _ := new(big.Rat).SetString(b)
			if got, want := x.compare(y), p.Cmp(q); got != want {
				t.Errorf("%s to %s: %d, want %d", a, b, got, want)
			}
		}
	}
}
