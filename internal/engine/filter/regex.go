package filter

import (
	"regexp"
	"strings"
)

// Signs that may stand in a regular expression beside letters and digits, and those
// that mean something there.
const (
	regexSigns     = ":_#=@/;,-"
	regexOperators = `^$?[]{}|*+.\`
)

// regex takes a regular expression between per cent signs.
func (p *parser) regex() (*regexp.Regexp, error) {
	from := p.at
	p.at++
	for p.peek() != '%' {
		c := p.peek()
		switch {
		case p.done():
			p.at = from
			return nil, p.fail("a regular expression is not closed")
		case c == '\\':
			if err := p.escape(); err != nil {
				return nil, err
			}
			continue
		case !isLetterOrDigit(c) && strings.IndexByte(regexSigns+regexOperators, c) < 0:
			return nil, p.fail("a regular expression can't have %q", p.firstRune())
		}
		p.at++
	}
	text := p.text[from+1 : p.at]
	p.at++
	p.regexps++
	if text == "" {
		p.at = from
		return nil, p.fail("a regular expression is empty")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		p.at = from
		return nil, p.fail("a regular expression can't be read: %v", err)
	}
	return re, nil
}

// escape takes \d, \xhh, or a sign that is to mean itself.
func (p *parser) escape() error {
	p.at++
	c := p.peek()
	switch {
	case c == 'x':
		if p.at+2 < len(p.text) && isHex(p.text[p.at+1]) && isHex(p.text[p.at+2]) {
			p.at += 3
			return nil
		}
		return p.fail(`\x needs two hexadecimal digits`)
	case c != 0 && strings.IndexByte("dDsSwW", c) >= 0, c != 0 && strings.IndexByte(regexSigns+regexOperators, c) >= 0:
		p.at++
		return nil
	}
	return p.fail("a regular expression can't have this after a backslash")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (p *parser) firstRune() rune {
	for _, r := range p.text[p.at:] {
		return r
	}
	return 0
}

// tooMany refuses a pattern with more regular expressions than one may have.
func (p *parser) tooMany() error {
	if p.regexps > maxRegexps {
		return p.fail("the pattern has more than %d regular expressions", maxRegexps)
	}
	return nil
}
