package function

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

func anyValue() *rapid.Generator[value.Value] {
	return rapid.OneOf(
		rapid.Just(value.Value{}),
		rapid.Map(rapid.Float64(), value.OfNumber),
		rapid.Map(rapid.Int64(), func(i int64) value.Value { return value.OfNumber(float64(i)) }),
		rapid.Map(rapid.String(), value.OfText),
		rapid.Map(rapid.SampledFrom([]string{"5m", "1mo", "yyyy-MM-dd", "%Y %j %U", "10.0.0.0/8", "::1", "UTC", "+09:00", `{"a":[1]}`, "[1,2]", "(a|b)*", "$1${x}", "\xff\xfe", "%41"}), value.OfText),
		rapid.Map(rapid.Bool(), value.OfBool),
		rapid.Map(rapid.Int64(), value.OfTime),
		rapid.Map(rapid.SliceOfN(rapid.String(), 0, 3), func(s []string) value.Value {
			items := make([]value.Value, len(s))
			for i := range s {
				items[i] = value.OfText(s[i])
			}
			return value.OfList(items)
		}),
	)
}

// Whatever the arguments: no panic, no endless result, the same result each time.
func TestFunctionsTakeAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(All()).Draw(t, "function")
		most := f.Max
		if most < 0 {
			most = 5
		}
		n := rapid.IntRange(f.Min, most).Draw(t, "n")
		if f.HasImplicit(n) {
			n++
		}
		args := rapid.SliceOfN(anyValue(), n, n).Draw(t, "args")
		v := f.Eval(ctx, args)
		if len(v.String()) > 6*MaxText {
			t.Fatalf("%s made %d bytes", f.Name, len(v.String()))
		}
		if again := f.Eval(ctx, args); again.JSON() != v.JSON() {
			t.Fatalf("%s is %s, then %s", f.Name, v.JSON(), again.JSON())
		}
	})
}

// A period's boundary is at or before the time, the next one after it; a boundary is its
// own floor and ceiling.
func TestPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"ms", "s", "m", "h", "d", "w", "mo", "q", "y"}
		s := rapid.StringMatching(`[1-9][0-9]{0,2}`).Draw(t, "n") + rapid.SampledFrom(names).Draw(t, "unit")
		p, err := ParsePeriod(s)
		if err != nil {
			t.Fatal(err)
		}
		ms := rapid.Int64Range(firstTime, lastTime).Draw(t, "ms")
		floor := p.Floor(ms)
		if next := p.Next(floor); floor > ms || next <= ms || p.Floor(floor) != floor || p.Ceil(floor) != floor || p.Floor(next) != next {
			t.Fatalf("%s at %d: from %d to %d", s, ms, floor, next)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u00e9\n",true,null]}`, `[`, `{"a"`, `"\ud83d\ude00"`, `1e999`, " 1 ", `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseJSON(s)
		if valid := json.Valid([]byte(s)); valid != ok && !(valid && strings.Count(s, "[")+strings.Count(s, "{") >= MaxDepth) {
			t.Fatalf("%q: encoding/json says %v, we %v", s, valid, ok)
		}
		if !ok {
			return
		}
		again, ok := ParseJSON(v.JSON())
		if !ok || again.JSON() != v.JSON() {
			t.Fatalf("%q reads as %s, which reads as %s", s, v.JSON(), again.JSON())
		}
	})
}

func FuzzDates(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2026-11-22T14:07:31.250Z", "%Y-%m-%d %H:%M:%S.%L")
	f.Add("EEE, d MMM yy h:mm a z", "Sun, 22 Nov 26 2:07 PM PST", "%U %W %V %G %c")
	f.Fuzz(func(t *testing.T, format, date, out string) {
		if p, err := compileDate(format); err == nil {
			p.parse(date, time.UTC, ctx.zone)
		}
		if p, err := compileStrftime(out); err == nil {
			if s := p.format(time.UnixMilli(at).UTC()); utf8.ValidString(out) && !utf8.ValidString(s) {
				t.Fatalf("%q made %q", out, s)
			}
		}
	})
}

// What strftime writes, parseDate reads.
func TestDatesAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, lastTime-day).Draw(t, "ms")
		zone := rapid.SampledFrom([]string{"UTC", "+09:00", "-03:30", "GMT+1"}).Draw(t, "zone")
		if zone == "GMT+1" {
			zone = "GMT+01"
		}
		for _, f := range [][2]string{
			{"%Y-%m-%dT%H:%M:%S.%L%z", "yyyy-MM-dd'T'HH:mm:ss.SSSZ"},
			{"%d %B %Y %I:%M:%S.%L %p", "d MMMM yyyy h:mm:ss.SSS a"},
			{"%Y%j%H%M%S%f", "yyyyDDDHHmmssSSSSSS"},
		} {
			s := call(t, "strftime", value.OfTime(ms), f[0], zone)
			if back := call(t, "parseDate", s, f[1], zone); back.String() != value.FormatNumber(float64(ms)) {
				t.Fatalf("%d is written %s, which is read as %s", ms, s, back)
			}
		}
	})
}
