package filter

import (
	"strconv"
	"strings"
)

// jsonForm is a pattern of the second form.
type jsonForm struct {
	cond  *expr
	names []string // the selectors as written, by slot
	steps [][]step // what they are
	tree  *branch
	need  [][]string // see need.go
}

// json reads { CONDITION }.
func (p *parser) json() (matcher, error) {
	p.at++
	f := &jsonForm{tree: &branch{}}
	cond, err := p.condition(0, func() (comparison, error) { return p.jsonComparison(f) })
	if err != nil {
		return nil, err
	}
	f.cond = cond
	f.need = cond.needs(func(c *comparison) string {
		if c.op != equal || c.value.re != nil || c.value.numeric {
			return ""
		}
		return plain(c.value.text)
	})
	if !p.take("}") {
		return nil, p.fail("a closing brace is missing")
	}
	if p.space(); !p.done() {
		return nil, p.fail("there is more behind the closing brace")
	}
	return f, p.tooMany()
}

// predicates are the operators that are words.
var predicates = []struct {
	first, second string
	op            op
}{{"IS", "NULL", isNull}, {"IS", "TRUE", isTrue}, {"IS", "FALSE", isFalse}, {"NOT", "EXISTS", notExists}}

func (p *parser) jsonComparison(f *jsonForm) (c comparison, err error) {
	p.space()
	from := p.at
	steps, err := p.selector()
	if err != nil {
		return c, err
	}
	c.slot = f.slot(p.text[from:p.at], steps)
	p.space()
	for _, w := range predicates {
		at := p.at
		if p.keyword(w.first) && p.keyword(w.second) {
			c.op = w.op
			return c, nil
		}
		p.at = at
	}
	if c.op = p.operator(); c.op == 0 {
		return c, p.fail("an operator is missing")
	}
	c.value, err = p.literal(c.op, `(){}"%=<>!&|`)
	return c, err
}

// keyword takes a word in whatever case.
func (p *parser) keyword(word string) bool {
	p.space()
	at := p.at
	if strings.EqualFold(p.word(isLetterOrDigit), word) {
		return true
	}
	p.at = at
	return false
}

// slot is the number of a selector, a new one or that of the same written before.
func (f *jsonForm) slot(text string, steps []step) int {
	for i, name := range f.names {
		if name == text {
			return i
		}
	}
	f.names, f.steps = append(f.names, text), append(f.steps, steps)
	f.tree.add(steps, len(f.names)-1)
	return len(f.names) - 1
}

// step is one part of a selector: a key, an index, or all indexes.
type step struct {
	key   string
	index int // of an array; -1 of a key
	all   bool
}

// maxSteps bounds a selector's depth.
const maxSteps = 64

// selector reads $.a.b[0].['odd key'], where the last dot may be left out.
func (p *parser) selector() (steps []step, err error) {
	if !p.rest("$") {
		return nil, p.fail("a selector begins with $")
	}
	p.at++
	for len(steps) <= maxSteps {
		switch {
		case p.rest(".["):
			p.at++
		case p.rest("."):
			p.at++
			key := p.word(func(c byte) bool { return isLetterOrDigit(c) || c == '-' || c == '_' })
			if key == "" {
				return nil, p.fail("a selector lacks a name")
			}
			steps = append(steps, step{key: key, index: -1})
		case p.rest("["):
			s, err := p.bracket()
			if err != nil {
				return nil, err
			}
			steps = append(steps, s)
		case len(steps) == 0:
			return nil, p.fail("a selector lacks a name")
		default:
			return steps, nil
		}
	}
	return nil, p.fail("a selector has more than %d parts", maxSteps)
}

// bracket reads [0], [*] or ['odd key'].
func (p *parser) bracket() (step, error) {
	p.at++
	var s step
	switch quote := p.peek(); {
	case quote == '\'' || quote == '"':
		end := strings.IndexByte(p.text[p.at+1:], quote)
		if end < 0 {
			return s, p.fail("a quotation mark is not closed")
		}
		s = step{key: p.text[p.at+1 : p.at+1+end], index: -1}
		p.at += end + 2
	case quote == '*':
		s.all = true
		p.at++
	default:
		digits := p.word(func(c byte) bool { return c >= '0' && c <= '9' })
		n, err := strconv.Atoi(digits)
		if err != nil || n > 1<<20 {
			return s, p.fail("an index is missing")
		}
		s.index = n
	}
	if !p.rest("]") {
		return s, p.fail("a bracket is not closed")
	}
	p.at++
	return s, nil
}

// match implements matcher. That a text is not there proves something only where the
// message has no escapes that could hide it.
func (f *jsonForm) match(message string) bool {
	for _, alternatives := range f.need {
		if !holdsOne(message, alternatives) {
			if !escaped(message) {
				return false
			}
			break
		}
	}
	var room [8]field
	found, ok := f.tree.read(message, fieldsFor(len(f.names), &room))
	return ok && f.cond.holds(func(c *comparison) bool { return c.ofFields(found[c.slot]) })
}

// fieldsFor is room for n fields, on the caller's stack if they are few.
func fieldsFor(n int, room *[8]field) []field {
	if n <= len(room) {
		return room[:n]
	}
	return make([]field, n)
}

// ofFields decides a comparison of what a selector found. Of several values, as [*]
// finds them, one is enough.
func (c *comparison) ofFields(first field) bool {
	if c.op == notExists {
		return first.kind == absent
	}
	if c.ofField(first) {
		return true
	}
	for _, f := range first.more {
		if c.ofField(f) {
			return true
		}
	}
	return false
}

func (c *comparison) ofField(f field) bool {
	switch c.op {
	case isNull:
		return f.kind == null
	case isTrue:
		return f.kind == boolean && f.raw == "true"
	case isFalse:
		return f.kind == boolean && f.raw == "false"
	}
	switch f.kind {
	case absent, null:
		return c.op == notEqual
	case composite:
		return false
	case numeric:
		n, isNumber := number(f.raw)
		return c.compare(f.raw, n, isNumber)
	}
	return c.compare(f.text(), 0, false)
}

// extract implements matcher.
func (f *jsonForm) extract(message string) map[string]string {
	values := map[string]string{}
	found, ok := f.tree.read(message, make([]field, len(f.names)))
	for i := range found {
		if v, there := found[i].scalar(); ok && there {
			values[f.names[i]] = v
		}
	}
	return values
}

// selector implements matcher.
func (f *jsonForm) selector(text string) (func(string) (string, bool), error) {
	p := &parser{text: text}
	steps, err := p.selector()
	if err == nil && !p.done() {
		err = p.fail("there is more behind the selector")
	}
	if err != nil {
		return nil, err
	}
	tree := &branch{}
	tree.add(steps, 0)
	return func(message string) (string, bool) {
		found, ok := tree.read(message, make([]field, 1))
		if !ok {
			return "", false
		}
		return found[0].scalar()
	}, nil
}
