package syntax

import "strings"

// parseSource takes SOURCE 'group', …, or SOURCE logGroups(namePrefix: ['a'], …), and
// START and END.
func parseSource(p *parser, start int) Command {
	s := &Source{}
	for {
		switch {
		case p.tok.kind == tokenString:
			s.Groups = append(s.Groups, p.str())
		case p.tok.kind == tokenName:
			f := p.field()
			if p.tok.is("(") {
				s.Selectors = append(s.Selectors, p.selector(f))
			} else {
				s.Groups = append(s.Groups, String{f.Span, f.Name})
			}
		default:
			p.unexpected()
		}
		if !p.accept(",") {
			break
		}
	}
	for {
		switch {
		case p.tok.is("start") && s.Start == nil:
			s.Start = p.moment()
		case p.tok.is("end") && s.End == nil:
			s.End = p.moment()
		default:
			s.Span = p.from(start)
			return s
		}
	}
}

func (p *parser) selector(name Field) Selector {
	s := Selector{Name: name.Name}
	p.expect("(")
	for !p.accept(")") {
		if len(s.Args) > 0 {
			p.expect(",")
		}
		arg := SelectorArg{Name: p.take(tokenName).text}
		at := p.end - len(arg.Name)
		p.expect(":")
		if p.accept("[") {
			for !p.accept("]") {
				if len(arg.Values) > 0 {
					p.expect(",")
				}
				arg.Values = append(arg.Values, p.str().Text)
			}
		} else {
			arg.Values = []string{p.str().Text}
		}
		arg.Span = p.from(at)
		s.Args = append(s.Args, arg)
	}
	s.Span = p.from(name.Start)
	return s
}

// moment is what follows START or END: =-1h, =now, =1700000000, ='2026-11-22T14:00:00Z'.
func (p *parser) moment() *Moment {
	p.advance()
	p.expect("=")
	start := p.tok.Start
	m := &Moment{Sign: 1}
	if p.accept("-") {
		m.Sign = -1
	} else if p.accept("+") {
		m.Sign = 1
	}
	switch {
	case p.tok.kind == tokenPeriod:
		m.Period = p.take(tokenPeriod).text
	case p.tok.kind == tokenNumber:
		m.Text = p.take(tokenNumber).text
	case p.tok.kind == tokenString:
		m.Text = p.str().Text
	case p.tok.is("now"):
		p.advance()
		m.Text = "now"
		if p.accept("(") {
			p.expect(")")
		}
	default:
		p.unexpected()
	}
	if m.Sign < 0 && m.Period == "" {
		panic(Unexpected(p.text, Span{start, p.end}))
	}
	m.Span = p.from(start)
	return m
}

// parseJoin takes join type=inner left=a right=b where a.k=b.k [and …] (SOURCE 'g').
func parseJoin(p *parser, start int) Command {
	j := &Join{Type: "inner", Left: "left", Right: "right"}
	for !p.tok.is("where") {
		option := p.field()
		p.expect("=")
		v := p.field()
		switch strings.ToLower(option.Name) {
		case "type":
			if j.Type = strings.ToLower(v.Name); j.Type != "inner" && j.Type != "left" {
				panic(Unexpected(p.text, v.Span))
			}
		case "left":
			j.Left = v.Name
		case "right":
			j.Right = v.Name
		default:
			panic(Unexpected(p.text, option.Span))
		}
	}
	p.expect("where")
	for {
		j.On = append(j.On, p.joinKey(j))
		if !p.accept("and") {
			break
		}
	}
	open := p.expect("(")
	j.Source = p.query()
	p.expect(")")
	if _, ok := j.Source.Commands[0].(*Source); !ok || len(j.Source.Commands) > 1 {
		p.fail(p.from(open.Start), "the right side of a join is a SOURCE and nothing more")
	}
	j.Span = p.from(start)
	return j
}

// joinKey takes left.a = right.b, in either order.
func (p *parser) joinKey(j *Join) JoinKey {
	x := p.field()
	p.expect("=")
	y := p.field()
	left, okLeft := strings.CutPrefix(x.Name, j.Left+".")
	right, okRight := strings.CutPrefix(y.Name, j.Right+".")
	if !okLeft || !okRight {
		left, okLeft = strings.CutPrefix(y.Name, j.Left+".")
		right, okRight = strings.CutPrefix(x.Name, j.Right+".")
		x, y = y, x
	}
	if !okLeft || !okRight {
		p.fail(p.from(min(x.Start, y.Start)), "a join compares a field of %s with one of %s", j.Left, j.Right)
	}
	return JoinKey{Field{x.Span, left}, Field{y.Span, right}}
}

// parseLookup takes lookup table column [as field], … OUTPUT|OUTPUTNEW column [as
// field], ….
func parseLookup(p *parser, start int) Command {
	l := &Lookup{Table: p.field()}
	l.Keys = p.lookupFields()
	l.New, l.Output = p.output()
	l.Span = p.from(start)
	return l
}

func parseCIDRLookup(p *parser, start int) Command {
	l := &CIDRLookup{Table: p.field(), IP: p.field()}
	l.Column = p.alias("")
	l.New, l.Output = p.output()
	l.Span = p.from(start)
	return l
}

func (p *parser) output() (isNew bool, fields []LookupField) {
	if isNew = p.accept("outputnew"); !isNew {
		p.expect("output")
	}
	return isNew, p.lookupFields()
}

func (p *parser) lookupFields() []LookupField {
	var list []LookupField
	for {
		f := p.field()
		list = append(list, LookupField{Name: f.Name, As: p.alias(f.Name), Span: p.from(f.Start)})
		if !p.accept(",") {
			return list
		}
	}
}
