package template

import (
	"fmt"
	"maps"
	"slices"
)

// Scope is a template in an environment: its conditions are decided, its
// expressions can be evaluated. It does not change.
type Scope struct {
	Template *Template
	Env      Environment
	holds    []bool // by condition
}

// In decides the template's conditions.
func (t *Template) In(env Environment) (*Scope, error) {
	s := &Scope{Template: t, Env: env, holds: make([]bool, len(t.Conditions))}
	known := make([]bool, len(t.Conditions))
	ev := evaluator{scope: s}
	var decide func(i int) error
	ev.condition = func(name string) (bool, error) {
		i, found := t.conditions[name]
		if !found {
			return false, templateError(Pos{}, "unresolved condition dependency %s in Fn::If", name)
		}
		err := decide(i)
		return s.holds[i], err
	}
	// Parse refused cycles, so this ends.
	decide = func(i int) error {
		if known[i] {
			return nil
		}
		known[i] = true
		var err error
		s.holds[i], err = ev.truth(t.Conditions[i].Is)
		return err
	}
	for i := range t.Conditions {
		ev.work = 0
		if err := decide(i); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Holds tells whether a condition is true; "" is.
func (s *Scope) Holds(condition string) bool {
	i, found := s.Template.conditions[condition]
	return condition == "" || found && s.holds[i]
}

// Present tells whether the template has a resource and its condition holds.
func (s *Scope) Present(name string) bool {
	r, found := s.Template.Resource(name)
	return found && s.Holds(r.Condition)
}

// Resources lists the resources that are present, in the template's order.
func (s *Scope) Resources() []*Resource {
	var list []*Resource
	for i := range s.Template.Resources {
		if r := &s.Template.Resources[i]; s.Holds(r.Condition) {
			list = append(list, r)
		}
	}
	return list
}

// Lookup finds a resource that was made; found is false for one that is not there
// yet, whose id and attributes are unknown.
type Lookup func(name string) (Made, bool)

// Properties evaluates a resource's properties. Parts that are not known yet are
// Unknown. Dynamic references stay as they are.
func (s *Scope) Properties(r *Resource, made Lookup) (map[string]any, error) {
	v, err := s.Value(r.Properties, made)
	if m, ok := v.(map[string]any); ok {
		return m, err
	}
	return map[string]any{}, err
}

// Value evaluates an expression: nil, bool, json.Number, string, []any,
// map[string]any, Unknown. What is removed by AWS::NoValue is nil.
func (s *Scope) Value(e *Expr, made Lookup) (any, error) {
	if e == nil {
		return nil, nil
	}
	ev := s.evaluator(made)
	v, err := ev.value(e)
	if _, none := v.(noValue); none {
		return nil, err
	}
	return v, err
}

func (s *Scope) evaluator(made Lookup) *evaluator {
	return &evaluator{scope: s, made: made, condition: func(name string) (bool, error) {
		if _, found := s.Template.conditions[name]; !found {
			return false, templateError(Pos{}, "unresolved condition dependency %s in Fn::If", name)
		}
		return s.Holds(name), nil
	}}
}

// OutputValue is an output as DescribeStacks shows it.
type OutputValue struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Export      string `json:"export,omitempty"`
	// Unknown is set where value or export are not known yet.
	Unknown bool `json:"unknown,omitempty"`
}

// Outputs evaluates the outputs whose conditions hold.
func (s *Scope) Outputs(made Lookup) ([]OutputValue, error) {
	var list []OutputValue
	for i := range s.Template.Outputs {
		o := &s.Template.Outputs[i]
		if !s.Holds(o.Condition) {
			continue
		}
		out := OutputValue{Name: o.Name, Description: o.Description}
		for _, x := range []struct {
			e  *Expr
			to *string
		}{{o.Value, &out.Value}, {o.Export, &out.Export}} {
			if x.e == nil {
				continue
			}
			v, err := s.Value(x.e, made)
			if err != nil {
				return nil, err
			}
			if _, unknown := v.(Unknown); unknown {
				*x.to, out.Unknown = UnknownText, true
				continue
			}
			text, ok := Text(v)
			if !ok {
				return nil, formatError(x.e.Pos, "The Value field of every Outputs member must evaluate to a String.")
			}
			*x.to = text
		}
		list = append(list, out)
	}
	return list, nil
}

// Imports lists the exports of other stacks that the template uses, each once.
func (s *Scope) Imports() ([]string, error) {
	names := map[string]bool{}
	visit := func(x *Expr) error {
		if x.Fn != "Fn::ImportValue" {
			return nil
		}
		v, err := s.Value(&x.Items[0], nil)
		if err != nil {
			return err
		}
		name, ok := Text(v)
		if !ok {
			return importArgument(x)
		}
		names[name] = true
		return nil
	}
	for _, r := range s.Resources() {
		for _, e := range []*Expr{r.Properties, r.CreationPolicy, r.UpdatePolicy} {
			if err := s.taken(e, visit); err != nil {
				return nil, err
			}
		}
	}
	for i := range s.Template.Outputs {
		o := &s.Template.Outputs[i]
		if !s.Holds(o.Condition) {
			continue
		}
		for _, e := range []*Expr{o.Value, o.Export} {
			if err := s.taken(e, visit); err != nil {
				return nil, err
			}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func importArgument(e *Expr) error {
	return templateError(e.Pos, "the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs")
}

// taken visits the calls that evaluation would reach, without the branches of Ifs
// that are not taken.
func (s *Scope) taken(e *Expr, visit func(*Expr) error) error {
	if e == nil {
		return nil
	}
	if e.Kind == Call {
		if err := visit(e); err != nil {
			return err
		}
		if e.Fn == "Fn::If" {
			branch := 2
			if s.Holds(conditionName(e)) {
				branch = 1
			}
			return s.taken(&e.Items[0].Items[branch], visit)
		}
	}
	for i := range e.Items {
		if err := s.taken(&e.Items[i], visit); err != nil {
			return err
		}
	}
	return nil
}

// Text is a scalar value as a string: true, 80, "x".
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return fmt.Sprint(v), true
	case interface{ String() string }: // json.Number
		return v.String(), true
	}
	return "", false
}

// Masked returns the scope with **** for the values of NoEcho parameters, for what is
// shown. Conditions stay as they were decided. Without such parameters it is the scope
// itself.
func (s *Scope) Masked() *Scope {
	secret := false
	for _, v := range s.Env.Parameters {
		secret = secret || v.NoEcho
	}
	if !secret {
		return s
	}
	masked := *s
	masked.Env.Parameters = maps.Clone(s.Env.Parameters)
	stars := "****"
	for name, v := range masked.Env.Parameters {
		if v.NoEcho {
			v.Text = stars
			if v.Resolved != nil {
				v.Resolved = &stars
			}
			masked.Env.Parameters[name] = v
		}
	}
	return &masked
}
