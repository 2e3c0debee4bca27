package function

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// at is 2026-11-22 14:07:31.250 UTC, a Sunday.
const at = 1795356451250

var ctx = &Context{Now: at, QueryStart: at - 3_600_000, QueryEnd: at, Zone: time.LoadLocation}

// call evaluates a function of literals. Texts are texts, numbers numbers, nil null.
func call(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, name string, args ...any) value.Value {
	t.Helper()
	f, ok := Lookup(name)
	if !ok {
		t.Fatalf("there is no function %s", name)
	}
	values := make([]value.Value, len(args))
	for i, a := range args {
		values[i] = of(a)
	}
	literals := make([]*value.Value, len(args))
	for i := range values {
		literals[i] = &values[i]
	}
	if f.HasImplicit(len(args)) {
		if f.Implicit == "@timestamp" {
			values = append([]value.Value{value.OfTime(at)}, values...)
		} else {
			values = append([]value.Value{value.OfText(`{"é":1}`)}, values...)
		}
	}
	eval, err := f.Bind(literals)
	if err != nil {
		return value.OfText("error: " + err.Error())
	}
	return eval(ctx, values)
}

func of(a any) value.Value {
	switch a := a.(type) {
	case string:
		return value.OfText(a)
	case int:
		return value.OfNumber(float64(a))
	case float64:
		return value.OfNumber(a)
	case bool:
		return value.OfBool(a)
	case value.Value:
		return a
	}
	return value.Value{}
}

func list3(items ...value.Value) value.Value { return value.OfList(items) }

const null = "null"

