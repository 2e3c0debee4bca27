package policy

import (
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseNumber reads a decimal number, exactly.
func parseNumber(s string) (*big.Rat, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || len(s) > 64 {
		return nil, false
	}
	whole, fraction, dot := strings.Cut(digits, ".")
	if dot && fraction == "" || whole == "" || !allDigits(whole) || !allDigits(fraction) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// parseDate reads a date as policies and requests spell it: ISO 8601 (a date, or
// with hours, minutes, seconds and a fraction; Z, an offset or none, which is
// UTC) or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if s != "" && allDigits(s) {
		seconds, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(seconds, 0), err == nil
	}
	s = strings.ToUpper(s)
	for _, layout := range []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
		"2006-01-02T15:04:05Z07", "2006-01-02T15Z07:00", "2006-01-02T15", "2006-01-02T", "2006-01-02", "2006-01",
	} {
		// A fraction of the second is read after any layout that has seconds.
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
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
