package value

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/scan"
)

func TestWhatReadsAsANumber(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "401": 401, "-5": -5, "+5": 5, "2.50": 2.5, "1e3": 1000, "1E-2": 0.01, ".5": 0.5, "5.": 5,
		"12345678901234567890": 12345678901234567890, "007": 7,
	} {
		if f, ok := ParseNumber(text); !ok || f != want {
			t.Errorf("%q is %v, %v; want %v", text, f, ok, want)
		}
	}
	for _, text := range []string{"", " 1", "1 ", "0x10", "1_000", "inf", "NaN", "1e999", "-", "+", ".", "e5", "1-2", "1.2.3", "--1", "v1", "1e", strings.Repeat("1", 401)} {
		if f, ok := ParseNumber(text); ok {
			t.Errorf("%q reads as the number %v", text, f)
		}
	}
}

func TestNumbersPrintInTheirShortestForm(t *testing.T) {
	for want, f := range map[string]float64{"5": 5, "2.5": 2.5, "-0.001": -0.001, "0": math.Copysign(0, -1), "1000000000000": 1e12, "1e+21": 1e21, "1e-10": 1e-10, "0.1": 0.1} {
		if got := OfNumber(f).String(); got != want {
			t.Errorf("%v prints as %s, want %s", f, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		if back, err := strconv.ParseFloat(FormatNumber(f), 64); err != nil || back != f {
			t.Fatalf("%v prints as %s, which reads as %v (%v)", f, FormatNumber(f), back, err)
		}
	})
	if !OfNumber(math.Inf(1)).IsNull() || !OfNumber(math.NaN()).IsNull() {
		t.Error("infinities and what is no number are null")
	}
}

func TestComparison(t *testing.T) {
	text, number := OfText, OfNumber
	for _, c := range []struct {
		a, b Value
		want string // of < = > !=, those that hold
	}{
		{text("401"), number(401), "="},
		{text("401"), text("401.0"), "="},
		{text("9"), text("10"), "< !="},
		{text("9"), text("10a"), "> !="},                                     // as texts: one is no number
		{text("12345678901234567890"), text("12345678901234567891"), "< !="}, // one float64
		{text("12345678901234567890"), text("12345678901234567890.0"), "="},
		{text("-12345678901234567890"), text("-12345678901234567891"), "> !="},
		{text("9007199254740993"), Written("9007199254740992"), "> !="},
		{text("9007199254740993"), text("900719925474099.3e1"), "="},
		{text("+0012345678901234567891"), Written("1.2345678901234567891e19"), "="},
		{text("10000000000000000000000000"), number(1e25), "="},
		{text("1" + strings.Repeat("0", 300)), text("1e300"), "="},
		{text("1" + strings.Repeat("0", 299) + "1"), text("1e300"), "> !="},
		{text("0.1"), text("0.10000000000000000000001"), "="}, // below 2^53 as a float64
		{text("a"), text("b"), "< !="},
		{text("a"), number(1), "!="},
		{number(2), number(1), "> !="},
		{Value{}, number(1), ""},
		{Value{}, Value{}, ""},
		{text(""), text(""), "="},
		{OfBool(true), number(1), "="},
		{OfBool(false), text("0"), "="},
		{OfTime(5), number(5), "="},
		{OfList(nil), OfList(nil), ""},
		{OfMap(nil, nil), text("{}"), ""},
	} {
		var holds []string
		order, ok := Compare(c.a, c.b)
		if ok && order < 0 {
			holds = append(holds, "<")
		}
		if Equal(c.a, c.b) {
			holds = append(holds, "=")
		}
		if ok && order > 0 {
			holds = append(holds, ">")
		}
		if Unequal(c.a, c.b) {
			holds = append(holds, "!=")
		}
		if got := strings.Join(holds, " "); got != c.want {
			t.Errorf("%#v and %#v: %q hold, want %q", c.a, c.b, got, c.want)
		}
	}
}

// The order of AWS's own example of sort.
func TestSortsInNaturalOrder(t *testing.T) {
	want := []string{"!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh", "0", "01", "1", "2", "3"}
	got := slices.Clone(want)
	slices.Sort(got)
	slices.SortFunc(got, func(a, b string) int { return Order(OfText(a), OfText(b)) })
	if !slices.Equal(got, want) {
		t.Errorf("sorted: %q, want %q", got, want)
	}
	if Order(Value{}, OfText("")) >= 0 || Order(OfText("z"), OfNumber(-1)) >= 0 || Order(OfNumber(2), OfText("10")) >= 0 {
		t.Error("null comes before texts, texts before numbers, numbers by their size")
	}
}

func TestOrderIsAnOrder(t *testing.T) {
	any := rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return Value{}
		case 4:
			return rapid.SampledFrom([]Value{OfText("9007199254740993"), OfText("9007199254740992"), OfNumber(9007199254740992), Written("9007199254740992.5"), OfText("-9007199254740993"), OfNumber(-9007199254740992)}).Draw(t, "big")
		case 1:
			return OfNumber(float64(rapid.IntRange(-3, 12).Draw(t, "n")))
		}
		return OfText(rapid.StringMatching(`[a.0-3]{0,4}`).Draw(t, "s"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := any.Draw(t, "a"), any.Draw(t, "b"), any.Draw(t, "c")
		if Order(a, b) < 0 != (Order(b, a) > 0) {
			t.Fatalf("%v, %v: not antisymmetric", a, b)
		}
		if Order(a, b) <= 0 && Order(b, c) <= 0 && Order(a, c) > 0 {
			t.Fatalf("%v, %v, %v: not transitive", a, b, c)
		}
		if a.Kind() == b.Kind() && Order(a, b) == 0 && !Same(a, b) {
			t.Fatalf("%v and %v have one place but are not the same", a, b)
		}
	})
}

