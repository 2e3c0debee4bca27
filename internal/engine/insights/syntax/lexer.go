package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Span is a part of a query's text, in bytes; End is exclusive.
type Span struct{ Start, End int }

type tokenKind uint8

const (
	tokenEOF    tokenKind = iota
	tokenName             // a.b, @message, a.`odd key`; keywords too
	tokenNumber           // 5, 2.5, 1e3
	tokenPeriod           // 5m, 5xx, 5xx.a: digits and then letters; a name, or a period
	tokenString           // '…' or "…"
	tokenSymbol           // all else; its text says which
)

type token struct {
	Span
	kind tokenKind
	text string // of names without backticks, of strings without quotation marks
	bare bool   // of names: no backticks, so that it can be a keyword
}

// is reports whether the token is a symbol, or a keyword in any case.
func (t token) is(word string) bool {
	switch t.kind {
	case tokenSymbol:
		return t.text == word
	case tokenName:
		return t.bare && strings.EqualFold(t.text, word)
	}
	return false
}

// scan reads the token that begins at or after offset at. A slash is a symbol: where a
// regular expression may stand the parser reads it with slashed.
func scan(text string, at int) (token, *Error) {
	at = skipBlank(text, at)
	if at >= len(text) {
		return token{Span: Span{len(text), len(text)}}, nil
	}
	c := text[at]
	switch {
	case c == '\'' || c == '"':
		return quoted(text, at)
	case c == '`' || isNameStart(text[at:]):
		return name(text, at)
	case isDigit(c) || c == '.' && at+1 < len(text) && isDigit(text[at+1]):
		return number(text, at)
	}
	end := at + 1
	for _, s := range []string{"!=", "<=", ">=", "=~"} {
		if strings.HasPrefix(text[at:], s) {
			end = at + len(s)
		}
	}
	if strings.IndexByte("|,()[]=<>!+-*/%^.:", c) < 0 {
		_, size := utf8.DecodeRuneInString(text[at:])
		return token{}, Unexpected(text, Span{at, at + size})
	}
	return token{Span: Span{at, end}, kind: tokenSymbol, text: text[at:end]}, nil
}

// skipBlank passes by white space and comments.
func skipBlank(text string, at int) int {
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case r == '#':
			end := strings.IndexByte(text[at:], '\n')
			if end < 0 {
				return len(text)
			}
			at += end
		case unicode.IsSpace(r) || r == '\uFEFF':
			at += size
		default:
			return at
		}
	}
	return at
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || r == '@' || r == '$' || unicode.IsLetter(r)
}

// nameEnd is where the letters, digits, dots, _ and @ that begin at at end.
func nameEnd(text string, at int) int {
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r != '_' && r != '@' && r != '.' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		at += size
	}
	return at
}

// name reads a field's name: parts joined by dots, each of them bare or in backticks.
func name(text string, start int) (token, *Error) {
	var whole strings.Builder
	at, bare := start, true
	for {
		if at < len(text) && text[at] == '`' {
			end := strings.IndexByte(text[at+1:], '`')
			if end < 0 {
				return token{}, Unexpected(text, Span{at, at + 1})
			}
			whole.WriteString(text[at+1 : at+1+end])
			at += end + 2
			bare = false
			if at >= len(text) || text[at] != '.' {
				break
			}
		}
		end := nameEnd(text, at)
		whole.WriteString(text[at:end])
		at = end
		if at >= len(text) || text[at] != '`' || text[at-1] != '.' {
			break
		}
	}
	return token{Span: Span{start, at}, kind: tokenName, text: whole.String(), bare: bare}, nil
}

// number reads a number; or a name that begins with digits, such as 5xx, which may be a
// period, such as 5m.
func number(text string, start int) (token, *Error) {
	at := start
	digits := func() {
		for at < len(text) && isDigit(text[at]) {
			at++
		}
	}
	digits()
	if rest := text[at:]; at > start && len(rest) > 1 && rest[0] == '.' && (rest[1] == '`' || isNameStart(rest[1:])) {
		return name(text, start) // 0.a
	}
	if at+1 < len(text) && text[at] == '.' && isDigit(text[at+1]) {
		at++
		digits()
	}
	if exp := at; at < len(text) && (text[at] == 'e' || text[at] == 'E') {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		if at < len(text) && isDigit(text[at]) {
			digits()
		} else {
			at = exp
		}
	}
	if at < len(text) && isNameStart(text[at:]) {
		t, err := name(text, start)
		if err == nil && t.bare {
			t.kind = tokenPeriod
		}
		return t, err
	}
	return token{Span: Span{start, at}, kind: tokenNumber, text: text[start:at]}, nil
}

// quoted reads a text in quotation marks. A backslash takes the meaning from a quotation
// mark and from a backslash, and \n, \r, \t are what they usually are; before all else
// it stands for itself, so that "\d" needs no other.
func quoted(text string, start int) (token, *Error) {
	quote := text[start]
	var b strings.Builder
	for at := start + 1; at < len(text); at++ {
		c := text[at]
		switch {
		case c == quote:
			return token{Span: Span{start, at + 1}, kind: tokenString, text: b.String()}, nil
		case c == '\\' && at+1 < len(text):
			at++
			switch next := text[at]; next {
			case '\'', '"', '\\':
				b.WriteByte(next)
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		default:
			b.WriteByte(c)
		}
	}
	return token{}, Unexpected(text, Span{start, start + 1})
}

// slashed reads the regular expression that begins with the slash at start. What is
// between the slashes is the pattern; \/ is a slash.
func slashed(text string, start int) (token, *Error) {
	var b strings.Builder
	for at := start + 1; at < len(text); at++ {
		switch c := text[at]; {
		case c == '/':
			return token{Span: Span{start, at + 1}, text: b.String()}, nil
		case c == '\\' && at+1 < len(text):
			at++
			if text[at] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(text[at])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, Unexpected(text, Span{start, start + 1})
}
