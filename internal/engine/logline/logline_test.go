package logline

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	newYear := time.Date(2027, 1, 1, 0, 0, 5, 0, time.UTC)
	for _, test := range []struct{ line, want string }{
		{"I0101 00:00:03.123456   12 a.go:1] x", "2027-01-01T00:00:03.123456Z"},
		{"E1231 23:59:59.999999   12 a.go:1] x", "2026-12-31T23:59:59.999999Z"},
		{"I0131 00:00:00.000000   1", "2027-01-31T00:00:00Z"},
		{"X0101 00:00:03.123456   12 a.go:1] x", ""}, {"I0101 00:00:03.12345", ""}, {"I1301 00:00:03.123456   1", ""}, {"", ""},
		{`time="2026-12-31T23:59:59Z" level=info`, "2026-12-31T23:59:59Z"}, {`time="x" level=info`, ""}, {"level=info", ""},
	} {
		got, ok := Klog(test.line, newYear, time.UTC)
		if !ok {
			got, ok = Logrus(test.line)
		}
		text := ""
		if ok {
			text = got.Format(time.RFC3339Nano)
		}
		if text != test.want {
			t.Errorf("%q: %q, want %q", test.line, text, test.want)
		}
	}
}
