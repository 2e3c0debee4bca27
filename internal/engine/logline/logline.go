// Package logline reads the time that a log's line tells, as Kubernetes' components and
// their companions write it.
package logline

import (
	"strings"
	"time"
)

// Klog reads a line of Kubernetes' components: "I1127 09:24:31.123456  …", in a zone. It
// tells no year: the last is meant that is not more than a month ahead of now.
func Klog(line string, now time.Time, zone *time.Location) (time.Time, bool) {
	if len(line) < 22 || strings.IndexByte("IWEF", line[0]) < 0 {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation("0102 15:04:05.000000", line[1:21], zone)
	if err != nil {
		return time.Time{}, false
	}
	t = t.AddDate(now.In(zone).Year()-t.Year(), 0, 0)
	if t.After(now.AddDate(0, 1, 0)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t, true
}

// Logrus reads a line of aws-iam-authenticator: time="2026-11-27T09:24:31Z" ….
func Logrus(line string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(line, `time="`)
	if !ok {
		return time.Time{}, false
	}
	text, _, _ := strings.Cut(rest, `"`)
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}
