package global

import (
	"strings"
	"unicode"
)

// Printable replaces what a terminal would obey: names that others chose, such as
// the keys of objects, may hold anything.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
