package filter

import (
	"fmt"
	"regexp"
	"strings"
)

// term is a text that a message contains, or a regular expression that it matches.
type term struct {
	text string
	re   *regexp.Regexp // nil of a text
}

func (t term) in(message string) bool {
	if t.re != nil {
		return t.re.MatchString(message)
	}
	return strings.Contains(message, t.text)
}

// terms are the parts of a pattern of the first form. Optional ones count where there
// are no others: AWS ignores them beside those.
type terms struct {
	all, any, none []term
}

func (p *parser) terms() (matcher, error) {
	t := &terms{}
	for p.space(); !p.done(); p.space() {
		list := &t.all
		switch p.peek() {
		case '?':
			list = &t.any
			p.at++
		case '-':
			list = &t.none
			p.at++
		}
		one, err := p.term()
		if err != nil {
			return nil, err
		}
		*list = append(*list, one)
		if !p.done() && !isSpace(p.peek()) {
			return nil, p.fail("a space is missing")
		}
	}
	if len(t.all)+len(t.none) > 0 {
		t.any = nil
	}
	return t, nil
}

func (p *parser) term() (term, error) {
	switch p.peek() {
	case '"':
		text, err := p.quoted()
		return term{text: text}, err
	case '%':
		re, err := p.regex()
		return term{re: re}, err
	}
	from := p.at
	text := p.word(func(c byte) bool { return !isSpace(c) })
	for i := range len(text) {
		if c := text[i]; !isLetterOrDigit(c) && c != '_' {
			p.at = from + i
			return term{}, p.fail("Invalid character(s) in term '%s'", text)
		}
	}
	if text == "" {
		return term{}, p.fail("a term is missing")
	}
	return term{text: text}, nil
}

func (t *terms) match(message string) bool {
	for _, one := range t.all {
		if !one.in(message) {
			return false
		}
	}
	for _, one := range t.none {
		if one.in(message) {
			return false
		}
	}
	for _, one := range t.any {
		if one.in(message) {
			return true
		}
	}
	return len(t.any) == 0
}

func (t *terms) extract(string) map[string]string { return map[string]string{} }

func (t *terms) selector(text string) (func(string) (string, bool), error) {
	return nil, &Error{0, fmt.Sprintf("a pattern of terms has no field %s", text)}
}
