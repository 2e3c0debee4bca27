package template

import "slices"

// truth evaluates a condition. All arguments are evaluated: an error in one is an
// error, whatever the others say.
func (ev *evaluator) truth(e *Expr) (bool, error) {
	if e.Kind == Bool || e.Kind == String && (e.Text == "true" || e.Text == "false") {
		return e.Text == "true", nil
	}
	if e.Kind != Call {
		return false, formatError(e.Pos, "Conditions can only be boolean operations on parameters and other conditions")
	}
	arg := &e.Items[0]
	switch e.Fn {
	case "Condition":
		return ev.condition(arg.Text)
	case "Fn::Not":
		v, err := ev.truth(&arg.Items[0])
		return !v, err
	case "Fn::And", "Fn::Or":
		every, some := true, false
		for i := range arg.Items {
			v, err := ev.truth(&arg.Items[i])
			if err != nil {
				return false, err
			}
			every, some = every && v, some || v
		}
		if e.Fn == "Fn::And" {
			return every, nil
		}
		return some, nil
	case "Fn::If":
		v, err := ev.call(e)
		if err != nil {
			return false, err
		}
		b, _ := Text(v)
		return b == "true", nil
	case "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		left, err := ev.value(&arg.Items[0])
		if err != nil {
			return false, err
		}
		right, err := ev.value(&arg.Items[1])
		if err != nil {
			return false, err
		}
		if e.Fn == "Fn::Equals" {
			return Equal(left, right), nil
		}
		return compareLists(e, left, right)
	}
	return false, formatError(e.Pos, "%s is not a boolean operation: Conditions can only be boolean operations on parameters and other conditions", e.Fn)
}

// compareLists decides the functions on lists of rules.
func compareLists(e *Expr, left, right any) (bool, error) {
	list, ok := left.([]any)
	if !ok {
		return false, templateError(e.Pos, "every %s object requires a list of strings as its first parameter.", e.Fn)
	}
	switch e.Fn {
	case "Fn::Contains":
		return slices.ContainsFunc(list, func(x any) bool { return Equal(x, right) }), nil
	case "Fn::EachMemberEquals":
		return !slices.ContainsFunc(list, func(x any) bool { return !Equal(x, right) }), nil
	}
	in, ok := right.([]any)
	if !ok {
		return false, templateError(e.Pos, "every %s object requires two lists of strings.", e.Fn)
	}
	return !slices.ContainsFunc(list, func(x any) bool {
		return !slices.ContainsFunc(in, func(y any) bool { return Equal(x, y) })
	}), nil
}

// CheckRules refuses parameters that break a rule, with the description of the
// first assertion that fails.
func (s *Scope) CheckRules(look Lookups) error {
	for i := range s.Template.Rules {
		r := &s.Template.Rules[i]
		ev := s.evaluator(nil)
		ev.look = look
		if r.Condition != nil {
			holds, err := ev.truth(r.Condition)
			if err != nil {
				return err
			}
			if !holds {
				continue
			}
		}
		for _, a := range r.Assertions {
			holds, err := ev.truth(a.Assert)
			if err != nil {
				return err
			}
			if holds {
				continue
			}
			if a.Description == "" {
				return plainError(a.Assert.Pos, "Rule %s: an assertion failed", r.Name)
			}
			return plainError(a.Assert.Pos, "%s", a.Description)
		}
	}
	return nil
}

// ruleValue evaluates the functions that ask about parameters of a type.
func (ev *evaluator) ruleValue(e *Expr) (any, error) {
	arg := &e.Items[0]
	if e.Fn == "Fn::RefAll" {
		return ev.all(Type(arg.Text)), nil
	}
	if arg.Items[0].Kind != String || arg.Items[1].Kind != String {
		return nil, templateError(e.Pos, "every %s object requires two String parameters.", e.Fn)
	}
	var ids []any
	kind := Type(arg.Items[0].Text)
	if e.Fn == "Fn::ValueOf" {
		p, found := ev.scope.Template.Parameter(arg.Items[0].Text)
		if !found || !p.Type.AWS() {
			return nil, templateError(e.Pos, "Fn::ValueOf requires a parameter of an AWS-specific type, not %s", arg.Items[0].Text)
		}
		kind = p.Type.Item()
		ids = ev.of(p)
	} else {
		ids = ev.all(kind)
	}
	if ev.look.Attribute == nil {
		return nil, templateError(e.Pos, "%s is not supported for %s", e.Fn, kind)
	}
	list := []any{}
	for _, id := range ids {
		v, found := ev.look.Attribute(kind, id.(string), arg.Items[1].Text)
		if !found {
			return nil, templateError(e.Pos, "%s: %s has no attribute %s", e.Fn, kind, arg.Items[1].Text)
		}
		list = append(list, v)
	}
	if e.Fn == "Fn::ValueOf" && len(list) == 1 {
		return list[0], nil
	}
	return list, ev.count(list)
}

// all lists the values of all parameters of a type.
func (ev *evaluator) all(t Type) []any {
	list := []any{}
	for i := range ev.scope.Template.Parameters {
		if p := &ev.scope.Template.Parameters[i]; p.Type == t || p.Type.Item() == t {
			list = append(list, ev.of(p)...)
		}
	}
	return list
}

func (ev *evaluator) of(p *Parameter) []any {
	v := ev.scope.Env.Parameters[p.Name].Ref()
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
