package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestScan compares with trying each place, on texts in which long segments are
// nearly found again and again.
func TestScan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	letters := []string{"a", "a", "a", "b", "é", "日", "\xc3", "\xa9", "😀"}
	found := 0
	for range 20_000 {
		var pattern, text strings.Builder
		for range 1 + r.IntN(100) {
			letter := letters[r.IntN(4+r.IntN(len(letters)-3))]
			text.WriteString(letter)
			if r.IntN(3) == 0 || letter[0] >= 0x80 && len(letter) == 1 {
				letter = "?"
			}
			pattern.WriteString(letter)
		}
		s := segment{pieces: joined(wildPieces(nil, pattern.String()))}
		in := strings.Repeat("a", r.IntN(5)) + text.String()[r.IntN(3)%text.Len():] + strings.Repeat("aé", r.IntN(3)) + text.String() + "ab"
		wantEnd, want := s.findByPlace(in, false, nil)
		gotEnd, got := newScan(s.pieces, nil).find(in)
		if got != want || got && gotEnd != wantEnd {
			t.Fatalf("%q in %q: %d, %v; place by place %d, %v", pattern.String(), in, gotEnd, got, wantEnd, want)
		}
		if got {
			found++
		}
	}
	if found < 5000 || found > 19_900 {
		t.Errorf("%d of 20,000 found: one-sided", found)
	}
}

func TestScanWithVariables(t *testing.T) {
	p := compileTemplate("x*?a?a${aws:username}?a?a?a?c*y", true, true)
	for text, want := range map[string]bool{
		"x" + "1a2abob3a4a5a6c" + "y":          true,
		"xxx" + "1a2abob3a4a5a6c" + "zzy":      true,
		"x" + "1a2abo3a4a5a6c" + "y":           false,
		"x" + "1a1a2abob1a2abob3a4a5a6cy":      true,
		"x" + "éa日abob😀a4a5a6c" + "y":          true,
		"x" + "1a2a" + "bob" + "3a4a5a6" + "y": false,
	} {
		if got := p.matches(&Request{Keys: benchKeys{}}, text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestScanOfNothing has variables that are there and empty.
func TestScanOfNothing(t *testing.T) {
	p := compileTemplate("x*"+strings.Repeat("${aws:none, ''}", 10)+"*y", true, true)
	if !p.matches(&Request{}, "xy") || p.matches(&Request{}, "xz") {
		t.Error("nothing is not found")
	}
}

// TestScanCost wants a segment as long as a policy may be, all but found at every
// place of a long text, to be quick.
func TestScanCost(t *testing.T) {
	for _, variable := range []string{"", "${aws:username}"} {
		p := compileTemplate("*"+strings.Repeat("?a", 3000)+variable+"b*", true, true)
		start := time.Now()
		if p.matches(&Request{Keys: benchKeys{}}, strings.Repeat("a", 100_000)) {
			t.Error("matched")
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("took %v", d)
		}
	}
}
