package template

import (
	"slices"
	"strconv"
	"strings"
)

// members visits a section's members and checks their names and number.
func members(e *Expr, section, one string, limit int, visit func(string, *Expr) error) error {
	if e.Kind == Null {
		return nil // a key with nothing after it
	}
	if e.Kind != Map {
		return formatError(e.Pos, "[/%s] '%s' must be an object.", section, section)
	}
	if len(e.Keys) > limit {
		return formatError(e.Pos, "Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(section), len(e.Keys), limit)
	}
	for i, name := range e.Keys {
		if !alphanumeric(name) {
			return formatError(e.Items[i].Pos, "%s name %s is non alphanumeric.", one, name)
		}
		if len(name) > maxName {
			return formatError(e.Items[i].Pos, "%s name %s is longer than %d characters.", one, name, maxName)
		}
		if err := visit(name, &e.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// noNull refuses values that are missing.
func noNull(e *Expr, path string) error {
	for i := range e.Items {
		v := &e.Items[i]
		step := strconv.Itoa(i)
		if e.Kind == Map {
			step = e.Keys[i]
		}
		if v.Kind == Null {
			return plainError(v.Pos, "[%s/%s] 'null' values are not allowed in templates", path, step)
		}
		if err := noNull(v, path+"/"+step); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) readResources(e *Expr) error {
	t.resources = map[string]int{}
	return members(e, "Resources", "Resource", maxResources, func(name string, v *Expr) error {
		r, err := readResource(name, v)
		if err != nil {
			return err
		}
		t.resources[name] = len(t.Resources)
		t.Resources = append(t.Resources, r)
		return nil
	})
}

func readResource(name string, e *Expr) (Resource, error) {
	r := Resource{Name: name, Pos: e.Pos}
	path := "/Resources/" + name
	if e.Kind != Map {
		return r, formatError(e.Pos, "[%s] resource definition is malformed", path)
	}
	for i, key := range e.Keys {
		v := &e.Items[i]
		var err error
		if key != "Metadata" && v.Kind == Null {
			return r, plainError(v.Pos, "[%s/%s] 'null' values are not allowed in templates", path, key)
		}
		switch key {
		case "Type":
			r.Type, err = text(v, path+"/Type", "Type")
		case "Properties":
			r.Properties, err = object(v, path+"/Properties")
		case "CreationPolicy":
			r.CreationPolicy, err = object(v, path+"/CreationPolicy")
		case "UpdatePolicy":
			r.UpdatePolicy, err = object(v, path+"/UpdatePolicy")
		case "Metadata":
			r.Metadata, err = v, v.functions(false)
		case "DependsOn":
			r.DependsOn, err = names(v, path)
		case "Condition":
			r.Condition, err = text(v, path+"/Condition", "Condition")
		case "DeletionPolicy":
			r.DeletionPolicy, err = policy(v, key, "Delete", "Retain", "Snapshot", "RetainExceptOnCreate")
		case "UpdateReplacePolicy":
			r.UpdateReplacePolicy, err = policy(v, key, "Delete", "Retain", "Snapshot")
		case "Description", "Version": // said, but of no consequence
		default:
			err = plainError(v.Pos, "Invalid template resource property '%s'", key)
		}
		if err != nil {
			return r, err
		}
	}
	if r.Type == "" {
		return r, formatError(e.Pos, "[%s] Every Resources object must contain a Type member.", path)
	}
	return r, nil
}

func text(e *Expr, path, name string) (string, error) {
	if e.Kind != String {
		return "", formatError(e.Pos, "[%s] Every %s member must be a string.", path, name)
	}
	return e.Text, nil
}

func object(e *Expr, path string) (*Expr, error) {
	if e.Kind != Map {
		return nil, formatError(e.Pos, "[%s] must be an object", path)
	}
	if err := noNull(e, path); err != nil {
		return nil, err
	}
	return e, e.functions(false)
}

func names(e *Expr, path string) ([]string, error) {
	if e.Kind == String {
		return []string{e.Text}, nil
	}
	if e.Kind != List || slices.ContainsFunc(e.Items, func(x Expr) bool { return x.Kind != String }) {
		return nil, formatError(e.Pos, "[%s] DependsOn must be a string or list of strings.", path)
	}
	var list []string
	for _, x := range e.Items {
		if !slices.Contains(list, x.Text) {
			list = append(list, x.Text)
		}
	}
	return list, nil
}

func policy(e *Expr, key string, allowed ...string) (string, error) {
	if e.Kind != String {
		return "", formatError(e.Pos, "Every %s member must be a string.", key)
	}
	if !slices.Contains(allowed, e.Text) {
		return "", formatError(e.Pos, "Unrecognized %s %s", key, e.Text)
	}
	return e.Text, nil
}

func (t *Template) readOutputs(e *Expr) error {
	return members(e, "Outputs", "Output", maxOutputs, func(name string, v *Expr) error {
		o := Output{Name: name}
		path := "/Outputs/" + name
		if v.Kind != Map {
			return formatError(v.Pos, "[%s] Every Outputs member must be an object.", path)
		}
		if err := noNull(v, path); err != nil {
			return err
		}
		if err := v.functions(false); err != nil {
			return err
		}
		for i, key := range v.Keys {
			x := &v.Items[i]
			var err error
			switch key {
			case "Description":
				if o.Description, err = text(x, path+"/Description", "Description"); err == nil && len(o.Description) > maxDescription {
					err = formatError(x.Pos, "'Description' length is greater than %d.", maxDescription)
				}
			case "Condition":
				o.Condition, err = text(x, path+"/Condition", "Condition")
			case "Value":
				o.Value = x
				if x.Kind == List || x.Kind == Map {
					err = formatError(x.Pos, "The Value field of every Outputs member must evaluate to a String.")
				}
			case "Export":
				if o.Export, _ = x.Get("Name"); o.Export == nil || len(x.Keys) != 1 {
					err = formatError(x.Pos, "[%s/Export] Every Export member must contain a Name.", path)
				}
			default:
				err = plainError(x.Pos, "Invalid template output property '%s'", key)
			}
			if err != nil {
				return err
			}
		}
		if o.Value == nil {
			return formatError(v.Pos, "Every Outputs member must contain a Value object")
		}
		t.Outputs = append(t.Outputs, o)
		return nil
	})
}
