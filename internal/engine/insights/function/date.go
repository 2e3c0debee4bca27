package function

import (
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

var dates = []*Function{
	{Name: "bin", Min: 1, Max: 1, Implicit: "@timestamp", Literal: []int{0}, bind: inPeriods(0, Period.Floor)},
	{Name: "datefloor", Min: 2, Max: 2, Literal: []int{1}, bind: inPeriods(1, Period.Floor)},
	{Name: "dateceil", Min: 2, Max: 2, Literal: []int{1}, bind: inPeriods(1, Period.Ceil)},
	ofTime("fromMillis", value.OfTime),
	ofTime("toMillis", func(ms int64) value.Value { return value.OfNumber(float64(ms)) }),
	{Name: "now", eval: func(c *Context, _ []value.Value) value.Value { // in seconds
		return value.OfNumber(float64(floorTo(c.Now, 1000) / 1000))
	}},
	{Name: "parseDate", Min: 2, Max: 3, bind: bindParse},
	{Name: "formatDate", Min: 2, Max: 3, bind: bindFormat},
	{Name: "strftime", Min: 2, Max: 3, bind: bindFormat},
}

// Times beyond these, in milliseconds, have no year of four digits.
var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC).UnixMilli()
)

// timeOf is an argument as a time.
func timeOf(v value.Value) (ms int64, ok bool) {
	ms, ok = v.Milliseconds()
	return ms, ok && ms >= firstTime && ms <= lastTime
}

func ofTime(name string, f func(ms int64) value.Value) *Function {
	return &Function{Name: name, Min: 1, Max: 1, eval: func(_ *Context, args []value.Value) value.Value {
		ms, ok := timeOf(args[0])
		if !ok {
			return value.Value{}
		}
		return f(ms)
	}}
}

// inPeriods makes a function of the first argument by a period, which is a literal.
func inPeriods(at int, f func(Period, int64) int64) func([]*value.Value) (Eval, error) {
	return func(literals []*value.Value) (Eval, error) {
		p, err := ParsePeriod(literals[at].String())
		if err != nil {
			return nil, argument(at, "is no period: %v", err)
		}
		return func(_ *Context, args []value.Value) value.Value {
			ms, ok := timeOf(args[0])
			if !ok {
				return value.Value{}
			}
			return value.OfTime(f(p, ms))
		}, nil
	}
}

// withFormat makes a function of something, a format and perhaps a time zone. A literal
// format is compiled once and refused if it is wrong; any other is compiled for each row
// and null if wrong.
func withFormat[F any](literals []*value.Value, compile func(string) (F, error), run func(ctx *Context, v value.Value, f F, zone *time.Location) value.Value) (Eval, error) {
	var fixed *F
	if s, ok := literalText(literals, 1); ok {
		f, err := compile(s)
		if err != nil {
			return nil, argument(1, "is no format of dates: %v", err)
		}
		fixed = &f
	}
	return func(ctx *Context, args []value.Value) value.Value {
		f := fixed
		if f == nil {
			s, ok := args[1].Text()
			if !ok {
				return value.Value{}
			}
			made, err := compile(s)
			if err != nil {
				return value.Value{}
			}
			f = &made
		}
		zone := time.UTC
		if len(args) == 3 {
			name, ok := args[2].Text()
			if !ok {
				return value.Value{}
			}
			if zone = ctx.zone(name); zone == nil {
				return value.Value{}
			}
		}
		return run(ctx, args[0], *f, zone)
	}, nil
}

// zone is a time zone by its name, UTC, a fixed offset such as +09:00, or one that the
// caller knows; nil if there is none.
func (c *Context) zone(name string) *time.Location {
	switch name {
	case "UTC", "GMT", "Z":
		return time.UTC
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, "UTC"), "GMT")
	if offset, n := parseOffset(rest); n > 0 && n == len(rest) {
		return time.FixedZone("", offset)
	}
	if offset, ok := abbreviations[name]; ok {
		return time.FixedZone(name, offset*3600)
	}
	if c.Zone == nil || name == "" || name == "Local" {
		return nil
	}
	zone, err := c.Zone(name)
	if err != nil {
		return nil
	}
	return zone
}

// abbreviations of zones that logs write, in hours: those that mean only one to Java.
var abbreviations = map[string]int{
	"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
	"CET": 1, "CEST": 2, "BST": 1, "JST": 9,
}

// parseOffset reads +hh, +hhmm or +hh:mm, with optional seconds, in seconds east, and how
// many bytes it took: 0 if there is none.
func parseOffset(s string) (seconds, n int) {
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, 0
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	n = 1
	for i, scale := range []int{3600, 60, 1} {
		rest := s[n:]
		if i > 0 {
			rest = strings.TrimPrefix(rest, ":")
		}
		if len(rest) < 2 {
			break
		}
		part, err := strconv.ParseUint(rest[:2], 10, 8)
		if err != nil || i == 0 && part > 18 || part > 59 {
			if i == 0 {
				return 0, 0
			}
			break
		}
		seconds += int(part) * scale
		n = len(s) - len(rest) + 2
	}
	return sign * seconds, n
}

func bindParse(literals []*value.Value) (Eval, error) {
	return withFormat(literals, compileDate, func(ctx *Context, v value.Value, f dateFormat, zone *time.Location) value.Value {
		s, ok := v.Text()
		if !ok {
			return value.Value{}
		}
		ms, ok := f.parse(s, zone, ctx.zone)
		if !ok {
			return value.Value{}
		}
		return value.OfNumber(float64(ms))
	})
}

func bindFormat(literals []*value.Value) (Eval, error) {
	return withFormat(literals, compileStrftime, func(_ *Context, v value.Value, f strftime, zone *time.Location) value.Value {
		ms, ok := timeOf(v)
		if !ok {
			return value.Value{}
		}
		return text(f.format(time.UnixMilli(ms).In(zone)))
	})
}
