package plan

import (
	"slices"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// details adds what changes of properties, and returns whether the resource is
// replaced: True, False, Conditional.
func (m *maker) details(c *Change, r *template.Resource, kind *spec.Type, differences []spec.Difference) string {
	worst := "False"
	for _, d := range differences {
		detail := Detail{
			Attribute: "Properties", Name: d.Property, Kind: "Modify", Evaluation: "Static",
			Recreation: map[spec.Replaces]string{spec.Never: "Never", spec.Maybe: "Conditionally", spec.Always: "Always"}[d.Replaces],
			Values:     compare("/Properties/"+d.Property, c.Before[d.Property], c.After[d.Property]),
		}
		if d.Property == kind.Tags {
			detail.Attribute, detail.Name = "Tags", ""
		}
		switch {
		case d.Before == nil:
			detail.Kind = "Add"
		case d.After == nil:
			detail.Kind = "Remove"
		}
		switch {
		case d.Replaces == spec.Always && d.Known:
			worst = "True"
		case d.Replaces != spec.Never && worst == "False":
			worst = "Conditional"
		}
		for _, cause := range m.causes(r, d) {
			x := detail
			x.Source, x.Cause, x.Evaluation = cause.Source, cause.Cause, cause.Evaluation
			c.Details = append(c.Details, x)
		}
		c.addScope(detail.Attribute)
	}
	return worst
}

func (c *Change) addScope(part string) {
	if !slices.Contains(c.Scope, part) {
		c.Scope = append(c.Scope, part)
	}
}

// causes says why a property changes: what it refers to, or the template itself.
func (m *maker) causes(r *template.Resource, d spec.Difference) []Detail {
	now := r.Property(d.Property)
	var was *template.Expr
	if m.before.Scope != nil {
		if old, found := m.before.Scope.Template.Resource(r.Name); found {
			was = old.Property(d.Property)
		}
	}
	var list []Detail
	add := func(source, cause, evaluation string) {
		x := Detail{Source: source, Cause: cause, Evaluation: evaluation}
		if !slices.ContainsFunc(list, func(y Detail) bool { return x.Source == y.Source && x.Cause == y.Cause }) {
			list = append(list, x)
		}
	}
	evaluation := "Static"
	if !d.Known {
		evaluation = "Dynamic"
	}
	parameter := false
	for _, ref := range now.References() {
		switch {
		case m.parameterChanged(ref.Name):
			add("ParameterReference", ref.Name, "Static")
			parameter = true
		case ref.Attribute != "" && (m.fate[ref.Name] == updated || m.fate[ref.Name] == replaced):
			add("ResourceAttribute", ref.Name+"."+ref.Attribute, "Dynamic")
		case ref.Attribute == "" && m.fate[ref.Name] == replaced:
			add("ResourceReference", ref.Name, "Dynamic")
		}
	}
	switch {
	case !template.Same(was, now):
		add("DirectModification", "", evaluation)
	case parameter:
		// CloudFormation says of each such change that it may be one of the template too.
		add("DirectModification", "", "Dynamic")
	case len(list) == 0:
		add("DirectModification", "", evaluation) // by a condition or a pseudo parameter
	}
	return list
}

func (m *maker) parameterChanged(name string) bool {
	v, found := m.after.Scope.Env.Parameters[name]
	if !found || m.before.Scope == nil {
		return false
	}
	old, had := m.before.Scope.Env.Parameters[name]
	return had && !template.Equal(old.Ref(), v.Ref())
}

// parts adds what changes beside properties.
func (m *maker) parts(c *Change, r *template.Resource, kind *spec.Type, after, before map[string]any) {
	plain := func(attribute string) {
		c.addScope(attribute)
		c.Details = append(c.Details, Detail{Attribute: attribute, Recreation: "Never", Evaluation: "Static", Source: "DirectModification"})
	}
	if StackTagsDiffer(kind, before, after, m.before.Tags, m.after.Tags) && !slices.Contains(c.Scope, "Tags") {
		plain("Tags")
	}
	if m.before.Scope == nil {
		return
	}
	old, found := m.before.Scope.Template.Resource(r.Name)
	if !found {
		return
	}
	for _, x := range []struct {
		name     string
		was, now *template.Expr
	}{
		{"Metadata", old.Metadata, r.Metadata},
		{"CreationPolicy", old.CreationPolicy, r.CreationPolicy},
		{"UpdatePolicy", old.UpdatePolicy, r.UpdatePolicy},
	} {
		if !template.Same(x.was, x.now) {
			plain(x.name)
		}
	}
	if old.DeletionPolicy != r.DeletionPolicy {
		plain("DeletionPolicy")
	}
	if old.UpdateReplacePolicy != r.UpdateReplacePolicy {
		plain("UpdateReplacePolicy")
	}
}

// StackTagsDiffer tells whether a resource gets other tags from its stack than it
// has, its own being the same.
func StackTagsDiffer(kind *spec.Type, before, after map[string]any, was, now []spec.Tag) bool {
	if kind.Tags == "" || slices.Equal(was, now) {
		return false
	}
	own := map[string]any{kind.Tags: after[kind.Tags]}
	if after[kind.Tags] == nil {
		delete(own, kind.Tags)
	}
	had := map[string]any{kind.Tags: before[kind.Tags]}
	if before[kind.Tags] == nil {
		delete(had, kind.Tags)
	}
	return !template.Equal(kind.WithTags(had, was), kind.WithTags(own, now))
}