func TestFunctions(t *testing.T) {
	doc := call(t, "jsonParse", `{"a":{"odd.key":[1,"x",null]},"n":1.50,"b":true}`)
	for _, c := range []struct {
		name string
		args []any
		want string // "null" for null
	}{
		{"abs", []any{-2.5}, "2.5"},
		{"ABS", []any{"-3"}, "3"},
		{"abs", []any{"x"}, null},
		{"abs", []any{nil}, null},
		{"abs", []any{doc}, null},
		{"ceil", []any{2.1}, "3"},
		{"floor", []any{-2.1}, "-3"},
		{"greatest", []any{1, "10", 9}, "10"},
		{"greatest", []any{1, nil}, null},
		{"least", []any{3, 2.5, 7}, "2.5"},
		{"least", []any{3, "x"}, null},
		{"log", []any{1}, "0"},
		{"log", []any{0}, null},
		{"sqrt", []any{16}, "4"},
		{"sqrt", []any{-1}, null},
		{"round", []any{2.5}, "3"},
		{"round", []any{-2.5}, "-3"},
		{"round", []any{2.346, 2}, "2.35"},
		{"round", []any{1234, -2}, "1200"},
		{"round", []any{2.5, 0.5}, null},
		{"round", []any{1e300, 5}, "1e+300"},
		{"round", []any{5, -400}, "0"},
		{"haversine", []any{45.7597, 4.8422, 48.8567, 2.3508}, "392.2172595594"},
		{"haversine", []any{0, 0, 0, 180}, "20015.1144420359"},
		{"haversine", []any{91, 0, 0, 0}, null},
		{"toNumber", []any{"12.50"}, "12.5"},
		{"toNumber", []any{"twelve"}, null},
		{"toInt", []any{"12.9"}, "12"},
		{"toInt", []any{-12.9}, "-12"},
		{"toInt", []any{3e9}, null},
		{"toLong", []any{3e9}, "3000000000"},
		{"toDouble", []any{"1e3"}, "1000"},

		{"bin", []any{"5m"}, "2026-11-22 14:05:00.000"},
		{"bin", []any{"300s"}, "2026-11-22 14:07:00.000"},
		{"bin", []any{"90m"}, "2026-11-22 14:00:00.000"},
		{"bin", []any{"48h"}, "2026-11-22 00:00:00.000"},
		{"bin", []any{"5000ms"}, "2026-11-22 14:07:31.000"},
		{"bin", []any{"100 msec"}, "2026-11-22 14:07:31.200"},
		{"bin", []any{"0m"}, `error: argument 1 of bin is no period: "0m" is no period such as 30s, 5m or 1h`},
		{"bin", []any{"m"}, `error: argument 1 of bin is no period: "m" is no period such as 30s, 5m or 1h`},
		{"bin", []any{"99999999999d"}, `error: argument 1 of bin is no period: "99999999999d" is too long a time`},
		{"bin", nil, "error: bin takes 1 argument, not 0"},
		{"datefloor", []any{at, "1h"}, "2026-11-22 14:00:00.000"},
		{"datefloor", []any{at, "1d"}, "2026-11-22 00:00:00.000"},
		{"datefloor", []any{at, "1w"}, "2026-11-16 00:00:00.000"},
		{"datefloor", []any{at, "1 Week"}, "2026-11-16 00:00:00.000"},
		{"datefloor", []any{at, "1mo"}, "2026-11-01 00:00:00.000"},
		{"datefloor", []any{at, "1q"}, "2026-10-01 00:00:00.000"},
		{"datefloor", []any{at, "1y"}, "2026-01-01 00:00:00.000"},
		{"datefloor", []any{at, "10years"}, "2020-01-01 00:00:00.000"},
		{"datefloor", []any{-1, "1h"}, "1969-12-31 23:00:00.000"},
		{"datefloor", []any{-1, "1mo"}, "1969-12-01 00:00:00.000"},
		{"datefloor", []any{"x", "1h"}, null},
		{"datefloor", []any{1e18, "1h"}, null},
		{"dateceil", []any{at, "1h"}, "2026-11-22 15:00:00.000"},
		{"dateceil", []any{at, "1q"}, "2027-01-01 00:00:00.000"},
		{"dateceil", []any{3600000, "1h"}, "1970-01-01 01:00:00.000"},
		{"fromMillis", []any{"1795356451250"}, "2026-11-22 14:07:31.250"},
		{"toMillis", []any{value.OfTime(at)}, "1795356451250"},
		{"now", nil, "1795356451"},
		{"parseDate", []any{"2026-11-22 14:07:31", "yyyy-MM-dd HH:mm:ss"}, "1795356451000"},
		{"parseDate", []any{"2026-11-22T14:07:31.250Z", "yyyy-MM-dd'T'HH:mm:ss.SSSX"}, "1795356451250"},
		{"parseDate", []any{"2026-11-22 23:07:31", "yyyy-MM-dd HH:mm:ss", "Asia/Tokyo"}, "1795356451000"},
		{"parseDate", []any{"2026-11-22 23:07:31", "yyyy-MM-dd HH:mm:ss", "+09:00"}, "1795356451000"},
		{"parseDate", []any{"22/Nov/2026:15:07:31 +0100", "dd/MMM/yyyy:HH:mm:ss Z"}, "1795356451000"},
		{"parseDate", []any{"Sun, 22 November 26 2:07:31 PM GMT", "EEE, d MMMM yy h:mm:ss a z"}, "1795356451000"},
		{"parseDate", []any{"20261122140731250", "yyyyMMddHHmmssSSS"}, "1795356451250"},
		{"parseDate", []any{"1970-002", "yyyy-DDD"}, "86400000"},
		{"parseDate", []any{"2026-02-30", "yyyy-MM-dd"}, null},
		{"parseDate", []any{"2026-11-22 x", "yyyy-MM-dd"}, null},
		{"parseDate", []any{"2026-11-22", "yyyy-MM-dd", "Nowhere/Land"}, null},
		{"parseDate", []any{"3 o'clock", "h 'o''clock'"}, null},
		{"parseDate", []any{"3 o'clock", "h 'o'''clock"}, "error: argument 2 of parseDate is no format of dates: c is not supported"},
		{"parseDate", []any{"x", "yyyy-'MM"}, "error: argument 2 of parseDate is no format of dates: a quote is not closed"},
		{"formatDate", []any{at, "%Y-%m-%d %H:%M:%S"}, "2026-11-22 14:07:31"},
		{"formatDate", []any{at, "%H:%M %Z", "America/New_York"}, "09:07 EST"},
		{"strftime", []any{at, "%a %A %b %B %e %I %p %j %y %L %f %s"}, "Sun Sunday Nov November 22 02 PM 326 26 250 250000 1795356451"},
		{"strftime", []any{at, "%F %T %D %R %u %w %U %W %V %G %C %k %l %%%n%t%z"}, "2026-11-22 14:07:31 11/22/26 14:07 7 0 47 46 47 2026 20 14  2 %\n\t+0000"},
		{"strftime", []any{at, "%H %z", "-03:30"}, "10 -0330"},
		{"strftime", []any{at, "%!"}, "error: argument 2 of strftime is no format of dates: %! is not supported"},
		{"strftime", []any{"x", "%H"}, null},

		{"ispresent", []any{""}, "1"},
		{"ispresent", []any{doc}, "1"},
		{"ispresent", []any{nil}, "0"},
		{"coalesce", []any{nil, nil, "c", "d"}, "c"},
		{"coalesce", []any{nil}, null},
		{"case", []any{false, "a", 1, "b", "c"}, "b"},
		{"case", []any{false, "a", nil, "b", "c"}, "c"},
		{"case", []any{false, "a"}, null},
		{"if", []any{true, "a", "b"}, "a"},
		{"if", []any{nil, "a", "b"}, "b"},
		{"isNumeric", []any{"1e3"}, "1"},
		{"isNumeric", []any{"1x"}, "0"},
		{"isNumeric", []any{nil}, "0"},
		{"messageSize", nil, "8"},
		{"messageSize", []any{"abc"}, "3"},
		{"queryStartTime", nil, "1795352851250"},
		{"queryEndTime", nil, "1795356451250"},
		{"queryTimeRange", nil, "3600000"},

		{"jsonParse", []any{`[1,{"a":"\u00e9\ud83d\ude00\n"}]`}, `[1,{"a":"é😀\n"}]`},
		{"jsonParse", []any{`"a"`}, null},
		{"jsonParse", []any{`{"a":1`}, null},
		{"jsonParse", []any{`{"a":01}`}, null},
		{"jsonParse", []any{`{"a":1}x`}, null},
		{"jsonParse", []any{`{"a":"\ud83d"}`}, `{"a":"` + "\ufffd" + `"}`},
		{"jsonParse", []any{`[1,]`}, null},
		{"jsonParse", []any{`[-0.5e+3, 1e999]`}, `[-0.5e+3,"1e999"]`},
		{"jsonParse", []any{strings.Repeat("[", 200) + strings.Repeat("]", 200)}, null},
		{"jsonStringify", []any{doc}, `{"a":{"odd.key":[1,"x",null]},"n":1.50,"b":true}`},
		{"jsonStringify", []any{"a"}, `"a"`},
		{"jsonArraySize", []any{`[1,[2,3],null]`}, "3"},
		{"jsonArraySize", []any{list3()}, "0"},
		{"jsonArraySize", []any{`{"a":1}`}, null},
		{"jsonArrayContains", []any{`["a",1]`, "1"}, "1"},
		{"jsonArrayContains", []any{`["a",1]`, "b"}, "0"},
		{"jsonArrayContains", []any{"x", "b"}, null},

		{"isValidIp", []any{"10.0.0.1"}, "1"},
		{"isValidIp", []any{"2001:db8::1"}, "1"},
		{"isValidIp", []any{"10.0.0.256"}, "0"},
		{"isValidIp", []any{nil}, null},
		{"isValidIpV4", []any{"::1"}, "0"},
		{"isValidIpV6", []any{"::1"}, "1"},
		{"isIpInSubnet", []any{"10.0.1.7", "10.0.0.0/16"}, "1"},
		{"isIpInSubnet", []any{"2001:db8::1", "2001:db8::/32"}, "1"},
		{"isIpInSubnet", []any{"11.0.1.7", "10.0.0.0/16"}, "0"},
		{"isIpInSubnet", []any{"x", "10.0.0.0/16"}, "0"},
		{"isIpInSubnet", []any{"10.0.1.7", "10.0.0.0"}, `error: argument 2 of isIpInSubnet is no such subnet in CIDR notation: "10.0.0.0"`},
		{"isIpv4InSubnet", []any{"10.0.1.7", "::/0"}, `error: argument 2 of isIpv4InSubnet is no such subnet in CIDR notation: "::/0"`},
		{"isIpv4InSubnet", []any{"10.0.1.7", "10.0.1.9/24"}, "1"},
		{"isIpv6InSubnet", []any{"fe80::7", "fe80::/10"}, "1"},
		{"ipv4ToNumber", []any{"10.0.0.1"}, "167772161"},
		{"ipv4ToNumber", []any{"::1"}, null},
		{"isPrivateIP", []any{"172.31.0.1"}, "1"},
		{"isPrivateIP", []any{"172.32.0.1"}, "0"},
		{"isPrivateIP", []any{"fd00::1"}, "1"},
		{"isPublicIP", []any{"8.8.8.8"}, "1"},
		{"isPublicIP", []any{"127.0.0.1"}, "0"},
		{"isPublicIP", []any{"::ffff:10.0.0.1"}, "0"},
		{"isPublicIP", []any{"x"}, "0"},
		{"isReservedIP", []any{"169.254.169.254"}, "1"},
		{"isReservedIP", []any{"10.0.0.1"}, "0"},

		{"isempty", []any{""}, "1"},
		{"isempty", []any{" "}, "0"},
		{"isempty", []any{nil}, "1"},
		{"isblank", []any{" \t"}, "1"},
		{"isblank", []any{nil}, "1"},
		{"isblank", []any{list3()}, "0"},
		{"concat", []any{"a", 1, true, 2.5}, "a112.5"},
		{"concat", []any{"a", nil}, null},
		{"ltrim", []any{"xyZxyfooxyZ", "xyZ"}, "fooxyZ"},
		{"rtrim", []any{"xyZfooxyxyZ", "xyZ"}, "xyZfoo"},
		{"trim", []any{"xyZxyfooxyxyZ", "xyZ"}, "foo"},
		{"ltrim", []any{" a "}, "a "},
		{"rtrim", []any{" a "}, " a"},
		{"trim", []any{"\t a\n"}, "a"},
		{"strlen", []any{"é😀"}, "2"},
		{"strlen", []any{401}, "3"},
		{"toupper", []any{"aé"}, "AÉ"},
		{"tolower", []any{"AÉ"}, "aé"},
		{"substr", []any{"xyZfooxyZ", 3}, "fooxyZ"},
		{"substr", []any{"xyZfooxyZ", 3, 3}, "foo"},
		{"substr", []any{"é😀x", 1, 1}, "😀"},
		{"substr", []any{"abc", 5}, ""},
		{"substr", []any{"abc", -1}, null},
		{"substr", []any{"abc", 1, 1e300}, "bc"},
		{"replace", []any{"foofoo", "oo", "o"}, "fofo"},
		{"replace", []any{"foo", "", "x"}, "foo"},
		{"regexReplace", []any{"a1b22", `\d+`, "#"}, "a#b#"},
		{"regexReplace", []any{"user=bob id=7", `(\w+)=(?P<v>\w+)`, "${v}:$1"}, "bob:user 7:id"},
		{"regexReplace", []any{"ab", `(a)`, `\$1$9$`}, "$1$b"},
		{"regexReplace", []any{"ab", `(a)`, `$12`}, "a2b"},
		{"regexReplace", []any{"ab", "(", ""}, "error: argument 2 of regexReplace is no regular expression: error parsing regexp: missing closing ): `(`"},
		{"strcontains", []any{"foobar", "oba"}, "1"},
		{"strcontains", []any{"foobar", "OBA"}, "0"},
		{"strcontains", []any{"foobar", "OBA", true}, "1"},
		{"startsWith", []any{"system:node", "system:"}, "1"},
		{"endsWith", []any{"a.log", ".txt"}, "0"},
		{"split", []any{"a,b,,c", ","}, `["a","b","","c"]`},
		{"split", []any{"abc", ""}, null},

		{"urlencode", []any{"a b/é&*"}, "a+b%2F%C3%A9%26*"},
		{"urldecode", []any{"a+b%2F%C3%A9"}, "a b/é"},
		{"urldecode", []any{"%zz"}, null},
		{"base64encode", []any{"é?>"}, "w6k/Pg=="},
		{"base64decode", []any{"w6k/Pg=="}, "é?>"},
		{"base64decode", []any{"w6k_Pg"}, "é?>"},
		{"base64decode", []any{"/w=="}, "\ufffd"},
		{"base64decode", []any{"?"}, null},
		{"hexToAscii", []any{"48656c6c6f"}, "Hello"},
		{"hexToAscii", []any{"4"}, null},
		{"hexToDec", []any{"0xFF"}, "255"},
		{"hexToDec", []any{"ffffffffffffffff"}, "-1"},
		{"hexToDec", []any{"xyz"}, null},
		{"decToHex", []any{255}, "ff"},
		{"decToHex", []any{"-1"}, "ffffffffffffffff"},
		{"decToHex", []any{1.5}, null},
		{"md5", []any{"abc"}, "900150983cd24fb0d6963f7d28e17f72"},
		{"sha256", []any{"abc"}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	} {
		v := call(t, c.name, c.args...)
		got := v.String()
		if v.IsNull() {
			got = null
		}
		if c.name == "haversine" && len(got) > len(c.want) {
			got = got[:len(c.want)]
		}
		if got != c.want {
			t.Errorf("%s%v is %q, want %q", c.name, c.args, got, c.want)
		}
	}
}

// Every function is called at least once above; so nothing is listed that does not work.
func TestEveryFunctionIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if (f.eval == nil) == (f.bind == nil) {
			t.Errorf("%s has to have either an Eval or something to bind", f.Name)
		}
		for _, i := range f.Literal {
			if i >= f.Min {
				t.Errorf("%s: a literal argument can't be left out", f.Name)
			}
		}
	}
	if _, ok := Lookup("nosuchfunction"); ok {
		t.Error("there is a function that isn't")
	}
}

