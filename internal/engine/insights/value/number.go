package value

import (
	"math"
	"strconv"
	"time"
)

// ParseNumber reads a decimal number: digits with or without sign, fraction and
// exponent, and nothing around them. Infinities, hexadecimal forms and numbers beyond a
// float64 are none.
func ParseNumber(s string) (float64, bool) {
	if len(s) == 0 || len(s) > 400 {
		return 0, false
	}
	i := 0
	if s[0] == '-' || s[0] == '+' {
		i = 1
	}
	start, whole := i, int64(0)
	for i < len(s) && s[i]-'0' < 10 {
		whole = whole*10 + int64(s[i]-'0')
		i++
	}
	if i == len(s) {
		if i-start == 0 {
			return 0, false
		}
		if i-start <= 15 { // exact: no rounding can be needed
			if s[0] == '-' {
				whole = -whole
			}
			return float64(whole), true
		}
	} else if c := s[i]; c != '.' && c != 'e' && c != 'E' {
		return 0, false
	}
	for _, c := range []byte(s[i:]) {
		if c-'0' >= 10 && c != '.' && c != 'e' && c != 'E' && c != '-' && c != '+' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// FormatNumber prints a number in its shortest form that reads as the same number: 5,
// 2.5, -0.001; from 1e21 on with an exponent.
func FormatNumber(f float64) string {
	if f == 0 {
		return "0" // the negative zero too
	}
	if a := math.Abs(f); a >= 1e21 || a < 1e-9 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// TimeLayout is how times are printed, in UTC.
const TimeLayout = "2006-01-02 15:04:05.000"

// FormatTime prints a time, in milliseconds since 1970, as results show it.
func FormatTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(TimeLayout) }
