package wire

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/textproto"
	"reflect"
	"strings"
)

// HTTP bindings of the REST protocols: members in the path, the query string,
// headers, the status, or as the whole body
// (https://smithy.io/2.0/spec/http-bindings.html).

// decodeREST reads the members that travel outside of the body, then the body.
func (c *Call) decodeREST(n *node, v reflect.Value) error {
	if n.bound {
		if err := c.readLabels(n, v); err != nil {
			return err
		}
		for i := range n.fields {
			f := &n.fields[i]
			if err := c.readBound(n, f, v.Field(f.index)); err != nil {
				return err
			}
		}
	}
	if n.payload >= 0 {
		f := &n.fields[n.payload]
		return c.readPayload(f, v.Field(f.index))
	}
	if !n.body || len(c.body) == 0 {
		return nil
	}
	if c.proto == restXML {
		return c.decodeXML(n, v)
	}
	return decodeJSON(n, v, string(c.body))
}

func (c *Call) badBound(f *field, err error) error {
	bad, ok := err.(*badValue)
	if !ok {
		return err
	}
	return serialization("Value '%s' at '%s' must be %s", clip(bad.text), f.m.name, bad.want)
}

func (c *Call) readLabels(n *node, v reflect.Value) error {
	if c.route == nil {
		return nil
	}
	return c.route.labels(c.path, func(name, value string) error {
		for i := range n.fields {
			f := &n.fields[i]
			if f.m.location == "uri" && f.in == name {
				if err := f.setText(v.Field(f.index), value, f.format); err != nil {
					return c.badBound(f, err)
				}
			}
		}
		return nil
	})
}

func (c *Call) readBound(n *node, f *field, v reflect.Value) error {
	switch f.m.location {
	case "querystring":
		return c.readQuery(n, f, v)
	case "header":
		values := c.r.Header.Values(f.in)
		if len(values) == 0 {
			return nil
		}
		return c.badBound(f, f.setHeader(v, values))
	case "headers":
		m := reflect.MakeMap(f.typ)
		for name, values := range c.r.Header {
			// Header names have no case; the models write them lower.
			if len(name) > len(f.in) && strings.EqualFold(name[:len(f.in)], f.in) {
				m.SetMapIndex(reflect.ValueOf(strings.ToLower(name[len(f.in):])), reflect.ValueOf(strings.Join(values, ",")))
			}
		}
		if m.Len() > 0 {
			v.Set(m)
		}
	}
	return nil
}

func (c *Call) readQuery(n *node, f *field, v reflect.Value) error {
	if f.kind == mapKind {
		return c.readQueryMap(n, f, v)
	}
	for _, p := range c.query {
		if p.key != f.in {
			continue
		}
		target, into := f.node, v
		if f.kind == listKind {
			v.Set(reflect.Append(orEmpty(v), reflect.Zero(f.typ.Elem())))
			target, into = f.elem, v.Index(v.Len()-1)
		}
		if err := target.setText(into, p.value, f.format); err != nil {
			return c.badBound(f, err)
		}
		if f.kind != listKind {
			return nil
		}
	}
	return nil
}

func orEmpty(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return reflect.MakeSlice(v.Type(), 0, 1)
	}
	return v
}

// readQueryMap takes the parameters no other member names.
func (c *Call) readQueryMap(n *node, f *field, v reflect.Value) error {
	m := reflect.MakeMap(f.typ)
next:
	for _, p := range c.query {
		for i := range n.fields {
			if o := &n.fields[i]; o.m.location == "querystring" && o.in == p.key && o.kind != mapKind {
				continue next
			}
		}
		for _, lit := range c.route.query {
			if lit.key == p.key {
				continue next
			}
		}
		key, value := reflect.ValueOf(p.key).Convert(f.typ.Key()), reflect.New(f.typ.Elem()).Elem()
		if f.elem.kind == listKind {
			if old := m.MapIndex(key); old.IsValid() {
				value.Set(old)
			}
			value.Set(reflect.Append(value, reflect.ValueOf(p.value).Convert(f.typ.Elem().Elem())))
		} else if err := f.elem.setText(value, p.value, ""); err != nil {
			return c.badBound(f, err)
		}
		m.SetMapIndex(key, value)
	}
	if m.Len() > 0 {
		v.Set(m)
	}
	return nil
}

