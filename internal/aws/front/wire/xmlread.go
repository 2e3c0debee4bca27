package wire

import (
	"encoding/xml"
	"io"
	"reflect"
	"strings"
)

// XML request bodies, of REST-XML
// (https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html).

func (c *Call) decodeXML(n *node, v reflect.Value) error {
	d := &xmlReader{dec: xml.NewDecoder(strings.NewReader(string(c.body)))}
	d.dec.CharsetReader = nil // UTF-8 only
	for {
		t, err := d.dec.Token()
		if err == io.EOF {
			return nil // no element: the empty structure
		}
		if err != nil {
			return c.malformedXML("The XML is not well-formed: %v", err)
		}
		if start, ok := t.(xml.StartElement); ok {
			if err := d.value(n, v, start, ""); err != nil {
				return c.malformedXML("%v", err)
			}
			return nil
		}
	}
}

type xmlReader struct {
	dec   *xml.Decoder
	depth int
}

type xmlError string

func (e xmlError) Error() string { return string(e) }

// value reads the element that start opened, to its end.
func (d *xmlReader) value(n *node, v reflect.Value, start xml.StartElement, format string) error {
	if d.depth++; d.depth > maxDepth {
		return xmlError("Nesting is too deep")
	}
	defer func() { d.depth-- }()
	switch n.kind {
	case structKind:
		v = indirect(v)
		for _, a := range start.Attr {
			for i := range n.fields {
				f := &n.fields[i]
				if f.m.attr && (f.in == a.Name.Local || strings.HasSuffix(f.in, ":"+a.Name.Local)) {
					if err := f.setText(v.Field(f.index), a.Value, f.format); err != nil {
						return err
					}
				}
			}
		}
		return d.children(func(child xml.StartElement) error {
			fi, ok := n.byName[child.Name.Local]
			if !ok || n.fields[fi].m.attr {
				return d.dec.Skip()
			}
			f := &n.fields[fi]
			return d.member(f, v.Field(f.index), child)
		})
	case unionKind:
		return d.children(func(child xml.StartElement) error {
			fi, ok := n.byName[child.Name.Local]
			if !ok {
				return d.dec.Skip()
			}
			f := &n.fields[fi]
			p := reflect.New(f.union)
			v.Set(p)
			return d.member(f, p.Elem().Field(0), child)
		})
	case listKind:
		v.Set(reflect.MakeSlice(n.typ, 0, 0))
		return d.children(func(child xml.StartElement) error {
			if child.Name.Local != n.elemName {
				return d.dec.Skip()
			}
			return d.element(n, v, child)
		})
	case mapKind:
		v.Set(reflect.MakeMap(n.typ))
		return d.children(func(child xml.StartElement) error {
			if child.Name.Local != "entry" {
				return d.dec.Skip()
			}
			return d.entry(n, v)
		})
	}
	text, err := d.text()
	if err != nil {
		return err
	}
	if n.kind != stringKind {
		text = strings.TrimSpace(text)
	}
	return n.setText(v, text, format)
}

// member reads a structure's member; flattened lists and maps come element by
// element.
func (d *xmlReader) member(f *field, v reflect.Value, start xml.StartElement) error {
	switch {
	case f.flat && f.kind == listKind:
		return d.element(f.node, v, start)
	case f.flat && f.kind == mapKind:
		if v.IsNil() {
			v.Set(reflect.MakeMap(f.typ))
		}
		return d.entry(f.node, v)
	}
	return d.value(f.node, v, start, f.format)
}

func (d *xmlReader) element(n *node, v reflect.Value, start xml.StartElement) error {
	i := v.Len()
	v.Grow(1)
	v.SetLen(i + 1)
	return d.value(n.elem, v.Index(i), start, "")
}

func (d *xmlReader) entry(n *node, m reflect.Value) error {
	key, value := reflect.New(n.typ.Key()).Elem(), reflect.New(n.typ.Elem()).Elem()
	err := d.children(func(child xml.StartElement) error {
		switch child.Name.Local {
		case n.keyName:
			return d.value(n.key, key, child, "")
		case n.valueName:
			return d.value(n.elem, value, child, "")
		}
		return d.dec.Skip()
	})
	if err == nil {
		m.SetMapIndex(key, value)
	}
	return err
}

func (d *xmlReader) children(child func(xml.StartElement) error) error {
	for {
		t, err := d.dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := child(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

func (d *xmlReader) text() (string, error) {
	var b strings.Builder
	for {
		t, err := d.dec.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			return "", xmlError("Start of structure or map found where not expected.")
		case xml.EndElement:
			return b.String(), nil
		}
	}
}
