package value

import (
	"strings"
	"unicode/utf8"
)

// JSON is the value as JSON text: maps in the order of their keys' writing, numbers as
// they print, times as texts. Null is null.
func (v Value) JSON() string {
	var b strings.Builder
	v.writeJSON(&b)
	return b.String()
}

func (v Value) writeJSON(b *strings.Builder) {
	switch v.kind {
	case Null:
		b.WriteString("null")
	case Number:
		b.WriteString(v.String())
	case Bool:
		if v.num == 1 {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case Text, Time:
		quote(b, v.String())
	case List:
		b.WriteByte('[')
		for i, item := range v.data.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.writeJSON(b)
		}
		b.WriteByte(']')
	case Map:
		b.WriteByte('{')
		for i, item := range v.data.items {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(b, v.data.keys[i])
			b.WriteByte(':')
			item.writeJSON(b)
		}
		b.WriteByte('}')
	}
}

// quote writes a JSON string, escaping no more than JSON demands: what was read from
// "<&>" is written so again. Bytes that are not UTF-8 become U+FFFD.
func quote(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			b.WriteRune(r)
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < 0x20:
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
