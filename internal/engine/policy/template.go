package policy

import "strings"

// template is a text of a policy that may hold variables: ${aws:username},
// ${aws:username, 'nobody'}; and ${*}, ${?}, ${$} for the characters themselves.
// It is compiled once; a request only gives the values.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
type template struct {
	glob
	vars []placeholder
}

// placeholder is a variable of a template.
type placeholder struct {
	key        string // in lower case
	fallback   string
	hasDefault bool
}

// compileTemplate reads text. Wild says that * and ? are wildcards, variables
// that ${…} is replaced (version 2012-10-17).
func compileTemplate(text string, wild, variables bool) template {
	pieces, vars := templatePieces(text, wild, variables)
	return template{globOf(pieces, false), vars}
}

func templatePieces(text string, wild, variables bool) (pieces []piece, vars []placeholder) {
	add := func(s string) {
		if wild {
			pieces = wildPieces(pieces, s)
		} else {
			pieces = append(pieces, piece{form: literal, lit: s})
		}
	}
	for variables {
		i := strings.Index(text, "${")
		if i < 0 {
			break
		}
		length := strings.IndexByte(text[i:], '}')
		if length < 0 {
			break
		}
		add(text[:i])
		switch inner := text[i+2 : i+length]; inner {
		case "*", "?", "$":
			pieces = append(pieces, piece{form: literal, lit: inner})
		default:
			pieces = append(pieces, piece{form: variable, v: len(vars)})
			vars = append(vars, parsePlaceholder(inner))
		}
		text = text[i+length+1:]
	}
	add(text)
	return pieces, vars
}

// parsePlaceholder reads what stands between ${ and }.
func parsePlaceholder(inner string) placeholder {
	name, fallback, hasDefault := strings.Cut(inner, ",")
	fallback = strings.TrimSpace(fallback)
	if n := len(fallback); n >= 2 && fallback[0] == '\'' && fallback[n-1] == '\'' {
		fallback = fallback[1 : n-1]
	} else {
		hasDefault = false
	}
	return placeholder{strings.ToLower(strings.TrimSpace(name)), fallback, hasDefault}
}

// few is how many variables a text may have before their values need memory of
// their own.
const few = 4

// values appends what the request gives the variables. It fails when one is
// missing, or has not exactly one value.
func (t *template) values(list []string, r *Request) ([]string, bool) {
	for i := range t.vars {
		v := r.values(t.vars[i].key)
		switch {
		case v.Len() == 1:
			list = append(list, v.At(0))
		case v.Len() == 0 && t.vars[i].hasDefault:
			list = append(list, t.vars[i].fallback)
		default:
			return nil, false
		}
	}
	return list, true
}

// matches compares the pattern with text.
func (t *template) matches(r *Request, text string) bool {
	if len(t.vars) == 0 {
		return t.match(text, nil)
	}
	var room [few]string
	vals, ok := t.values(room[:0], r)
	return ok && t.match(text, vals)
}

// equalsFold compares a template without wildcards with text, in any case of
// letters.
func (t *template) equalsFold(r *Request, text string) bool {
	if len(t.vars) == 0 {
		return strings.EqualFold(t.lit, text)
	}
	vals, ok := t.values(nil, r)
	if !ok {
		return false
	}
	var b strings.Builder
	for i := range t.segs[0].pieces {
		b.WriteString(t.segs[0].pieces[i].text(vals))
	}
	return strings.EqualFold(b.String(), text)
}

// arnPattern is a pattern of which the six parts of an ARN are matched each
// alone.
type arnPattern struct {
	template // for its variables
	pieces   []piece
	parts    [6]glob
	count    int
}

func compileARN(text string, variables bool) *arnPattern {
	pieces, vars := templatePieces(text, true, variables)
	a := &arnPattern{template: template{vars: vars}, pieces: pieces}
	a.parts, a.count = arnParts(pieces)
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
			parts[count] = globOf(append(part, piece{form: literal, lit: before}), false)
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
	var room [few]string
	vals, ok := a.values(room[:0], r)
	if !ok {
		return false
	}
	if a.cutsValues(vals) {
		made, n := arnParts(a.filled(vals))
		parts, count = &made, n
	}
	if count != 6 {
		return false
	}
	for i := range 5 {
		part, rest, found := strings.Cut(arn, ":")
		if !found || !parts[i].match(part, vals) {
			return false
		}
		arn = rest
	}
	return parts[5].match(arn, vals)
}

// cutsValues says whether a value has colons, which may separate parts.
func (a *arnPattern) cutsValues(vals []string) bool {
	for _, v := range vals {
		if strings.IndexByte(v, ':') >= 0 {
			return true
		}
	}
	return false
}

// filled are the pieces with values in place of variables.
func (a *arnPattern) filled(vals []string) []piece {
	pieces := make([]piece, len(a.pieces))
	for i, p := range a.pieces {
		if p.form == variable {
			p = piece{form: literal, lit: vals[p.v]}
		}
		pieces[i] = p
	}
	return pieces
}
