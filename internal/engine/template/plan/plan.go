package plan

import (
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// Stack is a stack before or after a change.
type Stack struct {
	// Scope is its template in its environment; nil before creation.
	Scope *template.Scope
	Tags  []spec.Tag
	// Resources are those that exist, by logical id, and Outputs what was last shown:
	// before a change only.
	Resources map[string]Resource
	Outputs   []template.OutputValue
}

// Resource is a resource that exists.
type Resource struct {
	Type       string
	PhysicalID string
	// Properties are the coerced ones that were last applied, without the stack's tags,
	// dynamic references not resolved.
	Properties map[string]any
	Attributes map[string]any
}

// Plan is what a change does.
type Plan struct {
	// Changes are those of resources: additions and modifications in the new template's
	// order, then removals in the old one's.
	Changes []Change
	// Outputs tells whether outputs change, Tags whether the stack's tags do.
	Outputs, Tags bool
}

// Empty tells whether nothing changes.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 && !p.Outputs && !p.Tags }

// Change is what happens to one resource, as DescribeChangeSet shows it.
type Change struct {
	Action     string // Add, Modify, Remove; Import, of what Make has as Add and the caller found
	Logical    string
	PhysicalID string // "" for Add
	Type       string
	// Replacement of a Modify: True, False, Conditional.
	Replacement string
	// Policy of a removal or replacement: Delete, Retain, ReplaceAndDelete,
	// ReplaceAndRetain.
	Policy string
	// Scope of a Modify: Properties, Metadata, CreationPolicy, UpdatePolicy,
	// DeletionPolicy, UpdateReplacePolicy, Tags.
	Scope   []string
	Details []Detail
	// Before and After are the resource's properties, secrets masked; nil where there
	// are none. Unknown values stand in After as template.Unknown.
	Before, After map[string]any
}

// Detail is a change of one part of a resource.
type Detail struct {
	// Attribute is the part, as in Scope; Name the property, for Properties.
	Attribute, Name string
	// Recreation of a property's change: Never, Conditionally, Always.
	Recreation string
	// Evaluation: Static if the new value is known, Dynamic if execution will tell.
	Evaluation string
	// Source: ParameterReference, ResourceReference, ResourceAttribute,
	// DirectModification, Automatic. Cause is the parameter, the resource, or
	// "resource.attribute".
	Source, Cause string
	// Kind of the change of a property: Add, Remove, Modify.
	Kind string
	// Values are what changes within the property, secrets masked: with
	// IncludePropertyValues a detail is shown once for each.
	Values []Difference
}

// Make plans the way from one stack to another. Errors are *template.Error.
func Make(before, after Stack) (*Plan, error) {
	before.Tags, after.Tags = spec.NormalTags(before.Tags), spec.NormalTags(after.Tags)
	graph, err := after.Scope.Graph()
	if err != nil {
		return nil, err
	}
	m := maker{before: before, after: after, fate: map[string]string{}}
	if err := m.types(); err != nil {
		return nil, err
	}
	// In the order of dependencies, for what becomes of one decides what others know.
	decided := func(name string) bool { _, found := m.fate[name]; return found }
	changes := map[string]*Change{}
	for len(m.fate) < len(graph.Names()) {
		for _, name := range graph.Ready(decided, decided) {
			r, _ := after.Scope.Template.Resource(name)
			c, err := m.resource(r)
			if err != nil {
				return nil, err
			}
			changes[name] = c
		}
	}
	p := &Plan{Tags: !slices.Equal(before.Tags, after.Tags)}
	for _, name := range graph.Names() {
		if c := changes[name]; c != nil {
			p.Changes = append(p.Changes, *c)
		}
	}
	p.Changes = append(p.Changes, m.removals()...)
	p.Outputs, err = m.outputs()
	return p, err
}

// What becomes of a resource.
const (
	stays    = "stays"
	updated  = "updated"
	replaced = "replaced" // or may be, or is new
)

type maker struct {
	before, after Stack
	fate          map[string]string
}

func (m *maker) types() error {
	var changed []string
	for _, r := range m.after.Scope.Resources() {
		if old, found := m.before.Resources[r.Name]; found && old.Type != r.Type {
			changed = append(changed, r.Name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return &template.Error{Text: "Update of resource type is not permitted. The new template modifies resource type of the following resources: [" + strings.Join(changed, ", ") + "]"}
}

// lookup finds resources as the change will leave them, as far as that is known.
func (m *maker) lookup(name string) (template.Made, bool) {
	r, found := m.before.Resources[name]
	if !found || m.fate[name] == replaced {
		return template.Made{}, false
	}
	return template.Made{PhysicalID: r.PhysicalID, Attributes: r.Attributes, Properties: r.Properties, Changing: m.fate[name] == updated}, true
}

func (m *maker) current(name string) (template.Made, bool) {
	r, found := m.before.Resources[name]
	return template.Made{PhysicalID: r.PhysicalID, Attributes: r.Attributes, Properties: r.Properties}, found
}

func (m *maker) resource(r *template.Resource) (*Change, error) {
	properties, err := m.after.Scope.Properties(r, m.lookup)
	if err != nil {
		return nil, err
	}
	shown, err := m.after.Scope.Masked().Properties(r, m.lookup)
	if err != nil {
		return nil, err
	}
	kind, found := spec.Find(r.Type)
	if !found {
		return nil, &template.Error{Text: "Template format error: Unrecognized resource types: [" + r.Type + "]"}
	}
	// What doesn't fit its type fails when the resource is made.
	properties, _ = kind.Coerce(r.Name, properties)
	shown, _ = kind.Coerce(r.Name, shown)
	old, found := m.before.Resources[r.Name]
	if !found {
		m.fate[r.Name] = replaced
		return &Change{Action: "Add", Logical: r.Name, Type: r.Type, After: shown}, nil
	}
	c := &Change{Action: "Modify", Logical: r.Name, PhysicalID: old.PhysicalID, Type: r.Type, Replacement: "False", After: shown, Before: m.shownBefore(r.Name, kind)}
	worst := m.details(c, r, kind, kind.Differences(old.Properties, properties))
	m.parts(c, r, kind, properties, old.Properties)
	m.fate[r.Name] = stays
	if len(c.Scope) == 0 || !slices.ContainsFunc(c.Scope, func(s string) bool { return s == "Properties" || s == "Tags" || s == "Metadata" }) {
		return nil, nil
	}
	switch {
	case worst != "False":
		c.Replacement = worst
		c.Policy = "ReplaceAndDelete"
		if r.UpdateReplacePolicy == "Retain" {
			c.Policy = "ReplaceAndRetain"
		}
		m.fate[r.Name] = replaced
	case slices.Contains(c.Scope, "Properties"): // tags and metadata change no attribute
		m.fate[r.Name] = updated
	}
	return c, nil
}

// shownBefore are a resource's properties with secrets masked: evaluated anew, for
// the stored ones hold the secrets.
func (m *maker) shownBefore(name string, kind *spec.Type) map[string]any {
	stored := m.before.Resources[name].Properties
	if m.before.Scope == nil {
		return stored
	}
	masked := m.before.Scope.Masked()
	r, found := m.before.Scope.Template.Resource(name)
	if masked == m.before.Scope || !found || !m.before.Scope.Present(name) {
		return stored
	}
	shown, err := masked.Properties(r, m.current)
	if err != nil {
		return nil
	}
	shown, _ = kind.Coerce(name, shown)
	return shown
}

// removals lists what the new template has no more.
func (m *maker) removals() []Change {
	if m.before.Scope == nil {
		return nil
	}
	var list []Change
	for i := range m.before.Scope.Template.Resources {
		r := &m.before.Scope.Template.Resources[i]
		old, found := m.before.Resources[r.Name]
		if !found || m.after.Scope.Present(r.Name) {
			continue
		}
		c := Change{Action: "Remove", Logical: r.Name, PhysicalID: old.PhysicalID, Type: r.Type, Policy: "Delete"}
		if strings.HasPrefix(r.DeletionPolicy, "Retain") {
			c.Policy = "Retain"
		}
		if kind, found := spec.Find(r.Type); found {
			c.Before = m.shownBefore(r.Name, kind)
		}
		list = append(list, c)
	}
	return list
}

func (m *maker) outputs() (bool, error) {
	now, err := m.after.Scope.Outputs(m.lookup)
	if err != nil {
		return false, err
	}
	return !slices.Equal(now, m.before.Outputs), nil
}
