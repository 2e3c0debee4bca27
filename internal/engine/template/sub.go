package template

import "strings"

// part is a piece of a Sub's text: literal text, or a name to be replaced.
type part struct {
	literal string
	name    string
}

// parseSub cuts a Sub's text: ${Name} and ${Resource.Attribute} are names,
// ${!Literal} stands for ${Literal}. A name that is not well formed is returned as
// bad, with its braces.
func parseSub(s string) (parts []part, bad string) {
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			parts = append(parts, part{literal: lit.String()})
			lit.Reset()
		}
	}
	for {
		before, after, found := strings.Cut(s, "${")
		lit.WriteString(before)
		if !found {
			break
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			lit.WriteString("${")
			s = after
			continue
		}
		s = rest
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			lit.WriteString("${" + literal + "}")
			continue
		}
		name = strings.TrimSpace(name)
		if !subName(name) {
			return nil, "${" + name + "}"
		}
		flush()
		parts = append(parts, part{name: name})
	}
	flush()
	return parts, ""
}

func subName(s string) bool {
	for _, c := range []byte(s) {
		if !alphanumeric(string(rune(c))) && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return s != ""
}

// subArguments splits a Sub's argument: its text, and the map of names, which may
// be nil.
func subArguments(arg *Expr) (text *Expr, vars *Expr, ok bool) {
	if arg.Kind == String {
		return arg, nil, true
	}
	if arg.Kind == List && len(arg.Items) == 1 && arg.Items[0].Kind == String {
		return &arg.Items[0], nil, true
	}
	if arg.Kind == List && len(arg.Items) == 2 && arg.Items[0].Kind == String && arg.Items[1].Kind == Map {
		return &arg.Items[0], &arg.Items[1], true
	}
	return nil, nil, false
}
