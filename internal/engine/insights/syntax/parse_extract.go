package syntax

import "strings"

// parseParse takes parse [field] "glob" as a, …; parse [field] /regex/ [as a, …] [multi];
// parse [field] logfmt as m; parse [field] csv as a, ….
func parseParse(p *parser, start int) Command {
	c := &ParseField{Field: &Field{Name: "@message"}}
	if p.isName() && !p.isMode() {
		f := p.field()
		c.Field = &f
	}
	switch {
	case p.tok.is("/"):
		c.Regex = p.regex()
		c.Multi = p.accept("multi")
		if p.tok.is("as") {
			c.As = p.as()
		} else {
			c.As = groups(c.Regex)
		}
		c.Multi = p.accept("multi") || c.Multi
		p.checkGroups(c)
	case p.tok.kind == tokenString:
		s := p.str()
		c.Glob = &s
		c.As = p.as()
		if n := len(GlobParts(s.Text)) - 1; n != len(c.As) {
			p.fail(p.from(s.Start), "the glob expression has %d wildcards and %d names: there must be a name for each", n, len(c.As))
		}
	case p.tok.is("logfmt"), p.tok.is("csv"):
		c.Mode = strings.ToLower(p.take(tokenName).text)
		c.As = p.as()
		if c.Mode == "logfmt" && len(c.As) != 1 {
			p.fail(c.As[1].Span, "logfmt makes one map: give it one name")
		}
	default:
		p.unexpected()
	}
	c.Span = p.from(start)
	return c
}

// isMode reports whether the name that comes next is a mode, not a field.
func (p *parser) isMode() bool {
	if !p.tok.is("logfmt") && !p.tok.is("csv") {
		return false
	}
	m := p.mark()
	defer p.reset(m)
	p.advance()
	return p.tok.is("as")
}

// groups are the names of a regular expression's groups.
func groups(r *Regex) []Field {
	var list []Field
	for _, name := range r.Regexp.SubexpNames() {
		if name != "" {
			list = append(list, Field{r.Span, name})
		}
	}
	return list
}

// checkGroups sees to it that each name has a group: named groups go by their own names,
// others by the order of the names after "as".
func (p *parser) checkGroups(c *ParseField) {
	names := c.Regex.Regexp.SubexpNames()
	if n := len(names) - 1; len(c.As) == 0 || len(c.As) > n {
		p.fail(c.Regex.Span, "the regular expression has %d groups and %d names: there must be a group for each name", n, len(c.As))
	}
}

// GlobParts are the texts between a glob expression's wildcards, one more than there are
// wildcards. \* is an asterisk.
func GlobParts(glob string) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch {
		case glob[i] == '\\' && i+1 < len(glob) && glob[i+1] == '*':
			b.WriteByte('*')
			i++
		case glob[i] == '*':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(glob[i])
		}
	}
	return append(parts, b.String())
}

// parseJSON takes json [field=f] "a.b" as x, ….
func parseJSON(p *parser, start int) Command {
	c := &JSON{Field: &Field{Name: "@message"}}
	if p.accept("field") {
		p.expect("=")
		f := p.field()
		c.Field = &f
	}
	for {
		path := p.str()
		c.Paths = append(c.Paths, path)
		as := Field{path.Span, path.Text}
		if p.accept("as") {
			as = p.field()
		}
		c.As = append(c.As, as)
		if !p.accept(",") {
			c.Span = p.from(start)
			return c
		}
	}
}
