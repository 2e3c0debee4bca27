package function

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

var encodings = []*Function{
	ofText("urlencode", urlEncode),
	ofText("urldecode", urlDecode),
	ofText("base64encode", func(s string) value.Value { return text(base64.StdEncoding.EncodeToString([]byte(s))) }),
	ofText("base64decode", base64Decode),
	ofText("hexToAscii", func(s string) value.Value {
		b, err := hex.DecodeString(unprefixed(s))
		if err != nil {
			return value.Value{}
		}
		return decoded(b)
	}),
	ofText("hexToDec", hexToDec),
	{Name: "decToHex", Min: 1, Max: 1, eval: decToHex},
	ofText("md5", func(s string) value.Value {
		sum := md5.Sum([]byte(s))
		return value.OfText(hex.EncodeToString(sum[:]))
	}),
	ofText("sha256", func(s string) value.Value {
		sum := sha256.Sum256([]byte(s))
		return value.OfText(hex.EncodeToString(sum[:]))
	}),
}

// decoded is a text made of bytes: what is no UTF-8 can't be shown in results.
func decoded(b []byte) value.Value { return text(strings.ToValidUTF8(string(b), "\ufffd")) }

// urlEncode encodes as forms do: a space is a plus sign (application/x-www-form-urlencoded
// of the URL standard).
func urlEncode(s string) value.Value {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("*-._", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return text(b.String())
}

func urlDecode(s string) value.Value {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return value.OfText(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return value.Value{}
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return value.Value{}
			}
			b = append(b, byte(n))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return decoded(b)
}

// base64Decode takes both alphabets, with and without padding.
func base64Decode(s string) value.Value {
	s = strings.TrimRight(s, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	b, err := encoding.DecodeString(s)
	if err != nil {
		return value.Value{}
	}
	return decoded(b)
}

// unprefixed is hexadecimal digits without 0x.
func unprefixed(s string) string {
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		return s[2:]
	}
	return s
}

// hexToDec reads up to 16 digits as a signed number of 64 bits, as decToHex writes them.
func hexToDec(s string) value.Value {
	n, err := strconv.ParseUint(unprefixed(s), 16, 64)
	if err != nil {
		return value.Value{}
	}
	return value.Written(strconv.FormatInt(int64(n), 10))
}

// decToHex writes whole numbers; negative ones as two's complements.
func decToHex(_ *Context, args []value.Value) value.Value {
	if n, err := strconv.ParseInt(args[0].String(), 10, 64); err == nil {
		return value.OfText(strconv.FormatUint(uint64(n), 16))
	}
	f, ok := args[0].Number()
	if !ok || f != math.Trunc(f) || f < -1<<63 || f >= 1<<63 {
		return value.Value{}
	}
	return value.OfText(strconv.FormatUint(uint64(int64(f)), 16))
}
