package syntax

import (
	"strconv"
	"strings"
)

// parseAddTotals takes addtotals [fieldname=Total] [row=true] [col=false] f, ….
func parseAddTotals(p *parser, start int) Command {
	a := &AddTotals{Name: "Total", Row: true}
	for p.isName() {
		option := p.mark()
		f := p.field()
		if !p.tok.is("=") {
			p.reset(option)
			a.Fields = p.fields()
			break
		}
		switch strings.ToLower(f.Name) {
		case "fieldname":
			p.expect("=")
			if p.tok.kind == tokenString {
				a.Name = p.str().Text
			} else {
				a.Name = p.field().Name
			}
		case "row":
			a.Row = p.option()
		case "col":
			a.Col = p.option()
		default:
			panic(Unexpected(p.text, f.Span))
		}
	}
	a.Span = p.from(start)
	return a
}

func parseAccum(p *parser, start int) Command {
	f := p.field()
	as := p.alias(f.Name)
	return &Accum{p.from(start), f, as}
}

// parseAutoregress takes autoregress f [as o] [p=1-4].
func parseAutoregress(p *parser, start int) Command {
	a := &Autoregress{Field: p.field(), From: 1, To: 1}
	a.As = p.alias(a.Field.Name)
	if p.accept("p") {
		p.expect("=")
		at := p.tok.Start
		a.From = p.integer()
		a.To = a.From
		if p.accept("-") {
			a.To = p.integer()
		}
		if a.From < 1 || a.To < a.From || a.To > 100 {
			p.fail(p.from(at), "p is %d-%d, not a range within 1 to 100", a.From, a.To)
		}
	}
	a.Span = p.from(start)
	return a
}

// parseFillDown takes filldown [f …]; an asterisk at the end of a name stands for all
// that begins with it.
func parseFillDown(p *parser, start int) Command {
	c := &FillDown{}
	for p.isName() || p.tok.is("*") {
		at := p.tok.Start
		name := ""
		if p.isName() {
			name = p.field().Name
		}
		if p.tok.is("*") && (p.tok.Start == p.end || name == "") {
			p.advance()
			name += "*"
		}
		c.Fields = append(c.Fields, String{p.from(at), name})
		p.accept(",")
	}
	c.Span = p.from(start)
	return c
}

// parseFillMissing takes fillmissing [with v for f, …].
func parseFillMissing(p *parser, start int) Command {
	c := &FillMissing{}
	if p.accept("with") {
		for {
			c.Values = append(c.Values, p.sum())
			p.expect("for")
			c.Fields = append(c.Fields, p.field())
			if !p.accept(",") {
				break
			}
			p.accept("with")
		}
	}
	c.Span = p.from(start)
	return c
}

// parseOutlier takes outlier [action=…] [param=…] [uselower=…] [mark=…] f ….
func parseOutlier(p *parser, start int) Command {
	o := &Outlier{Param: 2.5}
	for p.isName() {
		f := p.field()
		if !p.tok.is("=") {
			o.Fields = append(o.Fields, f)
			p.accept(",")
			continue
		}
		switch strings.ToLower(f.Name) {
		case "action":
			p.expect("=")
			if o.Remove = p.accept("remove"); !o.Remove {
				p.expect("transform")
			}
		case "param":
			p.expect("=")
			t := p.take(tokenNumber)
			v, err := strconv.ParseFloat(t.text, 64)
			if err != nil {
				panic(Unexpected(p.text, t.Span))
			}
			o.Param = v
		case "uselower":
			o.UseLower = p.option()
		case "mark":
			o.Mark = p.option()
		default:
			panic(Unexpected(p.text, f.Span))
		}
	}
	if len(o.Fields) == 0 {
		p.unexpected()
	}
	o.Span = p.from(start)
	return o
}

// parseSessionize takes sessionize f, … [maxspan 30m] [as o].
func parseSessionize(p *parser, start int) Command {
	s := &Sessionize{Fields: p.fields()}
	if p.accept("maxspan") {
		p.accept("=")
		period := p.period()
		s.MaxSpan = &period
	}
	s.As = p.alias("session_id")
	s.Span = p.from(start)
	return s
}
