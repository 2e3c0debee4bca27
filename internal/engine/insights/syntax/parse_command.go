package syntax

import "strings"

// grammar has a function for each command, by its name in lower case. The name was taken
// when it is called; start is where it begins. It is filled in init because commands
// have subqueries.
var grammar map[string]func(p *parser, start int) Command

func init() {
	grammar = map[string]func(p *parser, start int) Command{
		"fields":         parseFields,
		"display":        parseDisplay,
		"filter":         parseFilter,
		"where":          parseFilter,
		"filterindex":    parseFilterIndex,
		"stats":          parseStats,
		"sort":           parseSort,
		"limit":          parseLimit,
		"parse":          parseParse,
		"json":           parseJSON,
		"dedup":          parseDedup,
		"pattern":        parsePattern,
		"diff":           parseDiff,
		"logcompare":     parseLogCompare,
		"anomaly":        func(p *parser, start int) Command { return &Anomaly{p.from(start)} },
		"unnest":         parseUnnest,
		"expand":         parseExpand,
		"unmask":         parseUnmask,
		"source":         parseSource,
		"join":           parseJoin,
		"lookup":         parseLookup,
		"cidrlookup":     parseCIDRLookup,
		"addtotals":      parseAddTotals,
		"accum":          parseAccum,
		"autoregress":    parseAutoregress,
		"filldown":       parseFillDown,
		"fillmissing":    parseFillMissing,
		"outlier":        parseOutlier,
		"sessionize":     parseSessionize,
		"appendcols":     parseAppendCols,
		"relevantfields": parseRelevantFields,
		"countfrequent":  parseCountFrequent,
		"count_frequent": parseCountFrequent,
		"estimate":       func(p *parser, start int) Command { return &Estimate{p.from(start)} },
	}
}

// Commands are the names of all commands, in lower case.
func Commands() []string {
	var names []string
	for name := range grammar {
		names = append(names, name)
	}
	return names
}

func (p *parser) command() Command {
	if p.tok.kind != tokenName || !p.tok.bare {
		p.unexpected()
	}
	parse, ok := grammar[strings.ToLower(p.tok.text)]
	if !ok {
		p.unexpected()
	}
	start := p.tok.Start
	p.advance()
	return parse(p, start)
}

func parseFields(p *parser, start int) Command {
	columns := p.columns()
	return &Fields{p.from(start), columns}
}

func parseDisplay(p *parser, start int) Command {
	columns := p.columns()
	return &Display{p.from(start), columns}
}

func parseFilter(p *parser, start int) Command {
	condition := p.expr()
	return &Filter{p.from(start), condition}
}

// parseFilterIndex takes f = v and f in [v, …], several of them joined by and.
func parseFilterIndex(p *parser, start int) Command {
	condition := p.expr()
	Walk(condition, func(e Expr) bool {
		switch e := e.(type) {
		case *Binary:
			if e.Op == And {
				return true
			}
			if _, ok := e.X.(*Field); e.Op != Equal || !ok {
				panic(Unexpected(p.text, e.Span))
			}
		case *In:
			if _, ok := e.X.(*Field); !ok || e.Not {
				panic(Unexpected(p.text, e.Span))
			}
		default:
			panic(Unexpected(p.text, e.At()))
		}
		return false
	})
	return &FilterIndex{p.from(start), condition}
}

func parseStats(p *parser, start int) Command {
	s := &Stats{Columns: p.columns()}
	if p.accept("by") {
		s.By = p.columns()
		if p.accept("offset") {
			period := p.period()
			s.Offset = &period
		}
	}
	s.Span = p.from(start)
	return s
}

// parseSort takes sort x [asc|desc], …, also sort by x, as some of AWS's samples have it.
func parseSort(p *parser, start int) Command {
	s := &Sort{}
	if p.tok.is("by") && !p.isField() {
		p.advance()
	}
	for {
		k := SortKey{Expr: p.expr()}
		if !p.accept("asc") {
			k.Desc = p.accept("desc")
		}
		s.Keys = append(s.Keys, k)
		if !p.accept(",") {
			s.Span = p.from(start)
			return s
		}
	}
}

func parseLimit(p *parser, start int) Command {
	any := p.accept("any")
	n := p.integer()
	return &Limit{p.from(start), n, any}
}

func parseDedup(p *parser, start int) Command {
	d := &Dedup{}
	for {
		d.Fields = append(d.Fields, p.expr())
		if !p.accept(",") {
			d.Span = p.from(start)
			return d
		}
	}
}

func parsePattern(p *parser, start int) Command {
	field := p.expr()
	return &Pattern{p.from(start), field}
}

func parseDiff(p *parser, start int) Command {
	d := &Diff{}
	for _, m := range []string{"previousDay", "previousWeek", "previousMonth"} {
		if p.accept(m) {
			d.Modifier = m
		}
	}
	d.Span = p.from(start)
	return d
}

func parseLogCompare(p *parser, start int) Command {
	p.expect("timeshift")
	shift := p.period()
	return &LogCompare{p.from(start), shift}
}

func parseUnnest(p *parser, start int) Command {
	e := p.expr()
	p.expect("into")
	into := p.field()
	return &Unnest{p.from(start), e, into.Name}
}

func parseExpand(p *parser, start int) Command {
	f := p.field()
	return &Expand{p.from(start), &f}
}

func parseUnmask(p *parser, start int) Command {
	u := &Unmask{}
	for _, f := range p.fields() {
		u.Fields = append(u.Fields, &f)
	}
	u.Span = p.from(start)
	return u
}

func parseRelevantFields(p *parser, start int) Command {
	r := &RelevantFields{}
	if !p.tok.is("where") {
		r.Fields = p.fields()
	}
	p.expect("where")
	r.Condition = p.expr()
	r.Span = p.from(start)
	return r
}

func parseCountFrequent(p *parser, start int) Command {
	fields := p.fields()
	return &CountFrequent{p.from(start), fields}
}

func parseAppendCols(p *parser, start int) Command {
	a := &AppendCols{Max: 10_000}
	for !p.tok.is("(") {
		switch option := p.field(); strings.ToLower(option.Name) {
		case "override":
			a.Override = p.option()
		case "max":
			p.expect("=")
			at := p.tok.Span
			if a.Max = p.integer(); a.Max < 1 || a.Max > 100_000 {
				p.fail(at, "max is %d, not 1 to 100000", a.Max)
			}
		default:
			panic(Unexpected(p.text, option.Span))
		}
	}
	p.expect("(")
	a.Sub = p.query()
	p.expect(")")
	a.Span = p.from(start)
	return a
}

// option is =true or =false.
func (p *parser) option() bool {
	p.expect("=")
	if p.accept("true") {
		return true
	}
	p.expect("false")
	return false
}
