package insights

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// required are texts that every match of a regular expression contains. They are enough
// if the expression is nothing but a text.
func required(re *regexp.Regexp) (literals []string, enough bool) {
	exact, _, enough := needed(re)
	return exact, enough && len(exact) > 0
}

// needed are the texts that every match contains: some as they are, others, in small
// letters, in whatever case. They are enough if the expression is nothing but a text.
func needed(re *regexp.Regexp) (exact, folded []string, enough bool) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, nil, false
	}
	take := func(t *syntax.Regexp) bool {
		switch {
		case literal(t):
			exact = append(exact, string(t.Rune))
		case foldable(t):
			folded = append(folded, strings.ToLower(string(t.Rune)))
		default:
			return false
		}
		return true
	}
	tree = tree.Simplify()
	if take(tree) {
		return exact, folded, true
	}
	var walk func(t *syntax.Regexp)
	walk = func(t *syntax.Regexp) {
		switch t.Op {
		case syntax.OpLiteral:
			take(t)
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
	return exact, folded, false
}

// foldable reports whether a piece of a regular expression is a text in whatever case,
// all of it ASCII.
func foldable(t *syntax.Regexp) bool {
	return t.Op == syntax.OpLiteral && t.Flags&syntax.FoldCase != 0 && !slices.ContainsFunc(t.Rune, func(r rune) bool { return r >= utf8.RuneSelf })
}

// containsFold reports whether a text may contain another, which is in small ASCII
// letters, in whatever case: unsure is true where letters that fold to k and s, but are
// none of ASCII's, leave it to the regular expression.
func containsFold(s, lower string) (contains, unsure bool) {
	first := lower[0]
	for i := 0; i+len(lower) <= len(s); i++ {
		if s[i]|0x20 == first|0x20 && equalFold(s[i:i+len(lower)], lower) {
			return true, false
		}
	}
	return false, strings.Contains(s, "\u212a") || strings.Contains(s, "\u017f")
}

func equalFold(s, lower string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
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
