package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxLength is how many characters a pattern may have.
const MaxLength = 1024

// maxRegexps is how many regular expressions a JSON or space-delimited pattern may
// have.
const maxRegexps = 2

// An Error says what is wrong with a pattern, and where.
type Error struct {
	At   int // byte offset in the pattern, from 0
	What string
}

func (e *Error) Error() string { return fmt.Sprintf("%s at position %d", e.What, e.At+1) }

// Pattern is a parsed filter pattern. It is immutable and safe for concurrent use.
type Pattern struct {
	form    matcher
	need    [][]string // of each list a message holds one text
	regexps int
}

// matcher is one of the three forms.
type matcher interface {
	match(message string) bool
	// extract gives the values that a test of the pattern shows.
	extract(message string) map[string]string
	// selector prepares to take one value out of messages, named as metric filters do.
	selector(text string) (func(message string) (string, bool), error)
}

// Parse reads a pattern. Its errors are *Error.
func Parse(text string) (*Pattern, error) {
	if utf8.RuneCountInString(text) > MaxLength {
		return nil, &Error{len(text), fmt.Sprintf("the pattern has more than %d characters", MaxLength)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{0, "the pattern is not UTF-8"}
	}
	p := &parser{text: text}
	p.space()
	var form matcher
	var err error
	switch {
	case p.rest("{"):
		form, err = p.json()
	case p.rest("["):
		form, err = p.delimited()
	default:
		form, err = p.terms()
	}
	if err != nil {
		return nil, err
	}
	pattern := &Pattern{form: form, regexps: p.regexps}
	if n, ok := form.(interface{ needs() [][]string }); ok {
		pattern.need = n.needs()
	}
	return pattern, nil
}

// Match says whether a message matches.
func (p *Pattern) Match(message string) bool {
	return p.possible(message) && p.form.match(message)
}

// Extract gives the values that TestMetricFilter shows of a message that matches: of a
// JSON pattern the fields it names ("$.code"), of a space-delimited one every word, by
// name or by number ("$status", "$4"), of terms none.
func (p *Pattern) Extract(message string) map[string]string { return p.form.extract(message) }

// Selector reads what a metric filter names as its value or as a dimension: "$.latency"
// with a JSON pattern, "$bytes" or "$4" with a space-delimited one that has such a field.
// The function takes it out of a message; what is missing, null, an object or an array
// is not there.
func (p *Pattern) Selector(text string) (func(message string) (string, bool), error) {
	return p.form.selector(text)
}

// Regexps is how many regular expressions the pattern has.
func (p *Pattern) Regexps() int { return p.regexps }

// parser reads a pattern from its front.
type parser struct {
	text    string
	at      int
	regexps int
}

func (p *parser) fail(format string, args ...any) *Error {
	return &Error{p.at, fmt.Sprintf(format, args...)}
}

func (p *parser) done() bool { return p.at >= len(p.text) }

func (p *parser) rest(prefix string) bool { return strings.HasPrefix(p.text[p.at:], prefix) }

// peek is the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.done() {
		return 0
	}
	return p.text[p.at]
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (p *parser) space() {
	for !p.done() && isSpace(p.text[p.at]) {
		p.at++
	}
}

// take skips a text, and space before it, if it is next.
func (p *parser) take(text string) bool {
	p.space()
	if !p.rest(text) {
		return false
	}
	p.at += len(text)
	return true
}

// word takes letters, digits and what else is allowed.
func (p *parser) word(allowed func(byte) bool) string {
	from := p.at
	for !p.done() && allowed(p.text[p.at]) {
		p.at++
	}
	return p.text[from:p.at]
}

func isLetterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted takes a text in double quotation marks. A backslash before a quotation mark or
// another backslash stands for the latter alone.
func (p *parser) quoted() (string, error) {
	from := p.at
	p.at++
	var b strings.Builder
	for !p.done() {
		c := p.text[p.at]
		p.at++
		if c == '"' {
			return b.String(), nil
		}
		if next := p.peek(); c == '\\' && (next == '"' || next == '\\') {
			c = next
			p.at++
		}
		b.WriteByte(c)
	}
	p.at = from
	return "", p.fail("a quotation mark is not closed")
}