func TestScannedValues(t *testing.T) {
	for _, c := range []struct {
		in   scan.Value
		kind Kind
		text string
	}{
		{scan.Value{}, Null, ""},
		{scan.Value{Kind: scan.Text, Text: "1.0"}, Text, "1.0"},
		{scan.Value{Kind: scan.Number, Text: "1.50"}, Number, "1.50"},
		{scan.Value{Kind: scan.Number, Text: "1e999"}, Text, "1e999"},
		{scan.Value{Kind: scan.Bool, Text: "true"}, Bool, "1"},
		{scan.Value{Kind: scan.Bool, Text: "false"}, Bool, "0"},
	} {
		if v := Scanned(c.in); v.Kind() != c.kind || v.String() != c.text {
			t.Errorf("%v is %v %q, want %v %q", c.in, v.Kind(), v, c.kind, c.text)
		}
	}
}

func TestComposites(t *testing.T) {
	m := OfMap([]string{"b", "a\n", "b"}, []Value{Written("1.0"), OfList([]Value{OfBool(true), {}, OfText("<é\"\x01\xff")}), OfNumber(2)})
	if got, want := m.JSON(), `{"b":1.0,"a\n":[true,null,"<é\"\u0001`+"\ufffd"+`"],"b":2}`; got != want {
		t.Errorf("JSON: %s, want %s", got, want)
	}
	if m.Get("b").String() != "2" || !m.Get("x").IsNull() || m.Get("a\n").At(0).String() != "1" || !m.Get("a\n").At(3).IsNull() || !m.At(0).IsNull() || !OfText("a").Get("a").IsNull() {
		t.Error("items are not where they are")
	}
	if _, ok := m.Text(); ok {
		t.Error("a map has no text")
	}
	if _, ok := m.Number(); ok {
		t.Error("a map has no number")
	}
}

func TestTimes(t *testing.T) {
	v := OfTime(1795356300000)
	if v.String() != "2026-11-22 14:05:00.000" {
		t.Errorf("prints as %s", v)
	}
	if ms, ok := v.Milliseconds(); !ok || ms != 1795356300000 {
		t.Errorf("is %d, %v", ms, ok)
	}
	for text, want := range map[string]int64{"2026-11-22T14:05:00.123456Z": 1795356300123, "2026-11-22T15:05:00+01:00": 1795356300000, "1795356300000": 1795356300000} {
		if ms, ok := OfText(text).Milliseconds(); !ok || ms != want {
			t.Errorf("%s is %d, %v; want %d", text, ms, ok, want)
		}
	}
	for _, text := range []string{"2026-11-22 14:05:00", "2026-11-22", "2026-13-22T14:05:00Z", "x", ""} {
		if ms, ok := OfText(text).Milliseconds(); ok {
			t.Errorf("%q is the time %d", text, ms)
		}
	}
	if _, ok := OfNumber(1e300).Milliseconds(); ok {
		t.Error("1e300 is no time")
	}
}

func TestTrue(t *testing.T) {
	for v, want := range map[string]bool{"1": true, "0": false, "": false, "a": true, "false": false, "0.0": false} {
		if OfText(v).True() != want {
			t.Errorf("%q as a condition: want %v", v, want)
		}
	}
	if (Value{}).True() || OfList(nil).True() || !OfBool(true).True() || OfNumber(0).True() {
		t.Error("null, lists and 0 don't hold, true does")
	}
}

func TestPrefixesHaveTheNaturalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[0-3a\x00/:é-]{0,12}`), rapid.StringMatching(`a?[0-9]{253,257}b?`))
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		x, y := naturalPrefix(a), naturalPrefix(b)
		if want := compareNatural(a, b); want < 0 && x > y || want > 0 && x < y || want == 0 && x != y {
			t.Fatalf("%q and %q compare as %d, their prefixes are %x and %x", a, b, want, x, y)
		}
	})
}
