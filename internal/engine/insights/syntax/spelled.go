package syntax

import "strings"

// Spelled is the text of an expression as all that mean the same are spelled: functions in
// lower case, one space between the other words and signs. A text that is no expression
// is itself.
func Spelled(text string) string {
	var b strings.Builder
	for at := 0; ; {
		t, err := scan(text, at)
		if err != nil {
			return text
		}
		if t.kind == tokenEOF {
			return b.String()
		}
		word := text[t.Start:t.End]
		if next, err := scan(text, t.End); err == nil && t.kind == tokenName && t.bare && next.is("(") {
			word = strings.ToLower(word)
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		at = t.End
	}
}
