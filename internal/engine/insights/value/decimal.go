package value

import (
	"math"
	"strings"
)

// firstRounded is from where on a float64 leaves digits of whole numbers out.
const firstRounded = 1 << 53

// IsRounded reports whether numbers that differ may have this float64 in common, so that
// they are compared by their digits.
func IsRounded(f float64) bool { return math.Abs(f) >= firstRounded }

// compareNumbers orders two values by the numbers that they count as: from 2^53 on, where
// a float64 can't tell all whole numbers apart, by their digits as they print.
func compareNumbers(a, b Value, x, y float64) int {
	if x != y || !IsRounded(x) || a.text == b.text { // both computed, if they have no text
		return compareFloats(x, y)
	}
	return decimalOf(a).compare(decimalOf(b))
}

// A decimal is a number by its digits: 0.DIGITS times 10 to the power of point. Digits
// neither begin nor end with 0.
type decimal struct {
	negative bool
	digits   string
	point    int
}

// decimalOf takes apart what a value that counts as a number prints as; a time, its
// milliseconds.
func decimalOf(v Value) decimal {
	s := v.text
	if s == "" {
		s = FormatNumber(v.num)
	}
	var d decimal
	if s[0] == '-' || s[0] == '+' {
		d.negative, s = s[0] == '-', s[1:]
	}
	exponent := 0
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		exponent, s = exponentOf(s[at+1:]), s[:at]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	all := whole + fraction
	d.digits = strings.TrimLeft(all, "0")
	d.point = len(whole) - (len(all) - len(d.digits)) + exponent
	d.digits = strings.TrimRight(d.digits, "0")
	return d
}

// exponentOf reads an exponent. Of one with more digits than any float64 can have, it is
// as much as is said by the first.
func exponentOf(s string) int {
	n, sign := 0, 1
	for i := range len(s) {
		switch {
		case s[i] == '-':
			sign = -1
		case isDigit(s[i]) && n < 1_000_000:
			n = n*10 + int(s[i]-'0')
		}
	}
	return sign * n
}

// compare orders two decimals other than 0 that have the same sign.
func (d decimal) compare(o decimal) int {
	c := compareFloats(float64(d.point), float64(o.point))
	if c == 0 {
		c = strings.Compare(d.digits, o.digits)
	}
	if d.negative {
		return -c
	}
	return c
}
