package columns

// Points in time as text: 2026-11-23T19:00:00.123456Z, in UTC, with up to 6 digits after
// the seconds.

// tens[d] is how many microseconds a unit of d digits has.
var tens = [7]int64{1_000_000, 100_000, 10_000, 1_000, 100, 10, 1}

const dayMicros = 24 * 3600 * 1_000_000

// parseInstant reads a point in time, in microseconds since 1970, and how many digits it
// was written with. What it takes appendInstant writes as it was.
func parseInstant(b []byte) (micros int64, digits int, ok bool) {
	if len(b) < 20 || len(b) > 27 || len(b) == 21 || b[len(b)-1] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, 0, false
	}
	if len(b) > 20 {
		if b[19] != '.' {
			return 0, 0, false
		}
		digits = len(b) - 21
	}
	ok = true
	num := func(from, to int) int64 {
		n := int64(0)
		for _, c := range b[from:to] {
			ok = ok && c-'0' <= 9
			n = n*10 + int64(c-'0')
		}
		return n
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, second := num(11, 13), num(14, 16), num(17, 19)
	if !ok || year < 1970 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, 0, false
	}
	micros = daysSince1970(year, month, day)*dayMicros + ((hour*60+minute)*60+second)*1_000_000
	if digits > 0 {
		micros += num(20, 20+digits) * tens[digits]
	}
	return micros, digits, ok
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts by years that begin in March, so that leap days come last.
func daysSince1970(year, month, day int64) int64 {
	month -= 3
	if month < 0 {
		month += 12
		year--
	}
	return year*365 + year/4 - year/100 + year/400 + (month*153+2)/5 + day - 1 - 719468
}

// appendInstant writes what parseInstant read.
func appendInstant(out []byte, micros int64, digits int) []byte {
	days, rest := micros/dayMicros, micros%dayMicros
	if rest < 0 {
		days, rest = days-1, rest+dayMicros
	}
	z := days + 719468
	era := z / 146097
	of := z - era*146097
	year := (of - of/1460 + of/36524 - of/146096) / 365
	of -= year*365 + year/4 - year/100
	m := (of*5 + 2) / 153
	day := of - (m*153+2)/5 + 1
	year += era * 400
	if m < 10 {
		m += 3
	} else {
		m -= 9
		year++
	}
	seconds := rest / 1_000_000
	out = append(out, byte('0'+year/1000%10), byte('0'+year/100%10))
	out = append2(out, year%100)
	out = append2(append(out, '-'), m)
	out = append2(append(out, '-'), day)
	out = append2(append(out, 'T'), seconds/3600)
	out = append2(append(out, ':'), seconds/60%60)
	out = append2(append(out, ':'), seconds%60)
	if digits > 0 {
		out = append(out, '.')
		unit := int64(100_000)
		for range digits {
			out = append(out, byte('0'+rest/unit%10))
			unit /= 10
		}
	}
	return append(out, 'Z')
}

func append2(out []byte, n int64) []byte { return append(out, byte('0'+n/10), byte('0'+n%10)) }

// parseInt reads an integer that strconv writes as it was.
func parseInt(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	n := int64(0)
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(b) {
		n = -n
	}
	return n, true
}

const uuidText = 36 // bytes of a UUID as text

// appendUUID writes the 16 bytes of a UUID in lower case.
func appendUUID(out, b []byte) ([]byte, bool) {
	if len(b) != uuidText {
		return out, false
	}
	for i := 0; i < uuidText; i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if b[i] != '-' {
				return out, false
			}
			continue
		}
		h, l := nibbles[b[i]], nibbles[b[i+1]]
		if h|l > 15 {
			return out, false
		}
		out = append(out, h<<4|l)
		i++
	}
	return out, true
}

const hexDigits = "0123456789abcdef"

var nibbles = func() (n [256]byte) {
	for i := range n {
		n[i] = 0xff
	}
	for i, c := range []byte(hexDigits) {
		n[c] = byte(i)
	}
	return n
}()

// appendUUIDText writes a UUID's text.
func appendUUIDText(out []byte, b []byte) []byte {
	for i, c := range b[:16] {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hexDigits[c>>4], hexDigits[c&15])
	}
	return out
}
