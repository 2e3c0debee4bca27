package c2j

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Render writes the table's text; package wire's table.go describes the form.
func Render(id string, m *Model) string {
	var b strings.Builder
	md := m.Metadata
	line := func(fields ...string) {
		b.WriteString(strings.Join(fields, "\t"))
		b.WriteByte('\n')
	}
	signing := md.SigningName
	if signing == "" {
		signing = md.EndpointPrefix
	}
	protocols := md.Protocols
	if len(protocols) == 0 {
		protocols = []string{md.Protocol}
	}
	line("service", id, signing, md.APIVersion, strings.Join(protocols, ","), md.JSONVersion, md.TargetPrefix, namespaceURI(md.XMLNamespace), md.ServiceID)

	for _, name := range SortedKeys(m.Operations) {
		op := m.Operations[name]
		input, output, wrapper := "", "", ""
		if op.Input != nil {
			input = op.Input.Shape
			if op.Input.LocationName != "" {
				input += " w=" + op.Input.LocationName
			}
			if op.Input.XMLNamespace != nil {
				input += " x=" + op.Input.XMLNamespace.URI
			}
		}
		if op.Output != nil {
			output = op.Output.Shape
			if op.Output.LocationName != "" {
				output += " w=" + op.Output.LocationName
			}
			wrapper = op.Output.ResultWrapper
		}
		var errs []string
		for _, e := range op.Errors {
			errs = append(errs, e.Shape)
		}
		flags := ""
		if op.AuthType == "none" {
			flags = "unsigned"
		}
		status := ""
		if op.HTTP.ResponseCode != 0 && op.HTTP.ResponseCode != 200 {
			status = strconv.Itoa(op.HTTP.ResponseCode)
		}
		line("O", name, op.HTTP.Method, op.HTTP.RequestURI, status, input, output, wrapper, flags, strings.Join(errs, " "))
	}
	for _, name := range SortedKeys(m.Shapes) {
		line(shapeFields(name, m.Shapes[name])...)
	}
	return b.String()
}

func shapeFields(name string, s *Shape) []string {
	switch s.Type {
	case "structure":
		fields := []string{"S", name, structFlags(s)}
		for _, mn := range s.Members.Names {
			fields = append(fields, memberText(mn, s.Members.Refs[mn], slices.Contains(s.Required, mn)))
		}
		return fields
	case "list":
		return []string{"L", name, bound(s.Min), bound(s.Max), commonFlags(s), refText(s.Member)}
	case "map":
		return []string{"M", name, bound(s.Min), bound(s.Max), commonFlags(s), refText(s.Key), refText(s.Value)}
	case "string", "character":
		if len(s.Enum) > 0 {
			return append([]string{"E", name, commonFlags(s)}, s.Enum...)
		}
		if strings.ContainsAny(s.Pattern, "\t\n") {
			panic("pattern with a tab: " + name)
		}
		return []string{"T", name, bound(s.Min), bound(s.Max), commonFlags(s), s.Pattern}
	default:
		return []string{"V", name, bound(s.Min), bound(s.Max), commonFlags(s), s.Type}
	}
}

func structFlags(s *Shape) string {
	f := words(commonFlags(s))
	if s.Payload != "" {
		f = append(f, "p="+s.Payload)
	}
	if s.Union {
		f = append(f, "union")
	}
	if s.EventStream {
		f = append(f, "eventstream")
	}
	if s.Document {
		f = append(f, "document")
	}
	if s.Exception || s.Error != nil {
		e := ErrorInfo{}
		if s.Error != nil {
			e = *s.Error
		}
		if e.HTTPStatusCode == 0 {
			e.HTTPStatusCode = 400
			if s.Fault {
				e.HTTPStatusCode = 500
			}
		}
		f = append(f, fmt.Sprintf("error=%d", e.HTTPStatusCode))
		if e.Code != "" {
			f = append(f, "code="+e.Code)
		}
		if s.Fault {
			f = append(f, "fault")
		}
	}
	return strings.Join(f, " ")
}

func commonFlags(s *Shape) string {
	var f []string
	if s.Flattened {
		f = append(f, "f")
	}
	if s.Sensitive {
		f = append(f, "s")
	}
	if s.Streaming {
		f = append(f, "stream")
	}
	if s.TimestampFormat != "" {
		f = append(f, "t="+s.TimestampFormat)
	}
	if s.LocationName != "" {
		f = append(f, "w="+s.LocationName)
	}
	if s.XMLNamespace != nil {
		f = append(f, "x="+s.XMLNamespace.URI)
	}
	return strings.Join(f, " ")
}

func memberText(name string, r *Ref, required bool) string {
	t := name + " " + refText(r)
	if required {
		t += " !"
	}
	return t
}

func refText(r *Ref) string {
	f := []string{r.Shape}
	if r.LocationName != "" {
		f = append(f, "w="+r.LocationName)
	}
	if r.QueryName != "" {
		f = append(f, "q="+r.QueryName)
	}
	if r.Location != "" {
		f = append(f, "l="+r.Location)
	}
	if r.TimestampFormat != "" {
		f = append(f, "t="+r.TimestampFormat)
	}
	if r.XMLNamespace != nil {
		f = append(f, "x="+r.XMLNamespace.URI)
		if r.XMLNamespace.Prefix != "" {
			f = append(f, "xp="+r.XMLNamespace.Prefix)
		}
	}
	if r.GoName != "" {
		f = append(f, "g="+r.GoName)
	}
	for _, flag := range []struct {
		on   bool
		text string
	}{{r.Flattened, "f"}, {r.XMLAttribute, "@"}, {r.Streaming, "stream"}, {r.IdempotencyToken, "i"}, {r.JSONValue, "j"}} {
		if flag.on {
			f = append(f, flag.text)
		}
	}
	return strings.Join(f, " ")
}

func bound(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

func namespaceURI(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var ns XMLNamespace
	if json.Unmarshal(raw, &ns) == nil {
		return ns.URI
	}
	return ""
}

func words(s string) []string { return strings.Fields(s) }

func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Prune drops the shapes that nothing refers to.
func Prune(m *Model) {
	seen := map[string]bool{}
	var visit func(r *Ref)
	visit = func(r *Ref) {
		if r == nil || seen[r.Shape] {
			return
		}
		s := m.Shapes[r.Shape]
		if s == nil {
			panic("no such shape: " + r.Shape)
		}
		seen[r.Shape] = true
		for _, name := range s.Members.Names {
			visit(s.Members.Refs[name])
		}
		visit(s.Member)
		visit(s.Key)
		visit(s.Value)
	}
	for _, op := range m.Operations {
		visit(op.Input)
		visit(op.Output)
		for _, e := range op.Errors {
			visit(e)
		}
	}
	for name, s := range m.Shapes {
		if s.Exception || s.Error != nil {
			visit(&Ref{Shape: name})
		}
	}
	for name := range m.Shapes {
		if !seen[name] {
			delete(m.Shapes, name)
		}
	}
}
