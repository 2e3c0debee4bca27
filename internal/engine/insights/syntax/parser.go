package syntax

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/engine/regex"
)

// Limits of queries.
const (
	MaxText   = 10_000 // characters, as StartQuery's queryString
	MaxDepth  = 100    // of expressions and subqueries within one another
	MaxRegexp = 4_000  // bytes of a regular expression
)

// Parse reads a query. The error, if any, is an *Error.
func Parse(text string) (*Query, error) {
	p := &parser{text: text}
	q, err := p.parse()
	if err != nil {
		return nil, err
	}
	return q, nil
}

// parser reads one token ahead. It fails by panicking with an *Error, which parse
// returns: so the grammar's functions read as the grammar.
type parser struct {
	text  string
	tok   token // the next one
	end   int   // where the last one that was taken ended
	depth int
	// periods says that an argument comes next that is a period.
	periods bool
}

func (p *parser) parse() (q *Query, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			q, err = nil, e
		}
	}()
	if n := utf8.RuneCountInString(p.text); n > MaxText {
		panic(Errorf(p.text, Span{0, len(p.text)}, "the query has %d characters, more than %d", n, MaxText))
	}
	p.advance()
	q = p.query()
	if p.tok.kind != tokenEOF {
		p.unexpected()
	}
	return q, nil
}

func (p *parser) advance() {
	p.end = p.tok.End
	p.seek(p.tok.End)
}

// seek makes the token at or after an offset the next one.
func (p *parser) seek(at int) {
	tok, err := scan(p.text, at)
	if err != nil {
		panic(err)
	}
	p.tok = tok
}

// mark is a place to go back to.
type mark struct {
	tok token
	end int
}

func (p *parser) mark() mark   { return mark{p.tok, p.end} }
func (p *parser) reset(m mark) { p.tok, p.end = m.tok, m.end }

func (p *parser) unexpected() { panic(Unexpected(p.text, p.tok.Span)) }

func (p *parser) fail(at Span, format string, args ...any) {
	panic(Errorf(p.text, at, format, args...))
}

// from is the span from start to the last token that was taken.
func (p *parser) from(start int) Span { return Span{start, p.end} }

func (p *parser) accept(word string) bool {
	if p.tok.is(word) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(word string) Span {
	at := p.tok.Span
	if !p.accept(word) {
		p.unexpected()
	}
	return at
}

// take takes a token of a kind.
func (p *parser) take(kind tokenKind) token {
	if p.tok.kind != kind {
		p.unexpected()
	}
	t := p.tok
	p.advance()
	return t
}

func (p *parser) enter() {
	if p.depth++; p.depth > MaxDepth {
		p.fail(p.tok.Span, "the query is nested deeper than %d levels", MaxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// query is commands joined by |.
func (p *parser) query() *Query {
	p.enter()
	defer p.leave()
	q := &Query{Text: p.text}
	for {
		q.Commands = append(q.Commands, p.command())
		if !p.accept("|") {
			return q
		}
	}
}

// isName reports whether a name comes next: 5xx is one where no period may stand.
func (p *parser) isName() bool {
	return p.tok.kind == tokenName || p.tok.kind == tokenPeriod && isDigit(p.tok.text[0])
}

func (p *parser) field() Field {
	if !p.isName() {
		p.unexpected()
	}
	t := p.tok
	p.advance()
	return Field{t.Span, t.text}
}

// fields are names with commas between.
func (p *parser) fields() []Field {
	list := []Field{p.field()}
	for p.accept(",") {
		list = append(list, p.field())
	}
	return list
}

// names are the fields after "as".
func (p *parser) as() []Field {
	p.expect("as")
	return p.fields()
}

// alias is the name after "as", or otherwise if there is none.
func (p *parser) alias(otherwise string) string {
	if p.accept("as") {
		return p.field().Name
	}
	return otherwise
}

func (p *parser) str() String {
	t := p.take(tokenString)
	return String{t.Span, t.text}
}

func (p *parser) integer() int {
	t := p.take(tokenNumber)
	n, err := strconv.Atoi(t.text)
	if err != nil {
		panic(Unexpected(p.text, t.Span))
	}
	return n
}

// period is a length of time: 5m, 30 s.
func (p *parser) period() Period {
	start := p.tok.Start
	if p.tok.kind == tokenPeriod {
		t := p.take(tokenPeriod)
		return Period{t.Span, t.text}
	}
	n := p.take(tokenNumber)
	unit := p.take(tokenName)
	return Period{p.from(start), n.text + unit.text}
}

// regex is the regular expression that begins at the next token, a slash.
func (p *parser) regex() *Regex {
	t, err := slashed(p.text, p.tok.Start)
	if err != nil {
		panic(err)
	}
	p.tok = t
	re := compile(p, t.Span, t.text)
	p.advance()
	return &Regex{t.Span, re}
}

func compile(p *parser, at Span, pattern string) *regex.Regexp {
	if len(pattern) > MaxRegexp {
		p.fail(at, "the regular expression has %d bytes, more than %d", len(pattern), MaxRegexp)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		p.fail(at, "invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	search, err := regex.New(re)
	if err != nil {
		p.fail(at, "the regular expression is too large: %v", err)
	}
	return search
}

// columns are expressions with names, with commas between.
func (p *parser) columns() []Column {
	list := []Column{p.column()}
	for p.accept(",") {
		list = append(list, p.column())
	}
	return list
}

func (p *parser) column() Column {
	start := p.tok.Start
	e := p.expr()
	c := Column{Expr: e, Name: p.text[e.At().Start:p.end]}
	if f, ok := e.(*Field); ok {
		c.Name = f.Name
	}
	if p.accept("as") {
		c.Name, c.Alias = p.field().Name, true
	}
	c.Span = p.from(start)
	return c
}
