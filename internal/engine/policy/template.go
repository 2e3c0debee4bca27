package policy

import "strings"

// template is a text of a policy that may hold variables: ${aws:username},
// ${aws:username, 'nobody'}; and ${*}, ${?}, ${$} for the characters themselves.
// Without variables it is compiled once; with them, for each request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
type template struct {
	parts []part
	text  string // without variables: the whole text
	glob  glob   // without variables: the whole pattern
	fixed bool
}

// part is a piece of pattern, or a variable.
type part struct {
	piece
	variable   string // key, in lower case; "" if this is a piece
	fallback   string
	hasDefault bool
}

// compileTemplate reads text. Wild says that * and ? are wildcards, variables
// that ${…} is replaced (version 2012-10-17).
func compileTemplate(text string, wild, variables bool) template {
	t := template{fixed: true}
	add := func(s string) {
		if s == "" {
			return
		}
		if !wild {
			t.parts = append(t.parts, part{piece: piece{literal, s}})
			return
		}
		for _, p := range wildPieces(nil, s) {
			t.parts = append(t.parts, part{piece: p})
		}
	}
	rest := text
	for variables {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		length := strings.IndexByte(rest[i:], '}')
		if length < 0 {
			break
		}
		add(rest[:i])
		t.parts = append(t.parts, variablePart(rest[i+2:i+length]))
		if t.parts[len(t.parts)-1].variable != "" {
			t.fixed = false
		}
		rest = rest[i+length+1:]
	}
	add(rest)
	if t.fixed {
		pieces := make([]piece, len(t.parts))
		var b strings.Builder
		for i, p := range t.parts {
			pieces[i] = p.piece
			b.WriteString(p.lit)
		}
		t.text, t.glob = b.String(), globOf(pieces, false)
	}
	return t
}

// variablePart reads what stands between ${ and }.
func variablePart(inner string) part {
	switch inner {
	case "*", "?", "$":
		return part{piece: piece{literal, inner}}
	}
	name, fallback, hasDefault := strings.Cut(inner, ",")
	fallback = strings.TrimSpace(fallback)
	if n := len(fallback); n >= 2 && fallback[0] == '\'' && fallback[n-1] == '\'' {
		fallback = fallback[1 : n-1]
	} else {
		hasDefault = false
	}
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" {
		// Nothing is called by no name: like any variable that is missing.
		name = " "
	}
	return part{variable: name, fallback: fallback, hasDefault: hasDefault}
}

// expand replaces the variables; a value's own stars are literal. It fails when
// a variable is missing, or has not exactly one value.
func (t *template) expand(r *Request) (pieces []piece, ok bool) {
	pieces = make([]piece, len(t.parts))
	for i, p := range t.parts {
		if p.variable == "" {
			pieces[i] = p.piece
			continue
		}
		values := r.values(p.variable)
		switch {
		case values.Len() == 1:
			pieces[i].lit = values.At(0)
		case values.Len() == 0 && p.hasDefault:
			pieces[i].lit = p.fallback
		default:
			return nil, false
		}
	}
	return pieces, true
}

// matches compares the pattern with value.
func (t *template) matches(r *Request, value string) bool {
	if t.fixed {
		return t.glob.match(value)
	}
	pieces, ok := t.expand(r)
	if !ok {
		return false
	}
	g := globOf(pieces, false)
	return g.match(value)
}

// string returns the text of a template without wildcards.
func (t *template) string(r *Request) (string, bool) {
	if t.fixed {
		return t.text, true
	}
	pieces, ok := t.expand(r)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.lit)
	}
	return b.String(), true
}

// arnPattern is a pattern of which the six parts of an ARN are matched each
// alone.
type arnPattern struct {
	template
	parts [6]glob // when fixed
	count int     // parts found; fewer than six match nothing
}

func compileARN(text string, variables bool) arnPattern {
	a := arnPattern{template: compileTemplate(text, true, variables)}
	if a.fixed {
		pieces := make([]piece, len(a.template.parts))
		for i, p := range a.template.parts {
			pieces[i] = p.piece
		}
		a.parts, a.count = arnParts(pieces)
	}
	return a
}

// arnParts cuts a pattern at the first five colons. A lone * stands for any ARN.
func arnParts(pieces []piece) (parts [6]glob, count int) {
	if len(pieces) == 1 && pieces[0].form == star {
		for i := range parts {
			parts[i] = globOf(pieces, false)
		}
		return parts, 6
	}
	var part []piece
	for _, p := range pieces {
		for p.form == literal && count < 5 {
			before, after, found := strings.Cut(p.lit, ":")
			if !found {
				break
			}
			parts[count] = globOf(append(part, piece{literal, before}), false)
			part, count = nil, count+1
			p.lit = after
		}
		part = append(part, p)
	}
	parts[count] = globOf(part, false)
	return parts, count + 1
}

func (a *arnPattern) matches(r *Request, arn string) bool {
	parts, count := &a.parts, a.count
	if !a.fixed {
		pieces, ok := a.expand(r)
		if !ok {
			return false
		}
		var made [6]glob
		made, count = arnParts(pieces)
		parts = &made
	}
	if count != 6 {
		return false
	}
	for i := range 5 {
		part, rest, found := strings.Cut(arn, ":")
		if !found || !parts[i].match(part) {
			return false
		}
		arn = rest
	}
	return parts[5].match(arn)
}
