package sns

import (
	"net/netip"
	"path"
	"slices"
	"strings"
)

func conditionsOf(list []any) ([]condition, error) {
	if len(list) == 0 {
		return nil, badFilter("Empty arrays are not allowed")
	}
	var all []condition
	for _, x := range list {
		c, err := conditionOf(x)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func conditionOf(x any) (condition, error) {
	m, isObject := x.(map[string]any)
	if _, isList := x.([]any); isList {
		return nil, badFilter("Match value must be String, number, true, false, or null")
	}
	if !isObject {
		return some(func(v any) bool { return equal(v, x) }), nil
	}
	if len(m) != 1 {
		return nil, badFilter("Only one key allowed in match expression")
	}
	for kind, want := range m {
		switch kind {
		case "exists":
			there, ok := want.(bool)
			if !ok {
				return nil, badFilter("exists match pattern must be either true or false.")
			}
			return func(values []any) bool { return (len(values) > 0) == there }, nil
		case "anything-but":
			test, err := butOf(want)
			if err != nil {
				return nil, err
			}
			return some(func(v any) bool { return !test(v) }), nil
		case "numeric":
			test, err := rangeOf(want)
			if err != nil {
				return nil, err
			}
			return some(test), nil
		case "cidr":
			text, _ := want.(string)
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, badFilter("Malformed CIDR, one '/' required")
			}
			return some(func(v any) bool {
				s, _ := v.(string)
				a, err := netip.ParseAddr(s)
				return err == nil && prefix.Contains(a)
			}), nil
		default:
			test, err := textOf(kind, want)
			if err != nil {
				return nil, err
			}
			return some(test), nil
		}
	}
	return nil, nil
}

// some is a condition that one value must satisfy.
func some(test func(any) bool) condition {
	return func(values []any) bool { return slices.ContainsFunc(values, test) }
}

// textOf is a comparison of texts.
func textOf(kind string, want any) (func(any) bool, error) {
	text, ok := want.(string)
	var test func(s string) bool
	switch kind {
	case "prefix":
		test = func(s string) bool { return strings.HasPrefix(s, text) }
	case "suffix":
		test = func(s string) bool { return strings.HasSuffix(s, text) }
	case "equals-ignore-case":
		test = func(s string) bool { return strings.EqualFold(s, text) }
	case "wildcard":
		if strings.Contains(text, "**") {
			return nil, badFilter("Consecutive wildcard characters at pos %d", strings.Index(text, "**")+1)
		}
		test = func(s string) bool { return star(text, s) }
	default:
		return nil, badFilter("Unrecognized match type %s", kind)
	}
	if !ok {
		return nil, badFilter("%s match pattern must be a string", kind)
	}
	return func(v any) bool { s, is := v.(string); return is && test(s) }, nil
}

// star matches * with any characters. Backslashes make one literal.
func star(pattern, s string) bool {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '\\':
			if i+1 < len(pattern) {
				i++
			}
			b.WriteString(`\` + pattern[i:i+1])
		case '?', '[', ']':
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	// A slash is a character like others, which path.Match doesn't cross.
	ok, err := path.Match(strings.ReplaceAll(b.String(), "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return err == nil && ok
}

// butOf is what anything-but leaves out.
func butOf(want any) (func(any) bool, error) {
	switch w := want.(type) {
	case []any:
		if len(w) == 0 {
			return nil, badFilter("Empty arrays are not allowed")
		}
		for _, x := range w {
			if !scalar(x) {
				return nil, badFilter("Inside anything but list, start|null|boolean is not supported.")
			}
		}
		return func(v any) bool {
			return slices.ContainsFunc(w, func(x any) bool { return equal(v, x) })
		}, nil
	case map[string]any:
		if len(w) != 1 {
			return nil, badFilter("Only one key allowed in match expression")
		}
		for kind, x := range w {
			list, ok := x.([]any)
			if !ok {
				list = []any{x}
			}
			var tests []func(any) bool
			for _, one := range list {
				test, err := textOf(kind, one)
				if err != nil {
					return nil, err
				}
				tests = append(tests, test)
			}
			return func(v any) bool {
				return slices.ContainsFunc(tests, func(t func(any) bool) bool { return t(v) })
			}, nil
		}
	}
	if !scalar(want) {
		return nil, badFilter("Value of anything-but must be an array or single string/number value.")
	}
	return func(v any) bool { return equal(v, want) }, nil
}

func scalar(x any) bool {
	switch x.(type) {
	case string, float64:
		return true
	}
	return false
}

// rangeOf is a comparison of numbers: ["=", 1], or [">", 1, "<=", 2].
func rangeOf(want any) (func(any) bool, error) {
	list, ok := want.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, badFilter("Value of numeric must be an array.")
	}
	var tests []func(float64) bool
	for i := 0; i < len(list); i += 2 {
		n, ok := list[i+1].(float64)
		if !ok {
			return nil, badFilter("Value of %v must be numeric", list[i])
		}
		op, _ := list[i].(string)
		if i == 2 && (!strings.HasPrefix(op, "<") || !strings.HasPrefix(list[0].(string), ">")) || i == 0 && len(list) == 4 && !strings.HasPrefix(op, ">") {
			return nil, badFilter("Bad numeric range operator: %v", list[i])
		}
		switch op {
		case "=":
			tests = append(tests, func(x float64) bool { return x == n })
		case "<":
			tests = append(tests, func(x float64) bool { return x < n })
		case "<=":
			tests = append(tests, func(x float64) bool { return x <= n })
		case ">":
			tests = append(tests, func(x float64) bool { return x > n })
		case ">=":
			tests = append(tests, func(x float64) bool { return x >= n })
		default:
			return nil, badFilter("Unrecognized numeric range operator: %v", list[i])
		}
	}
	if len(list) == 4 && list[1].(float64) >= list[3].(float64) {
		return nil, badFilter("Bottom must be less than top")
	}
	return func(v any) bool {
		x, is := v.(float64)
		return is && !slices.ContainsFunc(tests, func(t func(float64) bool) bool { return !t(x) })
	}, nil
}

func equal(a, b any) bool {
	switch a.(type) {
	case nil, string, float64, bool:
		return a == b
	}
	return false
}
