package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/eksact/eksact/internal/aws/front/wire/internal/c2j"
)

// completion walks the SDK's structs beside the model's shapes, names the Go
// field of each member, and adds what the SDK has and the model lacks.
type completion struct {
	m    *c2j.Model
	sdk  *sdk
	seen map[[2]string]bool
	completed
}

type completed struct{ operations, shapes, members int }

func complete(m *c2j.Model, s *sdk) (completed, error) {
	c := &completion{m: m, sdk: s, seen: map[[2]string]bool{}}
	for _, name := range s.operations {
		if err := c.operation(name); err != nil {
			return c.completed, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range c2j.SortedKeys(s.errors) {
		if err := c.exception(name); err != nil {
			return c.completed, err
		}
	}
	return c.completed, nil
}

// exception completes an error's members, or adds the error.
func (c *completion) exception(name string) error {
	e := c.sdk.errors[name]
	sh := c.m.Shapes[name]
	if sh == nil {
		status := 400
		if e.server {
			status = 500
		}
		if sc := c.sdk.schemas[name]; sc != nil && sc.status != 0 {
			status = sc.status
		}
		sh = &c2j.Shape{Type: "structure", Exception: true, Fault: e.server, Error: &c2j.ErrorInfo{HTTPStatusCode: status}}
		if e.code != name {
			sh.Error.Code = e.code
		}
		c.m.Shapes[name] = sh
		c.shapes++
	}
	return c.structure(name, "types."+name)
}

func (c *completion) query() bool {
	return c.m.Metadata.Protocol == "query" || c.m.Metadata.Protocol == "ec2"
}

func (c *completion) operation(name string) error {
	op := c.m.Operations[name]
	if op == nil {
		c.operations++
		op = &c2j.Operation{Name: name}
		op.HTTP.Method, op.HTTP.RequestURI = "POST", "/"
		if sc := c.sdk.schemas[name]; sc != nil && sc.method != "" {
			op.HTTP.Method, op.HTTP.RequestURI, op.HTTP.ResponseCode = sc.method, sc.uri, sc.status
		} else if c.m.Metadata.Protocol == "rest-json" || c.m.Metadata.Protocol == "rest-xml" {
			return fmt.Errorf("in neither the model nor the schemas")
		}
		c.m.Operations[name] = op
	}
	for _, side := range []struct {
		ref    **c2j.Ref
		goName string
		shape  string
		out    bool
	}{{&op.Input, name + "Input", name + "Request", false}, {&op.Output, name + "Output", name + "Response", true}} {
		fields := c.sdk.structs[side.goName]
		if *side.ref == nil {
			if len(fields) == 0 && !(side.out && c.sdk.wrappers[name+"Result"]) {
				continue
			}
			if c.m.Shapes[side.shape] == nil {
				c.m.Shapes[side.shape] = &c2j.Shape{Type: "structure"}
				c.shapes++
			}
			*side.ref = &c2j.Ref{Shape: side.shape}
			if side.out && c.m.Metadata.Protocol == "query" {
				(*side.ref).ResultWrapper = name + "Result"
			}
		}
		if err := c.structure((*side.ref).Shape, side.goName); err != nil {
			return err
		}
	}
	return nil
}

func (c *completion) structure(shapeName, goName string) error {
	key := [2]string{shapeName, goName}
	if c.seen[key] {
		return nil
	}
	c.seen[key] = true
	sh := c.m.Shapes[shapeName]
	if sh == nil || sh.Type != "structure" {
		return fmt.Errorf("%s is the struct %s, but no structure in the model", shapeName, goName)
	}
	if union := c.sdk.members[goName]; union != nil {
		sh.Union = true // S3's model doesn't say so
		for _, m := range union {
			name := strings.TrimPrefix(m, goName+"Member")
			r := member(sh, name)
			if r == nil {
				return fmt.Errorf("union %s lacks %s", shapeName, name)
			}
			if err := c.reference(r, c.sdk.structs[m][0].typ); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range c.sdk.structs[goName] {
		r := member(sh, f.name)
		if r == nil {
			added, err := c.member(shapeName, goName, f)
			if err != nil {
				return err
			}
			c.members++
			r = added
		} else if !f.required && !sh.Exception {
			relax(sh, r)
		}
		if err := c.reference(r, f.typ); err != nil {
			return fmt.Errorf("%s.%s: %w", shapeName, f.name, err)
		}
	}
	return nil
}

// relax lets a member be absent that the SDK, which is newer, no longer asks for.
func relax(sh *c2j.Shape, r *c2j.Ref) {
	sh.Required = slices.DeleteFunc(sh.Required, func(name string) bool { return sh.Members.Refs[name] == r })
}

// member finds the member of a Go field and notes the field's name where it is
// not simply the member's, capitalized.
func member(sh *c2j.Shape, field string) *c2j.Ref {
	for _, name := range sh.Members.Names {
		if capitalize(name) == field {
			return sh.Members.Refs[name]
		}
	}
	for _, name := range sh.Members.Names {
		r := sh.Members.Refs[name]
		if strings.EqualFold(name, field) || field == capitalize(name)+"_" || r.GoName == field {
			r.GoName = field
			return r
		}
	}
	return nil
}

// member adds a member that only the SDK has.
func (c *completion) member(shapeName, goName string, f goField) (*c2j.Ref, error) {
	sh := c.m.Shapes[shapeName]
	target, err := c.shapeFor(f.typ)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", goName, f.name, err)
	}
	r := &c2j.Ref{Shape: target}
	name := f.name
	if sc := c.schemaOf(shapeName, goName); sc != nil {
		for _, mn := range c2j.SortedKeys(sc.members) {
			if m := sc.members[mn]; capitalize(mn) == f.name || strings.EqualFold(mn, f.name) {
				name, r.Location, r.LocationName = mn, m.location, m.location2
				r.Flattened, r.TimestampFormat = m.flat, m.timestampFormat
				if m.payload {
					sh.Payload = mn
				}
			}
		}
	} else if !c.query() {
		if name = uncapitalize(f.name); f.name == "ExpiresString" { // S3's Expires, as it came
			r.Location, r.LocationName = "header", "Expires"
		}
	} else if c.m.Metadata.Protocol == "ec2" {
		in, out := c.sdk.in[goName][f.name], c.sdk.out[goName][f.name]
		if out.name != "" {
			r.LocationName = out.name
		}
		if in.name != "" && in.name != capitalize(r.LocationName) {
			r.QueryName = in.name
		}
	} else if in := c.sdk.in[goName][f.name]; in.name != "" && in.name != name {
		r.LocationName = in.name
	} else if out := c.sdk.out[goName][f.name]; out.name != "" && out.name != name {
		r.LocationName = out.name
	}
	if capitalize(name) != f.name {
		r.GoName = f.name
	}
	if f.required {
		sh.Required = append(sh.Required, name)
	}
	sh.Members.Add(name, r)
	return r, nil
}

func (c *completion) schemaOf(shapeName, goName string) *schema {
	for _, n := range []string{shapeName, strings.TrimPrefix(goName, "types."), strings.TrimSuffix(goName, "Input") + "Request", strings.TrimSuffix(goName, "Output") + "Response", strings.TrimSuffix(goName, "Output") + "Result"} {
		if sc := c.sdk.schemas[n]; sc != nil && len(sc.members) > 0 {
			return sc
		}
	}
	return nil
}

// reference follows a Go type and a shape reference down together.
func (c *completion) reference(r *c2j.Ref, typ string) error {
	typ = strings.TrimPrefix(typ, "*")
	sh := c.m.Shapes[r.Shape]
	switch {
	case typ == "time.Time" && sh.Type == "string", typ == "string" && sh.Type == "integer":
		// S3's Expires and part number markers: what the SDK makes of them stands.
		name, err := c.shapeFor(typ)
		r.Shape = name
		return err
	case typ == "[]byte":
		return nil
	case strings.HasPrefix(typ, "[]"):
		if sh.Type != "list" {
			return fmt.Errorf("%s is a %s in the model, %s in the SDK", r.Shape, sh.Type, typ)
		}
		return c.reference(sh.Member, typ[2:])
	case strings.HasPrefix(typ, "map[string]"):
		if sh.Type != "map" {
			return fmt.Errorf("%s is a %s in the model, %s in the SDK", r.Shape, sh.Type, typ)
		}
		return c.reference(sh.Value, strings.TrimPrefix(typ, "map[string]"))
	case c.sdk.members[typ] != nil:
		return c.structure(r.Shape, typ)
	case c.sdk.structs[typ] != nil:
		return c.structure(r.Shape, typ)
	case c.sdk.enums[typ] != nil:
		// The SDK may know newer values; both sides' are accepted.
		for _, v := range c.sdk.enums[typ] {
			if len(sh.Enum) > 0 && !slices.Contains(sh.Enum, v) {
				sh.Enum = append(sh.Enum, v)
			}
		}
	}
	return nil
}

var scalars = map[string]string{
	"string": "string", "bool": "boolean", "int32": "integer", "int64": "long",
	"float32": "float", "float64": "double", "time.Time": "timestamp", "[]byte": "blob",
}

// shapeFor names a shape of a Go type, making it if need be.
func (c *completion) shapeFor(typ string) (string, error) {
	typ = strings.TrimPrefix(typ, "*")
	if kind, ok := scalars[typ]; ok {
		name := "sdk." + kind
		c.m.Shapes[name] = &c2j.Shape{Type: kind}
		return name, nil
	}
	switch {
	case strings.HasPrefix(typ, "[]"):
		elem, err := c.shapeFor(typ[2:])
		if err != nil {
			return "", err
		}
		name := "sdk.list." + elem
		r := &c2j.Ref{Shape: elem}
		if c.m.Metadata.Protocol == "ec2" {
			r.LocationName = "item"
		}
		c.m.Shapes[name] = &c2j.Shape{Type: "list", Member: r}
		return name, nil
	case strings.HasPrefix(typ, "map[string]"):
		value, err := c.shapeFor(strings.TrimPrefix(typ, "map[string]"))
		if err != nil {
			return "", err
		}
		c.m.Shapes["sdk.string"] = &c2j.Shape{Type: "string"}
		name := "sdk.map." + value
		c.m.Shapes[name] = &c2j.Shape{Type: "map", Key: &c2j.Ref{Shape: "sdk.string"}, Value: &c2j.Ref{Shape: value}}
		return name, nil
	}
	short := strings.TrimPrefix(typ, "types.")
	if values := c.sdk.enums[typ]; values != nil {
		if sh := c.m.Shapes[short]; sh == nil {
			c.m.Shapes[short] = &c2j.Shape{Type: "string", Enum: values}
			c.shapes++
		} else if sh.Type != "string" {
			return "", fmt.Errorf("enum %s is a %s in the model", typ, sh.Type)
		}
		return short, nil
	}
	if concrete := c.sdk.members[typ]; concrete != nil {
		if c.m.Shapes[short] == nil {
			sh := &c2j.Shape{Type: "structure", Union: true}
			c.m.Shapes[short] = sh
			c.shapes++
			for _, m := range concrete {
				value, err := c.shapeFor(c.sdk.structs[m][0].typ)
				if err != nil {
					return "", err
				}
				name := strings.TrimPrefix(m, typ+"Member")
				if sc := c.sdk.schemas[short]; !c.query() && (sc == nil || sc.members[name] == nil) {
					name = uncapitalize(name)
				}
				sh.Members.Add(name, &c2j.Ref{Shape: value})
			}
		}
		return short, nil
	}
	if c.sdk.structs[typ] != nil {
		if sh := c.m.Shapes[short]; sh == nil {
			c.m.Shapes[short] = &c2j.Shape{Type: "structure"}
			c.shapes++
		} else if sh.Type != "structure" {
			return "", fmt.Errorf("struct %s is a %s in the model", typ, sh.Type)
		}
		return short, c.structure(short, typ)
	}
	return "", fmt.Errorf("no shape for the Go type %s", typ)
}

func capitalize(s string) string {
	if s == "" {
		return s
	}
	r := []rune(s)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

func uncapitalize(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
