package template

import (
	"slices"
	"strings"
)

// Reference is a use of another part of the template.
type Reference struct {
	// Name is a parameter, a pseudo parameter or a resource.
	Name string
	// Attribute is what GetAtt asks of a resource; "" for Ref. "?" when only
	// evaluation will tell.
	Attribute string
	// Sub is set for names in the text of a Fn::Sub.
	Sub bool
	Pos Pos
}

// References lists what an expression uses, in the order of the text, both branches
// of each If.
func (e *Expr) References() []Reference {
	var list []Reference
	if e == nil {
		return nil
	}
	e.walk(func(x *Expr) {
		list = append(list, x.own()...)
	})
	return list
}

// own lists the references of a call itself, not those within its argument.
func (e *Expr) own() []Reference {
	if e.Kind != Call {
		return nil
	}
	arg := &e.Items[0]
	switch e.Fn {
	case "Ref":
		if arg.Kind == String {
			return []Reference{{Name: arg.Text, Pos: e.Pos}}
		}
	case "Fn::GetAtt":
		if name, attribute, ok := getAtt(arg); ok {
			a := "?"
			if attribute.Kind == String {
				a = attribute.Text
			}
			return []Reference{{Name: name, Attribute: a, Pos: e.Pos}}
		}
	case "Fn::Sub":
		text, vars, ok := subArguments(arg)
		if !ok {
			return nil
		}
		var list []Reference
		parts, _ := parseSub(text.Text)
		for _, p := range parts {
			if p.name == "" {
				continue
			}
			if _, own := vars.Get(p.name); own {
				continue
			}
			name, attribute, _ := strings.Cut(p.name, ".")
			list = append(list, Reference{Name: name, Attribute: attribute, Sub: true, Pos: e.Pos})
		}
		return list
	}
	return nil
}

// getAtt reads the arguments of a GetAtt: "R.A.B" is split at the first dot, in a
// list the attribute may be a Ref.
func getAtt(arg *Expr) (resource string, attribute *Expr, ok bool) {
	switch {
	case arg.Kind == String:
		r, a, _ := strings.Cut(arg.Text, ".")
		return r, &Expr{Kind: String, Text: a, Pos: arg.Pos}, r != "" && a != ""
	case arg.Kind == List && len(arg.Items) == 2 && arg.Items[0].Kind == String:
		a := &arg.Items[1]
		ok = arg.Items[0].Text != "" && (a.Kind == String && a.Text != "" || a.Kind == Call && a.Fn == "Ref")
		return arg.Items[0].Text, a, ok
	}
	return "", nil, false
}

