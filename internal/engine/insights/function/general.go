package function

import "github.com/eksact/eksact/internal/engine/insights/value"

var general = []*Function{
	{Name: "ispresent", Min: 1, Max: 1, Nulls: true, eval: func(_ *Context, args []value.Value) value.Value {
		return value.OfBool(!args[0].IsNull())
	}},
	{Name: "coalesce", Min: 1, Max: -1, Nulls: true, eval: coalesce},
	{Name: "case", Min: 2, Max: 2*MaxCases + 1, Nulls: true, eval: choose},
	{Name: "if", Min: 2, Max: 3, Nulls: true, eval: choose},
	{Name: "isNumeric", Min: 1, Max: 1, Nulls: true, eval: func(_ *Context, args []value.Value) value.Value {
		_, ok := args[0].Number()
		return value.OfBool(ok && args[0].Kind() != value.Bool)
	}},
	// In bytes of UTF-8.
	{Name: "messageSize", Min: 0, Max: 1, Implicit: "@message", eval: func(_ *Context, args []value.Value) value.Value {
		s, ok := args[0].Text()
		if !ok {
			return value.Value{}
		}
		return value.OfNumber(float64(len(s)))
	}},
	ofQuery("queryStartTime", func(c *Context) int64 { return c.QueryStart }),
	ofQuery("queryEndTime", func(c *Context) int64 { return c.QueryEnd }),
	ofQuery("queryTimeRange", func(c *Context) int64 { return c.QueryEnd - c.QueryStart }),
}

// ofQuery makes a function without arguments, in milliseconds.
func ofQuery(name string, f func(c *Context) int64) *Function {
	return &Function{Name: name, eval: func(c *Context, _ []value.Value) value.Value {
		return value.OfNumber(float64(f(c)))
	}}
}

func coalesce(_ *Context, args []value.Value) value.Value {
	for _, a := range args {
		if !a.IsNull() {
			return a
		}
	}
	return value.Value{}
}

// choose is the value after the first condition that holds; else the last argument, if
// it follows no condition.
func choose(_ *Context, args []value.Value) value.Value {
	for ; len(args) > 1; args = args[2:] {
		if args[0].True() {
			return args[1]
		}
	}
	if len(args) == 1 {
		return args[0]
	}
	return value.Value{}
}
