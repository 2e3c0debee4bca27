package syntax

import "github.com/eksact/eksact/internal/engine/regex"

// An Expr is a part of a query that has a value.
type Expr interface{ At() Span }

// At is the expression's place; all trees have it from here.
func (s Span) At() Span { return s }

// Expressions.
type (
	// A Field is a field of an event or a column of a row, by its name without
	// backticks.
	Field struct {
		Span
		Name string
	}
	// A Number is a number as it was written.
	Number struct {
		Span
		Text string
	}
	// A String is a text.
	String struct {
		Span
		Text string
	}
	// A Bool is true or false.
	Bool struct {
		Span
		Value bool
	}
	// A Regex is a regular expression.
	Regex struct {
		Span
		Regexp *regex.Regexp
	}
	// A Period is a length of time, such as 5m, as it was written.
	Period struct {
		Span
		Text string
	}
	// A Unary is -X or not X.
	Unary struct {
		Span
		Op Op // Neg, Not
		X  Expr
	}
	// A Binary is X op Y.
	Binary struct {
		Span
		Op   Op
		X, Y Expr
	}
	// A Like is X like "text" or X like /regex/; =~ is the same.
	Like struct {
		Span
		X       Expr
		Not     bool
		Pattern Expr // *String or *Regex
	}
	// An In is X in [list] or X in (subquery).
	In struct {
		Span
		X    Expr
		Not  bool
		List []Expr
		Sub  *Query // instead of List
	}
	// A Call is a function, by its name as it was written. Paren is its parenthesis's
	// place.
	Call struct {
		Span
		Name  string
		Paren Span
		Args  []Expr
		Star  bool // count(*)
	}
	// An Access is an item of a list or map: X[Index] or X.Key.
	Access struct {
		Span
		X     Expr
		Index Expr   // nil when Key is meant
		Key   string // may have dots
	}
)

// An Op is an operator.
type Op uint8

// Operators, from those that bind loosest.
const (
	NoOp Op = iota
	Or
	And
	Not
	Equal
	Unequal
	Less
	LessEqual
	Greater
	GreaterEqual
	Add
	Subtract
	Multiply
	Divide
	Modulo
	Power
	Neg
)

var comparisons = map[string]Op{"=": Equal, "!=": Unequal, "<": Less, "<=": LessEqual, ">": Greater, ">=": GreaterEqual}

// A Column is an expression with the name that it gets.
type Column struct {
	Span
	Expr  Expr
	Name  string // the alias, the field's name, or the text as it was written
	Alias bool
}

// Walk calls visit for an expression and all within, until visit returns false for the
// branch. Subqueries are not entered.
func Walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	switch e := e.(type) {
	case *Unary:
		Walk(e.X, visit)
	case *Binary:
		Walk(e.X, visit)
		Walk(e.Y, visit)
	case *Like:
		Walk(e.X, visit)
		Walk(e.Pattern, visit)
	case *In:
		Walk(e.X, visit)
		for _, item := range e.List {
			Walk(item, visit)
		}
	case *Call:
		for _, arg := range e.Args {
			Walk(arg, visit)
		}
	case *Access:
		Walk(e.X, visit)
		if e.Index != nil {
			Walk(e.Index, visit)
		}
	}
}
