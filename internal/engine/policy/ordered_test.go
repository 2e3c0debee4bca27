package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// TestOrdered holds comparisons of random numbers and dates, in all the forms that
// they are written in, against exact arithmetic and the time package.
func TestOrdered(t *testing.T) {
	for seed := range uint64(randomSeeds) {
		r := newRandom(seed)
		a, b := r.number(), r.number()
		if r.chance(30) {
			b = r.respelled(a)
		}
		compareOrdered(t, "Numeric", a, b)
		compareOrdered(t, "Date", r.date(), r.date())
	}
}

func compareOrdered(t *testing.T, kind, want, got string) {
	t.Helper()
	for operator, test := range map[string]policy.Test{
		"Equals": policy.NumericEquals, "LessThan": policy.NumericLessThan, "LessThanEquals": policy.NumericLessThanEquals,
		"GreaterThan": policy.NumericGreaterThan, "GreaterThanEquals": policy.NumericGreaterThanEquals,
	} {
		if kind == "Date" {
			test += policy.DateEquals - policy.NumericEquals
		}
		text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s:a","Resource":"*","Condition":{"%s%s":{"aws:K":%q}}}}`, kind, operator, want)
		expect := refTest(test, want, got, true, nil)
		if decide(t, text, policy.Request{Keys: keys{"aws:K": {got}}}) != expect {
			t.Errorf("%s is %s%s %s: want %v", got, kind, operator, want, expect)
		}
	}
}

// number is a decimal number: short or of tens of digits, with zeros that say
// nothing.
func (r random) number() string {
	digits := func(most int) string {
		var b strings.Builder
		for range 1 + r.IntN(most) {
			b.WriteString(r.of("0", "1", "9", "5"))
		}
		return b.String()
	}
	text := r.of("", "", "-", "+") + digits(r.IntN(25)+1)
	if r.chance(50) {
		text += "." + digits(r.IntN(12)+1)
	}
	return text
}

// respelled is the same number with other zeros.
func (r random) respelled(number string) string {
	sign := ""
	if strings.HasPrefix(number, "-") || strings.HasPrefix(number, "+") {
		sign, number = number[:1], number[1:]
	}
	if !strings.Contains(number, ".") {
		number += ".0"
	}
	return sign + strings.Repeat("0", r.IntN(3)) + number + strings.Repeat("0", r.IntN(3))
}

// date is near others, or far, in one of the forms that both sides may write.
func (r random) date() string {
	at := time.Unix(1_577_836_800+r.Int64N(5), 0)
	switch r.IntN(4) {
	case 0:
		at = at.Add(time.Duration(r.IntN(3)) * time.Millisecond)
	case 1:
		at = at.AddDate(r.IntN(60)-30, r.IntN(12), r.IntN(28))
	}
	zone := time.FixedZone("", (r.IntN(27)-13)*1800)
	switch r.IntN(5) {
	case 0:
		if at.Unix() >= 0 {
			return fmt.Sprint(at.Unix())
		}
	case 1:
		return at.UTC().Format("2006-01-02")
	case 2:
		return at.In(zone).Format("2006-01-02T15:04:05.000Z07:00")
	case 3:
		return at.UTC().Format("2006-01-02T15:04:05Z")
	}
	return at.In(zone).Format(time.RFC3339Nano)
}
