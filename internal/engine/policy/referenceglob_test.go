package policy_test

import "strings"

// refToken is a character of a pattern, or a wildcard.
type refToken struct {
	char rune
	wild rune // '*', '?' or 0
}

type refPattern []refToken

// text is a pattern without wildcards.
func (p refPattern) text() string {
	var b strings.Builder
	for _, t := range p {
		b.WriteRune(t.char)
	}
	return b.String()
}

// refTokens reads a text in which * and ? are wildcards.
func refTokens(text string) (p refPattern) {
	for _, c := range text {
		if c == '*' || c == '?' {
			p = append(p, refToken{wild: c})
		} else {
			p = append(p, refToken{char: c})
		}
	}
	return p
}

func refLiteral(text string) (p refPattern) {
	for _, c := range text {
		p = append(p, refToken{char: c})
	}
	return p
}

// refExpand replaces variables: ${key}, ${key, 'default'}, ${*}, ${?}, ${$}. It
// fails when a variable is absent or has several values.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func refExpand(text string, wild, variables bool, r *refRequest) (p refPattern, ok bool) {
	read := refLiteral
	if wild {
		read = refTokens
	}
	for variables {
		before, rest, found := strings.Cut(text, "${")
		inner, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			break
		}
		p = append(p, read(before)...)
		text = after
		if inner == "*" || inner == "?" || inner == "$" {
			p = append(p, refLiteral(inner)...)
			continue
		}
		name, fallback, _ := strings.Cut(inner, ",")
		values := r.keys.list(strings.TrimSpace(name))
		fallback = strings.TrimSpace(fallback)
		switch quoted := len(fallback) > 1 && fallback[0] == '\'' && fallback[len(fallback)-1] == '\''; {
		case len(values) == 1:
			p = append(p, refLiteral(values[0])...)
		case len(values) == 0 && quoted:
			p = append(p, refLiteral(fallback[1:len(fallback)-1])...)
		default:
			return nil, false
		}
	}
	return append(p, read(text)...), true
}

// refGlob matches by trying everything, and remembering what was tried.
func refGlob(p refPattern, text string) bool {
	t := []rune(text)
	failed := map[[2]int]bool{}
	var match func(i, j int) bool
	match = func(i, j int) bool {
		if failed[[2]int{i, j}] {
			return false
		}
		ok := false
		switch {
		case i == len(p):
			ok = j == len(t)
		case p[i].wild == '*':
			ok = match(i+1, j) || j < len(t) && match(i, j+1)
		case j < len(t) && (p[i].wild == '?' || p[i].char == t[j]):
			ok = match(i+1, j+1)
		}
		if !ok {
			failed[[2]int{i, j}] = true
		}
		return ok
	}
	return match(0, 0)
}

// refARN matches each of the six parts of an ARN alone. A lone * is any ARN.
func refARN(p refPattern, arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return false
	}
	if len(p) == 1 && p[0].wild == '*' {
		return true
	}
	for _, part := range parts[:5] {
		end := 0
		for end < len(p) && (p[end].wild != 0 || p[end].char != ':') {
			end++
		}
		if end == len(p) || !refGlob(p[:end], part) {
			return false
		}
		p = p[end+1:]
	}
	return refGlob(p, parts[5])
}
