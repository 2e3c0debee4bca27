package controlplane

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLinesBecomeEvents(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	defer func() { time.Local = zone }()
	now := time.Date(2027, 1, 1, 0, 0, 5, 0, time.UTC)
	event := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1","stage":"ResponseComplete",` +
		`"requestObject":{"stageTimestamp":"1999-01-01T00:00:00Z","auditID":"x"},"requestReceivedTimestamp":"2026-12-31T23:59:58.000000Z","stageTimestamp":"2026-12-31T23:59:59.123456Z"}`
	types := map[string]LogType{}
	for _, lt := range (Config{Dir: "/d"}).LogTypes("ABC") {
		types[lt.Name] = lt
	}
	for _, test := range []struct{ kind, line, want string }{
		{"api", "I0101 00:00:03.123456   12 a.go:1] x", "2027-01-01T00:00:03.123Z I0101 00:00:03.123456   12 a.go:1] x"},
		{"scheduler", "E1231 23:59:59.999999   12 a.go:1] x", "2026-12-31T23:59:59.999Z E1231 23:59:59.999999   12 a.go:1] x"},
		{"controllerManager", "goroutine 1 [running]:", "2027-01-01T00:00:05.000Z goroutine 1 [running]:"},
		{"authenticator", `time="2026-12-31T23:59:59Z" level=info msg="access granted"`, `2026-12-31T23:59:59.000Z time="2026-12-31T23:59:59Z" level=info msg="access granted"`},
		{"authenticator", "http: TLS handshake error", "2027-01-01T00:00:05.000Z http: TLS handshake error"},
		{"audit", event, "2026-12-31T23:59:59.123Z " + event},
		{"audit", event[:60] + event, "2026-12-31T23:59:59.123Z " + event[:60] + "\n2026-12-31T23:59:59.123Z " + event},
		{"audit", event[:60], "2027-01-01T00:00:05.000Z " + event[:60]},
	} {
		var got []string
		for _, e := range types[test.kind].Events(test.line, now) {
			got = append(got, e.Time.UTC().Format("2006-01-02T15:04:05.000Z ")+e.Message)
		}
		if s := strings.Join(got, "\n"); s != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.kind, s, test.want)
		}
	}
	if got := AuditKey(event); got != "a1/ResponseComplete" {
		t.Errorf("key %q", got)
	}
	if got := AuditKey("x"); got != "" {
		t.Errorf("key %q of what is no event", got)
	}
	for name, prefix := range map[string]string{
		"api": "kube-apiserver", "audit": "kube-apiserver-audit", "authenticator": "authenticator", "controllerManager": "kube-controller-manager", "scheduler": "kube-scheduler",
	} {
		if got := types[name].Stream; !regexp.MustCompile("^" + prefix + "-[0-9a-f]{32}$").MatchString(got) {
			t.Errorf("stream of %s is %s", name, got)
		}
	}
}
