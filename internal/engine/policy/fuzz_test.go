package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Seeds that go test alone tries; go test -fuzz goes on from there.
const randomSeeds = 3000

// TestAgainstReference holds thousands of random decisions against the naive
// evaluator.
func TestAgainstReference(t *testing.T) {
	counts := map[string]int{}
	for seed := range uint64(randomSeeds) {
		counts[compareWithReference(t, seed)]++
	}
	t.Logf("%v", counts)
	for _, outcome := range []string{"allowed", "explicit", "implicit"} {
		if counts[outcome] < randomSeeds/20 {
			t.Errorf("only %d decisions of %d are %s: the generator is lopsided", counts[outcome], randomSeeds, outcome)
		}
	}
}

func FuzzDecision(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { compareWithReference(t, seed) })
}

func compareWithReference(t *testing.T, seed uint64) string {
	t.Helper()
	r := newRandom(seed)
	a := r.applied()
	q := r.request()
	d := policy.Decide(a, &q.Request)
	allowed, explicit := refDecide(a, q)
	if d.Allowed != allowed || d.Explicit != explicit {
		t.Errorf("seed %d: allowed %v, explicit %v; the reference says %v, %v\n%s", seed, d.Allowed, d.Explicit, allowed, explicit, told(a, q))
	}
	checkDecision(t, seed, a, q, d)
	switch {
	case allowed:
		return "allowed"
	case explicit:
		return "explicit"
	}
	return "implicit"
}

// checkDecision wants the statement that is named to have decided, and the
// explanation to say the same.
func checkDecision(t *testing.T, seed uint64, a *policy.Applied, q *refRequest, d policy.Decision) {
	t.Helper()
	if p := d.Source.Policy; p != nil {
		s := &p.Document().Statements[d.Statement]
		if (s.Effect == policy.Deny) != d.Explicit || refMatch(p.Document(), s, q, (d.Layer == policy.ResourceLayer || d.Layer == policy.TrustLayer) && a.Boundary != nil) == refUnnamed {
			t.Errorf("seed %d: statement %d of %s did not decide\n%s", seed, d.Statement, p.Document().Text, told(a, q))
		}
	} else if d.Explicit {
		t.Errorf("seed %d: no statement is named for an explicit deny", seed)
	}
	e := policy.Explain(a, &q.Request)
	if e.Decision != d {
		t.Errorf("seed %d: Explain decides %+v, Decide %+v", seed, e.Decision, d)
	}
	denies := false
	for _, l := range e.Layers {
		denies = denies || l.Denies
		for i := range l.Statements {
			s := &l.Statements[i]
			bounded := a.Boundary != nil && (l.Layer == policy.ResourceLayer || l.Layer == policy.TrustLayer)
			if want := refMatch(s.Source.Policy.Document(), s.Parsed(), q, bounded) != refUnnamed; s.Matched() != want {
				t.Errorf("seed %d: layer %s, statement %d of %s: matched %v, the reference says %v\n%s",
					seed, l.Layer, s.Statement, s.Source.Policy.Document().Text, s.Matched(), want, told(a, q))
			}
		}
	}
	if denies != d.Explicit {
		t.Errorf("seed %d: a layer denies: %v; explicit: %v", seed, denies, d.Explicit)
	}
}

// told shows a failing case.
func told(a *policy.Applied, q *refRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n%v\nboth %v cross %v\n", q.Request, q.keys, a.Both, a.CrossAccount)
	show := func(name string, p *policy.Program) {
		if p == nil {
			return
		}
		fmt.Fprintf(&b, "%s:\n", name)
		for _, s := range p.Sources() {
			fmt.Fprintf(&b, "  %s\n", s.Policy.Document().Text)
		}
	}
	show("identity", a.Identity)
	show("boundary", a.Boundary)
	show("session", a.Session)
	show("resource", a.Resource)
	show("endpoint", a.Endpoint)
	for _, p := range a.SCP {
		show("scp", p)
	}
	for _, p := range a.RCP {
		show("rcp", p)
	}
	return b.String()
}

// TestMonotone tries the same requests with more policies: a deny never allows,
// an allow never denies, a limit never allows.
func TestMonotone(t *testing.T) {
	for seed := range uint64(randomSeeds / 2) {
		checkMonotone(t, seed)
	}
}

func FuzzMonotone(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkMonotone(t, seed) })
}

