package template

import "fmt"

// Error says what is wrong with a template or its parameters, in the sentence that
// CloudFormation answers (clients match whole sentences). All are ValidationErrors.
type Error struct {
	Text string
	// Pos is where in the text; zero where the error is of no one place.
	Pos Pos
	// Detail says more than CloudFormation does; may be empty.
	Detail string
}

func (e *Error) Error() string { return e.Text }

// Pos is a place in a template's text, counted from 1.
type Pos struct{ Line, Column int }

func formatError(pos Pos, form string, args ...any) error {
	return &Error{Text: "Template format error: " + fmt.Sprintf(form, args...), Pos: pos}
}

func templateError(pos Pos, form string, args ...any) error {
	return &Error{Text: "Template error: " + fmt.Sprintf(form, args...), Pos: pos}
}

func plainError(pos Pos, form string, args ...any) error {
	return &Error{Text: fmt.Sprintf(form, args...), Pos: pos}
}
