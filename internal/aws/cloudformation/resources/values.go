package resources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
)

// Properties are coerced to their types before they come here: what isn't there has
// its zero value.

func text(p map[string]any, name string) string {
	s, _ := template.Text(p[name])
	return s
}

// ptr is nil for what isn't there.
func ptr(p map[string]any, name string) *string {
	if _, ok := p[name]; !ok {
		return nil
	}
	s := text(p, name)
	return &s
}

func list(p map[string]any, name string) []string {
	var out []string
	items, _ := p[name].([]any)
	for _, x := range items {
		if s, ok := template.Text(x); ok {
			out = append(out, s)
		}
	}
	return out
}

func object(p map[string]any, name string) map[string]any {
	m, _ := p[name].(map[string]any)
	return m
}

func objects(p map[string]any, name string) []map[string]any {
	var out []map[string]any
	items, _ := p[name].([]any)
	for _, x := range items {
		if m, ok := x.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func integer(p map[string]any, name string) *int32 {
	n, ok := p[name].(json.Number)
	if !ok {
		return nil
	}
	i, err := n.Int64()
	if err != nil {
		return nil
	}
	small := int32(i)
	return &small
}

func flag(p map[string]any, name string) *bool {
	b, ok := p[name].(bool)
	if !ok {
		return nil
	}
	return &b
}

// document is a policy: JSON in a string, or as it stands in the template.
func document(p map[string]any, name string) *string {
	switch v := p[name].(type) {
	case nil:
		return nil
	case string:
		return &v
	default:
		raw, _ := json.Marshal(v) // of JSON's own types
		s := string(raw)
		return &s
	}
}

// tags are those of a property, by key.
func tags(p map[string]any) map[string]string {
	out := map[string]string{}
	for _, t := range objects(p, "Tags") {
		out[text(t, "Key")] = text(t, "Value")
	}
	for k := range object(p, "Tags") {
		out[k] = text(object(p, "Tags"), k)
	}
	return out
}

// before are the properties that the resource has, or, after updates that did not end
// well, each of those that it may have.
func (j *Job) before() []map[string]any {
	if j.May != nil {
		return j.May
	}
	return []map[string]any{j.Old}
}

// had are the items of a list that the resource has or may have.
func (j *Job) had(items func(map[string]any) []string) (all []string) {
	for _, p := range j.before() {
		all = append(all, dropped(items(p), all)...)
	}
	return all
}

// hadList is had, of a property.
func (j *Job) hadList(property string) []string {
	return j.had(func(p map[string]any) []string { return list(p, property) })
}

// changedTags are the tags that an update sets, and the keys that it takes away.
func (j *Job) changedTags() (set map[string]string, dropped []string) {
	before, now := map[string]string{}, tags(j.Properties)
	for _, p := range j.before() {
		maps.Copy(before, tags(p))
	}
	set = map[string]string{}
	for k, v := range now {
		if old, had := before[k]; !had || old != v || j.May != nil {
			set[k] = v
		}
	}
	for _, k := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[k]; !still {
			dropped = append(dropped, k)
		}
	}
	return set, dropped
}

// dropped are the items of a list that an update takes away.
func dropped(before, now []string) []string {
	return slices.DeleteFunc(slices.Clone(before), func(s string) bool { return slices.Contains(now, s) })
}

// into fills an SDK struct from properties that have its fields' names.
func into(in any, p map[string]any, properties ...string) error {
	picked := map[string]any{}
	for _, name := range properties {
		if v, ok := p[name]; ok {
			picked[name] = v
		}
	}
	raw, err := json.Marshal(picked)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // what would be dropped silently
	if err := d.Decode(in); err != nil {
		if _, name, unknown := strings.Cut(err.Error(), "unknown field "); unknown {
			return fmt.Errorf("Encountered unsupported property %s", strings.Trim(name, `"`)) //lint:ignore ST1005 as CloudFormation writes it
		}
		return fmt.Errorf("the properties don't fit: %w", err)
	}
	return nil
}

// sorted makes a list of SDK tags of a map.
func sorted[T any](m map[string]string, tag func(k, v *string) T) []T {
	var out []T
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := m[k]
		out = append(out, tag(&k, &v))
	}
	return out
}
