package regex

import (
	"context"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func must(t interface{ Fatal(...any) }, pattern string) *Regexp {
	r, err := New(regexp.MustCompile(pattern))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var patterns = []string{`a`, `(a)|(b)`, `a*`, `^a`, `(?m)^a`, `a$`, `\ba`, `a\B`, `(a|ab)(c|bcd)?`, `x*?(y)?`, `(?i)K`, `[^a]`, `.`, `(?s).`, `é`, `\x{fffd}`, `()`, `b*|\z`, `(?U)a+b?`, `(?P<n>a)(?P<m>b)?`, `\A`, `$`}

// TestFindsWhatGosFind compares with Go's own searches, each way that there is.
func TestFindsWhatGosFind(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		r := must(t, rapid.SampledFrom(patterns).Draw(t, "pattern"))
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "x", "y", "é", "\n", "k", "\xff", "\xc3", " "}), 0, 20).Draw(t, "text"), "")
		n := rapid.IntRange(-1, 3).Draw(t, "n")
		r.size = rapid.SampledFrom([]int{1, soon, atOnce}).Draw(t, "as if it had")
		if got, want := r.Match(ctx, s), r.MatchString(s); got != want {
			t.Fatalf("%s in %q: %v, not %v", r, s, got, want)
		}
		if got, want := r.Find(ctx, s), r.FindStringSubmatchIndex(s); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s in %q: %v, not %v", r, s, got, want)
		}
		got, want := r.FindAll(ctx, s, n), r.FindAllStringSubmatchIndex(s, n)
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%d of %s in %q: %v, not %v", n, r, s, got, want)
		}
	})
}

// TestEndsWithItsContext: each of these takes minutes.
func TestEndsWithItsContext(t *testing.T) {
	large, many := must(t, `(?:a|b|ab){990}$`), must(t, `(?:\B|^)(?:x|xx){900}y|.`)
	text := strings.Repeat("ab", 500_000) + "c"
	for name, search := range map[string]func(ctx context.Context){
		"match":    func(ctx context.Context) { large.Match(ctx, text) },
		"find":     func(ctx context.Context) { large.Find(ctx, text) },
		"find all": func(ctx context.Context) { many.FindAll(ctx, strings.Repeat("x", 10_000), -1) },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		began := time.Now()
		search(ctx)
		if took := time.Since(began); took < 250*time.Millisecond || took > 20*time.Second {
			t.Errorf("%s took %v, not 300 ms", name, took)
		}
		cancel()
	}
}

func TestLargeOnesAreRefused(t *testing.T) {
	if _, err := New(regexp.MustCompile(strings.Repeat(`(?:a|bc){900}`, 4))); err == nil || !strings.Contains(err.Error(), "more than 10000") {
		t.Errorf("%v, not that it is too large", err)
	}
}
