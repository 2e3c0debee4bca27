package spec

import (
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
)

// Unrecognized lists a template's types that stacks can't have here, among them all
// that run in Lambda: Custom::*, AWS::CloudFormation::CustomResource.
func Unrecognized(t *template.Template) []string {
	var names []string
	for i := range t.Resources {
		name := t.Resources[i].Type
		if _, found := Find(name); !found && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Check refuses a template with types that are not there, attributes that a type
// doesn't have, policies that it doesn't know. Errors are *template.Error.
func Check(t *template.Template) error {
	if names := Unrecognized(t); len(names) > 0 {
		e := &template.Error{Text: "Template format error: Unrecognized resource types: [" + strings.Join(names, ", ") + "]"}
		if slices.ContainsFunc(names, lambda) {
			e.Detail = "custom resources run in Lambda, which is not there"
		}
		return e
	}
	for i := range t.Resources {
		r := &t.Resources[i]
		// None of the types keeps snapshots.
		if r.DeletionPolicy == "Snapshot" || r.UpdateReplacePolicy == "Snapshot" {
			return &template.Error{Text: "Template error: resource type " + r.Type + " does not support deletion policy Snapshot", Pos: r.Pos}
		}
		for _, e := range []*template.Expr{r.Properties, r.CreationPolicy, r.UpdatePolicy} {
			if err := checkAttributes(t, e); err != nil {
				return err
			}
		}
	}
	for i := range t.Outputs {
		for _, e := range []*template.Expr{t.Outputs[i].Value, t.Outputs[i].Export} {
			if err := checkAttributes(t, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func lambda(name string) bool {
	return strings.HasPrefix(name, "Custom::") || name == "AWS::CloudFormation::CustomResource"
}

func checkAttributes(t *template.Template, e *template.Expr) error {
	for _, ref := range e.References() {
		if ref.Attribute == "" || ref.Attribute == "?" {
			continue
		}
		r, found := t.Resource(ref.Name)
		if !found {
			continue
		}
		kind, _ := Find(r.Type)
		if kind.Attribute(ref.Attribute) {
			continue
		}
		text := "Template error: resource " + ref.Name + " does not support attribute type " + ref.Attribute + " in Fn::GetAtt"
		if ref.Sub {
			text = "Template error: instance of Fn::Sub references invalid resource attribute " + ref.Name + "." + ref.Attribute
		}
		return &template.Error{Text: text, Pos: ref.Pos}
	}
	return nil
}

// Capabilities says what a template's creator must acknowledge: CAPABILITY_IAM,
// CAPABILITY_NAMED_IAM or nothing, and the types that ask for it.
func Capabilities(t *template.Template) (capability string, types []string) {
	for i := range t.Resources {
		r := &t.Resources[i]
		if !strings.HasPrefix(r.Type, "AWS::IAM::") || r.Type == "AWS::IAM::OIDCProvider" {
			continue
		}
		if capability == "" {
			capability = "CAPABILITY_IAM"
		}
		kind, _ := Find(r.Type)
		if kind != nil && kind.NameProperty() != "" && r.Property(kind.NameProperty()) != nil {
			capability = "CAPABILITY_NAMED_IAM"
		}
		if !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
	}
	return capability, types
}
