package syntax

import "strings"

// expr is an expression, by the precedence of its operators: or, and, not, comparisons,
// + and -, * / and %, ^, unary minus.
func (p *parser) expr() Expr {
	p.enter()
	defer p.leave()
	return p.or()
}

func (p *parser) or() Expr {
	x := p.and()
	for p.accept("or") {
		y := p.and()
		x = &Binary{between(x, y), Or, x, y}
	}
	return x
}

func (p *parser) and() Expr {
	x := p.not()
	for p.accept("and") {
		y := p.not()
		x = &Binary{between(x, y), And, x, y}
	}
	return x
}

func between(x, y Expr) Span { return Span{x.At().Start, y.At().End} }

func (p *parser) not() Expr {
	start := p.tok.Start
	if p.tok.is("!") || p.tok.is("not") && !p.isField() {
		p.advance()
		p.enter()
		defer p.leave()
		x := p.not()
		return &Unary{p.from(start), Not, x}
	}
	return p.comparison()
}

// isField reports whether the keyword that comes next is a field here, because what
// follows it continues an expression: not = 1, sort by desc.
func (p *parser) isField() bool {
	m := p.mark()
	defer p.reset(m)
	p.advance()
	for _, s := range []string{"=", "!=", "<", "<=", ">", ">=", "=~", "|", ",", "asc", "desc", ")"} {
		if p.tok.is(s) {
			return true
		}
	}
	return p.tok.kind == tokenEOF
}

func (p *parser) comparison() Expr {
	x := p.sum()
	start := x.At().Start
	if op, ok := comparisons[p.tok.text]; ok && p.tok.kind == tokenSymbol {
		p.advance()
		y := p.sum()
		return &Binary{p.from(start), op, x, y}
	}
	if p.accept("=~") {
		pattern := p.pattern()
		return &Like{p.from(start), x, false, pattern}
	}
	not := false
	if p.tok.is("not") {
		p.advance()
		not = true
		if !p.tok.is("like") && !p.tok.is("in") {
			p.unexpected()
		}
	}
	if p.accept("like") {
		pattern := p.pattern()
		return &Like{p.from(start), x, not, pattern}
	}
	if p.accept("in") {
		in := &In{X: x, Not: not}
		if p.accept("(") {
			in.Sub = p.query()
			p.expect(")")
		} else {
			in.List = p.list()
		}
		in.Span = p.from(start)
		return in
	}
	return x
}

// pattern is what like compares with.
func (p *parser) pattern() Expr {
	if p.tok.is("/") {
		return p.regex()
	}
	s := p.str()
	return &s
}

func (p *parser) list() []Expr {
	p.expect("[")
	var list []Expr
	for {
		list = append(list, p.sum())
		if p.accept(",") {
			continue
		}
		p.expect("]")
		return list
	}
}

func (p *parser) sum() Expr {
	return p.binary(p.product, map[string]Op{"+": Add, "-": Subtract})
}

func (p *parser) product() Expr {
	return p.binary(p.power, map[string]Op{"*": Multiply, "/": Divide, "%": Modulo})
}

func (p *parser) binary(operand func() Expr, ops map[string]Op) Expr {
	x := operand()
	for {
		op, ok := ops[p.tok.text]
		if !ok || p.tok.kind != tokenSymbol {
			return x
		}
		p.advance()
		y := operand()
		x = &Binary{between(x, y), op, x, y}
	}
}

// power is ^, which goes from right to left.
func (p *parser) power() Expr {
	x := p.unary()
	if !p.accept("^") {
		return x
	}
	p.enter()
	defer p.leave()
	y := p.power()
	return &Binary{between(x, y), Power, x, y}
}

func (p *parser) unary() Expr {
	start := p.tok.Start
	if !p.accept("-") {
		return p.postfix()
	}
	p.enter()
	defer p.leave()
	x := p.unary()
	if n, ok := x.(*Number); ok && !strings.HasPrefix(n.Text, "-") {
		return &Number{p.from(start), "-" + n.Text}
	}
	return &Unary{p.from(start), Neg, x}
}