func checkMonotone(t *testing.T, seed uint64) {
	t.Helper()
	r := newRandom(seed)
	a := r.applied()
	q := r.request()
	before := policy.Decide(a, &q.Request)
	layers := []struct {
		program func(*policy.Applied) **policy.Program
		kind    policy.Kind
	}{
		{func(a *policy.Applied) **policy.Program { return &a.Identity }, policy.Inline},
		{func(a *policy.Applied) **policy.Program { return &a.Boundary }, policy.Inline},
		{func(a *policy.Applied) **policy.Program { return &a.Session }, policy.Session},
		{func(a *policy.Applied) **policy.Program { return &a.Resource }, policy.Resource},
		{func(a *policy.Applied) **policy.Program { return &a.Endpoint }, policy.Resource},
	}
	for i, l := range layers {
		for _, effect := range []string{"Deny", "Allow"} {
			more := *a
			p := l.program(&more)
			if *p == nil && effect == "Allow" && l.kind != policy.Resource && i > 0 {
				continue // a limit that was not there
			}
			if i == 4 && *p == nil {
				continue
			}
			if i == 2 && *p == nil {
				continue // a federated user's session has rights only when one is there
			}
			*p = policy.NewProgram(append(append([]policy.Source{}, (*p).Sources()...), r.single(l.kind, effect))...)
			after := policy.Decide(&more, &q.Request)
			if effect == "Deny" && after.Allowed && !before.Allowed || effect == "Allow" && before.Allowed && !after.Allowed {
				t.Errorf("seed %d: one more %s in layer %d: allowed %v became %v\nbefore:\n%safter:\n%s", seed, effect, i, before.Allowed, after.Allowed, told(a, q), told(&more, q))
			}
		}
	}
	limits := map[string]func(*policy.Applied){
		"boundary": func(a *policy.Applied) {
			if a.Boundary == nil {
				a.Boundary = r.program(policy.Inline, 2)
			}
		},
		"scp":      func(a *policy.Applied) { a.SCP = append(a.SCP[:len(a.SCP):len(a.SCP)], r.program(policy.Inline, 2)) },
		"rcp":      func(a *policy.Applied) { a.RCP = append(a.RCP[:len(a.RCP):len(a.RCP)], r.program(policy.Resource, 2)) },
		"endpoint": func(a *policy.Applied) { a.Endpoint = limit(a.Endpoint, r.program(policy.Resource, 2)) },
		"session": func(a *policy.Applied) {
			if q.Caller.Kind != policy.FederatedCaller {
				a.Session = limit(a.Session, r.program(policy.Session, 2))
			}
		},
		"both":  func(a *policy.Applied) { a.Both = true },
		"cross": func(a *policy.Applied) { a.CrossAccount = true },
	}
	for name, add := range limits {
		more := *a
		add(&more)
		if after := policy.Decide(&more, &q.Request); after.Allowed && !before.Allowed {
			t.Errorf("seed %d: one more limit (%s) allows\nbefore:\n%safter:\n%s", seed, name, told(a, q), told(&more, q))
		}
	}
}

// limit is the program that there is, or else the new one.
func limit(p, fresh *policy.Program) *policy.Program {
	if p != nil {
		return p
	}
	return fresh
}

// FuzzWildcards holds the matcher against the naive one, by way of the three
// places in which patterns stand: values, ARNs and actions.
func FuzzWildcards(f *testing.F) {
	for _, p := range []string{"*", "a*b", "a?c", "**a*?", "*a*a*a*b", "é?", "a:*:b", "", "arn:aws:*:*:*:a*b?:c"} {
		f.Add(p, "aXbab")
		f.Add(p, "arn:aws:s3:::aXb1:c")
	}
	f.Fuzz(compareWildcards)
}

// TestWildcards tries random patterns over few letters, on texts of the same.
func TestWildcards(t *testing.T) {
	for seed := range uint64(randomSeeds) {
		r := newRandom(seed)
		word := func(letters string, most int) string {
			var b strings.Builder
			list := []rune(letters)
			for range r.IntN(most + 1) {
				b.WriteRune(list[r.IntN(len(list))])
			}
			return b.String()
		}
		compareWildcards(t, word("aAb*?:é", 10), word("aAb:é*", 14))
		compareWildcards(t, "arn:"+word("ab*?:", 14), "arn:"+word("ab:", 14))
	}
}

