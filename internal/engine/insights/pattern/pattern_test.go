package pattern

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func count(messages ...string) []Pattern {
	m := New(Options{})
	for _, s := range messages {
		m.Add(s, 0, 1)
	}
	return m.Patterns()
}

func texts(patterns []Pattern) []string {
	list := make([]string, len(patterns))
	for i, p := range patterns {
		list[i] = fmt.Sprintf("%d %s", p.Count, p.Text)
	}
	return list
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []string
		want     []string
	}{
		{"names vary", []string{"user alice logged in", "user bob logged in", "user carol logged in"}, []string{"3 user <Token-1> logged in"}},
		{"what is one message's alone is no token, but for numbers and identifiers", []string{"took 15 ms for 123e4567-e89b-12d3-a456-426614174000"}, []string{"1 took <Number-1> ms for <UUID-2>"}},
		{"a number that is always the same is written out", []string{"worker alpha of 3 is up", "worker beta of 3 is up"}, []string{"2 worker <Token-1> of 3 is up"}},
		{"other words, another pattern", []string{"disk full on sda1", "request served in 12 ms"}, []string{"1 disk full on sda1", "1 request served in <Number-1> ms"}},
		{"the first word tells patterns apart", []string{"opened file a.txt now", "closed file a.txt now"}, []string{"1 closed file a.txt now", "1 opened file a.txt now"}},
		{"severities tell patterns apart", []string{"[ERROR] cannot connect to db", "[INFO] cannot connect to db"}, []string{"1 [ERROR] cannot connect to db", "1 [INFO] cannot connect to db"}},
		{"forms of dates, times and addresses",
			[]string{"2026-11-22T14:07:31.250Z 10.0.0.1 GET /index.html?a=1&b=2 12ms", "2026-11-22T14:07:32.250Z 10.0.0.2 GET /about.html?c=1 7ms"},
			[]string{"2 <Timestamp-1> <IP-2> GET <Path-3> <Number-4>"}},
		{"of Apache", []string{`1.2.3.4 - - [22/Nov/2026:14:07:31 +0000] "GET / HTTP/1.1" 200 5`, `1.2.3.5 - - [22/Nov/2026:14:07:32 +0000] "GET / HTTP/1.1" 200 77`},
			[]string{`2 <IP-1> - - [<Timestamp-2> +0000] "GET / HTTP/1.1" 200 <Number-3>`}},
		{"of klog", []string{`E1122 14:07:31.250123       1 reflector.go:205] "Failed to watch" err="timeout"`, `E1123 14:07:32.250123       1 reflector.go:205] "Failed to watch" err="closed"`},
			[]string{`2 E<Number-1> <Time-2>       1 reflector.go:205] "Failed to watch" err="<Token-3>"`}},
		{"of logrus", []string{`time="2026-11-23T19:00:00Z" level=info msg="access granted" arn="arn:aws:iam::1:role/R"`, `time="2026-11-23T19:00:01Z" level=info msg="access granted" arn="arn:aws:iam::1:role/S"`},
			[]string{`2 time="<Timestamp-1>" level=info msg="access granted" arn="<ARN-2>"`}},
		{"JSON keeps its keys", []string{`{"verb":"get","user":{"name":"alice"},"code":200,"ok":true,"e":""}`, `{"verb":"get","user":{"name":"bob"},"code":200,"ok":true,"e":""}`},
			[]string{`2 {"verb":"get","user":{"name":"<Token-1>"},"code":200,"ok":true,"e":""}`}},
		{"keys that are identifiers vary", []string{`{"by":{"123e4567-e89b-12d3-a456-426614174000":1}}`, `{"by":{"123e4567-e89b-12d3-a456-426614174001":1}}`},
			[]string{`2 {"by":{"<Token-1>":1}}`}},
		{"texts in JSON are cut as texts", []string{`{"level":"error","msg":"user alice logged in at 5"}`, `{"level":"error","msg":"user bob logged in at 6"}`, `{"level":"info","msg":"user bob logged in at 6"}`},
			[]string{`2 {"level":"error","msg":"user <Token-1> logged in at <Number-2>"}`, `1 {"level":"info","msg":"user bob logged in at <Number-1>"}`}},
		{"JSON in text", []string{`got {"id": 5, "n": "a"} done`, `got {"id": 6, "n": "a"} done`}, []string{`2 got {"id": <Number-1>, "n": "a"} done`}},
		{"JSON over lines", []string{"{\n  \"a\": 1\n}", "{\n  \"a\": 2\n}"}, []string{"2 {\n  \"a\": <Number-1>\n}"}},
		{"another shape of JSON is another pattern", []string{`{"a":"x"}`, `{"a":"x","b":"y"}`}, []string{`1 {"a":"x","b":"y"}`, `1 {"a":"x"}`}},
		{"cut off", []string{`{"a":"x`, `{"a":`, `{"a`, `{`, ``, `"`}, []string{"1 ", `1 "`, "1 {", `1 {"a`, `1 {"a":`, `1 {"a":"x`}},
		{"no UTF-8, and zeros", []string{"a\xffb \x00 c", "a\xffb \x00 d"}, []string{"1 a\ufffdb \ufffd c", "1 a\ufffdb \ufffd d"}},
	} {
		got := texts(count(c.messages...))
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestManyValuesVary(t *testing.T) {
	var messages []string
	for i := range 40 {
		messages = append(messages, fmt.Sprintf(`{"event":"login","user":"u%d"}`, i))
	}
	if got := texts(count(messages[:3]...)); len(got) != 3 {
		t.Errorf("three values of two are three patterns: %q", got)
	}
	got := count(append(messages, `{"event":"logout","user":"u1"}`)...)
	if want := []string{`40 {"event":"login","user":"<Token-1>"}`, `1 {"event":"logout","user":"<Token-1>"}`}; !slices.Equal(texts(got), want) {
		t.Errorf("%q, want %q", texts(got), want)
	}
	if got[0].Tokens[0].Values != nil {
		t.Error("of a place with many values none are told apart")
	}
}

func TestWhatAPatternSays(t *testing.T) {
	p := count(`a {"code":200,"user":"alice","app":"a","v":"b","w":"c"}`, `a {"code":200,"user":"bob","app":"a","v":"b","w":"c"}`, `a {"code":404,"user":"bob","app":"a","v":"b","w":"c"}`, `x`)[0]
	if p.Ratio != 0.75 || p.Severity != NoSeverity || len(p.ID) != 32 {
		t.Errorf("ratio %v, severity %v, ID %s", p.Ratio, p.Severity, p.ID)
	}
	want := `[{"dynamicTokenPosition":1,"isDynamic":true,"tokenString":"\u003cNumber-1\u003e","inferredTokenName":"Number","enumerations":{"200":2,"404":1}},` +
		`{"dynamicTokenPosition":2,"isDynamic":true,"tokenString":"\u003cToken-2\u003e","inferredTokenName":"Token","enumerations":{"alice":1,"bob":2}}]`
	if got := p.TokensJSON(); got != want {
		t.Errorf("tokens %s, want %s", got, want)
	}
}

func TestSeverities(t *testing.T) {
	for text, want := range map[string]Severity{
		"[ERROR] it failed":                       Error,
		"level=warning msg=x":                     Warning,
		`{"msg":"error","level":"info"}`:          Info,
		`{"error":"none here","code":5}`:          NoSeverity,
		"INFO error was mended":                   Info,
		"error=nil all is well":                   NoSeverity,
		"java.lang.Exception thrown FATAL":        Fatal,
		"E<Number-1> <Time-2> x":                  Error,
		"I<Number-1> <Time-2> x":                  Info,
		"<Number-1> DEBUG":                        Debug,
		"the trace of Trace":                      Trace,
		`{"kind":"Event","level":"Metadata"}`:     NoSeverity,
		`{"level":"Metadata","m":"Warning: old"}`: Warning,
	} {
		if got := severityIn(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestClasses(t *testing.T) {
	for s, want := range map[string]class{
		"word": word, "a-b_c.d": word, "v1.37.2": word, "1.37.2": word, "node1": word, "x:y": word, "@here": word, "12:3": word, "1.2.3.4.5": word, "1.2.3": word, "a/b": word,
		"15": number, "-5": number, "+1.5": number, "1e9": number, "1.5e-3": number, "15ms": number, "99%": number, "3.5GiB": number, "100µs": number,
		"10.0.0.1": address, "10.0.0.1:443": address, "10.0.0.0/8": address, "fe80::1": address, "2001:db8:0:0:0:0:0:1": address, "::1": address, "2001:db8::/32": address,
		"2026-11-22T14:07:31.250Z": timestamp, "2026-11-22T14:07:31+01:00": timestamp, "22/Nov/2026:14:07:31": timestamp, "2026/11/22-14:07": timestamp,
		"2026-11-22": dateOnly, "2026/11/22": dateOnly, "22/11/2026": dateOnly, "22/Nov/2026": dateOnly,
		"14:07": timeOnly, "14:07:31": timeOnly, "14:07:31.250": timeOnly,
		"123e4567-e89b-12d3-a456-426614174000": uuid,
		"0x1f":                                 hexadecimal, "deadbeef01": hexadecimal, "900150983cd24fb0d6963f7d28e17f72": hexadecimal,
		"AROAEXAMPLE1234567890": identifier,
		"https://a.b/c?d=1":     url, "s3://b/k": url, "/api/v1/pods?x=1": path, "/": path, "a@b.c": email, "u1@b.c": email, "arn:aws:iam::123456789012:role/R": arn,
	} {
		has := uint16(0)
		for i := range len(s) {
			has |= bytesAre[s[i]]
		}
		if got := classify(s, has); got != want {
			t.Errorf("%s is %s, want %s", s, names[got], names[want])
		}
	}
}

func TestExpressionsMatchTheirMessages(t *testing.T) {
	checkExpressions(t, auditEvents(150, 7))
}

func checkExpressions(t interface {
	Helper()
	Fatalf(string, ...any)
}, messages []string) {
	t.Helper()
	patterns := count(messages...)
	res := make([]*regexp.Regexp, len(patterns))
	total := int64(0)
	for i, p := range patterns {
		var err error
		if res[i], err = regexp.Compile(p.Regex); err != nil {
			t.Fatalf("%s: %v", p.Text, err)
		}
		total += p.Count
	}
	if total != int64(len(messages)) {
		t.Fatalf("%d messages are in patterns, want %d", total, len(messages))
	}
	for _, m := range messages {
		if !slices.ContainsFunc(res, func(re *regexp.Regexp) bool { return re.MatchString(m) }) {
			t.Fatalf("no expression matches %q:\n%s", m, strings.Join(texts(patterns), "\n"))
		}
	}
}

// Neither the order of messages nor who counted them matters.
func TestPatternsDoNotDependOnOrder(t *testing.T) {
	events := auditEvents(1500, 3)
	whole := count(events...)
	r := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		parts := []*Miner{New(Options{}), New(Options{}), New(Options{})}
		for i, e := range events {
			parts[i*i%3].Add(e, 0, 1)
		}
		parts[2].Merge(parts[0])
		parts[2].Merge(parts[1])
		if got := parts[2].Patterns(); !slices.Equal(texts(got), texts(whole)) {
			t.Fatalf("%d patterns, then %d:\n%s\nnot\n%s", len(whole), len(got), strings.Join(texts(got), "\n"), strings.Join(texts(whole), "\n"))
		} else if got[0].TokensJSON() != whole[0].TokensJSON() {
			t.Fatal("tokens differ")
		}
	}
}

func TestAnythingHasAPattern(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"user ", "alice ", "{\"a\":", "\"b c\"", "}", ",", "\x00", "\xff", "ERROR ", "1", "5 ", "2026-11-22", "::", "\\", "\"", "https://x", "[", " ", "\n", "/p?a=b"}),
		rapid.String(),
	)
	message := rapid.Map(rapid.SliceOfN(piece, 0, 8), func(s []string) string { return strings.Join(s, "") })
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.SliceOfN(message, 1, 30).Draw(t, "messages")
		checkExpressions(t, messages)
		back := slices.Clone(messages)
		slices.Reverse(back)
		if a, b := texts(count(messages...)), texts(count(back...)); !reflect.DeepEqual(a, b) {
			t.Fatalf("%q\nbackwards\n%q", a, b)
		}
	})
}

func TestHostileMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("a ", 1<<19)
	deep := strings.Repeat(`{"a":`, 1<<17)
	commas := strings.Repeat(",", 1<<20)
	checkExpressions(t, []string{long, deep, commas})
	for _, p := range count(long, deep, commas) {
		if len(p.Text) > 2*maxSkeleton || len(p.Tokens) > maxTokens {
			t.Errorf("a pattern of %d bytes, %d tokens", len(p.Text), len(p.Tokens))
		}
	}
	m := New(Options{})
	for i := range maxSkeletons + 500 {
		m.Add(`{"`+strings.Map(func(r rune) rune { return r - '0' + 'k' }, fmt.Sprint(i))+`":1}`, 0, 1)
	}
	if len(m.skeletons) > maxSkeletons+1 {
		t.Errorf("%d skeletons", len(m.skeletons))
	}
	patterns := m.Patterns()
	if patterns[0].Text != "<Token-1>" || patterns[0].Count < 400 {
		t.Errorf("beyond all bounds: %d %s", patterns[0].Count, patterns[0].Text)
	}
	other := New(Options{})
	other.Add(`{"another":"skeleton"}`, 0, 3)
	before := patterns[0].Count
	if m.Merge(other); m.Patterns()[0].Count != before+3 {
		t.Error("what is merged beyond all bounds is lost")
	}
	forms := New(Options{})
	for i := range 20_000 {
		forms.Add(fmt.Sprintf("x n%d n%d n%d n%d", i%10, i/10%10, i/100%10, i/1000), 0, 1)
	}
	for _, sk := range forms.skeletons {
		if len(sk.forms) > maxForms {
			t.Errorf("%d forms", len(sk.forms))
		}
	}
	checkTotal(t, forms, 20_000)
	checkTotal(t, m, int64(maxSkeletons+500+3))

	many := New(Options{})
	for i := range 3 * maxAllForms {
		many.Add(fmt.Sprintf("%s n%d m%d", strings.Map(func(r rune) rune { return r - '0' + 'k' }, fmt.Sprint(i/256)), i%16, i/16%16), 0, 1)
	}
	if n := 0; many.forms > maxAllForms+maxSkeletons*fewForms {
		t.Errorf("%d forms", many.forms)
	} else {
		for _, sk := range many.skeletons {
			n += len(sk.forms)
		}
		if n != many.forms {
			t.Errorf("%d forms, counted as %d", n, many.forms)
		}
	}
	checkTotal(t, many, 3*maxAllForms)

}

