package function

import (
	"fmt"
	"strings"
	"time"
)

// A dateFormat is a format of dates as Java writes them: letters are parts of a date,
// quoted and other characters stand for themselves. Source: java.time.format's
// DateTimeFormatter and java.text.SimpleDateFormat, what both have in common.
type dateFormat []datePart

type datePart struct {
	letter  byte   // 0: literal
	count   int    // how often the letter is there
	literal string // to be found as it is
	fixed   bool   // exactly count digits, for more digits follow
}

// digitsOf are the letters that read digits, and how many at most.
var digitsOf = map[byte]int{'y': 4, 'u': 4, 'M': 2, 'L': 2, 'd': 2, 'D': 3, 'H': 2, 'k': 2, 'K': 2, 'h': 2, 'm': 2, 's': 2, 'S': 9}

// wordsOf are the letters that read something else.
const wordsOf = "EazZXxVvO"

func (p datePart) digits() bool {
	return digitsOf[p.letter] > 0 && !((p.letter == 'M' || p.letter == 'L') && p.count > 2)
}

// compileDate reads a format.
func compileDate(s string) (dateFormat, error) {
	var parts dateFormat
	literal := func(s string) {
		if n := len(parts); n > 0 && parts[n-1].letter == 0 {
			parts[n-1].literal += s
			return
		}
		parts = append(parts, datePart{literal: s})
	}
	for s != "" {
		c := s[0]
		switch {
		case c == '\'':
			end := strings.IndexByte(s[1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("a quote is not closed")
			}
			quoted := s[1 : 1+end]
			if quoted == "" {
				quoted = "'"
			}
			literal(quoted)
			s = s[end+2:]
		case digitsOf[c] > 0 || strings.IndexByte(wordsOf, c) >= 0:
			n := len(s) - len(strings.TrimLeft(s, string(rune(c))))
			if n > 9 {
				return nil, fmt.Errorf("there are too many %c", c)
			}
			parts = append(parts, datePart{letter: c, count: n})
			s = s[n:]
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '[', c == ']', c == '{', c == '}', c == '#':
			return nil, fmt.Errorf("%c is not supported", c)
		default:
			literal(s[:1])
			s = s[1:]
		}
	}
	for i := range parts {
		parts[i].fixed = parts[i].digits() && i+1 < len(parts) && parts[i+1].digits()
	}
	return parts, nil
}

// A date is what was read of one so far.
type date struct {
	year, month, day, yearDay     int
	hour, half, minute, sec, nano int // half: 0 none, 1 am, 2 pm
	zone                          *time.Location
}

// parse reads a date, in milliseconds since 1970: all of the text. What it leaves out is
// as it was at the beginning of 1970; without a zone of its own it is in the given one.
func (f dateFormat) parse(s string, zone *time.Location, find func(string) *time.Location) (ms int64, ok bool) {
	d := date{year: 1970, month: 1, day: 1, zone: zone}
	for _, p := range f {
		n := 0
		switch {
		case p.letter == 0:
			if !strings.HasPrefix(s, p.literal) {
				return 0, false
			}
			n = len(p.literal)
		case p.digits():
			n = d.number(p, s)
		default:
			n = d.word(p, s, find)
		}
		if n == 0 {
			return 0, false
		}
		s = s[n:]
	}
	if s != "" || !d.valid() {
		return 0, false
	}
	hour := d.hour
	if d.half > 0 {
		hour = d.hour%12 + 12*(d.half-1)
	}
	month, day := time.Month(d.month), d.day
	if d.yearDay > 0 {
		month, day = 1, d.yearDay
	}
	return time.Date(d.year, month, day, hour, d.minute, d.sec, d.nano, d.zone).UnixMilli(), true
}

// valid reports whether there is such a date. A leap second is none.
func (d *date) valid() bool {
	if d.month < 1 || d.month > 12 || d.hour > 23 || d.minute > 59 || d.sec > 59 || d.half > 0 && d.hour > 12 {
		return false
	}
	if d.yearDay > 0 {
		return d.yearDay <= time.Date(d.year, 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	}
	return d.day >= 1 && d.day <= time.Date(d.year, time.Month(d.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// number reads digits. It returns how many bytes it took, 0 if there are none.
func (d *date) number(p datePart, s string) int {
	most := max(digitsOf[p.letter], p.count)
	if p.fixed || p.letter == 'S' && p.count > 1 {
		most = p.count
	}
	if p.letter == 'y' && p.count == 2 {
		most = 2
	}
	n, v := 0, 0
	for n < len(s) && n < most && s[n]-'0' < 10 {
		v = v*10 + int(s[n]-'0')
		n++
	}
	if n == 0 || n < p.count && (p.fixed || p.letter == 'S' || p.letter == 'y') {
		return 0
	}
	switch p.letter {
	case 'y', 'u':
		if p.count == 2 {
			v += 2000
		}
		d.year = v
	case 'M', 'L':
		d.month = v
	case 'd':
		d.day = v
	case 'D':
		d.yearDay = v
	case 'H', 'h', 'K':
		d.hour = v
	case 'k':
		d.hour = v % 24
	case 'm':
		d.minute = v
	case 's':
		d.sec = v
	case 'S':
		for range 9 - n {
			v *= 10
		}
		d.nano = v
	}
	return n
}

// word reads names and zones.
func (d *date) word(p datePart, s string, find func(string) *time.Location) int {
	switch p.letter {
	case 'M', 'L':
		for m := time.January; m <= time.December; m++ {
			if n := name(s, m.String()); n > 0 {
				d.month = int(m)
				return n
			}
		}
		return 0
	case 'E':
		for w := time.Sunday; w <= time.Saturday; w++ {
			if n := name(s, w.String()); n > 0 {
				return n
			}
		}
		return 0
	case 'a':
		if len(s) < 2 || s[1]|0x20 != 'm' {
			return 0
		}
		switch s[0] | 0x20 {
		case 'a':
			d.half = 1
		case 'p':
			d.half = 2
		default:
			return 0
		}
		return 2
	}
	if offset, n := parseOffset(s); n > 0 {
		d.zone = time.FixedZone("", offset)
		return n
	}
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || n > 0 && strings.IndexByte("/_+-:0123456789", s[n]) >= 0) {
		n++
	}
	if d.zone = find(s[:n]); d.zone == nil {
		return 0
	}
	return n
}

// name matches a name, whole or its first three letters, in whatever case. It returns how
// many bytes it took.
func name(s, full string) int {
	for _, n := range []int{len(full), 3} {
		if len(s) >= n && strings.EqualFold(s[:n], full[:n]) {
			return n
		}
	}
	return 0
}
