package clusterconfig

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader reads a tree of YAML and notes what is wrong.
type reader struct {
	faults []error
	places map[string]string // "line:column" by path
}

func (r *reader) note(at *yaml.Node, path string) {
	r.places[path] = fmt.Sprintf("%d:%d", at.Line, at.Column)
}

func (r *reader) fault(at *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%d:%d: %s", at.Line, at.Column, fmt.Sprintf(format, args...)))
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// object reads an object's members; those that are not known are refused.
func (r *reader) object(at *yaml.Node, path string, known fields) {
	if at.Kind == yaml.AliasNode {
		at = at.Alias
	}
	r.note(at, path)
	if at.Kind != yaml.MappingNode {
		r.fault(at, "%s must be an object", cmp.Or(path, "a ClusterConfig"))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(at.Content); i += 2 {
		key, value := at.Content[i], at.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case seen[key.Value]:
			r.fault(key, "%s is given twice", below(path, key.Value))
		case !ok:
			r.fault(key, "%s is not supported by eksact", below(path, key.Value))
		case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		default:
			r.note(value, below(path, key.Value))
			read(value, below(path, key.Value))
		}
		seen[key.Value] = true
	}
}

func (r *reader) members(known fields) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) { r.object(at, path, known) }
}

// each reads a list of objects.
func each[T any](r *reader, to *[]T, known func(*T, *reader) fields) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		if at.Kind != yaml.SequenceNode {
			r.fault(at, "%s must be a list", path)
			return
		}
		for i, item := range at.Content {
			var one T
			name := fmt.Sprintf("%s[%d]", path, i)
			if item, ok := any(&one).(interface{ setPath(string) }); ok {
				item.setPath(name)
			}
			r.object(item, name, known(&one, r))
			*to = append(*to, one)
		}
	}
}

func (r *reader) text(to *string) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		if at.Kind != yaml.ScalarNode {
			r.fault(at, "%s must be a text", path)
			return
		}
		*to = at.Value
	}
}

// fixed refuses any other value than the one that there is.
func (r *reader) fixed(value string) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		if at.Value != value {
			r.fault(at, "%s: %s is not supported by eksact, %s is", path, at.Value, value)
		}
	}
}

func (r *reader) oneOf(to *string, values ...string) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		if !slices.Contains(values, at.Value) {
			r.fault(at, "%s: %q is none of %s", path, at.Value, strings.Join(values, ", "))
			return
		}
		*to = at.Value
	}
}

func (r *reader) flag(to **bool) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		var b bool
		if err := at.Decode(&b); err != nil {
			r.fault(at, "%s must be true or false", path)
			return
		}
		*to = &b
	}
}

func (r *reader) plainFlag(to *bool) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		var b *bool
		if r.flag(&b)(at, path); b != nil {
			*to = *b
		}
	}
}

func (r *reader) number(to **int32) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		n, err := strconv.ParseInt(at.Value, 10, 32)
		if err != nil || n < 0 {
			r.fault(at, "%s must be a number", path)
			return
		}
		small := int32(n)
		*to = &small
	}
}

func (r *reader) list(to *[]string) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		var all []string
		if at.Decode(&all) != nil || at.Kind != yaml.SequenceNode {
			r.fault(at, "%s must be a list of texts", path)
			return
		}
		for i, item := range at.Content {
			r.note(item, fmt.Sprintf("%s[%d]", path, i))
		}
		*to = append(*to, all...)
	}
}

func (r *reader) texts(to *map[string]string) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		var all map[string]string
		if err := at.Decode(&all); err != nil {
			r.fault(at, "%s must be texts by their names", path)
			return
		}
		for i := 0; i+1 < len(at.Content); i += 2 {
			r.note(at.Content[i], below(path, at.Content[i].Value))
		}
		*to = all
	}
}

func (r *reader) prefix(to *netip.Prefix) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		p, err := netip.ParsePrefix(at.Value)
		if err != nil {
			r.fault(at, "%s: %q is no range of addresses", path, at.Value)
			return
		}
		*to = p.Masked()
	}
}

// document reads a policy as it stands in the file.
func (r *reader) document(to *string) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		var doc map[string]any
		if err := at.Decode(&doc); err != nil {
			r.fault(at, "%s must be a policy document", path)
			return
		}
		data, err := json.Marshal(doc)
		if err != nil {
			r.fault(at, "%s must be a policy document: %s", path, err)
			return
		}
		*to = string(data)
	}
}