func compareWildcards(t *testing.T, pattern, text string) {
	if !utf8.ValidString(pattern) || !utf8.ValidString(text) || len(pattern) > 60 || len(text) > 200 {
		return
	}
	quoted, err := json.Marshal(pattern)
	if err != nil || strings.ContainsRune(pattern+text, utf8.RuneError) {
		return
	}
	for _, operator := range []string{"StringLike", "ArnLike"} {
		doc := fmt.Sprintf(`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s:a","Resource":"*","Condition":{%q:{"aws:K":%s}}}}`, operator, quoted)
		got := decide(t, doc, policy.Request{Keys: keys{"aws:K": {text}}})
		want := refGlob(refTokens(pattern), text)
		if operator == "ArnLike" {
			want = refARN(refTokens(pattern), text)
		}
		if got != want {
			t.Errorf("%s %q on %q = %v", operator, pattern, text, got)
		}
	}
	if strings.ContainsAny(pattern, ":") || text == "" {
		return
	}
	quoted, _ = json.Marshal("s:" + pattern)
	doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%s,"Resource":"*"}}`, quoted)
	if got, want := decide(t, doc, policy.Request{Action: "S:" + text}), refGlob(refTokens(lowerASCII(pattern)), lowerASCII(text)); got != want {
		t.Errorf("action %q on %q = %v", pattern, text, got)
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}

// FuzzDocument wants of every text: no panic; an error with AWS's text and a place
// inside; or else a tree whose spans hold what they say, of a size that is that of
// the text without white space, and the same tree from that text.
func FuzzDocument(f *testing.F) {
	for seed := range uint64(20) {
		r := newRandom(seed)
		f.Add(r.document(policy.Inline, r.statement(policy.Inline, "Allow")), uint8(policy.Inline))
		f.Add(r.document(policy.Resource, r.statement(policy.Resource, "Deny")), uint8(policy.Resource))
		f.Add(r.document(policy.Trust, r.statement(policy.Trust, "Allow")), uint8(policy.Trust))
	}
	f.Add(`{"Statement":[{"Effect":"Allow","Action":null}]}`, uint8(policy.Trust))
	f.Add("{\"Statement\":[\n{\"Sid\":\"\\ud83d\\ude00\",\"Effect\":\"allow\"}]}", uint8(policy.Managed))
	f.Fuzz(func(t *testing.T, text string, kind uint8) { checkDocument(t, policy.Kind(kind%5), text) })
}

// TestBrokenDocuments breaks good documents at random.
func TestBrokenDocuments(t *testing.T) {
	for seed := range uint64(randomSeeds) {
		r := newRandom(seed)
		kind := policy.Kind(r.IntN(5))
		text := []byte(r.document(kind, r.statement(kind, r.of("Allow", "Deny")), r.statement(kind, "Deny")))
		for range r.IntN(4) {
			i := r.IntN(len(text))
			switch r.IntN(3) {
			case 0:
				text[i] = r.of("{", "}", "[", "]", `"`, ",", ":", "\n", "x", "\\", "0")[0]
			case 1:
				text = append(text[:i:i], text[i+1:]...)
			default:
				text = append(text[:i:i], append([]byte(r.of("null", " ", "\n", `"a"`, "[]", "é", "{}")), text[i:]...)...)
			}
		}
		checkDocument(t, kind, string(text))
	}
}

func checkDocument(t *testing.T, kind policy.Kind, text string) {
	t.Helper()
	doc, err := policy.Parse(kind, text)
	var refused *policy.Error
	if errors.As(err, &refused) {
		lines := strings.Split(text, "\n")
		if refused.Message == "" || refused.Line < 1 || refused.Line > len(lines) || refused.Column < 1 || refused.Column > len([]rune(lines[refused.Line-1]))+1 {
			t.Errorf("%q: error %+v lies outside", text, refused)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q: error of another kind: %v", text, err)
	}
	spanned := func(v policy.Text) {
		var value any
		if v.Start < 0 || v.End > len(text) || v.Start >= v.End || json.Unmarshal([]byte(text[v.Start:v.End]), &value) != nil {
			t.Errorf("%q: span %v is not a value", text, v.Span)
		} else if s, ok := value.(string); ok && s != v.Value {
			t.Errorf("%q: span %v has %q, the tree %q", text, v.Span, s, v.Value)
		}
	}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if text[s.Start] != '{' || text[s.End-1] != '}' {
			t.Errorf("%q: statement's span %v", text, s.Span)
		}
		for _, list := range [][]policy.Text{s.Actions, s.Resources} {
			for _, v := range list {
				spanned(v)
			}
		}
		for _, p := range s.Principals {
			spanned(p.Text)
		}
		for _, c := range s.Conditions {
			for _, v := range c.Values {
				spanned(v)
			}
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		t.Fatalf("%q was taken, though %v", text, err)
	}
	if size := policy.Size(text); size != compact.Len() {
		t.Errorf("%q: size %d, compact %d", text, size, compact.Len())
	}
	if again, err := policy.Parse(kind, compact.String()); err != nil || len(again.Statements) != len(doc.Statements) {
		t.Errorf("%q: without white space it reads otherwise: %v", text, err)
	}
	policy.Compile(doc)
}
