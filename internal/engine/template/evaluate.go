package template

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// evaluator evaluates one expression. It counts what it produces, so that no
// template grows beyond bounds.
type evaluator struct {
	scope     *Scope
	made      Lookup
	condition func(name string) (bool, error)
	look      Lookups // for rules
	work      int
}

// noValue is what AWS::NoValue gives: it removes what it stands for.
type noValue struct{}

func (ev *evaluator) spend(n int) error {
	if ev.work += n; ev.work > maxWork {
		return templateError(Pos{}, "the template's functions produce more than %d bytes", maxWork)
	}
	return nil
}

func (ev *evaluator) value(e *Expr) (any, error) {
	switch e.Kind {
	case Call:
		return ev.call(e)
	case List:
		list := make([]any, 0, len(e.Items))
		for i := range e.Items {
			v, err := ev.value(&e.Items[i])
			if err != nil {
				return nil, err
			}
			if _, none := v.(noValue); !none {
				list = append(list, v)
			}
		}
		return list, nil
	case Map:
		m := make(map[string]any, len(e.Keys))
		for i, k := range e.Keys {
			v, err := ev.value(&e.Items[i])
			if err != nil {
				return nil, err
			}
			if _, none := v.(noValue); !none {
				m[k] = v
			}
		}
		return m, nil
	}
	return e.Literal(), nil
}

func (ev *evaluator) call(e *Expr) (any, error) {
	arg := &e.Items[0]
	switch e.Fn {
	case "Ref":
		v, err := ev.ref(arg.Text, e.Pos)
		if err == nil {
			err = ev.count(v)
		}
		return v, err
	case "Fn::GetAtt":
		name, attribute, _ := getAtt(arg)
		a, err := ev.value(attribute)
		if err != nil {
			return nil, err
		}
		text, ok := a.(string)
		if !ok || text == "" {
			return nil, templateError(e.Pos, "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
		}
		return ev.getAtt(name, text, e.Pos)
	case "Fn::If":
		holds, err := ev.condition(arg.Items[0].Text)
		if err != nil {
			return nil, err
		}
		if holds {
			return ev.value(&arg.Items[1])
		}
		return ev.value(&arg.Items[2])
	case "Fn::Sub":
		return ev.sub(e)
	case "Fn::Join":
		return ev.join(e)
	case "Fn::Split":
		return ev.split(e)
	case "Fn::Select":
		return ev.selected(e)
	case "Fn::FindInMap":
		return ev.findInMap(e)
	case "Fn::Base64":
		text, known, err := ev.text(arg, e, "every Fn::Base64 object must have a String-typed value.")
		if err != nil || !known {
			return Unknown{}, err
		}
		coded := base64.StdEncoding.EncodeToString([]byte(text))
		return coded, ev.spend(len(coded))
	case "Fn::GetAZs":
		return ev.zones(e)
	case "Fn::ImportValue":
		name, known, err := ev.text(arg, e, "the attribute in Fn::ImportValue must be a string or a function that returns a string")
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, importArgument(e)
		}
		v, found := ev.scope.Env.Exports[name]
		if !found {
			return Unknown{}, nil // another stack may yet export it
		}
		return v, ev.spend(len(v))
	case "Fn::Cidr":
		return ev.cidr(e)
	case "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll":
		return ev.ruleValue(e)
	}
	return ev.truth(e)
}

// count spends what a value made of strings takes.
func (ev *evaluator) count(v any) error {
	switch v := v.(type) {
	case string:
		return ev.spend(len(v))
	case []any:
		for _, x := range v {
			if err := ev.count(x); err != nil {
				return err
			}
		}
		return ev.spend(16 * len(v))
	case map[string]any:
		for _, x := range v {
			if err := ev.count(x); err != nil {
				return err
			}
		}
		return ev.spend(48 * len(v))
	}
	return nil
}

