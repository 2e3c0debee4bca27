package template

import (
	"slices"
	"strings"
)

// Template is a template read and checked in itself: sections have the right form,
// names are resolved. Types of resources are not looked at (package types does).
type Template struct {
	Description string
	Metadata    *Expr
	Parameters  []Parameter
	Rules       []Rule
	Mappings    []Mapping
	Conditions  []Condition
	Resources   []Resource
	Outputs     []Output

	text       string
	parameters map[string]int
	resources  map[string]int
	conditions map[string]int
	mappings   map[string]int
}

// Resource is a resource as the template declares it. Optional parts are nil or "".
type Resource struct {
	Name       string
	Type       string
	Properties *Expr // a Map, or nil
	DependsOn  []string
	Condition  string
	Metadata   *Expr
	// DeletionPolicy and UpdateReplacePolicy: "", Delete, Retain, Snapshot,
	// RetainExceptOnCreate (deletion only).
	DeletionPolicy      string
	UpdateReplacePolicy string
	CreationPolicy      *Expr
	UpdatePolicy        *Expr
	Pos                 Pos
}

// Output is an output as the template declares it.
type Output struct {
	Name        string
	Description string
	Condition   string
	Value       *Expr
	// Export is the name under which others may import it, or nil.
	Export *Expr
}

// Condition is a named condition.
type Condition struct {
	Name string
	Is   *Expr
}

// Mapping is a table of two keys. Values are Strings, Numbers, Bools or Lists of them.
type Mapping struct {
	Name string
	Keys *Expr // Map of Maps
}

// Rule is a set of assertions about parameters.
type Rule struct {
	Name string
	// Condition says when the rule holds; nil is always.
	Condition  *Expr
	Assertions []Assertion
}

// Assertion is what a rule demands.
type Assertion struct {
	Assert      *Expr
	Description string
}

// Text is what was parsed.
func (t *Template) Text() string { return t.text }

// Resource returns a resource by its logical id.
func (t *Template) Resource(name string) (*Resource, bool) {
	i, found := t.resources[name]
	if !found {
		return nil, false
	}
	return &t.Resources[i], true
}

// Parameter returns a parameter by its name.
func (t *Template) Parameter(name string) (*Parameter, bool) {
	i, found := t.parameters[name]
	if !found {
		return nil, false
	}
	return &t.Parameters[i], true
}

// Property returns what the template says of a property, or nil.
func (r *Resource) Property(name string) *Expr {
	e, _ := r.Properties.Get(name)
	return e
}