func TestCallsThatCannotBeRight(t *testing.T) {
	text := value.OfText("x")
	for _, c := range []struct {
		name     string
		literals []*value.Value
		want     string
	}{
		{"abs", nil, "abs takes 1 argument, not 0"},
		{"round", make([]*value.Value, 3), "round takes 1 to 2 arguments, not 3"},
		{"greatest", nil, "greatest takes at least 1 arguments, not 0"},
		{"case", make([]*value.Value, 22), "case takes 2 to 21 arguments, not 22"},
		{"now", []*value.Value{&text}, "now takes 0 arguments, not 1"},
		{"datefloor", make([]*value.Value, 2), "argument 2 of datefloor must be a literal"},
		{"regexReplace", make([]*value.Value, 3), "argument 2 of regexReplace must be a literal"},
		{"bin", []*value.Value{&text}, `argument 1 of bin is no period: "x" is no period such as 30s, 5m or 1h`},
	} {
		f, _ := Lookup(c.name)
		if _, err := f.Bind(c.literals); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// What is known only at run time is null where a literal would have been refused.
func TestArgumentsOfRows(t *testing.T) {
	for _, c := range []struct {
		name string
		args []any
		want string
	}{
		{"parseDate", []any{"2026", "yyyy"}, "1767225600000"},
		{"parseDate", []any{"2026", "'"}, ""},
		{"strftime", []any{0, "%"}, ""},
		{"isIpInSubnet", []any{"10.0.0.1", "10.0.0.0/8"}, "1"},
		{"isIpInSubnet", []any{"10.0.0.1", "no"}, "0"},
	} {
		f, _ := Lookup(c.name)
		eval, err := f.Bind(make([]*value.Value, len(c.args)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		args := make([]value.Value, len(c.args))
		for i, a := range c.args {
			args[i] = of(a)
		}
		if got := eval(ctx, args).String(); got != c.want {
			t.Errorf("%s%v is %q, want %q", c.name, c.args, got, c.want)
		}
	}
}

func TestLongResultsAreNull(t *testing.T) {
	long := strings.Repeat("ab", MaxText/4)
	for name, args := range map[string][]any{
		"concat":       {long, long, "x"},
		"replace":      {long, "a", "aaaa"},
		"regexReplace": {long, "a", "aaaa"},
		"urlencode":    {strings.Repeat("é", MaxText/4)},
		"base64encode": {long + long},
		"split":        {strings.Repeat(",", MaxItems), ","},
		"toupper":      {strings.Repeat("ɐ", MaxText/2)}, // 2 bytes, its upper case 3
	} {
		if v := call(t, name, args...); !v.IsNull() {
			t.Errorf("%s gave %d bytes", name, len(v.String()))
		}
	}
}

func TestAccess(t *testing.T) {
	v := call(t, "jsonParse", `{"a":{"odd.key":[1,"x"]},"l":[[5]]}`)
	for _, c := range []struct {
		path []Step
		want string
	}{
		{[]Step{{Key: "a"}, {Key: "odd.key"}, {Index: 1, IsIndex: true}}, "x"},
		{[]Step{{Key: "l"}, {IsIndex: true}, {IsIndex: true}}, "5"},
		{[]Step{{Key: "l"}, {Key: "0"}}, ""},
		{[]Step{{Key: "no"}, {Key: "a"}}, ""},
		{nil, v.String()},
	} {
		if got := Access(v, c.path).String(); got != c.want {
			t.Errorf("%v: %q, want %q", c.path, got, c.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]int64{"90m": 5400_000, "48h": 172800_000, "30 Min": 1800_000, "7d": 604800_000, "1mo": 2592000_000, "1y": 31536000_000, "500ms": 500} {
		if ms, err := ParseDuration(s); err != nil || ms != want {
			t.Errorf("%s is %d ms (%v), want %d", s, ms, err, want)
		}
	}
	for _, s := range []string{"", "5", "m", "-5m", "0s", "5 m s", "9999999999s", "999999999y", "999999999w"} {
		if ms, err := ParseDuration(s); err == nil {
			t.Errorf("%q is %d ms", s, ms)
		}
	}
}
