package filter

import (
	"encoding/json"
	"strings"
)

// valueKind is of what JSON has.
type valueKind uint8

const (
	absent valueKind = iota
	null
	boolean
	numeric
	text
	composite // an object or an array
)

// field is what a selector found in a message.
type field struct {
	kind valueKind
	raw  string  // as written, without a text's quotation marks
	more []field // further values, of a selector with [*]
}

// text is the value as a text, with escapes resolved.
func (f *field) text() string {
	if f.kind != text || strings.IndexByte(f.raw, '\\') < 0 {
		return f.raw
	}
	var s string
	if json.Unmarshal([]byte(`"`+f.raw+`"`), &s) != nil {
		return f.raw
	}
	return s
}

// scalar is the value as a text, if it is one that can be shown.
func (f *field) scalar() (string, bool) {
	if f.kind == boolean || f.kind == numeric || f.kind == text {
		return f.text(), true
	}
	return "", false
}

// branch is a set of selectors, joined where they begin alike.
type branch struct {
	slots   []int // selectors that end here
	keys    map[string]*branch
	indexes map[int]*branch
	all     *branch
	many    bool // below a branch for all of an array: each of its objects has a value
}

// add puts a selector into the set.
func (b *branch) add(steps []step, slot int) {
	if len(steps) == 0 {
		b.slots = append(b.slots, slot)
		return
	}
	child := b.child(steps[0])
	child.many = b.many || steps[0].all
	child.add(steps[1:], slot)
}

func (b *branch) child(s step) *branch {
	switch {
	case s.all:
		if b.all == nil {
			b.all = &branch{}
		}
		return b.all
	case s.index >= 0:
		if b.indexes == nil {
			b.indexes = map[int]*branch{}
		}
		if b.indexes[s.index] == nil {
			b.indexes[s.index] = &branch{}
		}
		return b.indexes[s.index]
	}
	if b.keys == nil {
		b.keys = map[string]*branch{}
	}
	if b.keys[s.key] == nil {
		b.keys[s.key] = &branch{}
	}
	return b.keys[s.key]
}

// read takes the selected values out of a message. It reports whether the message is
// JSON.
func (b *branch) read(message string, found []field) ([]field, bool) {
	r := reader{s: message, found: found}
	var here [1]*branch
	here[0] = b
	r.space()
	if c := r.peek(); c != '{' && c != '[' {
		return found, false
	}
	r.value(here[:], 0)
	r.space()
	return found, !r.bad && r.at == len(message)
}

// reader reads JSON once, from front to back.
type reader struct {
	s     string
	at    int
	bad   bool
	found []field
}

// maxNesting is how deep objects and arrays may lie in one another, as encoding/json
// has it.
const maxNesting = 10_000

func (r *reader) peek() byte {
	if r.at < len(r.s) {
		return r.s[r.at]
	}
	return 0
}

func (r *reader) space() {
	for r.at < len(r.s) && isSpace(r.s[r.at]) {
		r.at++
	}
}

// is takes a byte, behind space; its lack is an error.
func (r *reader) is(c byte) {
	r.space()
	if r.peek() != c {
		r.bad = true
		return
	}
	r.at++
}

// value reads one value, which the branches select.
func (r *reader) value(here []*branch, depth int) {
	r.space()
	from := r.at
	kind := text
	switch c := r.peek(); {
	case depth > maxNesting:
		r.bad = true
	case c == '{':
		kind = composite
		r.object(here, depth)
	case c == '[':
		kind = composite
		r.array(here, depth)
	case c == '"':
		raw := r.text()
		r.note(here, field{kind: text, raw: raw})
		return
	case c == 't':
		kind = boolean
		r.literal("true")
	case c == 'f':
		kind = boolean
		r.literal("false")
	case c == 'n':
		kind = null
		r.literal("null")
	default:
		kind = numeric
		r.number()
	}
	f := field{kind: kind}
	if kind != composite {
		f.raw = r.s[from:r.at]
	}
	r.note(here, f)
}

// note keeps a value for the selectors that end here.
func (r *reader) note(here []*branch, f field) {
	for _, b := range here {
		for _, slot := range b.slots {
			if have := &r.found[slot]; have.kind == absent {
				*have = f
			} else {
				have.more = append(have.more, f)
			}
		}
	}
}

// forget drops what was found at and below a key that comes once more.
func (r *reader) forget(b *branch) {
	if b == nil {
		return
	}
	for _, slot := range b.slots {
		r.found[slot] = field{}
	}
	for _, child := range b.keys {
		r.forget(child)
	}
	for _, child := range b.indexes {
		r.forget(child)
	}
	r.forget(b.all)
}

func (r *reader) object(here []*branch, depth int) {
	r.at++
	if r.space(); r.peek() == '}' {
		r.at++
		return
	}
	var room [4]*branch
	for !r.bad {
		r.space()
		if r.peek() != '"' {
			r.bad = true
			return
		}
		key := r.text()
		if strings.IndexByte(key, '\\') >= 0 {
			key = (&field{kind: text, raw: key}).text()
		}
		next := room[:0]
		for _, b := range here {
			if child := b.keys[key]; child != nil {
				if !child.many {
					r.forget(child) // of a key that comes twice the last counts
				}
				next = append(next, child)
			}
		}
		r.is(':')
		r.value(next, depth+1)
		if r.space(); r.peek() != ',' {
			break
		}
		r.at++
	}
	r.is('}')
}

func (r *reader) array(here []*branch, depth int) {
	r.at++
	if r.space(); r.peek() == ']' {
		r.at++
		return
	}
	var room [4]*branch
	for i := 0; !r.bad; i++ {
		next := room[:0]
		for _, b := range here {
			if child := b.indexes[i]; child != nil {
				next = append(next, child)
			}
			if b.all != nil {
				next = append(next, b.all)
			}
		}
		r.value(next, depth+1)
		if r.space(); r.peek() != ',' {
			break
		}
		r.at++
	}
	r.is(']')
}

// text takes a string and gives it as written, without its quotation marks.
func (r *reader) text() string {
	r.at++
	from := r.at
	for {
		end := strings.IndexByte(r.s[r.at:], '"')
		if end < 0 {
			r.bad, r.at = true, len(r.s)
			return ""
		}
		r.at += end
		backslashes := 0
		for r.at-1-backslashes >= from && r.s[r.at-1-backslashes] == '\\' {
			backslashes++
		}
		r.at++
		if backslashes%2 == 0 {
			return r.s[from : r.at-1]
		}
	}
}

func (r *reader) literal(word string) {
	if !strings.HasPrefix(r.s[r.at:], word) {
		r.bad = true
		return
	}
	r.at += len(word)
}

func (r *reader) digits() {
	from := r.at
	for r.peek() >= '0' && r.peek() <= '9' {
		r.at++
	}
	if r.at == from {
		r.bad = true
	}
}

func (r *reader) number() {
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else {
		r.digits()
	}
	if r.peek() == '.' {
		r.at++
		r.digits()
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		r.digits()
	}
}
