package insights

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// required are texts that every match of a regular expression contains. They are enough
// if the expression is nothing but a text.
func required(re *regexp.Regexp) (literals []string, enough bool) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, false
	}
	tree = tree.Simplify()
	if literal(tree) {
		return []string{string(tree.Rune)}, true
	}
	var walk func(t *syntax.Regexp)
	walk = func(t *syntax.Regexp) {
		switch t.Op {
		case syntax.OpLiteral:
			if literal(t) {
				literals = append(literals, string(t.Rune))
			}
		case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
			for _, sub := range t.Sub {
				walk(sub)
			}
		case syntax.OpRepeat:
			if t.Min > 0 {
				walk(t.Sub[0])
			}
		}
	}
	walk(tree)
	return literals, false
}

// literal reports whether a piece of a regular expression is a text that its matches have
// byte by byte. U+FFFD is not: it matches what is no UTF-8, too.
func literal(t *syntax.Regexp) bool {
	return t.Op == syntax.OpLiteral && t.Flags&syntax.FoldCase == 0 && !slices.Contains(t.Rune, utf8.RuneError)
}
