package template

import (
	"encoding/json"
	"slices"
	"strings"
)

// Kind says what an Expr is.
type Kind uint8

// The kinds of expressions. Null stands in metadata only.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Map
	Call
)

// Expr is a part of a template: a value, or a function that gives one.
type Expr struct {
	Kind Kind
	// Text is the spelling of a Bool ("true", "false") or Number, the value of a String.
	Text string
	// Items are a List's items, a Map's values (as Keys), a Call's argument.
	Items []Expr
	// Keys are a Map's keys, in the order of the text, none twice.
	Keys []string
	// Fn is the function of a Call: "Ref", "Condition", "Fn::Sub".
	Fn  string
	Pos Pos
}

// Get returns the value of a Map's key.
func (e *Expr) Get(key string) (*Expr, bool) {
	if e == nil || e.Kind != Map {
		return nil, false
	}
	i := slices.Index(e.Keys, key)
	if i < 0 {
		return nil, false
	}
	return &e.Items[i], true
}

func (e *Expr) scalar() bool { return e.Kind == Bool || e.Kind == Number || e.Kind == String }

// Literal returns the value of an expression whose functions are not evaluated:
// they appear in their long form, {"Fn::Sub": …}. Values are nil, bool,
// json.Number, string, []any and map[string]any.
func (e *Expr) Literal() any {
	switch e.Kind {
	case Bool:
		return e.Text == "true"
	case Number:
		return json.Number(e.Text)
	case String:
		return e.Text
	case List:
		list := make([]any, len(e.Items))
		for i := range e.Items {
			list[i] = e.Items[i].Literal()
		}
		return list
	case Map:
		m := make(map[string]any, len(e.Keys))
		for i, k := range e.Keys {
			m[k] = e.Items[i].Literal()
		}
		return m
	case Call:
		return map[string]any{e.Fn: e.Items[0].Literal()}
	}
	return nil
}

// Same tells whether two expressions say the same, wherever they stand and
// however they are spelled: short forms and long ones are equal, the order of keys
// does not count.
func Same(a, b *Expr) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Text != b.Text || a.Fn != b.Fn || len(a.Items) != len(b.Items) {
		return false
	}
	if a.Kind != Map {
		for i := range a.Items {
			if !Same(&a.Items[i], &b.Items[i]) {
				return false
			}
		}
		return true
	}
	for i, k := range a.Keys {
		if other, found := b.Get(k); !found || !Same(&a.Items[i], other) {
			return false
		}
	}
	return true
}

// walk calls visit for e and all within it, outermost first.
func (e *Expr) walk(visit func(*Expr)) {
	visit(e)
	for i := range e.Items {
		e.Items[i].walk(visit)
	}
}

// functions turns the maps of one key that name a function into calls. It refuses
// functions that do not exist, and those that need a transform. Conditions are
// calls only where conditions stand: "Condition" is a key of policies too.
func (e *Expr) functions(conditions bool) error {
	if e.Kind == Map && len(e.Keys) == 1 {
		fn := e.Keys[0]
		switch {
		case fn == "Ref", conditions && fn == "Condition":
			e.Kind, e.Fn, e.Keys = Call, fn, nil
		case fn == "Fn::Transform":
			return refuseTransform(e.Pos, transformName(&e.Items[0]))
		case strings.HasPrefix(fn, "Fn::"):
			if !slices.Contains(supported, fn) {
				return &Error{
					Text: "Template error: Encountered unsupported function: " + fn +
						" Supported functions are: [" + strings.Join(supported, ", ") + "]",
					Pos: e.Pos,
				}
			}
			e.Kind, e.Fn, e.Keys = Call, fn, nil
		}
	}
	if e.Kind == Map {
		for _, k := range e.Keys {
			if strings.HasPrefix(k, "Fn::ForEach") || strings.HasPrefix(k, "Fn::Transform") {
				return refuseTransform(e.Pos, k)
			}
		}
	}
	// What names a condition or a rule's parameter is no condition itself.
	for i := range e.Items {
		if err := e.Items[i].functions(conditions); err != nil {
			return err
		}
	}
	return nil
}

// supported are the functions that a template may use without transforms, in the
// order that CloudFormation lists them.
var supported = []string{
	"Fn::Base64", "Fn::GetAtt", "Fn::GetAZs", "Fn::ImportValue", "Fn::Join", "Fn::Split", "Fn::FindInMap", "Fn::Select", "Ref",
	"Fn::Equals", "Fn::If", "Fn::Not", "Condition", "Fn::And", "Fn::Or", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn",
	"Fn::ValueOf", "Fn::ValueOfAll", "Fn::RefAll", "Fn::Sub", "Fn::Cidr",
}

func transformName(e *Expr) string {
	if name, ok := e.Get("Name"); ok && name.Kind == String {
		return name.Text
	}
	return e.Text
}

func refuseTransform(pos Pos, name string) error {
	return &Error{
		Text:   "Transform " + name + " is not supported",
		Pos:    pos,
		Detail: "transforms and macros run in Lambda or in CloudFormation itself: expand the template first (sam build, cdk synth)",
	}
}
