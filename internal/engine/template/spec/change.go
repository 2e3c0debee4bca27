package spec

import (
	"maps"
	"slices"

	"github.com/eksact/eksact/internal/engine/template"
)

// Difference is a property that two versions of a resource don't share.
type Difference struct {
	Property string
	// Before and After are nil where the property is absent.
	Before, After any
	Replaces      Replaces
	// Known is false where the new value is known only later: there may be no difference.
	Known bool
}

// Differences compares coerced properties. What a property's default is doesn't
// count: absent is absent. The order of lists counts.
func (t *Type) Differences(before, after map[string]any) []Difference {
	names := slices.Sorted(maps.Keys(before))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var list []Difference
	for _, name := range names {
		d := Difference{Property: name, Before: before[name], After: after[name], Known: template.Known(after[name])}
		if template.Equal(d.Before, d.After) {
			continue
		}
		if p, found := t.Property(name); found {
			d.Replaces = t.replaces(*p, d.Before, d.After)
		}
		list = append(list, d)
	}
	return list
}

// replaces says what a change of a property does: what the property says, or else
// what the worst of the changed properties within it says.
func (t *Type) replaces(p Property, before, after any) Replaces {
	if p.Replaces != Never {
		return p.Replaces
	}
	return t.inner(p.Kind, before, after)
}

func (t *Type) inner(k Kind, before, after any) Replaces {
	worst := Never
	switch k.Form {
	case 'd':
		b, okB := before.(map[string]any)
		a, okA := after.(map[string]any)
		if !okA && !okB {
			return Never
		}
		for _, p := range t.definitions[k.Definition] {
			x, inB := b[p.Name]
			y, inA := a[p.Name]
			if (inA || inB) && !template.Equal(x, y) {
				worst = max(worst, t.replaces(p, x, y))
			}
		}
	case '[':
		b, _ := before.([]any)
		a, _ := after.([]any)
		for i := range max(len(a), len(b)) {
			var x, y any
			if i < len(b) {
				x = b[i]
			}
			if i < len(a) {
				y = a[i]
			}
			worst = max(worst, t.inner(k.Of[0], x, y))
		}
	}
	return worst
}

// Tag is a tag of a stack.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// NormalTags sorts tags by key; of those with the same key the last counts. Clients
// (eksctl) give a key twice, and the order of a stack's tags says nothing.
func NormalTags(tags []Tag) []Tag {
	values := map[string]string{}
	for _, t := range tags {
		values[t.Key] = t.Value
	}
	var list []Tag
	for _, key := range slices.Sorted(maps.Keys(values)) {
		list = append(list, Tag{key, values[key]})
	}
	return list
}

// WithTags adds a stack's tags to properties that can hold tags; a resource's own
// tag wins. The properties given are not changed.
func (t *Type) WithTags(properties map[string]any, tags []Tag) map[string]any {
	if t.Tags == "" || len(tags) == 0 {
		return properties
	}
	out := maps.Clone(properties)
	if out == nil {
		out = map[string]any{}
	}
	if t.TagStyle == TagMap {
		own, _ := out[t.Tags].(map[string]any)
		merged := map[string]any{}
		for _, tag := range tags {
			merged[tag.Key] = tag.Value
		}
		maps.Copy(merged, own)
		out[t.Tags] = merged
		return out
	}
	own, _ := out[t.Tags].([]any)
	merged := slices.Clone(own)
	has := func(key string) bool {
		return slices.ContainsFunc(merged, func(x any) bool {
			m, _ := x.(map[string]any)
			return m["Key"] == key
		})
	}
	for _, tag := range tags {
		if has(tag.Key) {
			continue
		}
		entry := map[string]any{"Key": tag.Key, "Value": tag.Value}
		if t.TagStyle == TagGroup {
			entry["PropagateAtLaunch"] = true
		}
		merged = append(merged, entry)
	}
	out[t.Tags] = merged
	return out
}
