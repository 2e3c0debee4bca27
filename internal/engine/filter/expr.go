package filter

import (
	"regexp"
	"strconv"
	"strings"
)

// expr is a condition made of comparisons: a leaf, or one joined to others.
type expr struct {
	kind kind
	kids []*expr // of and, or
	cmp  comparison
}

type kind uint8

const (
	leaf kind = iota
	and
	or
)

// comparison is of one field.
type comparison struct {
	slot  int // which field: a number of the pattern's own
	op    op
	value literal
}

type op uint8

const (
	equal op = iota + 1
	notEqual
	less
	atMost
	greater
	atLeast
	isNull
	notExists
	isTrue
	isFalse
)

// operators, the longer ones first.
var operators = []struct {
	text string
	op   op
}{{"!=", notEqual}, {"<=", atMost}, {">=", atLeast}, {"=", equal}, {"<", less}, {">", greater}}

// literal is what a field is compared with: a number, a text whose ends may be open, or
// a regular expression.
type literal struct {
	text           string
	before, behind bool // a wildcard stands before the text, behind it
	numeric        bool
	number         float64
	re             *regexp.Regexp
}

// is says whether a text is the one meant.
func (l *literal) is(text string) bool {
	switch {
	case l.re != nil:
		return l.re.MatchString(text)
	case l.before && l.behind:
		return strings.Contains(text, l.text)
	case l.before:
		return strings.HasSuffix(text, l.text)
	case l.behind:
		return strings.HasPrefix(text, l.text)
	}
	return text == l.text
}

// number reads a number as patterns and messages write it: no hexadecimal, no names.
func number(text string) (float64, bool) {
	if text == "" || strings.IndexByte("0123456789+-.", text[0]) < 0 || strings.ContainsAny(text, "xX_pPiInN") {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// compare decides a comparison of a value. isNumber says that it is one.
func (c *comparison) compare(text string, n float64, isNumber bool) bool {
	if isNumber && c.value.numeric {
		switch c.op {
		case equal:
			return n == c.value.number
		case notEqual:
			return n != c.value.number
		case less:
			return n < c.value.number
		case atMost:
			return n <= c.value.number
		case greater:
			return n > c.value.number
		case atLeast:
			return n >= c.value.number
		}
	}
	switch c.op {
	case equal:
		return c.value.is(text)
	case notEqual:
		return !c.value.is(text)
	}
	return false
}

// holds evaluates a condition, whose comparisons decide.
func (e *expr) holds(decide func(*comparison) bool) bool {
	switch e.kind {
	case and:
		for _, kid := range e.kids {
			if !kid.holds(decide) {
				return false
			}
		}
		return true
	case or:
		for _, kid := range e.kids {
			if kid.holds(decide) {
				return true
			}
		}
		return false
	}
	return decide(&e.cmp)
}

// maxDepth bounds how parentheses nest.
const maxDepth = 100

// condition reads comparisons joined by || and, more tightly, &&.
func (p *parser) condition(depth int, one func() (comparison, error)) (*expr, error) {
	if depth > maxDepth {
		return nil, p.fail("parentheses nest too deep")
	}
	return p.joined("||", or, func() (*expr, error) {
		return p.joined("&&", and, func() (*expr, error) {
			if p.take("(") {
				inner, err := p.condition(depth+1, one)
				if err == nil && !p.take(")") {
					err = p.fail("a parenthesis is not closed")
				}
				return inner, err
			}
			c, err := one()
			return &expr{cmp: c}, err
		})
	})
}

func (p *parser) joined(sign string, kind kind, next func() (*expr, error)) (*expr, error) {
	first, err := next()
	if err != nil {
		return nil, err
	}
	kids := []*expr{first}
	for p.take(sign) {
		more, err := next()
		if err != nil {
			return nil, err
		}
		kids = append(kids, more)
	}
	if len(kids) == 1 {
		return first, nil
	}
	return &expr{kind: kind, kids: kids}, nil
}

// operator takes one, 0 if none is next.
func (p *parser) operator() op {
	for _, o := range operators {
		if p.take(o.text) {
			return o.op
		}
	}
	return 0
}

// literal reads what a field is compared with. A bare text ends before a character of
// stop.
func (p *parser) literal(o op, stop string) (l literal, err error) {
	p.space()
	switch p.peek() {
	case '%':
		if l.re, err = p.regex(); err == nil && o != equal && o != notEqual {
			err = p.fail("a regular expression can only be compared by = and !=")
		}
		return l, err
	case '"':
		if l.text, err = p.quoted(); err != nil {
			return l, err
		}
	default:
		l.text = p.word(func(c byte) bool { return !isSpace(c) && strings.IndexByte(stop, c) < 0 })
		if l.text == "" {
			return l, p.fail("a value is missing")
		}
		l.number, l.numeric = number(l.text)
	}
	l.open()
	if o != equal && o != notEqual && !l.numeric {
		return l, p.fail("only numbers can be greater or less")
	}
	return l, nil
}

// open takes the wildcards off the ends.
func (l *literal) open() {
	if rest, ok := strings.CutPrefix(l.text, "*"); ok {
		l.text, l.before = rest, true
	}
	if rest, ok := strings.CutSuffix(l.text, "*"); ok {
		l.text, l.behind = rest, true
	}
}
