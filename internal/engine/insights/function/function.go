package function

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// MaxText is how many bytes a function's result may have, as many as an event. What
// would be longer is null.
const MaxText = 1 << 20

// MaxCases is how many conditions case takes.
const MaxCases = 10

// A Context is what functions know besides their arguments: the same for all of a query.
// Times are milliseconds since 1970.
type Context struct {
	Now, QueryStart, QueryEnd int64
	// Zone finds a time zone by its IANA name; nil knows UTC and fixed offsets alone.
	Zone func(name string) (*time.Location, error)
	// Until ends what takes long; nil doesn't.
	Until context.Context
}

// An Eval computes a function of one row. It neither changes nor keeps args.
type Eval func(ctx *Context, args []value.Value) value.Value

// A Function of the query language.
type Function struct {
	Name     string // as documented; case does not matter
	Min, Max int    // how many arguments; Max -1: any number
	// Implicit is a field that comes before the arguments as written (see HasImplicit):
	// bin(5m) is a function of @timestamp.
	Implicit string
	// Nulls says that the function is asked for null arguments, too.
	Nulls bool
	// Literal are the arguments that must be literals, Implicit not counted.
	Literal []int

	eval Eval
	bind func(literals []*value.Value) (Eval, error) // of functions with something to prepare
}

// An ArgumentError is a call that can't be right.
type ArgumentError struct {
	Function string
	Argument int // from 0, as written; -1: their number
	Problem  string
}

// Error says which argument of which function is wrong, and why.
func (e *ArgumentError) Error() string {
	if e.Argument < 0 {
		return e.Function + " " + e.Problem
	}
	return fmt.Sprintf("argument %d of %s %s", e.Argument+1, e.Function, e.Problem)
}

// argument is the error of an argument, before Bind puts in the function's name.
func argument(i int, format string, args ...any) error {
	return &ArgumentError{Argument: i, Problem: fmt.Sprintf(format, args...)}
}

// Lookup finds a function by its name. Case does not matter.
func Lookup(name string) (*Function, bool) {
	f, ok := byName[strings.ToLower(name)]
	return f, ok
}

// All are all functions, in the order of their groups.
func All() []*Function { return all }

var (
	all    = list(numbers, dates, general, jsons, addresses, texts, encodings)
	byName = index(all)
)

func list(groups ...[]*Function) (all []*Function) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func index(all []*Function) map[string]*Function {
	m := make(map[string]*Function, len(all))
	for _, f := range all {
		m[strings.ToLower(f.Name)] = f
	}
	return m
}

// Bind prepares a call. Of each argument as written, literals has its value if it is a
// literal, nil if not. The Eval wants all arguments, the implicit one first. An error is
// an *ArgumentError.
func (f *Function) Bind(literals []*value.Value) (Eval, error) {
	n := len(literals)
	if n < f.Min || f.Max >= 0 && n > f.Max {
		return nil, &ArgumentError{Function: f.Name, Argument: -1, Problem: f.wants(n)}
	}
	for _, i := range f.Literal {
		if i < n && literals[i] == nil {
			return nil, &ArgumentError{Function: f.Name, Argument: i, Problem: "must be a literal"}
		}
	}
	eval := f.eval
	if f.bind != nil {
		var err error
		if eval, err = f.bind(literals); err != nil {
			if a, ok := err.(*ArgumentError); ok {
				a.Function = f.Name
			}
			return nil, err
		}
	}
	if f.Nulls {
		return eval, nil
	}
	return func(ctx *Context, args []value.Value) value.Value {
		for i := range args {
			if args[i].IsNull() {
				return value.Value{}
			}
		}
		return eval(ctx, args)
	}, nil
}

// HasImplicit reports whether a call with n written arguments has the implicit field
// before them.
func (f *Function) HasImplicit(n int) bool {
	return f.Implicit != "" && (f.Max == f.Min || n < f.Max)
}

func (f *Function) wants(n int) string {
	switch {
	case f.Max < 0:
		return fmt.Sprintf("takes at least %d arguments, not %d", f.Min, n)
	case f.Min != f.Max:
		return fmt.Sprintf("takes %d to %d arguments, not %d", f.Min, f.Max, n)
	case f.Min == 1:
		return fmt.Sprintf("takes 1 argument, not %d", n)
	}
	return fmt.Sprintf("takes %d arguments, not %d", f.Min, n)
}

// Eval computes a call with all arguments at hand, the implicit one first, as if none of
// the others were a literal except those that must be. What Bind refuses is null.
func (f *Function) Eval(ctx *Context, args []value.Value) value.Value {
	skip := 0
	if f.HasImplicit(len(args) - 1) {
		skip = 1
	}
	literals := make([]*value.Value, max(0, len(args)-skip))
	for _, i := range f.Literal {
		if i < len(literals) {
			literals[i] = &args[i+skip]
		}
	}
	eval, err := f.Bind(literals)
	if err != nil || len(args) < skip {
		return value.Value{}
	}
	return eval(ctx, args)
}

// text is the result of a function of texts: null if it is too long.
func text(s string) value.Value {
	if len(s) > MaxText {
		return value.Value{}
	}
	return value.OfText(s)
}

// ofText makes a function of one text.
func ofText(name string, f func(s string) value.Value) *Function {
	return &Function{Name: name, Min: 1, Max: 1, eval: func(_ *Context, args []value.Value) value.Value {
		s, ok := args[0].Text()
		if !ok {
			return value.Value{}
		}
		return f(s)
	}}
}

// ofTexts makes a function of two texts.
func ofTexts(name string, f func(a, b string) value.Value) *Function {
	return &Function{Name: name, Min: 2, Max: 2, eval: func(_ *Context, args []value.Value) value.Value {
		a, ok := args[0].Text()
		b, too := args[1].Text()
		if !ok || !too {
			return value.Value{}
		}
		return f(a, b)
	}}
}

// literalText is a literal argument's text, if it is there, is a literal and has one.
func literalText(literals []*value.Value, i int) (string, bool) {
	if i >= len(literals) || literals[i] == nil {
		return "", false
	}
	return literals[i].Text()
}
