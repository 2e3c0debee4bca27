package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Verifier checks signatures. It holds the derived keys last used and scratch
// space, nothing else; it is safe for concurrent use.
type Verifier struct {
	keys    *keyCache
	scratch sync.Pool // of *canonical
}

// NewVerifier makes a Verifier that remembers up to keys derived keys (at
// least one).
func NewVerifier(keys int) *Verifier {
	return &Verifier{
		keys:    newKeyCache(max(keys, 1)),
		scratch: sync.Pool{New: func() any { return new(canonical) }},
	}
}

// Verify checks that sig, which Parse read from r, was made with secret over
// this very request, and within the time that rules allow around now. Errors
// are *Error.
func (v *Verifier) Verify(r *Request, sig *Signature, secret string, rules Rules, now time.Time) error {
	if err := checkTime(sig, rules, now); err != nil {
		return err
	}
	if err := checkCovered(r, sig); err != nil {
		return err
	}
	payload, err := payloadText(r, sig, rules)
	if err != nil {
		return err
	}
	var given [2 * sha256.Size]byte
	if copy(given[:], sig.Hex) != len(given) || len(sig.Hex) != len(given) {
		return refuse(Mismatch, textMismatch)
	}

	key := v.keys.get(keyName{secret, sig.Date, sig.Region, sig.Service})
	pad := v.scratch.Get().(*canonical)
	defer v.scratch.Put(pad)

	var room [4]spelling
	for _, how := range spellings(room[:0], r, sig, rules) {
		if v.matches(pad, key, r, sig, payload, how, &given) {
			return nil
		}
	}
	return refuse(Mismatch, textMismatch)
}

// spellings adds to list the texts that this request may rightly have been signed as,
// the usual one first. A path with dot segments or doubled slashes is signed
// normalised (as documented, and by botocore) or as it is (by the SDKs for
// Go); S3's with its escapes as they are or made uniform; and the session
// token of a presigned URL may have been added after signing. Each proves
// possession of the secret over the same request.
func spellings(list []spelling, r *Request, sig *Signature, rules Rules) []spelling {
	paths := [2]pathForm{pathTwice, pathNormalised}
	n := 1
	if rules.PlainPath {
		paths = [2]pathForm{pathPlain, pathUniform}
		n = 2
	} else if hasDots(r.Path) {
		n = 2
	}
	for _, path := range paths[:n] {
		list = append(list, spelling{path: path})
	}
	if sig.Presigned && sig.SessionToken != "" {
		for _, path := range paths[:n] {
			list = append(list, spelling{path: path, skipToken: true})
		}
	}
	return list
}

// matches signs one spelling of the request and compares in constant time.
func (v *Verifier) matches(pad *canonical, key *signingKey, r *Request, sig *Signature, payload string, how spelling, given *[2 * sha256.Size]byte) bool {
	digest := sha256.Sum256(pad.write(r, sig, payload, how))
	b := append(pad.buf[:0], Algorithm...)
	b = append(b, '\n')
	b = append(b, sig.Timestamp...)
	b = append(b, '\n')
	b = append(b, sig.Date...)
	b = append(b, '/')
	b = append(b, sig.Region...)
	b = append(b, '/')
	b = append(b, sig.Service...)
	b = append(b, "/"+terminator+"\n"...)
	b = hex.AppendEncode(b, digest[:])
	pad.buf = b
	var right [2 * sha256.Size]byte
	sum := key.sum(b)
	hex.Encode(right[:], sum[:])
	return subtle.ConstantTimeCompare(right[:], given[:]) == 1
}

// checkTime applies the window of the form at hand.
func checkTime(sig *Signature, rules Rules, now time.Time) error {
	now = now.UTC()
	if sig.Time.After(now.Add(rules.Skew)) {
		return refuse(NotYet, fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %d min.)",
			sig.Timestamp, now.Add(rules.Skew).Format(TimeFormat), now.Format(TimeFormat), rules.Skew/time.Minute))
	}
	window := rules.Skew
	if sig.Presigned {
		window = rules.PresignWindow
		if window == 0 {
			if sig.Expires < time.Second || sig.Expires > 604800*time.Second {
				return refuse(BadExpires, textExpires)
			}
			if now.After(sig.Time.Add(sig.Expires)) {
				return refuse(Expired, "Request has expired")
			}
			return nil
		}
	}
	if earliest := now.Add(-window); sig.Time.Before(earliest.Truncate(time.Second)) {
		return refuse(Expired, fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %d min.)",
			sig.Timestamp, earliest.Format(TimeFormat), now.Format(TimeFormat), window/time.Minute))
	}
	return nil
}

// checkCovered refuses a request with X-Amz-* headers that its signature does
// not cover: they choose the operation (X-Amz-Target) or change its meaning.
// The session token is proven by the secret that belongs to it, and may have
// been added after signing.
func checkCovered(r *Request, sig *Signature) error {
	for key := range r.Header {
		if len(key) < 6 || key[:6] != "X-Amz-" || key == "X-Amz-Security-Token" {
			continue
		}
		if !listsFold(sig.SignedHeaders, key) {
			return refuse(UnsignedHeaders, "There were headers present in the request which were not signed: "+strings.ToLower(key))
		}
	}
	return nil
}

// listsFold is lists with ASCII case ignored.
func listsFold(list, name string) bool {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ";")
		if len(one) == len(name) && strings.EqualFold(one, name) {
			return true
		}
	}
	return false
}

// payloadText is the last line of the canonical request as far as it is not
// simply the hash of the body (""): the body's hash is used unless the client
// declared, and the service accepts, that the body is not covered.
func payloadText(r *Request, sig *Signature, rules Rules) (string, error) {
	declared := sig.Payload
	switch {
	case declared == "":
		if sig.Presigned && rules.UnsignedPayload {
			return UnsignedPayload, nil
		}
		if r.BodyLater {
			return "", refuse(BadPayload, "Missing required header for this request: x-amz-content-sha256")
		}
		return "", nil
	case declared == UnsignedPayload, strings.HasPrefix(declared, streamingPrefix):
		known := declared == UnsignedPayload || declared == StreamingSigned || declared == StreamingSignedTrailer || declared == StreamingUnsignedTrailer
		if !rules.UnsignedPayload || !known {
			return "", refuse(BadPayload, "The value of x-amz-content-sha256 is invalid.")
		}
		return declared, nil
	}
	var sum [sha256.Size]byte
	if len(declared) != 2*sha256.Size {
		return "", refuse(BadPayload, "The value of x-amz-content-sha256 is invalid.")
	}
	if _, err := hex.Decode(sum[:], []byte(declared)); err != nil {
		return "", refuse(BadPayload, "The value of x-amz-content-sha256 is invalid.")
	}
	if !r.BodyLater && sum != r.BodySHA256 {
		return "", refuse(BadPayload, textPayload)
	}
	return declared, nil
}

// Streaming reports whether the body is sent in signed or unsigned chunks
// (aws-chunked), so that what was verified is the head of the request only.
func (s *Signature) Streaming() bool { return strings.HasPrefix(s.Payload, streamingPrefix) }