func (ev *evaluator) ref(name string, pos Pos) (any, error) {
	env := &ev.scope.Env
	switch name {
	case "AWS::AccountId":
		return env.AccountID, nil
	case "AWS::Region":
		return env.Region, nil
	case "AWS::Partition":
		return env.Partition, nil
	case "AWS::URLSuffix":
		return env.URLSuffix, nil
	case "AWS::StackName":
		return env.StackName, nil
	case "AWS::StackId":
		return env.StackID, nil
	case "AWS::NoValue":
		return noValue{}, nil
	case "AWS::NotificationARNs":
		list := []any{}
		for _, a := range env.NotificationARNs {
			list = append(list, a)
		}
		return list, nil
	}
	if v, found := env.Parameters[name]; found {
		return v.Ref(), nil
	}
	if !ev.scope.Present(name) {
		return nil, ev.absent(name, pos)
	}
	if ev.made == nil {
		return Unknown{}, nil
	}
	m, found := ev.made(name)
	if !found {
		return Unknown{}, nil
	}
	return m.PhysicalID, nil
}

func (ev *evaluator) absent(name string, pos Pos) error {
	return formatError(pos, "Unresolved resource dependencies [%s] in the Resources block of the template", name)
}

func (ev *evaluator) getAtt(name, attribute string, pos Pos) (any, error) {
	if !ev.scope.Present(name) {
		return nil, ev.absent(name, pos)
	}
	if ev.made == nil {
		return Unknown{}, nil
	}
	m, found := ev.made(name)
	if !found || m.Changing {
		return Unknown{}, nil
	}
	v, found := m.Attributes[attribute]
	if !found {
		v, found = within(m.Properties, attribute)
	}
	if !found {
		return nil, plainError(pos, "Attribute '%s' does not exist", attribute)
	}
	return v, ev.count(v)
}

// within finds a property by its name, or one within another by both, with a dot.
func within(properties map[string]any, name string) (any, bool) {
	if v, found := properties[name]; found {
		return v, true
	}
	first, rest, nested := strings.Cut(name, ".")
	m, ok := properties[first].(map[string]any)
	if !nested || !ok {
		return nil, false
	}
	return within(m, rest)
}

// text evaluates an expression that must be a string; wrong is the error where it
// is not.
func (ev *evaluator) text(e, call *Expr, wrong string) (text string, known bool, err error) {
	v, err := ev.value(e)
	if err != nil {
		return "", false, err
	}
	if _, unknown := v.(Unknown); unknown {
		return "", false, nil
	}
	text, ok := Text(v)
	if !ok {
		return "", false, templateError(call.Pos, "%s", wrong)
	}
	return text, true, nil
}

func (ev *evaluator) sub(e *Expr) (any, error) {
	template, vars, _ := subArguments(&e.Items[0])
	parts, _ := parseSub(template.Text)
	values := map[string]any{}
	var b strings.Builder
	known := true
	for _, p := range parts {
		piece := p.literal
		if p.name != "" {
			v, found := values[p.name]
			if !found {
				var err error
				if v, err = ev.subValue(p.name, vars, e.Pos); err != nil {
					return nil, err
				}
				values[p.name] = v
			}
			if _, unknown := v.(Unknown); unknown {
				known = false
				continue
			}
			var ok bool
			if piece, ok = Text(v); !ok {
				return nil, templateError(e.Pos, "Fn::Sub expression does not resolve to a string")
			}
		}
		if err := ev.spend(len(piece)); err != nil {
			return nil, err
		}
		b.WriteString(piece)
	}
	if !known {
		return Unknown{}, nil
	}
	return b.String(), nil
}

func (ev *evaluator) subValue(name string, vars *Expr, pos Pos) (any, error) {
	if v, own := vars.Get(name); own {
		return ev.value(v)
	}
	if resource, attribute, found := strings.Cut(name, "."); found {
		return ev.getAtt(resource, attribute, pos)
	}
	return ev.ref(name, pos)
}

const joinWrong = "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined " +
	"or a function that returns a list of strings (such as Fn::GetAZs) to be joined."

