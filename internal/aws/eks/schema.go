package eks

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// schema is what can be set of an add-on: a flat JSON object.
type schema struct {
	title    string
	settings map[string]setting
}

// setting is one member of the object.
type setting struct {
	kind        string // a JSON type
	format      string
	description string
	enum        []string
	atLeast     int // of an integer; 0 means any
}

// text is the schema as DescribeAddonConfiguration shows it.
func (s schema) text() string {
	properties := map[string]any{}
	for name, p := range s.settings {
		properties[name] = p.document()
	}
	data, err := json.Marshal(map[string]any{
		"$ref":    "#/definitions/" + s.title,
		"$schema": "http://json-schema.org/draft-06/schema#",
		"definitions": map[string]any{s.title: map[string]any{
			"additionalProperties": false, "properties": properties, "title": s.title, "type": "object",
		}},
	})
	if err != nil { // strings and numbers
		panic(err)
	}
	return string(data)
}

func (p setting) document() map[string]any {
	doc := map[string]any{"type": p.kind}
	if p.format != "" {
		doc["format"] = p.format
	}
	if p.description != "" {
		doc["description"] = p.description
	}
	if len(p.enum) > 0 {
		doc["enum"] = p.enum
	}
	if p.atLeast != 0 {
		doc["minimum"] = p.atLeast
	}
	return doc
}

// read parses configuration values, JSON or YAML, and says what is wrong with them
// in the words of the validator that EKS uses (networknt/json-schema-validator,
// seen in https://github.com/awsdocs/amazon-eks-user-guide/pull/768). Nothing given
// sets nothing.
func (s schema) read(values string) (set map[string]any, fault string) {
	if strings.TrimSpace(values) == "" {
		return nil, ""
	}
	data, err := yaml.YAMLToJSONStrict([]byte(values))
	var doc any
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		return nil, "The value is neither JSON nor YAML"
	}
	set, ok := doc.(map[string]any)
	if !ok {
		return nil, invalidBecause("$: " + kindOf(doc) + " found, object expected")
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		p, known := s.settings[name]
		if !known {
			faults = append(faults, "$."+name+": is not defined in the schema and the schema does not allow additional properties")
		} else if fault := p.fault(set[name]); fault != "" {
			faults = append(faults, "$."+name+": "+fault)
		}
	}
	if len(faults) > 0 {
		return nil, invalidBecause(faults...)
	}
	return set, ""
}

func invalidBecause(faults ...string) string {
	return "Json schema validation failed with error: [" + strings.Join(faults, ", ") + "]"
}

func (p setting) fault(v any) string {
	if kind := kindOf(v); kind != p.kind {
		return kind + " found, " + p.kind + " expected"
	}
	switch v := v.(type) {
	case string:
		if len(p.enum) > 0 && !slices.Contains(p.enum, v) {
			return "does not have a value in the enumeration [" + strings.Join(p.enum, ", ") + "]"
		}
	case float64:
		switch {
		case p.atLeast != 0 && v < float64(p.atLeast):
			return fmt.Sprintf("must have a minimum value of %d", p.atLeast)
		case v > math.MaxInt32:
			return fmt.Sprintf("must have a maximum value of %d", math.MaxInt32)
		}
	}
	return ""
}

// kindOf is the JSON type of a decoded value.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}