// pseudo are the parameters that are always there.
var pseudo = []string{
	"AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

func isPseudo(name string) bool { return slices.Contains(pseudo, name) }

// check resolves names: of resources, conditions, mappings, parameters.
func (t *Template) check() error {
	for i := range t.Conditions {
		c := &t.Conditions[i]
		if c.Is.Kind != Call {
			return formatError(c.Is.Pos, "Conditions can only be boolean operations on parameters and other conditions")
		}
		if err := t.checkConditional(c.Is, "Conditions"); err != nil {
			return err
		}
	}
	if err := t.conditionCycle(); err != nil {
		return err
	}
	for i := range t.Rules {
		r := &t.Rules[i]
		if r.Condition != nil {
			if err := t.checkConditional(r.Condition, "Rules"); err != nil {
				return err
			}
		}
		for j := range r.Assertions {
			if err := t.checkConditional(r.Assertions[j].Assert, "Rules"); err != nil {
				return err
			}
		}
	}
	if err := t.checkResources(); err != nil {
		return err
	}
	return t.checkOutputs()
}

// checkConditional checks an expression that may use parameters only.
func (t *Template) checkConditional(e *Expr, section string) error {
	var unresolved missing
	var failed error
	e.walk(func(x *Expr) {
		if failed != nil || x.Kind != Call {
			return
		}
		if failed = t.shape(x); failed != nil {
			return
		}
		switch x.Fn {
		case "Fn::GetAtt", "Fn::ImportValue", "Fn::GetAZs", "Fn::Cidr", "Fn::Base64":
			failed = templateError(x.Pos, "%s is not allowed in the %s block of the template", x.Fn, section)
			if x.Fn == "Fn::GetAtt" {
				if name, _, ok := getAtt(&x.Items[0]); ok {
					failed = formatError(x.Pos, "Unresolved dependencies [%s]. Cannot reference resources in the %s block of the template", name, section)
				}
			}
		case "Condition":
			if name := x.Items[0].Text; !t.hasCondition(name) {
				failed = formatError(x.Pos, "Unresolved condition dependency %s in the %s block of the template", name, section)
			}
		}
		for _, r := range x.own() {
			if _, found := t.parameters[r.Name]; !found && !isPseudo(r.Name) {
				unresolved.add(r.Name)
			}
		}
	})
	if failed == nil && len(unresolved) > 0 {
		failed = formatError(e.Pos, "Unresolved dependencies [%s]. Cannot reference resources in the %s block of the template",
			strings.Join(unresolved, ", "), section)
	}
	return failed
}

func (t *Template) hasCondition(name string) bool {
	_, found := t.conditions[name]
	return found
}

// conditionCycle finds conditions that need each other.
func (t *Template) conditionCycle() error {
	const visiting, done = 1, 2
	state := make([]int, len(t.Conditions))
	var visit func(i int) error
	visit = func(i int) error {
		state[i] = visiting
		var failed error
		t.Conditions[i].Is.walk(func(x *Expr) {
			if failed != nil {
				return
			}
			name := conditionName(x)
			if name == "" {
				return
			}
			next, found := t.conditions[name]
			switch {
			case !found: // said elsewhere
			case state[next] == visiting:
				failed = templateError(x.Pos, "Found circular condition dependency between %s and %s", t.Conditions[i].Name, name)
			case state[next] == 0:
				failed = visit(next)
			}
		})
		state[i] = done
		return failed
	}
	for i := range t.Conditions {
		if state[i] == 0 {
			if err := visit(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// conditionName is the condition that a call asks, or "".
func conditionName(e *Expr) string {
	if e.Kind == Call && e.Fn == "Condition" {
		return e.Items[0].Text
	}
	if e.Kind == Call && e.Fn == "Fn::If" && e.Items[0].Kind == List && len(e.Items[0].Items) > 0 {
		return e.Items[0].Items[0].Text
	}
	return ""
}

// missing is a list of names without repetition.
type missing []string

func (n *missing) add(name string) {
	if !slices.Contains(*n, name) {
		*n = append(*n, name)
	}
}

func (t *Template) checkResources() error {
	var unresolved missing
	for i := range t.Resources {
		r := &t.Resources[i]
		if r.Condition != "" && !t.hasCondition(r.Condition) {
			return formatError(r.Pos, "Unresolved condition dependency %s in the Resources block of the template", r.Condition)
		}
		for _, d := range r.DependsOn {
			if _, found := t.resources[d]; !found {
				unresolved.add(d)
			}
		}
		for _, e := range []*Expr{r.Properties, r.CreationPolicy, r.UpdatePolicy, r.Metadata} {
			if err := t.checkExpr(e, unresolved.add); err != nil {
				return err
			}
		}
	}
	if len(unresolved) > 0 {
		return formatError(Pos{}, "Unresolved resource dependencies [%s] in the Resources block of the template", strings.Join(unresolved, ", "))
	}
	return nil
}

func (t *Template) checkOutputs() error {
	var unresolved missing
	for i := range t.Outputs {
		o := &t.Outputs[i]
		if o.Condition != "" && !t.hasCondition(o.Condition) {
			return formatError(o.Value.Pos, "Unresolved condition dependency %s in the Outputs block of the template", o.Condition)
		}
		for _, e := range []*Expr{o.Value, o.Export} {
			if err := t.checkExpr(e, unresolved.add); err != nil {
				return err
			}
		}
	}
	if len(unresolved) > 0 {
		return plainError(Pos{}, "Unresolved resource dependencies [%s] in the Outputs block of the template", strings.Join(unresolved, ", "))
	}
	return nil
}

// conditional are the functions of conditions and rules.
var conditional = []string{
	"Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn",
	"Fn::ValueOf", "Fn::ValueOfAll", "Fn::RefAll",
}

// checkExpr checks an expression of a resource or an output; miss is told of names
// that are neither parameters nor resources.
func (t *Template) checkExpr(e *Expr, miss func(string)) error {
	if e == nil {
		return nil
	}
	var failed error
	e.walk(func(x *Expr) {
		if failed != nil || x.Kind != Call {
			return
		}
		if failed = t.shape(x); failed != nil {
			return
		}
		if slices.Contains(conditional, x.Fn) {
			failed = formatError(x.Pos, "%s is not allowed in the Resources block of the template", x.Fn)
			return
		}
		if x.Fn == "Fn::If" {
			if name := conditionName(x); !t.hasCondition(name) {
				failed = templateError(x.Pos, "unresolved condition dependency %s in Fn::If", name)
			}
		}
		for _, r := range x.own() {
			_, parameter := t.parameters[r.Name]
			_, resource := t.resources[r.Name]
			switch {
			case resource:
			case x.Fn == "Fn::GetAtt":
				failed = templateError(x.Pos, "instance of Fn::GetAtt references undefined resource %s", r.Name)
			case r.Attribute != "" && (parameter || isPseudo(r.Name)):
				failed = templateError(x.Pos, "instance of Fn::Sub references invalid resource attribute %s.%s", r.Name, r.Attribute)
			case !parameter && !isPseudo(r.Name):
				miss(r.Name)
			}
		}
	})
	return failed
}