func (ev *evaluator) join(e *Expr) (any, error) {
	arg := &e.Items[0]
	v, err := ev.value(&arg.Items[1])
	if err != nil {
		return nil, err
	}
	if _, unknown := v.(Unknown); unknown {
		return v, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, templateError(e.Pos, "%s", joinWrong)
	}
	texts := make([]string, len(list))
	size := 0
	for i, x := range list {
		if _, unknown := x.(Unknown); unknown {
			return x, nil
		}
		if texts[i], ok = Text(x); !ok {
			return nil, templateError(e.Pos, "%s", joinWrong)
		}
		size += len(texts[i]) + len(arg.Items[0].Text)
	}
	if err := ev.spend(size); err != nil {
		return nil, err
	}
	return strings.Join(texts, arg.Items[0].Text), nil
}

func (ev *evaluator) split(e *Expr) (any, error) {
	arg := &e.Items[0]
	text, known, err := ev.text(&arg.Items[1], e, "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split "+
		"or a function that returns a string to be split.")
	if err != nil || !known {
		return Unknown{}, err
	}
	list := []any{}
	if arg.Items[0].Text == "" {
		return []any{text}, ev.spend(len(text))
	}
	for piece := range strings.SplitSeq(text, arg.Items[0].Text) {
		list = append(list, piece)
	}
	return list, ev.spend(len(text) + 16*len(list))
}

func (ev *evaluator) selected(e *Expr) (any, error) {
	arg := &e.Items[0]
	index, known, err := ev.text(&arg.Items[0], e, "Fn::Select requires a list argument with a valid index")
	if err != nil {
		return nil, err
	}
	v, err := ev.value(&arg.Items[1])
	if err != nil {
		return nil, err
	}
	if _, unknown := v.(Unknown); unknown || !known {
		return Unknown{}, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, templateError(e.Pos, "Fn::Select requires a list argument with two elements: an integer index and a list")
	}
	i, err := strconv.Atoi(index)
	if err != nil {
		return nil, templateError(e.Pos, "Fn::Select requires a list argument with a valid index")
	}
	if i < 0 || i >= len(list) {
		return nil, templateError(e.Pos, "Fn::Select cannot select nonexistent value at index %d", i)
	}
	return list[i], nil
}

func (ev *evaluator) findInMap(e *Expr) (any, error) {
	arg := &e.Items[0]
	var keys [3]string
	for i := range keys {
		text, known, err := ev.text(&arg.Items[i], e, "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
		if err != nil {
			return nil, err
		}
		if !known {
			return Unknown{}, nil
		}
		keys[i] = text
	}
	i, found := ev.scope.Template.mappings[keys[0]]
	if !found {
		return nil, templateError(e.Pos, "Mapping named '%s' is not present in the 'Mappings' section of template.", keys[0])
	}
	first, found := ev.scope.Template.Mappings[i].Keys.Get(keys[1])
	if found {
		if v, found := first.Get(keys[2]); found {
			literal := v.Literal()
			return literal, ev.count(literal)
		}
	}
	return nil, templateError(e.Pos, "Unable to get mapping for %s", strings.Join(keys[:], "::"))
}

func (ev *evaluator) zones(e *Expr) (any, error) {
	region, known, err := ev.text(&e.Items[0], e, "every Fn::GetAZs object must have a String-typed value.")
	if err != nil || !known {
		return Unknown{}, err
	}
	if region == "" {
		region = ev.scope.Env.Region
	}
	zones, found := ev.scope.Env.Zones[region]
	if !found {
		return nil, templateError(e.Pos, "Unable to get availability zones of region %s", region)
	}
	list := []any{}
	for _, z := range slices.Sorted(slices.Values(zones)) {
		list = append(list, z)
	}
	return list, ev.count(list)
}

// Equal tells whether two values are the same to Fn::Equals: scalars by their
// spelling, lists and maps by their parts.
func Equal(a, b any) bool {
	if x, ok := Text(a); ok {
		y, ok := Text(b)
		return ok && x == y
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
