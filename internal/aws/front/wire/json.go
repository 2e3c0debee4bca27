package wire

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader pulls values out of one JSON text without building a tree of
// them: strings without escapes are parts of the text itself. It takes exactly
// what encoding/json takes (a fuzz test compares them); encoding/json itself
// would allocate every token, or the whole message twice.
type jsonReader struct {
	text  string
	pos   int
	depth int
}

func (d *jsonReader) fail(what string) error {
	return serialization("%s at offset %d", what, d.pos)
}

// peek skips white space and returns the next byte, 0 at the end.
func (d *jsonReader) peek() byte {
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

func (d *jsonReader) end() error {
	if d.peek() != 0 || d.pos < len(d.text) {
		return d.fail("Unexpected text after the document")
	}
	return nil
}

func (d *jsonReader) literal(word string) error {
	if !strings.HasPrefix(d.text[d.pos:], word) {
		return d.fail("Unexpected token")
	}
	d.pos += len(word)
	return nil
}

// null consumes a null if that is next.
func (d *jsonReader) null() (bool, error) {
	if d.peek() != 'n' {
		return false, nil
	}
	return true, d.literal("null")
}

// object calls member with each name; member consumes the value.
func (d *jsonReader) object(member func(name string) error) error {
	return d.sequence('{', '}', func() error {
		if d.peek() != '"' {
			return d.fail("Expected a name")
		}
		name, err := d.str()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.fail("Expected a colon")
		}
		d.pos++
		return member(name)
	})
}

// array calls element before each element; element consumes it.
func (d *jsonReader) array(element func() error) error {
	return d.sequence('[', ']', element)
}

func (d *jsonReader) sequence(open, close byte, item func() error) error {
	if d.peek() != open {
		return d.fail("Unexpected token")
	}
	if d.depth++; d.depth > maxDepth {
		return d.fail("Nesting is too deep")
	}
	d.pos++
	if d.peek() == close {
		d.pos++
		d.depth--
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch d.peek() {
		case ',':
			d.pos++
		case close:
			d.pos++
			d.depth--
			return nil
		default:
			return d.fail("Expected a comma")
		}
	}
}

// str reads a string; the opening quote is next.
func (d *jsonReader) str() (string, error) {
	d.pos++
	start := d.pos
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return d.text[start : d.pos-1], nil
		case c == '\\':
			return d.escaped(start)
		case c < 0x20:
			return "", d.fail("Control character in a string")
		default:
			d.pos++
		}
	}
	return "", d.fail("Unterminated string")
}

func (d *jsonReader) escaped(start int) (string, error) {
	b := append(make([]byte, 0, d.pos-start+32), d.text[start:d.pos]...)
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return string(b), nil
		case c < 0x20:
			return "", d.fail("Control character in a string")
		case c != '\\':
			b = append(b, c)
			d.pos++
		default:
			d.pos++
			if d.pos >= len(d.text) {
				return "", d.fail("Unterminated string")
			}
			e := d.text[d.pos]
			d.pos++
			if i := strings.IndexByte(`"\/bfnrt`, e); i >= 0 {
				b = append(b, "\"\\/\b\f\n\r\t"[i])
				continue
			}
			if e != 'u' {
				return "", d.fail("Unknown escape")
			}
			r, ok := d.hex4()
			if !ok {
				return "", d.fail("Unknown escape")
			}
			if utf16.IsSurrogate(r) {
				r = d.lowSurrogate(r)
			}
			b = utf8.AppendRune(b, r)
		}
	}
	return "", d.fail("Unterminated string")
}

// lowSurrogate completes a pair, or yields U+FFFD for half of one.
func (d *jsonReader) lowSurrogate(high rune) rune {
	if strings.HasPrefix(d.text[d.pos:], `\u`) {
		at := d.pos
		d.pos += 2
		if low, ok := d.hex4(); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				return r
			}
		}
		d.pos = at
	}
	return utf8.RuneError
}

func (d *jsonReader) hex4() (rune, bool) {
	if d.pos+4 > len(d.text) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(d.text[d.pos : d.pos+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	d.pos += 4
	return r, true
}

// number reads a number's text, as the JSON grammar has it.
func (d *jsonReader) number() (string, error) {
	start := d.pos
	digits := func() bool {
		from := d.pos
		for d.pos < len(d.text) && d.text[d.pos] >= '0' && d.text[d.pos] <= '9' {
			d.pos++
		}
		return d.pos > from
	}
	at := func(c byte) bool {
		if d.pos < len(d.text) && d.text[d.pos] == c {
			d.pos++
			return true
		}
		return false
	}
	at('-')
	if !at('0') && !digits() {
		return "", d.fail("Unexpected token")
	}
	if at('.') && !digits() {
		return "", d.fail("Unexpected token")
	}
	if at('e') || at('E') {
		if !at('+') {
			at('-')
		}
		if !digits() {
			return "", d.fail("Unexpected token")
		}
	}
	return d.text[start:d.pos], nil
}

// skip reads past any value.
func (d *jsonReader) skip() error {
	switch c := d.peek(); {
	case c == '{':
		return d.object(func(string) error { return d.skip() })
	case c == '[':
		return d.array(d.skip)
	case c == '"':
		_, err := d.str()
		return err
	case c == 't':
		return d.literal("true")
	case c == 'f':
		return d.literal("false")
	case c == 'n':
		return d.literal("null")
	default:
		_, err := d.number()
		return err
	}
}

// integer reads a whole number; AWS takes 3.0 for 3, too.
func integer(text string) (int64, bool) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

const hexDigits = "0123456789abcdef"

// appendJSONString writes a string; invalid UTF-8 becomes U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
