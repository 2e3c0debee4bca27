package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Where a filter looks.
const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

// Bounds of a filter policy.
// https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
const (
	mostKeys         = 5
	mostCombinations = 150
)

// filter is a filter policy: all fields must match, and one of each group of
// alternatives.
type filter struct {
	fields map[string]field
	either [][]*filter // of "$or"
}

// field is the conditions on a value, of which one must hold, or on what is within.
type field struct {
	any    []condition
	within *filter
}

// condition says whether the values of a field satisfy it. No values: the field is not
// there.
type condition func(values []any) bool

// parseFilter reads a filter policy. Only those of bodies may be nested.
func parseFilter(text string, body bool) (*filter, error) {
	d := json.NewDecoder(strings.NewReader(text))
	var root map[string]any
	if err := d.Decode(&root); err != nil || d.More() {
		return nil, badFilter("failed to parse JSON.")
	}
	p := filterParser{body: body}
	f, combinations, err := p.object(root)
	switch {
	case err != nil:
		return nil, err
	case p.keys > mostKeys:
		return nil, badFilter("Filter policy can not have more than %d keys", mostKeys)
	case combinations > mostCombinations:
		return nil, badFilter("Filter policy is too complex")
	}
	return f, nil
}

func badFilter(format string, args ...any) error {
	return errors.New("FilterPolicy: " + fmt.Sprintf(format, args...))
}

type filterParser struct {
	body bool
	keys int
}

func (p *filterParser) object(m map[string]any) (f *filter, combinations int, err error) {
	f, combinations = &filter{fields: map[string]field{}}, 1
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name == "$or" {
			if list, ok := m[name].([]any); ok && len(list) > 1 && allObjects(list) {
				n, err := p.either(f, list)
				if err != nil {
					return nil, 0, err
				}
				combinations *= n
				continue
			}
		}
		n := 0
		switch v := m[name].(type) {
		case []any:
			p.keys++
			conditions, err := conditionsOf(v)
			if err != nil {
				return nil, 0, err
			}
			f.fields[name], n = field{any: conditions}, len(v)
		case map[string]any:
			if !p.body {
				return nil, 0, badFilter("Filter policy scope MessageAttributes does not support nested filter policy")
			}
			if len(v) == 0 {
				return nil, 0, badFilter("Empty objects are not allowed")
			}
			within, c, err := p.object(v)
			if err != nil {
				return nil, 0, err
			}
			f.fields[name], n = field{within: within}, c
		default:
			return nil, 0, badFilter("\"%s\" must be an object or an array", name)
		}
		combinations = min(combinations*n, mostCombinations+1)
	}
	return f, combinations, nil
}

func allObjects(list []any) bool {
	return !slices.ContainsFunc(list, func(x any) bool { _, ok := x.(map[string]any); return !ok })
}

// either reads the alternatives of "$or": those of one group add up.
func (p *filterParser) either(f *filter, list []any) (combinations int, err error) {
	var group []*filter
	for _, x := range list {
		one, n, err := p.object(x.(map[string]any))
		if err != nil {
			return 0, err
		}
		group = append(group, one)
		combinations += n
	}
	f.either = append(f.either, group)
	return combinations, nil
}

// matches holds a filter against what is found by names.
func (f *filter) matches(at map[string][]any) bool {
	for name, want := range f.fields {
		if want.within == nil {
			if !slices.ContainsFunc(want.any, func(c condition) bool { return c(leaves(at[name])) }) {
				return false
			}
			continue
		}
		inner := map[string][]any{}
		for _, v := range at[name] {
			gather(inner, v)
		}
		if !want.within.matches(inner) {
			return false
		}
	}
	return !slices.ContainsFunc(f.either, func(group []*filter) bool {
		return !slices.ContainsFunc(group, func(one *filter) bool { return one.matches(at) })
	})
}

// leaves are values with those of lists in their place.
func leaves(values []any) (all []any) {
	for _, v := range values {
		if list, ok := v.([]any); ok {
			all = append(all, leaves(list)...)
			continue
		}
		all = append(all, v)
	}
	return all
}

// gather adds the members of an object, or of the objects in a list.
func gather(into map[string][]any, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			into[name] = append(into[name], x)
		}
	case []any:
		for _, x := range v {
			gather(into, x)
		}
	}
}

// numberOf reads a number as SNS takes it.
func numberOf(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !strings.ContainsAny(s, "xXpPnN_")
}

// lets says whether a subscription wants a message.
func (sub *Subscription) lets(m *Message) bool {
	if sub.Filter == "" {
		return true
	}
	f, err := parseFilter(sub.Filter, sub.Scope == scopeBody)
	if err != nil {
		return false
	}
	if sub.Scope == scopeBody {
		var body any
		if json.Unmarshal([]byte(m.Text), &body) != nil {
			return false
		}
		at := map[string][]any{}
		gather(at, body)
		return f.matches(at)
	}
	return f.matches(attributesOf(m))
}

// attributesOf are a message's attributes as filters see them; binary ones are only there.
func attributesOf(m *Message) map[string][]any {
	at := map[string][]any{}
	for name, a := range m.Attributes {
		base, _, _ := strings.Cut(a.Type, ".")
		switch {
		case a.Type == "String.Array":
			var list []any
			if json.Unmarshal([]byte(a.Value), &list) == nil {
				at[name] = list
			}
		case base == "Number":
			if n, ok := numberOf(a.Value); ok {
				at[name] = []any{n}
			}
		case base == "Binary":
			at[name] = []any{struct{}{}}
		default:
			at[name] = []any{a.Value}
		}
	}
	return at
}
