package function

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// MaxDepth is how deep lists and maps may lie in one another.
const MaxDepth = 128

// ParseJSON reads one JSON value (RFC 8259): objects as maps in the order of their
// writing, numbers as they are written, null as null. It is false for what is no JSON or
// lies deeper than MaxDepth.
func ParseJSON(s string) (value.Value, bool) {
	p := parser{s: s}
	v, ok := p.value(0)
	p.space()
	return v, ok && p.at == len(s)
}

type parser struct {
	s  string
	at int
}

func (p *parser) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// take steps over a byte, if it is next but for space.
func (p *parser) take(c byte) bool {
	p.space()
	if p.at < len(p.s) && p.s[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) value(depth int) (value.Value, bool) {
	p.space()
	if p.at == len(p.s) {
		return value.Value{}, false
	}
	switch c := p.s[p.at]; {
	case c == '{' || c == '[':
		p.at++
		if depth == MaxDepth {
			return value.Value{}, false
		}
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '"':
		p.at++
		s, ok := p.text()
		return value.OfText(s), ok
	case c == '-' || c-'0' < 10:
		return p.number()
	}
	switch {
	case p.word("true"):
		return value.OfBool(true), true
	case p.word("false"):
		return value.OfBool(false), true
	}
	return value.Value{}, p.word("null")
}

// word steps over a word, if it is next.
func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.s[p.at:], w) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (value.Value, bool) {
	var keys []string
	var items []value.Value
	for first := true; !p.take('}'); first = false {
		if !first && !p.take(',') || !p.take('"') {
			return value.Value{}, false
		}
		key, ok := p.text()
		if !ok || !p.take(':') {
			return value.Value{}, false
		}
		item, ok := p.value(depth)
		if !ok {
			return value.Value{}, false
		}
		keys, items = append(keys, key), append(items, item)
	}
	return value.OfMap(keys, items), true
}

func (p *parser) array(depth int) (value.Value, bool) {
	var items []value.Value
	for first := true; !p.take(']'); first = false {
		if !first && !p.take(',') {
			return value.Value{}, false
		}
		item, ok := p.value(depth)
		if !ok {
			return value.Value{}, false
		}
		items = append(items, item)
	}
	return value.OfList(items), true
}

// number reads a number by JSON's grammar. One beyond all bounds stays a text.
func (p *parser) number() (value.Value, bool) {
	from := p.at
	digits := func() bool {
		n := p.at
		for p.at < len(p.s) && p.s[p.at]-'0' < 10 {
			p.at++
		}
		return p.at > n
	}
	next := func(set string) bool {
		if p.at < len(p.s) && strings.IndexByte(set, p.s[p.at]) >= 0 {
			p.at++
			return true
		}
		return false
	}
	next("-")
	if !next("0") && !digits() || next(".") && !digits() {
		return value.Value{}, false
	}
	if next("eE") {
		next("+-")
		if !digits() {
			return value.Value{}, false
		}
	}
	written := p.s[from:p.at]
	if v := value.Written(written); !v.IsNull() {
		return v, true
	}
	return value.OfText(written), true
}

// text reads a string after its opening quote.
func (p *parser) text() (string, bool) {
	from := p.at
	for ; p.at < len(p.s); p.at++ {
		switch c := p.s[p.at]; {
		case c == '"':
			p.at++
			return p.s[from : p.at-1], true
		case c == '\\':
			return p.escaped(from)
		case c < 0x20:
			return "", false
		}
	}
	return "", false
}

// escaped reads on at the first backslash of a string.
func (p *parser) escaped(from int) (string, bool) {
	b := []byte(p.s[from:p.at])
	for p.at < len(p.s) {
		c := p.s[p.at]
		p.at++
		switch {
		case c == '"':
			return string(b), true
		case c < 0x20:
			return "", false
		case c != '\\':
			b = append(b, c)
			continue
		}
		if p.at == len(p.s) {
			return "", false
		}
		c = p.s[p.at]
		p.at++
		if c == 'u' {
			r, ok := p.hex()
			if !ok {
				return "", false
			}
			b = utf8.AppendRune(b, r)
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return "", false
		}
		b = append(b, "\"\\/\b\f\n\r\t"[i])
	}
	return "", false
}

// hex reads the digits after \u, of both halves of a surrogate pair. Half a pair is
// U+FFFD.
func (p *parser) hex() (rune, bool) {
	unit := func() (rune, bool) {
		if p.at+4 > len(p.s) {
			return 0, false
		}
		n, err := strconv.ParseUint(p.s[p.at:p.at+4], 16, 16)
		p.at += 4
		return rune(n), err == nil
	}
	r, ok := unit()
	if !ok || !utf16.IsSurrogate(r) || !strings.HasPrefix(p.s[p.at:], `\u`) {
		return r, ok // AppendRune writes half a pair as U+FFFD
	}
	back := p.at
	p.at += 2
	low, ok := unit()
	if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
		return pair, true
	}
	p.at = back
	return r, ok
}
