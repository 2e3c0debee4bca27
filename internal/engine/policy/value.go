package policy

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// decimal is a number, exactly: its digits without zeros that say nothing.
type decimal struct {
	negative        bool
	whole, fraction string
}

// parseNumber reads a decimal number of at most 64 characters.
func parseNumber(s string) (decimal, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || len(s) > 64 {
		return decimal{}, false
	}
	whole, fraction, dot := strings.Cut(digits, ".")
	if dot && fraction == "" || whole == "" || !allDigits(whole) || !allDigits(fraction) {
		return decimal{}, false
	}
	d := decimal{whole: strings.TrimLeft(whole, "0"), fraction: strings.TrimRight(fraction, "0")}
	d.negative = s[0] == '-' && (d.whole != "" || d.fraction != "")
	return d, true
}

// compare is negative when d is less than o, positive when it is more.
func (d decimal) compare(o decimal) int {
	if d.negative != o.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	order := cmp.Or(cmp.Compare(len(d.whole), len(o.whole)), cmp.Compare(d.whole, o.whole), cmp.Compare(d.fraction, o.fraction))
	if d.negative {
		return -order
	}
	return order
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// instant is a moment, in nanoseconds of a second since 1970.
type instant struct {
	second int64
	nano   int32
}

func (t instant) compare(o instant) int {
	return cmp.Or(cmp.Compare(t.second, o.second), cmp.Compare(t.nano, o.nano))
}

// parseDate reads a date as policies and requests spell it: ISO 8601 (a month, a
// day, or with hours, minutes, seconds and a fraction; Z, an offset or none, which
// is UTC) or seconds since 1970.
func parseDate(s string) (instant, bool) {
	if s != "" && allDigits(s) {
		seconds, err := strconv.ParseInt(s, 10, 64)
		return instant{second: seconds}, err == nil
	}
	r := dateReader{rest: s, ok: true}
	year, month, day := r.digits(4), 1, 1
	if r.skip('-'); r.ok {
		month = r.digits(2)
	}
	if r.next('-') {
		day = r.digits(2)
	}
	var hour, minute, second, nano, offset int
	if r.next('T') && r.rest != "" {
		hour = r.digits(2)
		if r.next(':') {
			minute = r.digits(2)
			if r.next(':') {
				second, nano = r.digits(2), r.fraction()
			}
		}
		offset = r.offset()
	}
	if !r.ok || r.rest != "" || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return instant{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day {
		return instant{}, false // the month has no such day
	}
	return instant{t.Unix() - int64(offset), int32(nano)}, true
}

// dateReader reads a date from left to right. Once something is not as it should
// be it is not ok any more.
type dateReader struct {
	rest string
	ok   bool
}

func (r *dateReader) digits(n int) int {
	if len(r.rest) < n || !allDigits(r.rest[:n]) {
		r.ok = false
		return 0
	}
	v := 0
	for _, c := range []byte(r.rest[:n]) {
		v = v*10 + int(c-'0')
	}
	r.rest = r.rest[n:]
	return v
}

// next takes c, in either case, if it stands there.
func (r *dateReader) next(c byte) bool {
	if !r.ok || r.rest == "" || lower(r.rest[0]) != lower(c) {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *dateReader) skip(c byte) { r.ok = r.next(c) }

// fraction reads .123, in nanoseconds; what is finer is cut off.
func (r *dateReader) fraction() int {
	if !r.next('.') {
		return 0
	}
	n, unit := 0, 100_000_000
	count := 0
	for r.rest != "" && r.rest[0] >= '0' && r.rest[0] <= '9' {
		n += int(r.rest[0]-'0') * unit
		unit /= 10
		r.rest = r.rest[1:]
		count++
	}
	r.ok = r.ok && count > 0
	return n
}

// offset reads Z, +01:00 or -01, in seconds.
func (r *dateReader) offset() int {
	sign := 1
	switch {
	case r.next('Z'):
		return 0
	case r.next('-'):
		sign = -1
	case !r.next('+'):
		return 0
	}
	seconds := r.digits(2) * 3600
	if r.next(':') {
		seconds += r.digits(2) * 60
	}
	return sign * seconds
}

// dateForm says whether IAM takes s for a date when a policy is written, by the
// rules that moto found out: either a number of seconds that fits 63 bits, or
// parts within their ranges, from the year on as many as there are.
func dateForm(s string) bool {
	s = strings.ToLower(s)
	if !strings.ContainsAny(s, "t-") {
		_, err := strconv.ParseInt(s, 10, 64)
		return err == nil
	}
	date, clock, _ := strings.Cut(s, "t")
	date = strings.TrimPrefix(date, "-")
	parts := strings.Split(date, "-")
	if len(parts) > 3 || !inRange(parts[0], 0, 292278993) ||
		len(parts) > 1 && !inRange(parts[1], 1, 12) || len(parts) > 2 && !inRange(parts[2], 1, 31) {
		return false
	}
	if clock == "" {
		return true
	}
	return clockForm(clock)
}

func clockForm(clock string) bool {
	clock, zulu := strings.CutSuffix(clock, "z")
	if i := strings.LastIndexAny(clock, "+-"); i >= 0 {
		hours, minutes, both := strings.Cut(clock[i+1:], ":")
		if zulu || len(hours) != 2 || !inRange(hours, 0, 23) || both && (len(minutes) != 2 || !inRange(minutes, 0, 59)) {
			return false
		}
		clock = clock[:i]
	}
	parts := strings.Split(clock, ":")
	if len(parts) > 3 || !inRange(parts[0], 0, 23) || len(parts) > 1 && !inRange(parts[1], 0, 59) {
		return false
	}
	if len(parts) < 3 {
		return true
	}
	seconds, fraction, dot := strings.Cut(parts[2], ".")
	return inRange(seconds, 0, 59) && (!dot || inRange(fraction, 0, 999999999))
}

func inRange(s string, lo, hi int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && allDigits(s) && n >= lo && n <= hi
}

// parseNet reads an address or a CIDR block. An address alone is a block of one.
func parseNet(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}
