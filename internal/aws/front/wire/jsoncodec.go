package wire

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// JSON bodies (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html,
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html).

func decodeJSON(n *node, v reflect.Value, text string) error {
	d := &jsonReader{text: text}
	if d.peek() == 0 && d.pos == len(text) {
		return nil // no body is the empty structure
	}
	if err := d.value(n, v, ""); err != nil {
		return err
	}
	return d.end()
}

// value reads one value into v; null leaves it as it is.
func (d *jsonReader) value(n *node, v reflect.Value, format string) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	c := d.peek()
	switch n.kind {
	case structKind:
		if c != '{' {
			return d.unexpected(c, "a structure")
		}
		return d.structure(n, indirect(v))
	case unionKind:
		if c != '{' {
			return d.unexpected(c, "a structure")
		}
		return d.union(n, v)
	case listKind:
		if c != '[' {
			return d.unexpected(c, "a list")
		}
		return d.list(n, v)
	case mapKind:
		if c != '{' {
			return d.unexpected(c, "a map")
		}
		return d.mapping(n, v)
	case stringKind, blobKind:
		if c != '"' {
			return d.unexpected(c, "a String")
		}
		s, err := d.str()
		if err != nil {
			return err
		}
		return d.fromText(n, v, s)
	case boolKind:
		switch c {
		case 't':
			indirect(v).SetBool(true)
			return d.literal("true")
		case 'f':
			indirect(v).SetBool(false)
			return d.literal("false")
		}
		return d.unexpected(c, "a Boolean")
	case intKind, floatKind, timeKind:
		return d.numeric(n, v, c)
	}
	return serialization("%s can not be sent", n.shape.name)
}

func (d *jsonReader) fromText(n *node, v reflect.Value, s string) error {
	if err := n.setText(v, s, ""); err != nil {
		return serialization("STRING_VALUE can not be converted to %s", err.(*badValue).want)
	}
	return nil
}

// numeric reads numbers, and what may stand for one: a date or NaN in quotes.
func (d *jsonReader) numeric(n *node, v reflect.Value, c byte) error {
	if c == '"' && n.kind != intKind {
		s, err := d.str()
		if err != nil {
			return err
		}
		return d.fromText(n, v, s)
	}
	if c != '-' && (c < '0' || c > '9') {
		return d.unexpected(c, map[kind]string{intKind: "an Integer", floatKind: "a Double", timeKind: "a Timestamp"}[n.kind])
	}
	text, err := d.number()
	if err != nil {
		return err
	}
	switch n.kind {
	case intKind:
		i, ok := integer(text)
		if !ok || !n.setInt(indirect(v), i) {
			return serialization("NUMBER_VALUE can not be converted to an Integer")
		}
	case floatKind:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return serialization("NUMBER_VALUE can not be converted to a Double")
		}
		indirect(v).SetFloat(f)
	case timeKind:
		sec, err := strconv.ParseFloat(text, 64)
		t, ok := unixTime(sec)
		if err != nil || !ok {
			return serialization("NUMBER_VALUE can not be converted to a Timestamp")
		}
		indirect(v).Set(reflect.ValueOf(t))
	}
	return nil
}

// unexpected says what AWS's own parser says of a value of the wrong kind.
func (d *jsonReader) unexpected(c byte, want string) error {
	var got string
	switch {
	case c == '{':
		return serialization("Start of structure or map found where not expected.")
	case c == '[':
		return serialization("Start of list found where not expected")
	case c == '"':
		got = "STRING_VALUE"
	case c == 't':
		got = "TRUE_VALUE"
	case c == 'f':
		got = "FALSE_VALUE"
	case c == '-' || c >= '0' && c <= '9':
		got = "NUMBER_VALUE"
	default:
		return d.fail("Unexpected token")
	}
	return serialization("%s can not be converted to %s", got, want)
}

func (d *jsonReader) structure(n *node, v reflect.Value) error {
	return d.object(func(name string) error {
		fi, ok := n.byName[name]
		if !ok {
			return d.skip()
		}
		f := &n.fields[fi]
		return d.value(f.node, v.Field(f.index), f.format)
	})
}

