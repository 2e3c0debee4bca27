package imds

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Limits of a token's life, in seconds (EC2 User Guide).
const (
	minTTL = 1
	maxTTL = 21600
)

// tokens issues tokens that need no memory: when it ends, and a code over that
// and the instance. Whoever knows the key can make them.
type tokens struct{ key []byte }

func (t tokens) issue(instance string, ends time.Time) string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(ends.Unix()))
	return base64.URLEncoding.EncodeToString(append(buf, t.code(instance, buf)...))
}

func (t tokens) valid(token, instance string, now time.Time) bool {
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(raw) != 8+sha256.Size {
		return false
	}
	if !hmac.Equal(raw[8:], t.code(instance, raw[:8])) {
		return false
	}
	return now.Unix() < int64(binary.BigEndian.Uint64(raw[:8]))
}

func (t tokens) code(instance string, ends []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write(ends)
	h.Write([]byte(instance))
	return h.Sum(nil)
}
