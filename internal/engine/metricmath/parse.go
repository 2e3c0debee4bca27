package metricmath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of an expression.
const (
	mostText   = 2048
	mostDepth  = 64   // ours
	mostSeries = 1000 // of a list; ours
)

// An Expr is an expression, read.
type Expr struct {
	root node
	ids  []string
	all  bool
}

// IDs are the metrics and expressions that it names, each once.
func (e *Expr) IDs() []string { return e.ids }

// All says that it uses METRICS(): all metrics of the query.
func (e *Expr) All() bool { return e.all }

type node interface{ eval(*scope) (value, error) }

type (
	literal  float64
	text     string
	id       string
	list     []node
	negation struct{ of node }
	binary   struct {
		op          string
		left, right node
	}
	call struct {
		name string
		args []node
	}
)

// Parse reads an expression.
func Parse(source string) (*Expr, error) {
	if len(source) > mostText {
		return nil, fmt.Errorf("the expression is longer than %d characters", mostText)
	}
	if word, _, _ := strings.Cut(strings.TrimSpace(source), " "); strings.EqualFold(word, "SELECT") {
		return nil, fmt.Errorf("queries of Metrics Insights (SELECT) are not supported")
	}
	p := &parser{rest: source, length: len(source), expr: &Expr{}}
	if err := p.next(); err != nil {
		return nil, err
	}
	root, err := p.level(0)
	if err != nil {
		return nil, err
	}
	if p.kind != end {
		return nil, p.unexpected()
	}
	p.expr.root = root
	return p.expr, nil
}

type tokenKind uint8

const (
	end tokenKind = iota
	numberToken
	nameToken
	stringToken
	operator
)

type parser struct {
	rest   string
	length int
	kind   tokenKind
	token  string
	depth  int
	expr   *Expr
}

func (p *parser) unexpected() error {
	if p.kind == end {
		return fmt.Errorf("the expression ends too early")
	}
	return fmt.Errorf("unexpected %q at position %d", p.token, p.length-len(p.rest)-len(p.token)+1)
}

func (p *parser) take(kind tokenKind, n int) error {
	p.kind, p.token, p.rest = kind, p.rest[:n], p.rest[n:]
	return nil
}

// next reads a token.
func (p *parser) next() error {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	if p.rest == "" {
		return p.take(end, 0)
	}
	c := p.rest[0]
	run := func(is func(rune) bool) int {
		if i := strings.IndexFunc(p.rest, func(r rune) bool { return !is(r) }); i >= 0 {
			return i
		}
		return len(p.rest)
	}
	switch {
	case c >= '0' && c <= '9' || c == '.':
		n := run(func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if n < len(p.rest) && (p.rest[n] == 'e' || p.rest[n] == 'E') {
			m := n + 1
			if m < len(p.rest) && (p.rest[m] == '-' || p.rest[m] == '+') {
				m++
			}
			for m < len(p.rest) && p.rest[m] >= '0' && p.rest[m] <= '9' {
				m, n = m+1, m+1
			}
		}
		return p.take(numberToken, n)
	case c == '_' || c < 0x80 && unicode.IsLetter(rune(c)):
		return p.take(nameToken, run(func(r rune) bool { return r == '_' || r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) }))
	case c == '"' || c == '\'':
		if i := strings.IndexByte(p.rest[1:], c); i >= 0 {
			return p.take(stringToken, i+2)
		}
		return fmt.Errorf("the quotation mark at position %d is not closed", p.length-len(p.rest)+1)
	}
	for _, op := range []string{"==", "!=", "<=", ">=", "&&", "||"} {
		if strings.HasPrefix(p.rest, op) {
			return p.take(operator, 2)
		}
	}
	if strings.IndexByte("+-*/^<>()[],", c) >= 0 {
		return p.take(operator, 1)
	}
	return fmt.Errorf("unexpected %q at position %d", p.rest[:1], p.length-len(p.rest)+1)
}

// levels are the binary operators, the loosest first.
var levels = [][]string{{"||", "OR"}, {"&&", "AND"}, {"==", "!=", "<", ">", "<=", ">="}, {"+", "-"}, {"*", "/"}, {"^"}}

func (p *parser) level(n int) (node, error) {
	if n == len(levels) {
		return p.unary()
	}
	left, err := p.level(n + 1)
	for err == nil {
		op := p.token
		if p.kind == nameToken {
			op = strings.ToUpper(op)
		}
		if p.kind != operator && p.kind != nameToken || !slices.Contains(levels[n], op) {
			return left, nil
		}
		if err = p.next(); err != nil {
			break
		}
		var right node
		if right, err = p.level(n + 1); err == nil {
			left = binary{op, left, right}
		}
	}
	return nil, err
}

func (p *parser) unary() (node, error) {
	if p.depth++; p.depth > mostDepth {
		return nil, fmt.Errorf("the expression is nested more than %d deep", mostDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.is("-"):
		if err := p.next(); err != nil {
			return nil, err
		}
		of, err := p.unary()
		return negation{of}, err
	case p.is("("):
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.level(0)
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	case p.is("["):
		items, err := p.items("]")
		return list(items), err
	case p.kind == numberToken:
		v, err := strconv.ParseFloat(p.token, 64)
		if err != nil {
			return nil, p.unexpected()
		}
		return literal(v), p.next()
	case p.kind == stringToken:
		s := text(p.token[1 : len(p.token)-1])
		return s, p.next()
	case p.kind == nameToken:
		return p.name()
	}
	return nil, p.unexpected()
}

func (p *parser) is(op string) bool { return p.kind == operator && p.token == op }

func (p *parser) expect(op string) error {
	if !p.is(op) {
		return p.unexpected()
	}
	return p.next()
}

// name reads a call, a metric's id, or one of FILL's words.
func (p *parser) name() (node, error) {
	name := p.token
	if err := p.next(); err != nil {
		return nil, err
	}
	upper := strings.ToUpper(name)
	if !p.is("(") {
		if upper == name && (name == "REPEAT" || name == "LINEAR" || name == "ASC" || name == "DSC" || name == "DESC") {
			return text(name), nil
		}
		if c := name[0]; c < 'a' || c > 'z' {
			return nil, fmt.Errorf("%q is no id: ids begin with a lower case letter", name)
		}
		if !slices.Contains(p.expr.ids, name) {
			p.expr.ids = append(p.expr.ids, name)
		}
		return id(name), nil
	}
	f, known := functions[upper]
	if !known {
		return nil, fmt.Errorf("the function %s is not supported", upper)
	}
	args, err := p.items(")")
	if err != nil {
		return nil, err
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, fmt.Errorf("%s takes from %d to %d arguments", upper, f.least, f.most)
	}
	if upper == "METRICS" {
		p.expr.all = true
	}
	return call{upper, args}, nil
}

func (p *parser) items(closing string) (items []node, err error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	for !p.is(closing) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		item, err := p.level(0)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, p.next()
}
