package authn

import (
	"bytes"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"
)

// The reference is logrus itself, as aws-iam-authenticator configures it.
func TestLinesAreLogrus(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.MapOfN(rapid.SampledFrom([]string{"arn", "client", "error", "groups", "path", "session"}), rapid.String(), 0, 6).Draw(t, "fields")
		msg := rapid.StringN(1, 40, -1).Draw(t, "msg")
		groups := rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "list")

		var want, got bytes.Buffer
		reference := logrus.New()
		reference.SetOutput(&want)
		reference.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: true})
		theirs, ours := logrus.Fields{"list": groups}, fields{"list": groups}
		for k, v := range values {
			theirs[k], ours[k] = v, v
		}
		reference.WithTime(at).WithFields(theirs).Warn(msg)
		NewLog(&got, func() time.Time { return at }).line(warning, msg, ours)
		if got.String() != want.String() {
			t.Fatalf("line\n%slogrus writes\n%s", got.String(), want.String())
		}
	})
}
