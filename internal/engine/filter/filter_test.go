package filter

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const apache = `127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`

const event = `{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another value"],` +
	`"objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"ThisFlag":true,"code":403,"text":"401","ratio":-2.5e-1,` +
	`"odd key":{"a/b":"x"},"esc":"tab\tquote\" uni\u0041","user":{"name":"A","name":"B"},"Ev*ent":"Ev*ent"}`

// Each line is a pattern, a message and whether it matches.
func TestMatching(t *testing.T) {
	for _, test := range []struct {
		pattern, message string
		want             bool
	}{
		// Everything.
		{"", "anything", true}, {"  ", "", true}, {`""`, "x", true},
		// Terms.
		{"ERROR", "[ERROR 400] BAD REQUEST", true}, {"ERROR", "[error 400]", false}, {"ERROR", "ERRORCODE: -1", true},
		{"ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true}, {"ERROR ARGUMENTS", "[ERROR 420] INVALID", false},
		{"?ERROR ?WARN", "WARN 1", true}, {"?ERROR ?WARN", "INFO", false},
		{"?ERROR ?WARN INFO", "INFO", true}, // beside others the optional ones don't count
		{"?ERROR -WARN", "INFO", true}, {"ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false}, {"ERROR -ARGUMENTS", "[ERROR 400] BAD", true},
		{`"INTERNAL SERVER ERROR"`, "[ERROR 500] INTERNAL SERVER ERROR", true}, {`"INTERNAL SERVER ERROR"`, "INTERNAL  SERVER ERROR", false},
		{`-"a b" x`, "x a b", false}, {`?"a.b" ?"c.d"`, "..c.d..", true}, {`"say \"hi\""`, `they say "hi" back`, true}, {`"a\\b"`, `a\b`, true},
		{`"{"`, `{"a":1}`, true},
		// Regular expressions.
		{`%AUTHORIZED%`, "UNAUTHORIZED REQUEST", true}, {`%^ERROR%`, "an ERROR", false}, {`%5[0-9]{2}$%`, "status 503", true}, {`%\d{3}\s\w+%`, "404 Not", true},
		{`%10\.10\.0\.1%`, "10-10-0-1", false}, {`%\x41b%`, "Ab", true}, {`x -%b+%`, "xbb", false}, {`%a|b% c`, "bc", true},
		// JSON: texts.
		{`{ $.eventType = "UpdateTrail" }`, event, true}, {`{$.eventType=UpdateTrail}`, event, true}, {`{ $.eventType = "updatetrail" }`, event, false},
		{`{ $.eventType = "Update*" }`, event, true}, {`{ $.eventType = *Trail }`, event, true}, {`{ $.eventType = *dateT* }`, event, true},
		{`{ $.eventType = "*" }`, event, true}, {`{ $.nothing = "*" }`, event, false}, {`{ $.eventType = Up*ail }`, event, false},
		{`{ $.sourceIPAddress != 123.123.* }`, event, true}, {`{ $.sourceIPAddress != 111.111.* }`, event, false},
		{`{ $.esc = "tab*uniA" }`, event, false}, {`{ $.esc = "*uniA" }`, event, true}, {`{ $.esc = "*quote\"*" }`, event, true},
		{`{ $.['Ev*ent'] = "x" }`, event, false}, {`{ $['odd key']['a/b'] = x }`, event, true}, {`{ $["odd key"]["a/b"] = x }`, event, true},
		{`{ $.user.name = B }`, event, true}, {`{ $.user.name = A }`, event, false}, // of two equal keys the last counts
		// Numbers.
		{`{ $.code = 403 }`, event, true}, {`{ $.code = 403.0 }`, event, true}, {`{ $.code = 4.03e2 }`, event, true}, {`{ $.code != 403 }`, event, false},
		{`{ $.code > 402 }`, event, true}, {`{ $.code >= 404 }`, event, false}, {`{ $.code < 403 }`, event, false}, {`{ $.code <= 403 }`, event, true},
		{`{ $.code = "403" }`, event, true}, {`{ $.code = 4* }`, event, true}, {`{ $.text = 401 }`, event, true}, {`{ $.text > 400 }`, event, false},
		{`{ $.ratio = -0.25 }`, event, true}, {`{ $.ratio < +0 }`, event, true},
		// Words.
		{`{ $.SomeObject IS NULL }`, event, true}, {`{ $.eventType IS NULL }`, event, false}, {`{ $.nothing IS NULL }`, event, false},
		{`{ $.nothing NOT EXISTS }`, event, true}, {`{ $.SomeObject NOT EXISTS }`, event, false}, {`{ $.user NOT EXISTS }`, event, false},
		{`{ $.ThisFlag IS TRUE }`, event, true}, {`{ $.ThisFlag is false }`, event, false}, {`{ $.ThisFlag = true }`, event, true}, {`{ $.text IS TRUE }`, event, false},
		// Arrays.
		{`{ $.arrayKey[0] = "value" }`, event, true}, {`{ $.arrayKey[1] = "another*" }`, event, true}, {`{ $.arrayKey[2] NOT EXISTS }`, event, true},
		{`{ $.objectList[1].id = 2 }`, event, true}, {`{ $.objectList[*].id = 2 }`, event, true}, {`{ $.objectList[*].id = 3 }`, event, false},
		{`{ $.objectList[*].id != 1 }`, event, true}, {`{ $.arrayKey[*] = value }`, event, true},
		// An object or array makes a comparison false; what is missing or null differs from all.
		{`{ $.user = "*" }`, event, false}, {`{ $.user != "x" }`, event, false}, {`{ $.arrayKey != "value" }`, event, false},
		{`{ $.nothing != "x" }`, event, true}, {`{ $.nothing > 1 }`, event, false}, {`{ $.SomeObject != 1 }`, event, true}, {`{ $.eventType.deeper NOT EXISTS }`, event, true},
		// Joined.
		{`{ $.code = 403 && $.eventType = UpdateTrail }`, event, true}, {`{ $.code = 1 || $.code = 403 && $.text = 401 }`, event, true},
		{`{ ($.code = 1 || $.code = 403) && $.text = 2 }`, event, false}, {`{ ($.code = 403) && ((($.text = 401))) }`, event, true},
		{`{ $.eventType = %^Up[a-z]+T% && $.text != %^5% }`, event, true},
		// Messages that are no JSON, or begin as some.
		{`{ $.a = 1 }`, "a = 1", false}, {`{ $.a != 1 }`, `{"b":1} x`, false}, {`{ $.a != 1 }`, `{"b":1`, false}, {`{ $.a = 1 }`, ` {"a" : 1 } `, true},
		{`{ $[0].a = 1 }`, `[{"a":1}]`, true}, {`{ $.a = A }`, `{"a":"\u0041"}`, true}, {`{ $.a = "x/y" }`, `{"a":"x\/y"}`, true},
		{`{ $.a = 1 || $.b = "text" }`, `{"a":1}`, true},
		// Space-delimited.
		{`[ip, server, user, timestamp, request, status, bytes]`, apache, true}, {`[ip, server, user, timestamp, request, status]`, apache, false},
		{`[..., bytes]`, apache, true}, {`[ip, ..., bytes]`, apache, true}, {`[...]`, "", true}, {`[a, ..., b, c]`, "1 2", false},
		{`[ip, server, user, timestamp, request = *html*, status = 4*, bytes]`, apache, true}, {`[..., status = 4*, bytes > 1000]`, apache, true},
		{`[..., status = 4* && status != 404, bytes]`, apache, false}, {`[..., status = 404 || status = 410, bytes]`, apache, true},
		{`[ip!=127.0.0.1, ...]`, apache, false}, {`[ip=127.0.0.*, ...]`, apache, true}, {`[ip, server = "Prod", ...]`, apache, true},
		{`[..., bytes = 1534.0]`, apache, true}, {`[..., bytes <= 1533]`, apache, false}, {`[user > 1, ...]`, "frank x", false},
		{`[w=ERROR||w=WARN, ...]`, "WARN x", true}, {`[w=%ERR|WARN%, w2]`, "WARN x", true}, {`[(w=ERROR||w=WARN) && w!=WARN, ...]`, "WARN x", false},
		{`[, , c]`, "1 2 3", true}, {`[a, b]`, `"not closed x`, false}, {`[a, b, c]`, `"not closed x`, true}, {`[a]`, `[in brackets]`, true},
		{`[ms, text = "a b"]`, `7 "a b"`, true},
	} {
		p, err := Parse(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if got := p.Match(test.message); got != test.want {
			t.Errorf("%s\non %s\nis %t", test.pattern, test.message, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"a.b":                             "Invalid character(s) in term 'a.b' at position 2",
		"ERROR a-b":                       "Invalid character(s) in term 'a-b' at position 8",
		`"a`:                              "a quotation mark is not closed at position 1",
		`"a"b`:                            "a space is missing at position 4",
		"-":                               "a term is missing at position 2",
		"? x":                             "a term is missing at position 2",
		"%a!b%":                           "a regular expression can't have '!' at position 3",
		"%(a)%":                           "a regular expression can't have '(' at position 2",
		"%é%":                             "a regular expression can't have 'é' at position 2",
		`%\(%`:                            "a regular expression can't have this after a backslash at position 3",
		`%\b%`:                            "a regular expression can't have this after a backslash at position 3",
		`%\x4%`:                           `\x needs two hexadecimal digits at position 3`,
		"%a":                              "a regular expression is not closed at position 1",
		"%%":                              "a regular expression is empty at position 1",
		"%[%":                             "a regular expression can't be read: error parsing regexp: missing closing ]: `[` at position 1",
		"%a{2000}%":                       "a regular expression can't be read: error parsing regexp: invalid repeat count: `{2000}` at position 1",
		"{ $.a = 1":                       "a closing brace is missing at position 10",
		"{ $.a = 1 } x":                   "there is more behind the closing brace at position 13",
		"{ a = 1 }":                       "a selector begins with $ at position 3",
		"{ $ = 1 }":                       "a selector lacks a name at position 4",
		"{ $.a 1 }":                       "an operator is missing at position 7",
		"{ $.a == 1 }":                    "a value is missing at position 8",
		"{ $.a > b }":                     "only numbers can be greater or less at position 10",
		"{ $.a > %b% }":                   "a regular expression can only be compared by = and != at position 12",
		"{ $.a[x] = 1 }":                  "an index is missing at position 7",
		"{ $.a['x = 1 }":                  "a quotation mark is not closed at position 7",
		"{ ($.a = 1 }":                    "a parenthesis is not closed at position 12",
		"{ $.a = 1 && }":                  "a selector begins with $ at position 14",
		"{ $.a=%a% && $.a=%b%||$.a=%c% }": "the pattern has more than 2 regular expressions at position 32",
		"{}":                              "a selector begins with $ at position 2",
		"[a":                              "an operator is missing at position 3",
		"[a, a]":                          "the name a is there twice at position 6",
		"[..., a, ...]":                   "there is a second ellipsis at position 13",
		"[a = 1 && b = 2]":                "a condition must be of its own field, a at position 12",
		"[a > x]":                         "only numbers can be greater or less at position 7",
		"[a b]":                           "an operator is missing at position 4",
		"[a = 1":                          "a comma or a closing bracket is missing at position 7",
		"[=1]":                            "a name is missing at position 2",
		strings.Repeat("a", 1025):         "the pattern has more than 1024 characters at position 1026",
		"{ " + strings.Repeat("(", 200):   "parentheses nest too deep at position 104",
	} {
		_, err := Parse(pattern)
		var e *Error
		if !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", pattern, err, want)
		}
	}
}

func TestExtracting(t *testing.T) {
	for _, test := range []struct {
		pattern, message string
		want             map[string]string
	}{
		{"ERROR", "ERROR 1", map[string]string{}},
		{`{ $.code = 403 && $.user.name = * && $.SomeObject IS NULL && $.nothing NOT EXISTS && $.ThisFlag IS TRUE }`, event,
			map[string]string{"$.code": "403", "$.user.name": "B", "$.ThisFlag": "true"}},
		{`{ $.esc = "*" }`, event, map[string]string{"$.esc": "tab\tquote\" uniA"}},
		{`[..., status = 404, size]`, apache, map[string]string{
			"$1": "127.0.0.1", "$2": "Prod", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$status": "404", "$size": "1534"}},
		{`[ip, , user, ...]`, apache, map[string]string{
			"$ip": "127.0.0.1", "$2": "Prod", "$user": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET /index.html HTTP/1.0", "$6": "404", "$7": "1534"}},
	} {
		p, err := Parse(test.pattern)
		if err != nil || !p.Match(test.message) {
			t.Errorf("%s: %v, or it does not match", test.pattern, err)
			continue
		}
		if d := cmp.Diff(test.want, p.Extract(test.message)); d != "" {
			t.Errorf("%s: %s", test.pattern, d)
		}
	}
}

func TestSelectors(t *testing.T) {
	for _, test := range []struct{ pattern, selector, message, want string }{
		{`{ $.code = * }`, "$.code", event, "403"}, {`{ $.code = * }`, "$.objectList[1].name", event, "b"}, {`{ $.code = * }`, "$.user", event, "none"},
		{`{ $.code = * }`, "$.SomeObject", event, "none"}, {`{ $.code = * }`, "$.code", "no JSON", "none"}, {`{ $.code = * }`, "$.code.", event, "error"},
		{`[..., status, size]`, "$size", apache, "1534"}, {`[..., status, size]`, "$status", apache, "404"}, {`[..., status, size]`, "$1", apache, "127.0.0.1"},
		{`[..., status, size]`, "$9", apache, "none"}, {`[a, b]`, "$3", "1 2", "error"}, {`[a, b]`, "$b", "1 2", "2"}, {`[a, b]`, "$.b", "1 2", "error"}, {`[a, b]`, "b", "1 2", "error"},
		{"ERROR", "$1", "ERROR", "error"},
	} {
		p, err := Parse(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got := "error"
		if take, err := p.Selector(test.selector); err == nil {
			var ok bool
			if got, ok = take(test.message); !ok {
				got = "none"
			}
		}
		if got != test.want {
			t.Errorf("%s of %s: %s, want %s", test.selector, test.pattern, got, test.want)
		}
	}
}

func TestHostileMessages(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	p, err := Parse(`{ $.a != 1 }`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(deep) {
		t.Error("what nests 20,000 deep is no JSON to encoding/json")
	}
	many, err := Parse(`{ $.a[*][*] = 1 }`)
	if err != nil {
		t.Fatal(err)
	}
	if !many.Match(`{"a":[` + strings.Repeat("[0],", 100_000) + "[1]]}") {
		t.Error("the last of many values is not found")
	}
	slow, err := Parse(`%a*a*a*a*a*a*a*b%`)
	if err != nil {
		t.Fatal(err)
	}
	if slow.Match(strings.Repeat("a", 1<<20)) {
		t.Error("there is no b")
	}
}