// setHeader reads a scalar or a comma-separated list from header lines.
func (f *field) setHeader(v reflect.Value, values []string) error {
	if f.m.jsonValue {
		text, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil {
			return &badValue{values[0], "base64"}
		}
		return f.setText(v, string(text), "")
	}
	if f.kind != listKind {
		return f.setText(v, values[0], orElse(f.format, rfc822))
	}
	v.Set(reflect.MakeSlice(f.typ, 0, len(values)))
	for _, line := range values {
		for line != "" {
			var part string
			part, line = nextHeaderValue(line, f.elem.kind == timeKind)
			v.Set(reflect.Append(v, reflect.Zero(f.typ.Elem())))
			if err := f.elem.setText(v.Index(v.Len()-1), part, rfc822); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextHeaderValue splits at commas outside quotes; an HTTP date has one inside.
func nextHeaderValue(line string, date bool) (part, rest string) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, `"`) {
		var b strings.Builder
		for i := 1; i < len(line); i++ {
			switch line[i] {
			case '\\':
				if i++; i < len(line) {
					b.WriteByte(line[i])
				}
			case '"':
				_, rest, _ = strings.Cut(line[i+1:], ",")
				return b.String(), rest
			default:
				b.WriteByte(line[i])
			}
		}
		return b.String(), ""
	}
	part, rest, _ = strings.Cut(line, ",")
	if date && len(part) == 3 { // "Mon, 02 Jan …"
		var tail string
		tail, rest, _ = strings.Cut(rest, ",")
		part += "," + tail
	}
	return strings.TrimSpace(part), rest
}

func (c *Call) readPayload(f *field, v reflect.Value) error {
	switch {
	case f.kind == blobKind && !f.bytes:
		if c.body == nil && c.r.Body != nil {
			v.Set(reflect.ValueOf(c.r.Body))
		} else {
			v.Set(reflect.ValueOf(io.NopCloser(bytes.NewReader(c.body))))
		}
		return nil
	case len(c.body) == 0:
		return nil
	case f.kind == blobKind:
		f.setBlob(v, bytes.Clone(c.body))
		return nil
	case f.kind == stringKind:
		return f.setText(v, string(c.body), "")
	case c.proto == restXML:
		return c.decodeXML(f.node, v)
	}
	return decodeJSON(f.node, v, string(c.body))
}

// encodeREST writes headers, status and body of an output.
func (c *Call) encodeREST(n *node, v reflect.Value, h http.Header, buf []byte) (status int, contentType string, b []byte, err error) {
	status = c.Operation.status
	for i := range n.fields {
		f := &n.fields[i]
		fv := v.Field(f.index)
		if f.m.location == "" || f.absent(fv) {
			continue
		}
		for fv.Kind() == reflect.Pointer {
			fv = fv.Elem()
		}
		switch f.m.location {
		case "statusCode":
			if s := int(fv.Int()); s != 0 {
				status = s
			}
		case "header":
			if err := f.writeHeader(h, fv); err != nil {
				return 0, "", nil, err
			}
		case "headers":
			for _, k := range sortedKeys(fv) {
				name := textproto.CanonicalMIMEHeaderKey(f.out + k.String())
				if c.Service.id == s3ID {
					name = strings.ToLower(name) // as S3 does: what follows the prefix is a name that clients show
				}
				h[name] = []string{headerText(fv.MapIndex(k).String())}
			}
		}
	}
	if c.Service.id == s3ID && len(h["Content-Range"]) > 0 {
		status = http.StatusPartialContent
	}
	contentType = "application/json"
	if c.proto == restXML {
		contentType = "application/xml"
	}
	if n.payload >= 0 {
		f := &n.fields[n.payload]
		fv := v.Field(f.index)
		switch {
		case f.absent(fv):
			return status, "", buf, nil
		case f.kind == blobKind:
			data, err := f.blob(fv)
			return status, orElse(h.Get("Content-Type"), "application/octet-stream"), append(buf, data...), err
		case f.kind == stringKind:
			for fv.Kind() == reflect.Pointer {
				fv = fv.Elem()
			}
			return status, orElse(h.Get("Content-Type"), "text/plain"), append(buf, fv.String()...), nil
		case c.proto == restXML:
			w := xmlWriter{b: append(buf, xmlDeclaration...), format: iso8601}
			err := w.value(f.node, orElse(f.m.wire, orElse(f.shape.wire, f.shape.name)), fv, "", orElse(f.m.namespace, orElse(f.shape.namespace, c.namespace())))
			return status, contentType, w.b, err
		}
		w := jsonWriter{buf}
		err := w.value(f.node, fv, f.format)
		return status, contentType, w.b, err
	}
	if c.proto == restXML {
		if !n.body {
			return status, "", buf, nil
		}
		w := xmlWriter{b: append(buf, xmlDeclaration...), format: iso8601}
		name := orElse(c.Operation.output.wire, orElse(n.shape.wire, n.shape.name))
		if c.Service.id == s3ID {
			if done, err := c.s3Answer(&w, n, v); done {
				return status, contentType, w.b, err
			}
			name = orElse(s3Roots[c.Operation.Name], name)
		}
		w.open(name, c.namespace())
		at := len(w.b)
		err := w.structure(n, v)
		w.endElement(name, at)
		return status, contentType, w.b, err
	}
	w := jsonWriter{buf}
	err = w.structure(n, v)
	return status, contentType, w.b, err
}

func (f *field) writeHeader(h http.Header, v reflect.Value) error {
	one := func(n *node, v reflect.Value, format string) (string, error) {
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if n.kind == timeKind {
			return string(appendTime(nil, timeOf(v), orElse(format, rfc822))), nil
		}
		b, err := n.appendText(nil, v, format)
		return string(b), err
	}
	name := textproto.CanonicalMIMEHeaderKey(f.out)
	if f.kind == listKind {
		var parts []string
		for i := range v.Len() {
			s, err := one(f.elem, v.Index(i), f.shape.elem.timeFormat)
			if err != nil {
				return err
			}
			if f.elem.kind == stringKind && strings.ContainsAny(s, `,"`) {
				s = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
			}
			parts = append(parts, s)
		}
		h[name] = []string{headerText(strings.Join(parts, ", "))}
		return nil
	}
	s, err := one(f.node, v, f.format)
	if f.m.jsonValue {
		s = base64.StdEncoding.EncodeToString([]byte(s))
	}
	h[name] = []string{headerText(s)}
	return err
}

// headerText keeps a value on its line.
func headerText(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}
