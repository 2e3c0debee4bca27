package function

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A strftime is a format as the C library's strftime has it: after a percent sign, a
// letter stands for a part of the time. Names are English.
type strftime []func(b *strings.Builder, t time.Time)

// compileStrftime reads a format.
func compileStrftime(s string) (strftime, error) {
	var f strftime
	for s != "" {
		at := strings.IndexByte(s, '%')
		if at != 0 {
			if at < 0 {
				at = len(s)
			}
			literal := s[:at]
			f = append(f, func(b *strings.Builder, _ time.Time) { b.WriteString(literal) })
			s = s[at:]
			continue
		}
		if len(s) == 1 {
			return nil, fmt.Errorf("it ends with %%")
		}
		part, ok := directives[s[1]]
		if !ok {
			return nil, fmt.Errorf("%%%c is not supported", s[1])
		}
		f = append(f, part)
		s = s[2:]
	}
	return f, nil
}

func (f strftime) format(t time.Time) string {
	var b strings.Builder
	for _, part := range f {
		part(&b, t)
	}
	return b.String()
}

// directives are those of POSIX and of the GNU C library, with %f for microseconds as
// Python has it and %L for milliseconds as Ruby has it.
var directives = map[byte]func(b *strings.Builder, t time.Time){
	'a': layout("Mon"), 'A': layout("Monday"), 'b': layout("Jan"), 'h': layout("Jan"), 'B': layout("January"),
	'c': layout("Mon Jan _2 15:04:05 2006"), 'x': layout("01/02/06"), 'X': layout("15:04:05"),
	'd': layout("02"), 'D': layout("01/02/06"), 'e': layout("_2"), 'F': layout("2006-01-02"),
	'H': layout("15"), 'I': layout("03"), 'm': layout("01"), 'M': layout("04"), 'S': layout("05"),
	'p': layout("PM"), 'P': layout("pm"), 'r': layout("03:04:05 PM"), 'R': layout("15:04"), 'T': layout("15:04:05"),
	'y': layout("06"), 'Y': layout("2006"), 'z': layout("-0700"), 'Z': zoneName,
	'j': digits(3, func(t time.Time) int { return t.YearDay() }),
	'C': digits(2, func(t time.Time) int { return t.Year() / 100 }),
	'k': padded(func(t time.Time) int { return t.Hour() }),
	'l': padded(func(t time.Time) int { return (t.Hour()+11)%12 + 1 }),
	'f': digits(6, func(t time.Time) int { return t.Nanosecond() / 1000 }),
	'L': digits(3, func(t time.Time) int { return t.Nanosecond() / 1_000_000 }),
	's': digits(1, func(t time.Time) int { return int(t.Unix()) }),
	'u': digits(1, func(t time.Time) int { return int(t.Weekday()+6)%7 + 1 }),
	'w': digits(1, func(t time.Time) int { return int(t.Weekday()) }),
	'U': digits(2, func(t time.Time) int { return (t.YearDay() + 6 - int(t.Weekday())) / 7 }),
	'W': digits(2, func(t time.Time) int { return (t.YearDay() + 6 - int(t.Weekday()+6)%7) / 7 }),
	'V': digits(2, func(t time.Time) int { _, week := t.ISOWeek(); return week }),
	'G': digits(4, func(t time.Time) int { year, _ := t.ISOWeek(); return year }),
	'g': digits(2, func(t time.Time) int { year, _ := t.ISOWeek(); return year % 100 }),
	'n': literal("\n"), 't': literal("\t"), '%': literal("%"),
}

func layout(l string) func(*strings.Builder, time.Time) {
	return func(b *strings.Builder, t time.Time) { b.WriteString(t.Format(l)) }
}

func literal(s string) func(*strings.Builder, time.Time) {
	return func(b *strings.Builder, _ time.Time) { b.WriteString(s) }
}

func digits(width int, f func(time.Time) int) func(*strings.Builder, time.Time) {
	return func(b *strings.Builder, t time.Time) { fmt.Fprintf(b, "%0*d", width, f(t)) }
}

func padded(f func(time.Time) int) func(*strings.Builder, time.Time) {
	return func(b *strings.Builder, t time.Time) { fmt.Fprintf(b, "%2s", strconv.Itoa(f(t))) }
}

// zoneName is a zone's abbreviation; of one that has none, the offset.
func zoneName(b *strings.Builder, t time.Time) {
	if name, _ := t.Zone(); name != "" {
		b.WriteString(name)
		return
	}
	b.WriteString(t.Format("-0700"))
}
