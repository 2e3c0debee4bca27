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

// alternatives are all the texts that a regular expression matches, if they are few: of
// /get|list|watch/ three. A text matches if it contains one of them.
func alternatives(re *regexp.Regexp) []string {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil
	}
	list, ok := textsOf(tree)
	if !ok {
		return nil
	}
	return list
}

// mostTexts is how many texts are few: beyond, looking for each takes longer than the
// expression.
const mostTexts = 8

// textsOf lists all texts that a piece of a regular expression matches.
func textsOf(t *syntax.Regexp) (list []string, ok bool) {
	switch t.Op {
	case syntax.OpLiteral:
		return []string{string(t.Rune)}, literal(t)
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpCapture:
		return textsOf(t.Sub[0])
	case syntax.OpCharClass:
		for i := 0; i < len(t.Rune); i += 2 {
			for r := t.Rune[i]; r <= t.Rune[i+1]; r++ {
				if list = append(list, string(r)); len(list) > mostTexts || r == utf8.RuneError {
					return nil, false
				}
			}
		}
		return list, true
	case syntax.OpAlternate:
		for _, sub := range t.Sub {
			more, ok := textsOf(sub)
			if list = append(list, more...); !ok || len(list) > mostTexts {
				return nil, false
			}
		}
		return list, true
	case syntax.OpConcat:
		list = []string{""}
		for _, sub := range t.Sub {
			ends, ok := textsOf(sub)
			if !ok || len(list)*len(ends) > mostTexts {
				return nil, false
			}
			var longer []string
			for _, begin := range list {
				for _, end := range ends {
					longer = append(longer, begin+end)
				}
			}
			list = longer
		}
		return list, true
	}
	return nil, false
}

// literal reports whether a piece of a regular expression is a text that its matches have
// byte by byte. U+FFFD is not: it matches what is no UTF-8, too.
func literal(t *syntax.Regexp) bool {
	return t.Op == syntax.OpLiteral && t.Flags&syntax.FoldCase == 0 && !slices.Contains(t.Rune, utf8.RuneError)
}
