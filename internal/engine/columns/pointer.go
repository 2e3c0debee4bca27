package columns

import (
	"encoding/base64"
	"encoding/binary"
)

// Pointer names an event by its log and its number in it: what @ptr is.
func Pointer(log string, sequence int64) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(log)), uint64(sequence))
	return base64.StdEncoding.EncodeToString(append(b, log...))
}

// ParsePointer reads what Pointer wrote.
func ParsePointer(pointer string) (log string, sequence int64, ok bool) {
	b, err := base64.StdEncoding.DecodeString(pointer)
	if err != nil || len(b) < 8 {
		return "", 0, false
	}
	return string(b[8:]), int64(binary.BigEndian.Uint64(b)), true
}