func (d *jsonReader) union(n *node, v reflect.Value) error {
	return d.object(func(name string) error {
		fi, ok := n.byName[name]
		if !ok {
			return d.skip()
		}
		if null, err := d.null(); null || err != nil {
			return err
		}
		if !v.IsNil() {
			return serialization("Exactly one member of %s must be set", n.shape.name)
		}
		f := &n.fields[fi]
		p := reflect.New(f.union)
		if err := d.value(f.node, p.Elem().Field(0), f.format); err != nil {
			return err
		}
		v.Set(p)
		return nil
	})
}

func (d *jsonReader) list(n *node, v reflect.Value) error {
	v.Set(reflect.MakeSlice(n.typ, 0, 0))
	return d.array(func() error {
		if null, err := d.null(); null || err != nil {
			return err // AWS's lists are not sparse
		}
		i := v.Len()
		v.Grow(1)
		v.SetLen(i + 1)
		return d.value(n.elem, v.Index(i), "")
	})
}

func (d *jsonReader) mapping(n *node, v reflect.Value) error {
	m := reflect.MakeMap(n.typ)
	err := d.object(func(name string) error {
		if null, err := d.null(); null || err != nil {
			return err
		}
		key, value := reflect.New(n.typ.Key()).Elem(), reflect.New(n.typ.Elem()).Elem()
		key.SetString(name)
		if err := d.value(n.elem, value, ""); err != nil {
			return err
		}
		m.SetMapIndex(key, value)
		return nil
	})
	v.Set(m)
	return err
}

// jsonWriter appends JSON.
type jsonWriter struct{ b []byte }

// structure writes a structure's body members as an object.
func (w *jsonWriter) structure(n *node, v reflect.Value) error {
	w.b = append(w.b, '{')
	first := true
	for i := range n.fields {
		f := &n.fields[i]
		if f.m.location != "" {
			continue
		}
		fv := v.Field(f.index)
		if f.absent(fv) {
			continue
		}
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		w.b = append(appendJSONString(w.b, f.out), ':')
		if err := w.value(f.node, fv, f.format); err != nil {
			return err
		}
	}
	w.b = append(w.b, '}')
	return nil
}

func (w *jsonWriter) value(n *node, v reflect.Value, format string) error {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			w.b = append(w.b, "null"...)
			return nil
		}
		v = v.Elem()
	}
	switch n.kind {
	case structKind:
		return w.structure(n, v)
	case unionKind:
		f, value, err := n.chosen(v)
		if err != nil {
			return err
		}
		w.b = append(appendJSONString(append(w.b, '{'), f.out), ':')
		if err := w.value(f.node, value, f.format); err != nil {
			return err
		}
		w.b = append(w.b, '}')
	case listKind:
		w.b = append(w.b, '[')
		for i := range v.Len() {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			if err := w.value(n.elem, v.Index(i), n.shape.elem.timeFormat); err != nil {
				return err
			}
		}
		w.b = append(w.b, ']')
	case mapKind:
		w.b = append(w.b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.b = append(appendJSONString(w.b, k.String()), ':')
			if err := w.value(n.elem, v.MapIndex(k), n.shape.value.timeFormat); err != nil {
				return err
			}
		}
		w.b = append(w.b, '}')
	case stringKind:
		w.b = appendJSONString(w.b, v.String())
	case boolKind:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case intKind:
		w.b = appendInt(w.b, v)
	case floatKind:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.b = append(appendFloat(append(w.b, '"'), v), '"')
		} else {
			w.b = appendFloat(w.b, v)
		}
	case timeKind:
		format = orElse(format, unix)
		if format == unix {
			w.b = appendTime(w.b, timeOf(v), unix)
		} else {
			w.b = append(appendTime(append(w.b, '"'), timeOf(v), format), '"')
		}
	case blobKind:
		data, err := n.blob(v)
		if err != nil {
			return err
		}
		w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), data), '"')
	default:
		return fmt.Errorf("wire: %s can not be sent", n.shape.name)
	}
	return nil
}