// postfix is an operand with what accesses its items: l[1], jsonParse(x).a.b.
func (p *parser) postfix() Expr {
	x := p.operand()
	start := x.At().Start
	if _, ok := x.(*Number); ok {
		return x
	}
	for {
		switch {
		case p.tok.is("["):
			p.advance()
			index := p.expr()
			p.expect("]")
			x = &Access{Span: p.from(start), X: x, Index: index}
		case p.tok.is(".") && p.tok.Start == p.end:
			p.advance()
			f := p.field()
			x = &Access{Span: p.from(start), X: x, Key: f.Name}
		case p.tok.kind == tokenPeriod && p.tok.text[0] == '.' && p.tok.Start == p.end: // l[0].5xx
			key := p.tok.text[1:]
			p.advance()
			x = &Access{Span: p.from(start), X: x, Key: key}
		default:
			return x
		}
	}
}

func (p *parser) operand() Expr {
	t := p.tok
	switch {
	case t.kind == tokenNumber:
		p.advance()
		if p.periods && p.tok.kind == tokenName && isUnit(p.tok.text) {
			p.advance()
			return &Period{p.from(t.Start), p.text[t.Start:p.end]}
		}
		return &Number{t.Span, t.text}
	case t.kind == tokenPeriod && p.periods:
		p.advance()
		return &Period{t.Span, t.text}
	case t.kind == tokenString:
		p.advance()
		return &String{t.Span, t.text}
	case t.is("/"):
		return p.regex()
	case t.is("("):
		p.advance()
		x := p.expr()
		p.expect(")")
		return spread(x, p.from(t.Start))
	case !p.isName():
		p.unexpected()
	}
	p.advance()
	if p.tok.is("(") && t.bare && t.kind == tokenName {
		return p.call(t)
	}
	if t.is("true") || t.is("false") {
		return &Bool{t.Span, t.is("true")}
	}
	return &Field{t.Span, t.text}
}

// spread gives an expression the place of the parentheses around it, so that a column's
// name has them as they were written.
func spread(x Expr, at Span) Expr {
	switch e := x.(type) {
	case *Binary:
		e.Span = at
	case *Unary:
		e.Span = at
	case *Like:
		e.Span = at
	case *In:
		e.Span = at
	case *Call:
		e.Span = at
	case *Access:
		e.Span = at
	}
	return x
}

func (p *parser) call(name token) Expr {
	c := &Call{Name: name.text, Paren: p.tok.Span}
	p.expect("(")
	if p.tok.is("*") {
		p.advance()
		c.Star = true
		p.expect(")")
		c.Span = p.from(name.Start)
		return c
	}
	outside := p.periods
	period, takesPeriod := periodArguments[strings.ToLower(name.text)]
	for !p.tok.is(")") {
		if len(c.Args) > 0 {
			p.expect(",")
		}
		p.periods = takesPeriod && len(c.Args) == period
		c.Args = append(c.Args, p.expr())
	}
	p.periods = outside
	p.expect(")")
	c.Span = p.from(name.Start)
	return c
}

// periodArguments are the arguments of functions that are periods. Elsewhere 5m is a name,
// as 5xx is.
var periodArguments = map[string]int{"bin": 0, "datefloor": 1, "dateceil": 1, "rate": 1}

// isUnit reports whether a word is a unit of time, so that 5 minutes is a period.
func isUnit(word string) bool {
	word = strings.ToLower(word)
	return units[word] || units[strings.TrimSuffix(word, "s")]
}

var units = map[string]bool{
	"ms": true, "msec": true, "millisecond": true, "s": true, "sec": true, "second": true, "m": true, "min": true, "minute": true,
	"h": true, "hr": true, "hour": true, "d": true, "day": true, "w": true, "week": true, "mo": true, "mon": true, "month": true,
	"q": true, "qtr": true, "quarter": true, "y": true, "yr": true, "year": true,
}
