package totp_test

import (
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/totp"
)

// The vectors of RFC 6238, appendix B, for SHA-1: their last six digits.
func TestVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totp.Code(secret, totp.Step(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	secret := []byte("secret")
	code := func(step int64) string { return totp.Code(secret, step) }
	for name, c := range map[string]struct {
		codes []string
		want  int64 // -1: none
	}{
		"now":            {[]string{code(100)}, 100},
		"one before":     {[]string{code(99)}, 99},
		"one after":      {[]string{code(101)}, 101},
		"two before":     {[]string{code(98)}, -1},
		"two after":      {[]string{code(102)}, -1},
		"in a row":       {[]string{code(100), code(101)}, 100},
		"backwards":      {[]string{code(101), code(100)}, -1},
		"with a gap":     {[]string{code(99), code(101)}, -1},
		"the same twice": {[]string{code(100), code(100)}, -1},
		"too short":      {[]string{code(100)[1:]}, -1},
		"empty":          {[]string{""}, -1},
		"none":           {nil, -1},
	} {
		got, ok := totp.Find(secret, 100, 1, c.codes...)
		if ok != (c.want >= 0) || ok && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, ok, c.want)
		}
	}
}