// checkTotal: no message is lost, and a miner's bytes are what it keeps.
func checkTotal(t *testing.T, m *Miner, want int64) {
	t.Helper()
	total := int64(0)
	for _, p := range m.Patterns() {
		total += p.Count
	}
	if total != want {
		t.Errorf("%d messages are in patterns, want %d", total, want)
	}
}

func TestBytesAreCounted(t *testing.T) {
	m, other := New(Options{}), New(Options{})
	for i, e := range auditEvents(3000, 4) {
		[]*Miner{m, other}[i%2].Add(e, 0, 1)
	}
	for range 2 {
		bytes, forms := 0, 0
		for text, sk := range m.skeletons {
			bytes += len(text)
			forms += len(sk.forms)
			for _, p := range sk.places {
				for _, v := range p.values {
					bytes += len(v)
				}
			}
		}
		if bytes != m.bytes || forms != m.forms {
			t.Errorf("%d bytes and %d forms are counted as %d and %d", bytes, forms, m.bytes, m.forms)
		}
		m.Merge(other)
		other = New(Options{})
	}
	full := New(Options{})
	full.Add("a b1", 0, 1)
	full.bytes = maxBytes + 1
	full.Add("a b2", 0, 1)
	if p := full.Patterns(); len(p) != 1 || p[0].Text != "a <Token-1>" || p[0].Count != 2 {
		t.Errorf("once there are too many bytes values vary: %v", texts(p))
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add(`{"a":"b c","d":[1,2]} x`, "user alice logged in")
	f.Add("E1122 14:07:31.250 1 a.go:1] x", "\x00\xff{\"")
	f.Fuzz(func(t *testing.T, a, b string) {
		checkExpressions(t, []string{a, b, a})
		for _, p := range count(a, b) {
			if !json.Valid([]byte(p.TokensJSON())) {
				t.Fatalf("%q: tokens %s", p.Text, p.TokensJSON())
			}
		}
	})
}

// TestManyMiners: together they hold what two do, however many there are.
func TestManyMiners(t *testing.T) {
	const miners, messages = 1000, 400
	whole := New(Options{})
	for k := range 3 {
		m := New(Options{Beside: miners})
		for i := range messages {
			word := strings.Map(func(r rune) rune { return r - '0' + 'k' }, fmt.Sprintf("%d%04d", k, i))
			m.Add(word+strings.Repeat(" a long text", 200), 0, 1)
		}
		if most := 2*maxBytes/miners + maxSkeleton; m.bytes > most {
			t.Errorf("one of %d miners holds %d bytes, its part is %d", miners, m.bytes, most)
		}
		whole.Merge(m)
	}
	checkTotal(t, whole, 3*messages)
}
