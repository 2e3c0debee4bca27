package function

import "github.com/eksact/eksact/internal/engine/insights/value"

var jsons = []*Function{
	ofText("jsonParse", func(s string) value.Value {
		v, ok := ParseJSON(s)
		if !ok || !v.IsComposite() {
			return value.Value{}
		}
		return v
	}),
	{Name: "jsonStringify", Min: 1, Max: 1, eval: func(_ *Context, args []value.Value) value.Value {
		return text(args[0].JSON())
	}},
	{Name: "jsonArraySize", Min: 1, Max: 1, eval: func(_ *Context, args []value.Value) value.Value {
		array := arrayOf(args[0])
		if array.IsNull() {
			return array
		}
		return value.OfNumber(float64(len(array.Items())))
	}},
	{Name: "jsonArrayContains", Min: 2, Max: 2, eval: func(_ *Context, args []value.Value) value.Value {
		array := arrayOf(args[0])
		if array.IsNull() {
			return array
		}
		for _, item := range array.Items() {
			if value.Equal(item, args[1]) {
				return value.OfBool(true)
			}
		}
		return value.OfBool(false)
	}},
}

// arrayOf is a list, or a text that is a JSON array, as a list; null if it is neither.
func arrayOf(v value.Value) value.Value {
	if s, ok := v.Text(); ok {
		v, _ = ParseJSON(s)
	}
	if v.Kind() != value.List {
		return value.Value{}
	}
	return v
}

// A Step of an access path: a key of a map, or an index into a list.
type Step struct {
	Key     string
	Index   int // counts if IsIndex
	IsIndex bool
}

// Access follows a path into a value: m.a, l[1]. Where there is nothing, it is null.
func Access(v value.Value, path []Step) value.Value {
	for _, s := range path {
		if s.IsIndex {
			v = v.At(s.Index)
		} else {
			v = v.Get(s.Key)
		}
	}
	return v
}
