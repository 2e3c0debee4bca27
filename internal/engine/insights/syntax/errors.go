package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Error says why a query is malformed. Its fields are those of the API's
// MalformedQueryException and QueryCompileError.
type Error struct {
	Message string
	// Start and End are the place in the query's text, in characters from 0; End is
	// exclusive.
	Start, End int
}

func (e *Error) Error() string { return e.Message }

// Errorf is an error about a part of a query's text.
func Errorf(text string, at Span, format string, args ...any) *Error {
	return &Error{
		Message: fmt.Sprintf(format, args...),
		Start:   utf8.RuneCountInString(text[:at.Start]),
		End:     utf8.RuneCountInString(text[:at.End]),
	}
}

// Unexpected is AWS's sentence about a symbol that has no place where it stands. Lines
// count from 1, positions within them from 0.
func Unexpected(text string, at Span) *Error {
	symbol := text[at.Start:at.End]
	if at.Start >= len(text) {
		symbol = "<EOF>"
	}
	before := text[:at.Start]
	line := strings.Count(before, "\n") + 1
	position := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return Errorf(text, at, "unexpected symbol found %s at line %d and position %d", symbol, line, position)
}
