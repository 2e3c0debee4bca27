package logstore

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/engine/scan"
)

// messages makes messages of few words, so that patterns find some, written in the ways
// that JSON can be, or can't.
type messages struct{ *rand.Rand }

func (m messages) pick(of ...string) string { return of[m.IntN(len(of))] }

func (m messages) word() string {
	return m.pick("get", "list", "user1", "admin", "a b", "kube", "403", "7")
}

func (m messages) key() string {
	return m.pick("verb", "code", "user", "name", "a.b", "@x", "a", "b", "0", "odd key", "", "ve\\u0072b")
}

func (m messages) value(depth int) string {
	switch m.IntN(12) {
	case 0, 1, 2:
		return `"` + m.word() + `"`
	case 3:
		return `"` + m.pick(`\u0067et`, `us\u0065r1`, `a\/b`, `\ud800get`, "\xff", "tab\tget", `a\\b`, `\"get`, `get\n`, "é") + `"`
	case 4, 5:
		return m.pick("7", "403", "7.0", "-7", "4.03e2", "1e999", "0", "70", "12345678901234567890")
	case 6:
		return m.pick("true", "false", "null")
	case 7:
		if depth > 0 {
			var all []string
			for range m.IntN(4) {
				all = append(all, m.value(depth-1))
			}
			return "[" + strings.Join(all, ",") + "]"
		}
	case 8, 9:
		if depth > 0 {
			return m.object(depth - 1)
		}
	}
	return `"` + strconv.Itoa(m.IntN(3)) + `"`
}

func (m messages) object(depth int) string {
	var all []string
	for range m.IntN(5) {
		all = append(all, `"`+m.key()+`"`+m.pick(":", " : ")+m.value(depth))
	}
	return "{" + strings.Join(all, m.pick(",", ", ")) + "}"
}

func (m messages) message() string {
	switch m.IntN(12) {
	case 0:
		return m.word() + " " + m.word() + " " + m.word()
	case 1:
		return "[" + m.object(1) + "]"
	case 2: // more values than fields
		var many strings.Builder
		for i := range 250 {
			fmt.Fprintf(&many, `"k%d":%d,`, i, i)
		}
		return "{" + many.String() + `"verb":"` + m.word() + `","k3":403}`
	case 3:
		return m.object(2) + m.pick(" x", "}", "")
	case 4:
		return m.pick(" ", "\n") + m.object(1) + " "
	case 5, 6: // of a few templates
		return fmt.Sprintf(`{"verb":%q,"code":%d,"user":{"name":%q},"at":"2026-11-27T09:%02d:00Z"}`, m.word(), 400+m.IntN(5), m.word(), m.IntN(60))
	}
	return m.object(2)
}

func (m messages) selector() string {
	part := func() string {
		return m.pick(".verb", ".code", ".user", ".name", ".a", ".b", "['a.b']", "['@x']", "['odd key']", "[0]", "[1]", "[*]", ".k3", ".k240")
	}
	s := "$" + part()
	for range m.IntN(3) {
		s += part()
	}
	return s
}

func (m messages) condition(depth int) string {
	switch m.IntN(8) {
	case 0, 1:
		if depth > 0 {
			return m.condition(depth-1) + m.pick(" && ", " || ") + m.condition(depth-1)
		}
	case 2:
		if depth > 0 {
			return "(" + m.condition(depth-1) + ")"
		}
	case 3:
		return m.selector() + m.pick(" IS NULL", " NOT EXISTS", " IS TRUE", " IS FALSE")
	case 4:
		return m.selector() + m.pick(" > ", " >= ", " < ", " <= ") + m.pick("7", "402", "-1", "403.0")
	}
	return m.selector() + m.pick(" = ", " = ", " != ") + m.pick("get", "user1", `"a b"`, "403", "7", "4*", "*in", "*", "true", "a/b", `"403"`, "%^g%", "%us[e]r%", "*e*")
}

func (m messages) term() string {
	return m.pick("", "", "?", "?", "-") + m.pick("get", "user1", `"a b"`, "403", `"\"verb\":"`, "%get%", "%us.r1%", "%4\\d3%", `"k240"`, `"\": \"get\""`, `","`, "nothing")
}

func (m messages) pattern() string {
	switch m.IntN(5) {
	case 0, 1:
		var all []string
		for range 1 + m.IntN(3) {
			all = append(all, m.term())
		}
		return strings.Join(all, " ")
	case 2:
		return m.pick("[a, b = get, ...]", "[a = user1 || a = get, ...]", "[..., c = 403]", "[a = %get%, b, c]", "[a=kube && a!=x, ..., c=*1 || c = 7]")
	}
	return "{ " + m.condition(2) + " }"
}

