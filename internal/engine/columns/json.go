package columns

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Kinds of slots. They stand in a template's text where the value was: no JSON outside
// of values has these bytes.
const (
	quoted byte = iota // the value is what is between the quotes
	bare               // a number, true, false or null
	whole              // a message that is not taken apart
)

// Bounds of what is taken apart. Beyond them a message is kept whole.
const (
	maxDepth    = 64
	maxSlots    = 2048
	maxTemplate = 64 << 10 // bytes of its text
)

// maxNesting is how deep JSON may nest to be JSON at all, as in encoding/json.
const maxNesting = 10_000

// A leaf is a scalar below an object.
type leaf struct {
	name     string // of the field
	kind     byte
	from, to int // the value in the text
}

// parser reads a JSON object, or a template of one.
type parser struct {
	text     []byte
	template bool // values are the bytes quoted and bare
	nesting  int  // levels allowed
	at       int
	path     []byte
	leaves   []leaf
	keys     []string // of the objects that are open
	doubled  bool     // an object has a key twice
}

// parseObject lists the leaves of a text that is a JSON object. It reports whether it is
// one and whether an object in it has a key twice.
func parseObject(text []byte, template bool, nesting int) (leaves []leaf, doubled, ok bool) {
	p := parser{text: text, template: template, nesting: nesting}
	p.space()
	if p.at == len(text) || text[p.at] != '{' || !p.object(1) {
		return nil, false, false
	}
	p.space()
	return p.leaves, p.doubled, p.at == len(text)
}

func (p *parser) space() {
	for p.at < len(p.text) && isSpace(p.text[p.at]) {
		p.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// next skips space and takes a byte if it is the one.
func (p *parser) next(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) object(depth int) bool {
	if depth > p.nesting || !p.next('{') {
		return false
	}
	if p.next('}') {
		return true
	}
	above, first := len(p.path), len(p.keys)
	for {
		if !p.next('"') {
			return false
		}
		end, ok := scanString(p.text, p.at)
		if !ok {
			return false
		}
		key := unescape(string(p.text[p.at:end]))
		p.at = end + 1
		for _, k := range p.keys[first:] {
			p.doubled = p.doubled || k == key
		}
		if p.keys = append(p.keys, key); len(p.keys)-first > maxSlots {
			p.doubled = true // too many to compare: such an object is kept whole anyway
			p.keys = p.keys[:first]
		}
		p.enter(depth, key)
		if !p.next(':') || !p.value(depth) {
			return false
		}
		p.path = p.path[:above]
		if p.next(',') {
			continue
		}
		p.keys = p.keys[:first]
		return p.next('}')
	}
}

func (p *parser) enter(depth int, key string) {
	if depth > 1 {
		p.path = append(p.path, '.')
	} else if key != "" && key[0] == '@' {
		p.path = append(p.path, '@')
	}
	p.path = append(p.path, key...)
}

func (p *parser) array(depth int) bool {
	if depth > p.nesting || !p.next('[') {
		return false
	}
	if p.next(']') {
		return true
	}
	above := len(p.path)
	for i := 0; ; i++ {
		p.path = appendIndex(p.path, i)
		if !p.value(depth) {
			return false
		}
		p.path = p.path[:above]
		if p.next(',') {
			continue
		}
		return p.next(']')
	}
}

func appendIndex(path []byte, i int) []byte {
	return strconv.AppendInt(append(path, '.'), int64(i), 10)
}

func (p *parser) value(depth int) bool {
	p.space()
	if p.at == len(p.text) {
		return false
	}
	l := leaf{from: p.at, kind: bare}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case p.template && c == bare:
		l.to = p.at + 1
		p.at++
	case c == '"':
		l.from, l.kind = p.at+1, quoted
		if p.template {
			if l.to = l.from + 1; l.to >= len(p.text) || p.text[l.from] != quoted || p.text[l.to] != '"' {
				return false
			}
		} else {
			var ok bool
			if l.to, ok = scanString(p.text, l.from); !ok {
				return false
			}
		}
		p.at = l.to + 1
	case p.template:
		return false
	default:
		var ok bool
		if l.to, ok = scanBare(p.text, p.at); !ok {
			return false
		}
		p.at = l.to
	}
	l.name = string(p.path)
	p.leaves = append(p.leaves, l)
	return true
}

const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// scanString finds the quote that ends a string whose contents begin at a place.
func scanString(text []byte, at int) (int, bool) {
	for {
		for at+8 <= len(text) {
			w := binary.LittleEndian.Uint64(text[at:])
			q, b := w^(low*'"'), w^(low*'\\')
			// The lowest set bit is that of the first quote, backslash or control
			// character; bits above it may be wrong.
			if found := ((q - low) &^ q & high) | ((b - low) &^ b & high) | ((w - low*0x20) &^ w & high); found != 0 {
				at += bits.TrailingZeros64(found) / 8
				break
			}
			at += 8
		}
		if at >= len(text) {
			return 0, false
		}
		switch c := text[at]; {
		case c == '"':
			return at, true
		case c < 0x20:
			return 0, false
		case c == '\\':
			n := escape(text[at:])
			if n == 0 {
				return 0, false
			}
			at += n
		default:
			at++
		}
	}
}

// escape is the length of the escape sequence that a text begins with, 0 for none.
func escape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < 6 {
			return 0
		}
		for _, c := range text[2:6] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return 6
	}
	return 0
}

// scanBare finds the end of a number, true, false or null.
func scanBare(text []byte, at int) (int, bool) {
	if at >= len(text) {
		return 0, false
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if text[at] == word[0] {
			end := at + len(word)
			return end, end <= len(text) && string(text[at:end]) == word
		}
	}
	if text[at] == '-' {
		at++
	}
	digits := func() bool {
		from := at
		for at < len(text) && text[at]-'0' <= 9 {
			at++
		}
		return at > from
	}
	if at < len(text) && text[at] == '0' {
		at++
	} else if !digits() {
		return 0, false
	}
	if at < len(text) && text[at] == '.' {
		if at++; !digits() {
			return 0, false
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		if at++; at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		if !digits() {
			return 0, false
		}
	}
	return at, true
}

// unescape gives the text that the contents of a JSON string stand for. What is not
// UTF-8 becomes U+FFFD, as in encoding/json.
func unescape(raw string) string {
	plain := true
	for i := 0; i < len(raw) && plain; i++ {
		plain = raw[i] != '\\' && raw[i] < utf8.RuneSelf
	}
	if plain {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			r, n := utf8.DecodeRuneInString(raw[i:])
			out = utf8.AppendRune(out, r)
			i += n
			continue
		}
		if raw[i+1] != 'u' {
			out = append(out, unescaped[raw[i+1]])
			i += 2
			continue
		}
		r := hex4(raw[i+2:])
		i += 6
		if r >= 0xd800 && r < 0xdc00 && len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
			if s := hex4(raw[i+2:]); s >= 0xdc00 && s < 0xe000 {
				r = (r-0xd800)<<10 + (s - 0xdc00) + 0x10000
				i += 6
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func hex4(s string) rune {
	n, _ := strconv.ParseUint(s[:4], 16, 32)
	return rune(n)
}
