package template

import (
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Given is what a call says of a parameter.
type Given struct {
	Value string
	// Previous keeps the value that the stack has (UsePreviousValue).
	Previous bool
}

// Value is a parameter's value.
type Value struct {
	// Text is the value as it was given; of an SSM parameter its name.
	Text string `json:"text"`
	// Resolved is what an SSM parameter held; nil for others.
	Resolved *string `json:"resolved,omitempty"`
	// List tells whether Ref gives a list; NoEcho that the value is not to be shown.
	List   bool `json:"list,omitempty"`
	NoEcho bool `json:"noEcho,omitempty"`
}

// Ref is what a reference to the parameter gives: a string, or a list of strings.
// An empty text is a list of one empty string.
func (v Value) Ref() any {
	text := v.Text
	if v.Resolved != nil {
		text = *v.Resolved
	}
	if !v.List {
		return text
	}
	list := []any{}
	for item := range strings.SplitSeq(text, ",") {
		list = append(list, strings.TrimSpace(item))
	}
	return list
}

// Lookups are what parameters ask of other services. Nil functions are not asked:
// SSM parameters are then refused, and AWS-specific values not looked up.
type Lookups struct {
	// SSM returns the value and the type (String, StringList, SecureString) of a
	// parameter, found false where there is none.
	SSM func(name string) (value, kind string, found bool)
	// Exists tells whether a value of an AWS-specific type names something.
	Exists func(t Type, value string) bool
	// Attribute returns an attribute of what a value of an AWS-specific type names, for
	// the rules' Fn::ValueOf and Fn::ValueOfAll.
	Attribute func(t Type, value, attribute string) (string, bool)
}

// Values makes the parameters' values: given ones, else previous ones where asked,
// else defaults. previous holds the stack's, nil at creation. SSM parameters are
// read anew each time.
func (t *Template) Values(given map[string]Given, previous map[string]Value, look Lookups) (map[string]Value, error) {
	var strange []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, found := t.parameters[name]; !found {
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		return nil, plainError(Pos{}, "Parameters: [%s] do not exist in the template", strings.Join(strange, ", "))
	}
	values := make(map[string]Value, len(t.Parameters))
	var missing, unread []string
	for i := range t.Parameters {
		p := &t.Parameters[i]
		v := Value{List: p.Type.IsList(), NoEcho: p.NoEcho}
		g, isGiven := given[p.Name]
		switch before, had := previous[p.Name]; {
		case isGiven && g.Previous && !had:
			return nil, plainError(p.pos, "Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", p.Name)
		case isGiven && g.Previous:
			v.Text = before.Text
		case isGiven:
			v.Text = g.Value
		case p.Default != nil:
			v.Text = *p.Default
		default:
			missing = append(missing, p.Name)
			continue
		}
		if _, ssm := p.Type.Stored(); ssm && v.Text != "" {
			text, kind, found := "", "", false
			if look.SSM != nil {
				text, kind, found = look.SSM(v.Text)
			}
			if !found {
				unread = append(unread, v.Text)
				continue
			}
			if kind == "SecureString" || v.List != (kind == "StringList") && kind != "" {
				return nil, plainError(p.pos, "Parameters [%s] referenced by template have types not supported by CloudFormation.", v.Text)
			}
			v.Resolved = &text
		}
		values[p.Name] = v
	}
	if len(missing) > 0 {
		return nil, plainError(Pos{}, "Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	if len(unread) > 0 {
		return nil, plainError(Pos{}, "Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(unread, ","))
	}
	for i := range t.Parameters {
		p := &t.Parameters[i]
		if err := p.admit(values[p.Name], look); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// admit holds a value against the parameter's type and constraints. Constraints of
// an SSM parameter are about its name.
func (p *Parameter) admit(v Value, look Lookups) error {
	if len(v.Text) > maxValue {
		return plainError(p.pos, "Parameter '%s' exceeds the maximum length of %d bytes", p.Name, maxValue)
	}
	items := []string{v.Text}
	if v.List && v.Resolved == nil {
		items = nil
		for _, x := range v.Ref().([]any) {
			items = append(items, x.(string))
		}
	}
	_, ssm := p.Type.Stored()
	for _, x := range items {
		if p.Type.Item() == "Number" && !ssm {
			if _, ok := number(x); !ok {
				return plainError(p.pos, "Parameter '%s' must be a number.", p.Name)
			}
		}
		if failed := p.violates(x); failed != "" {
			if p.ConstraintDescription != "" {
				failed = "failed to satisfy constraint: " + p.ConstraintDescription
			}
			return plainError(p.pos, "Parameter '%s' %s", p.Name, failed)
		}
	}
	if !p.Type.AWS() || look.Exists == nil {
		return nil
	}
	ref, isList := v.Ref().([]any)
	if !isList {
		ref = []any{v.Ref()}
	}
	for _, x := range ref {
		if !look.Exists(p.Type.Item(), x.(string)) {
			return plainError(p.pos, "Parameter validation failed: parameter value %s for parameter name %s does not exist", x, p.Name)
		}
	}
	return nil
}

// violates says which constraint a value breaks, or "".
func (p *Parameter) violates(x string) string {
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, x) {
		return "must be one of AllowedValues"
	}
	if p.pattern != nil && !p.pattern.MatchString(x) {
		return "must match pattern " + p.AllowedPattern
	}
	length := big.NewFloat(float64(utf8.RuneCountInString(x)))
	if least, ok := number(p.MinLength); ok && length.Cmp(least) < 0 {
		return "must contain at least " + p.MinLength + " characters"
	}
	if most, ok := number(p.MaxLength); ok && length.Cmp(most) > 0 {
		return "must contain at most " + p.MaxLength + " characters"
	}
	if value, ok := number(x); ok {
		if least, bound := number(p.MinValue); bound && value.Cmp(least) < 0 {
			return "must be a number not less than " + p.MinValue
		}
		if most, bound := number(p.MaxValue); bound && value.Cmp(most) > 0 {
			return "must be a number not greater than " + p.MaxValue
		}
	}
	return ""
}

// number reads a decimal number of bounded size.
func number(text string) (*big.Float, bool) {
	if text == "" || len(text) > 64 || strings.ContainsAny(text, "xXpP_nNiI") {
		return nil, false
	}
	if f, err := strconv.ParseFloat(text, 64); err != nil || f != f {
		return nil, false
	}
	f, _, err := big.ParseFloat(text, 10, 128, big.ToNearestEven)
	return f, err == nil
}
