package global

import (
	"fmt"
	"regexp"
	"time"

	"github.com/eksact/eksact/internal/hint"
)

// inTime has the form of a duration, which time.ParseDuration refuses of one that is
// too long.
var inTime = regexp.MustCompile(`^-?(\d+(\.\d*)?(h|m|s|ms))+$`)

// Since reads --since: a duration before now, or a time; the zero time of none.
func Since(text string, now time.Time) (time.Time, error) { return When("--since", text, now) }

// When reads a flag as Since does.
func When(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d.Abs()), nil
	}
	if inTime.MatchString(text) {
		return time.Time{}, hint.New(fmt.Sprintf("%s %s is longer than 292 years", flag, text), "leave "+flag+" out for all there is")
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, hint.New(fmt.Sprintf("%s %q is neither a duration nor a time", flag, text), "say 90m, 24h, 2026-11-26 or 2026-11-26T12:00:00Z")
}