// TestPatternsPushedDown compares what patterns find of what a group may leave out with what
// they find of all events. PATTERNS is how many.
func TestPatternsPushedDown(t *testing.T) {
	patterns, err := strconv.Atoi(os.Getenv("PATTERNS"))
	if err != nil {
		patterns = 150
	}
	seed := uint64(1)
	if patterns > 150 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	m := messages{rand.New(rand.NewPCG(seed, 1))}
	g := group(t, openStore(t, t.TempDir(), Options{}), "g")
	const count = 6000
	at := int64(1_700_000_000_000)
	for n := range 30 {
		var batch []Event
		for range count / 30 {
			at += int64(m.IntN(20) - 5)
			batch = append(batch, Event{Time: at, Ingested: at, Message: m.message()})
		}
		put(t, g, m.pick("s", "t", "u"), batch...)
		if n%5 == 4 && n < 25 { // what comes then stays in the tail
			settle(t, g)
		}
	}
	if err := g.DeleteStream("u"); err != nil {
		t.Fatal(err)
	}
	put(t, g, "u", Event{Time: at, Message: `{"verb":"get"}`})
	events := everything(t, g, Query{})
	tried, looked, left, found := 0, 0, 0, 0
	for tried < patterns {
		text := m.pattern()
		p, err := filter.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		tried++
		q := Query{From: Place{math.MinInt64, math.MinInt64}, To: Place{math.MaxInt64, math.MaxInt64}, Backward: m.IntN(3) == 0}
		if m.IntN(3) == 0 {
			q.From = Place{events[m.IntN(len(events))].Time, int64(m.IntN(count))}
		}
		if m.IntN(3) == 0 {
			q.Streams = []string{m.pick("s", "t", "u")}
		}
		all, read := 0, 0
		want := matching(t, g, q, p, &all)
		q.May = p.May()
		got := matching(t, g, q, p, &read)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %d events instead of %d\n%s", text, len(got), len(want), strings.Join(firstDifference(got, want), "\n"))
		}
		if q.May != nil {
			looked, left, found = looked+all, left+all-read, found+len(got)
		}
	}
	t.Logf("%d patterns, %d events found; %d of %d were left out where patterns say what to look for", tried, found, left, looked)
	if left == 0 || found == 0 {
		t.Error("nothing was left out, or found")
	}
}

func matching(t *testing.T, g *Group, q Query, p *filter.Pattern, read *int) (all []string) {
	t.Helper()
	for e, err := range g.Read(q) {
		if err != nil {
			t.Fatal(err)
		}
		*read++
		if p.Match(e.Message) {
			all = append(all, fmt.Sprint(e.Sequence, " ", e.Stream, " ", e.Message))
		}
	}
	return all
}

func firstDifference(got, want []string) []string {
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			return []string{want[i]}
		}
	}
	return got[len(want):]
}

// TestPassed: whoever reads learns how far it is, and goes on from there.
func TestPassed(t *testing.T) {
	g := group(t, openStore(t, t.TempDir(), Options{}), "g")
	for n := range 20 {
		events := numberedEvents(n*100, 100)
		if n == 10 {
			events[50].Message = `{"verb":"list"}`
		}
		put(t, g, "s", events...)
		if err := g.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, g)
	may := [][]scan.Predicate{{{Field: "verb", Match: func(v scan.Value) bool { return v.Text == "list" }}}}
	for _, backward := range []bool{false, true} {
		q := Query{From: Place{math.MinInt64, 0}, To: Place{math.MaxInt64, 0}, Backward: backward, May: may}
		found, calls := 0, 0
		for stopped := true; stopped && calls < 100; calls++ {
			stopped = false
			q.Passed = func(next Place) bool {
				stopped = true
				if backward {
					q.To = Place{next.Time, next.Sequence + 1}
				} else {
					q.From = next
				}
				return false
			}
			for e, err := range g.Read(q) {
				if err != nil || e.Message != `{"verb":"list"}` {
					t.Fatal(e, err)
				}
				found++
			}
		}
		if found != 1 || calls < 2 || calls == 100 {
			t.Errorf("backward %t: found %d times in %d calls", backward, found, calls)
		}
	}
}

// TestMayWithDamage: of a damaged segment, what reading all finds is found.
func TestMayWithDamage(t *testing.T) {
	m := messages{rand.New(rand.NewPCG(3, 1))}
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "g")
	var batch []Event
	for n := range 3000 {
		batch = append(batch, Event{Time: 1_700_000_000_000 + int64(n), Message: m.message()})
	}
	put(t, g, "s", batch...)
	settle(t, g)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.segment"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := filter.Parse(`{ $.user.name = "user1" || $.verb = "get" }`)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for range 25 {
		data := slices.Clone(whole)
		data[m.IntN(len(data))] ^= 1 << m.IntN(8)
		if err := os.WriteFile(files[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir, Options{})
		g := group(t, s, "g")
		look := func(may [][]scan.Predicate) (all []string, failures int) {
			for e, err := range g.Read(Query{To: Place{math.MaxInt64, 0}, May: may}) {
				if err != nil {
					failures++
				} else if p.Match(e.Message) {
					all = append(all, fmt.Sprint(e.Sequence, e.Message))
				}
			}
			return all, failures
		}
		want, failures := look(nil)
		if got, _ := look(p.May()); !slices.Equal(got, want) {
			t.Fatalf("%d events instead of %d", len(got), len(want))
		}
		damaged += min(failures, 1)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if damaged == 0 {
		t.Error("no damage was met")
	}
}
