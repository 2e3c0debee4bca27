package filter

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func FuzzParse(f *testing.F) {
	for _, p := range []string{"a ?b -c", `"x y" %a.b%`, `{ $.a.b[0]['c'] >= 1e3 || ($.x IS NULL && $.y[*] != "*a") }`, `[a, b=4*, ..., n>100 && n!=403, w=ERROR||w=WARN]`} {
		f.Add(p, event)
		f.Add(p, apache)
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		p, err := Parse(pattern)
		if err != nil {
			if e := err.(*Error); e.At < 0 || e.At > len(pattern) {
				t.Fatalf("%q: position %d", pattern, e.At)
			}
			return
		}
		// What is passed by without being read must not match when it is read.
		read := *p
		read.need = nil
		if j, ok := p.form.(*jsonForm); ok {
			plain := *j
			plain.need = nil
			read.form = &plain
		}
		if got, want := p.Match(message), read.Match(message); got != want {
			t.Fatalf("%q on %q: %t, read %t", pattern, message, got, want)
		}
		if strings.HasPrefix(strings.TrimLeft(pattern, " \t\n\r"), "{") && p.Match(message) && !strings.ContainsAny(message, "\\") && !roughlyJSON(message) {
			t.Fatalf("%q matches %q, which is no JSON", pattern, message)
		}
		p.Extract(message)
	})
}

// roughlyJSON is encoding/json's opinion, control characters within texts aside.
func roughlyJSON(message string) bool {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' && !isSpace(byte(r)) {
			return 'x'
		}
		return r
	}, message)
	return json.Valid([]byte(clean)) || json.Valid([]byte(strings.Map(func(r rune) rune {
		if r < ' ' {
			return 'x'
		}
		return r
	}, message))) || strings.ContainsAny(message, "\n\r\t")
}

// JSON patterns agree with a slow reading of the documentation, on encoding/json.
func TestAgreesWithReference(t *testing.T) {
	keys := []string{"a", "b", "c"}
	scalar := rapid.SampledFrom([]any{nil, true, false, "x", "xy", "yx", "7", "a/b", "é\"\\\n", 7.0, -7.5, 70.0, 0.0, 1e21})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return scalar
		}
		return rapid.Custom(func(t *rapid.T) any {
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				m := map[string]any{}
				for _, k := range keys {
					if rapid.Bool().Draw(t, k) {
						m[k] = value(depth-1).Draw(t, "member")
					}
				}
				return m
			case 1:
				return append([]any{}, rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "elements")...)
			}
			return scalar.Draw(t, "scalar")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := map[string]any{}
		for _, k := range keys {
			doc[k] = value(2).Draw(t, "value")
		}
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		message := string(data)
		if rapid.Bool().Draw(t, "escaped") {
			message = strings.NewReplacer("x", `\u0078`, "/", `\/`).Replace(message)
		}
		c := randomCondition(t, 2)
		pattern := "{ " + c.text + " }"
		p, err := Parse(pattern)
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		if got, want := p.Match(message), c.holds(doc); got != want {
			t.Fatalf("%s on %s: %t, want %t", pattern, message, got, want)
		}
	})
}

type condition struct {
	text  string
	holds func(doc any) bool
}

