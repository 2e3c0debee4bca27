package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
)

// Difference is a value within a property that changes.
type Difference struct {
	// Path is "/Properties/Environment/0/Name".
	Path string
	// Kind is Add, Remove or Modify.
	Kind string
	// Before and After are the values, nil where absent.
	Before, After any
}

// compare lists the innermost values that two values don't share; what is in one
// alone is one difference.
func compare(path string, before, after any) []Difference {
	if template.Equal(before, after) {
		return nil
	}
	var list []Difference
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			break
		}
		names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			list = append(list, compare(path+"/"+escape(name), b[name], a[name])...)
		}
		return list
	case []any:
		a, ok := after.([]any)
		if !ok {
			break
		}
		for i := range max(len(a), len(b)) {
			var x, y any
			if i < len(b) {
				x = b[i]
			}
			if i < len(a) {
				y = a[i]
			}
			list = append(list, compare(path+"/"+strconv.Itoa(i), x, y)...)
		}
		return list
	}
	d := Difference{Path: path, Kind: "Modify", Before: before, After: after}
	switch {
	case before == nil:
		d.Kind = "Add"
	case after == nil:
		d.Kind = "Remove"
	}
	return []Difference{d}
}

// escape writes a key as JSON pointers do.
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
