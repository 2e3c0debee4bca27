// Package totp makes and finds time-based one-time passwords, as virtual MFA devices
// show them: HMAC-SHA-1, six digits, a new code every thirty seconds.
// https://www.rfc-editor.org/rfc/rfc6238
//
// The package has no clock and keeps no state: that a code is taken once is for its
// callers, who remember the step of the last.
package totp

import (
	"crypto/hmac"
	"crypto/sha1" // what authenticator apps use
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// Period is how long a code is shown.
const Period = 30 * time.Second

// Step is the number of the code that is shown at an instant.
func Step(at time.Time) int64 { return at.Unix() / int64(Period/time.Second) }

// Code is the code of a step: six digits.
func Code(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	m := hmac.New(sha1.New, secret)
	m.Write(counter[:])
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// Find returns the step, among those at most so many away from around, whose code and
// those after it are the given ones; of several the latest.
func Find(secret []byte, around, away int64, codes ...string) (step int64, ok bool) {
	for s := around - away; s <= around+away; s++ {
		same := 1
		for i, code := range codes {
			same &= subtle.ConstantTimeCompare([]byte(Code(secret, s+int64(i))), []byte(code))
		}
		if same == 1 && len(codes) > 0 {
			step, ok = s, true
		}
	}
	return step, ok
}