func randomCondition(t *rapid.T, depth int) condition {
	if depth > 0 && rapid.Bool().Draw(t, "joined") {
		l, r := randomCondition(t, depth-1), randomCondition(t, depth-1)
		if rapid.Bool().Draw(t, "and") {
			return condition{"(" + l.text + ") && (" + r.text + ")", func(d any) bool { return l.holds(d) && r.holds(d) }}
		}
		return condition{"(" + l.text + " || " + r.text + ")", func(d any) bool { return l.holds(d) || r.holds(d) }}
	}
	selector := "$." + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key") + rapid.SampledFrom([]string{"", ".a", "[0]", ".a.b", "[1].a", "[*]", "[*].a", "[0][0]"}).Draw(t, "rest")
	if w := rapid.SampledFrom([]string{"", "", "", "IS NULL", "NOT EXISTS", "IS TRUE", "IS FALSE"}).Draw(t, "word"); w != "" {
		return condition{selector + " " + w, func(d any) bool { return slowWord(w, slowSelect(d, selector)) }}
	}
	sign := rapid.SampledFrom([]string{"=", "!=", "<", "<=", ">", ">="}).Draw(t, "sign")
	values := []string{"7", "-7.5", "70", "0", "1e21"}
	if sign == "=" || sign == "!=" {
		values = append(values, "x", `"x"`, "x*", "*x", `"*"`, `"7"`, "true", `"a/b"`, "7*")
	}
	v := rapid.SampledFrom(values).Draw(t, "value")
	return condition{selector + " " + sign + " " + v, func(d any) bool {
		all := slowSelect(d, selector)
		if len(all) == 0 {
			return sign == "!="
		}
		for _, one := range all {
			if slowCompare(one, sign, v) {
				return true
			}
		}
		return false
	}}
}

func slowSelect(d any, selector string) []any {
	found := []any{d}
	for _, step := range strings.FieldsFunc(strings.TrimPrefix(selector, "$"), func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		var next []any
		for _, v := range found {
			switch v := v.(type) {
			case map[string]any:
				if child, ok := v[step]; ok {
					next = append(next, child)
				}
			case []any:
				for i, child := range v {
					if step == "*" || step == strconv.Itoa(i) {
						next = append(next, child)
					}
				}
			}
		}
		found = next
	}
	return found
}

func slowWord(word string, all []any) bool {
	if word == "NOT EXISTS" {
		return len(all) == 0
	}
	for _, v := range all {
		if word == "IS NULL" && v == nil || word == "IS TRUE" && v == true || word == "IS FALSE" && v == false {
			return true
		}
	}
	return false
}

func slowCompare(v any, sign, want string) bool {
	quoted := strings.HasPrefix(want, `"`)
	want = strings.Trim(want, `"`)
	var text string
	switch v := v.(type) {
	case nil:
		return sign == "!="
	case map[string]any, []any:
		return false
	case bool:
		text = strconv.FormatBool(v)
	case string:
		text = v
	case float64:
		if n, err := strconv.ParseFloat(want, 64); err == nil && !quoted {
			return map[string]bool{"=": v == n, "!=": v != n, "<": v < n, "<=": v <= n, ">": v > n, ">=": v >= n}[sign]
		}
		data, _ := json.Marshal(v)
		text = string(data)
	}
	core := strings.Trim(want, "*")
	is := text == want
	switch {
	case want == "*":
		is = true
	case strings.HasPrefix(want, "*"):
		is = strings.HasSuffix(text, core)
	case strings.HasSuffix(want, "*"):
		is = strings.HasPrefix(text, core)
	}
	return sign == "=" && is || sign == "!=" && !is
}

var auditEvent = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"0ef1b1a0-5d24-4b9c-8a52-5b6c7a3f0a11","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods","verb":"create","user":{"username":"kubernetes-admin","groups":["system:masters","system:authenticated"]},"sourceIPs":["10.0.1.2"],"userAgent":"kubectl","objectRef":{"resource":"pods","namespace":"default","name":"p","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{` +
	strings.Repeat(`"k":{"a":"some text of a pod \"quoted\"","b":[1,2,3,{"x":null}],"c":true},`, 12) + `"z":1},"annotations":{"authorization.k8s.io/decision":"allow"}}`

func BenchmarkMatch(b *testing.B) {
	for name, pattern := range map[string]string{
		"miss":    `{ $.user.username = "user1" && $.objectRef.resource = secrets }`,
		"read":    `{ $.responseStatus.code >= 400 }`,
		"hit":     `{ $.user.username = "kubernetes-admin" && $.verb = create }`,
		"terms":   `forbidden user1`,
		"columns": `[..., w = %x%]`,
	} {
		p, err := Parse(pattern)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(auditEvent)))
			b.ReportAllocs()
			for b.Loop() {
				p.Match(auditEvent)
			}
		})
	}
}
