package spec

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
)

// Coerce gives properties the types that their resource type says, both ways: "true"
// and "80" become true and 80, and 80 becomes "80", as CloudFormation does, whose
// values come untyped. Unknown values and dynamic references are left alone.
//
// The error, if any, lists all that doesn't fit, as CloudFormation does; resource is
// the logical id.
func (t *Type) Coerce(resource string, properties map[string]any) (map[string]any, error) {
	c := coercer{t: t}
	out := c.object(t.Properties, properties, "")
	if len(c.problems) == 0 {
		return out, nil
	}
	return out, &template.Error{
		Text: "Properties validation failed for resource " + resource + " with message:\n" + strings.Join(c.problems, "\n"),
	}
}

type coercer struct {
	t        *Type
	problems []string
}

func (c *coercer) wrong(path, text string) {
	c.problems = append(c.problems, "#"+path+": "+text)
}

func (c *coercer) object(properties []Property, in map[string]any, path string) map[string]any {
	out := make(map[string]any, len(in))
	for _, p := range properties {
		if _, given := in[p.Name]; p.Required && !given {
			c.wrong(path, "required key ["+p.Name+"] not found")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		p, found := find(properties, name)
		if !found {
			c.wrong(path, "extraneous key ["+name+"] is not permitted")
			continue
		}
		out[name] = c.value(p.Kind, in[name], path+"/"+name)
	}
	return out
}

// tag is the definition behind kind t.
var tag = []Property{{Name: "Key", Required: true, Kind: Kind{Form: 's'}}, {Name: "Value", Required: true, Kind: Kind{Form: 's'}}}

func (c *coercer) value(k Kind, v any, path string) any {
	if open(v) {
		return v
	}
	switch k.Form {
	case 'j':
		return v
	case 's':
		if text, ok := template.Text(v); ok {
			return text
		}
		c.expected(path, "String", v)
	case 'b':
		if b, ok := boolean(v); ok {
			return b
		}
		c.expected(path, "Boolean", v)
	case 'i', 'n':
		if n, ok := numeric(v, k.Form == 'i'); ok {
			return n
		}
		c.expected(path, map[byte]string{'i': "Integer", 'n': "Number"}[k.Form], v)
	case '[':
		list, ok := v.([]any)
		if !ok {
			c.expected(path, "JSONArray", v)
			return v
		}
		out := make([]any, len(list))
		for i, x := range list {
			out[i] = c.value(k.Of[0], x, path+"/"+strconv.Itoa(i))
		}
		return out
	case '{', 'd', 't':
		m, ok := v.(map[string]any)
		if !ok {
			c.expected(path, "JSONObject", v)
			return v
		}
		switch k.Form {
		case 'd':
			return c.object(c.t.definitions[k.Definition], m, path)
		case 't':
			return c.object(tag, m, path)
		}
		out := make(map[string]any, len(m))
		for _, name := range slices.Sorted(maps.Keys(m)) {
			out[name] = c.value(k.Of[0], m[name], path+"/"+name)
		}
		return out
	case '(':
		// The first that fits; if none does, what the first says.
		for _, alternative := range k.Of {
			try := coercer{t: c.t}
			if out := try.value(alternative, v, path); len(try.problems) == 0 {
				return out
			}
		}
		return c.value(k.Of[0], v, path)
	}
	return v
}

// open tells whether a value can't be judged yet.
func open(v any) bool {
	if _, unknown := v.(template.Unknown); unknown {
		return true
	}
	s, ok := v.(string)
	return ok && strings.HasPrefix(s, "{{resolve:")
}

func boolean(v any) (bool, bool) {
	text, ok := template.Text(v)
	switch {
	case ok && strings.EqualFold(text, "true"):
		return true, true
	case ok && strings.EqualFold(text, "false"):
		return false, true
	}
	return false, false
}

func numeric(v any, integer bool) (json.Number, bool) {
	text, ok := template.Text(v)
	if _, isBool := v.(bool); !ok || isBool || text == "" || len(text) > 32 {
		return "", false
	}
	if integer {
		n, err := strconv.ParseInt(strings.TrimSuffix(text, ".0"), 10, 64)
		return json.Number(strconv.FormatInt(n, 10)), err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xXpP_nNiI") {
		return "", false
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), true
}

func (c *coercer) expected(path, want string, v any) {
	found := "Null"
	switch v := v.(type) {
	case string:
		found = "String"
	case bool:
		found = "Boolean"
	case json.Number:
		found = "Integer"
		if strings.ContainsAny(v.String(), ".eE") {
			found = "BigDecimal"
		}
	case []any:
		found = "JSONArray"
	case map[string]any:
		found = "JSONObject"
	}
	c.wrong(path, "expected type: "+want+", found: "+found)
}