// Parse reads a template, YAML or JSON. Errors are *Error, with AWS's sentences.
func Parse(text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, plainError(Pos{}, "Template may not exceed %d bytes in size.", maxTemplate)
	}
	root, err := read(text)
	if err != nil {
		return nil, err
	}
	if root.Kind != Map {
		return nil, formatError(root.Pos, "unsupported structure.")
	}
	t := &Template{text: text}
	var unknown []string
	for i, key := range root.Keys {
		if !slices.Contains(sections, key) {
			unknown = append(unknown, key)
		}
		if key == "Transform" {
			return nil, t.refuse(&root.Items[i])
		}
	}
	if len(unknown) > 0 {
		return nil, plainError(root.Pos, "Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	for _, s := range []struct {
		name string
		read func(*Expr) error
	}{
		{"AWSTemplateFormatVersion", t.readVersion},
		{"Description", t.readDescription},
		{"Metadata", t.readMetadata},
		{"Parameters", t.readParameters},
		{"Mappings", t.readMappings},
		{"Conditions", t.readConditions},
		{"Rules", t.readRules},
		{"Resources", t.readResources},
		{"Outputs", t.readOutputs},
		{"Hooks", t.readHooks},
	} {
		e, found := root.Get(s.name)
		if !found {
			continue
		}
		if err := s.read(e); err != nil {
			return nil, err
		}
	}
	if len(t.Resources) == 0 {
		return nil, formatError(root.Pos, "At least one Resources member must be defined.")
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

var sections = []string{
	"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions",
	"Rules", "Transform", "Resources", "Outputs", "Hooks",
}

// refuse names the transforms that a template asks for.
func (t *Template) refuse(e *Expr) error {
	names := []string{transformName(e)}
	if e.Kind == List {
		names = nil
		for i := range e.Items {
			names = append(names, transformName(&e.Items[i]))
		}
	}
	return refuseTransform(e.Pos, strings.Join(names, ", "))
}

func (t *Template) readVersion(e *Expr) error {
	if !e.scalar() || e.Text != "2010-09-09" {
		return formatError(e.Pos, "unsupported value for AWSTemplateFormatVersion.")
	}
	return nil
}

func (t *Template) readDescription(e *Expr) error {
	if !e.scalar() {
		return formatError(e.Pos, "unsupported structure for Description.")
	}
	if len(e.Text) > maxDescription {
		return formatError(e.Pos, "'Description' length is greater than %d.", maxDescription)
	}
	t.Description = e.Text
	return nil
}

func (t *Template) readMetadata(e *Expr) error {
	if e.Kind != Map {
		return formatError(e.Pos, "Metadata must be an object.")
	}
	t.Metadata = e
	return nil
}

func (t *Template) readHooks(e *Expr) error {
	return &Error{Text: "Hooks are not supported", Pos: e.Pos, Detail: "Hooks are made by the transform AWS::CodeDeployBlueGreen"}
}

func (t *Template) readMappings(e *Expr) error {
	t.mappings = map[string]int{}
	return members(e, "Mappings", "Mapping", maxMappings, func(name string, m *Expr) error {
		if m.Kind != Map {
			return formatError(m.Pos, "Every Mappings member %s must be a map", name)
		}
		for i, first := range m.Keys {
			if m.Items[i].Kind != Map {
				return formatError(m.Items[i].Pos, "Every Mappings member %s must be a map", first)
			}
			for j := range m.Items[i].Items {
				v := &m.Items[i].Items[j]
				if v.scalar() {
					continue
				}
				if v.Kind != List || slices.ContainsFunc(v.Items, func(x Expr) bool { return !x.scalar() }) {
					return formatError(v.Pos, "Every Mappings attribute must be a String or a List.")
				}
			}
		}
		t.mappings[name] = len(t.Mappings)
		t.Mappings = append(t.Mappings, Mapping{Name: name, Keys: m})
		return nil
	})
}

func (t *Template) readConditions(e *Expr) error {
	t.conditions = map[string]int{}
	return members(e, "Conditions", "Condition", maxConditions, func(name string, c *Expr) error {
		if err := noNull(c, "/Conditions/"+name); err != nil {
			return err
		}
		if err := c.functions(true); err != nil {
			return err
		}
		t.conditions[name] = len(t.Conditions)
		t.Conditions = append(t.Conditions, Condition{Name: name, Is: c})
		return nil
	})
}

func (t *Template) readRules(e *Expr) error {
	return members(e, "Rules", "Rule", maxRules, func(name string, r *Expr) error {
		rule := Rule{Name: name}
		if r.Kind != Map {
			return formatError(r.Pos, "[/Rules/%s] Every Rules member must be an object.", name)
		}
		for i, key := range r.Keys {
			v := &r.Items[i]
			switch key {
			case "RuleCondition":
				if err := v.functions(true); err != nil {
					return err
				}
				rule.Condition = v
			case "Assertions":
				if v.Kind != List {
					return formatError(v.Pos, "[/Rules/%s/Assertions] must be a list.", name)
				}
				for j := range v.Items {
					a, err := readAssertion(&v.Items[j], name)
					if err != nil {
						return err
					}
					rule.Assertions = append(rule.Assertions, a)
				}
			default:
				return plainError(r.Pos, "Invalid template rule property '%s'", key)
			}
		}
		if len(rule.Assertions) == 0 {
			return formatError(r.Pos, "[/Rules/%s] Every Rules member must contain Assertions.", name)
		}
		t.Rules = append(t.Rules, rule)
		return nil
	})
}

func readAssertion(e *Expr, rule string) (a Assertion, err error) {
	a.Assert, _ = e.Get("Assert")
	if a.Assert == nil {
		return a, formatError(e.Pos, "[/Rules/%s/Assertions] Every Assertions member must contain an Assert.", rule)
	}
	if d, ok := e.Get("AssertDescription"); ok {
		a.Description = d.Text
	}
	return a, a.Assert.functions(true)
}
