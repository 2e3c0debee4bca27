package ssm

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// digest tells queries apart.
func digest(query []any) string {
	raw, _ := json.Marshal(query) // of strings and numbers
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

func seal(mark, after string) string {
	return base64.URLEncoding.EncodeToString([]byte(mark + " " + after))
}

func unseal(token, mark string) (after string, ok bool) {
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(raw), mark+" ")
}
