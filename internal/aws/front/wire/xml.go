package wire

import (
	"fmt"
	"reflect"
	"sort"
	"unicode/utf8"
)

// xmlWriter writes indented XML as AWS's services do.
type xmlWriter struct {
	b      []byte
	depth  int
	indent string // one level
	format string // of timestamps without one of their own
}

func (w *xmlWriter) line() {
	if len(w.b) > 0 {
		w.b = append(w.b, '\n')
	}
	for range w.depth {
		w.b = append(w.b, w.indent...)
	}
}

func (w *xmlWriter) open(name, namespace string) {
	w.line()
	w.b = append(append(w.b, '<'), name...)
	if namespace != "" {
		w.b = append(append(append(w.b, ` xmlns="`...), namespace...), '"')
	}
	w.b = append(w.b, '>')
	w.depth++
}

func (w *xmlWriter) close(name string) {
	w.depth--
	w.line()
	w.b = append(append(append(w.b, "</"...), name...), '>')
}

func (w *xmlWriter) empty(name string) {
	w.line()
	w.b = append(append(append(w.b, '<'), name...), "/>"...)
}

func (w *xmlWriter) text(name, text string) {
	w.line()
	w.b = append(append(append(w.b, '<'), name...), '>')
	w.b = appendXMLText(w.b, text)
	w.b = append(append(append(w.b, "</"...), name...), '>')
}

// appendXMLText escapes what must be and what a parser would not give back:
// carriage returns. Characters that XML 1.0 can't say become U+FFFD.
func appendXMLText(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"' {
			i++
			continue
		}
		size, with := 1, ""
		switch {
		case c == '&':
			with = "&amp;"
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c == '"':
			with = "&quot;"
		case c == '\r':
			with = "&#xD;"
		case c == '\n' || c == '\t':
			i++
			continue
		case c < 0x20:
			with = "\uFFFD"
		default:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
				with = "\uFFFD"
			} else {
				i += size
				continue
			}
		}
		b = append(append(b, s[start:i]...), with...)
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

// structure writes a structure's body members.
func (w *xmlWriter) structure(n *node, v reflect.Value) error {
	for i := range n.fields {
		f := &n.fields[i]
		if f.m.location != "" || f.m.attr {
			continue
		}
		fv := v.Field(f.index)
		if f.absent(fv) {
			continue
		}
		if err := w.value(f.node, f.out, fv, f.format, f.m.namespace); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) value(n *node, name string, v reflect.Value, format, namespace string) error {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch n.kind {
	case structKind:
		w.element(n, name, v, namespace)
		at := len(w.b)
		if err := w.structure(n, v); err != nil {
			return err
		}
		w.endElement(name, at)
		return nil
	case unionKind:
		f, value, err := n.chosen(v)
		if err != nil {
			return err
		}
		w.open(name, namespace)
		if err := w.value(f.node, f.out, value, f.format, ""); err != nil {
			return err
		}
		w.close(name)
		return nil
	case listKind:
		return w.list(n, name, v)
	case mapKind:
		return w.mapping(n, name, v)
	case stringKind:
		w.text(name, v.String())
		return nil
	}
	w.line()
	w.b = append(append(append(w.b, '<'), name...), '>')
	var err error
	if w.b, err = n.appendText(w.b, v, orElse(format, w.format)); err != nil {
		return err
	}
	w.b = append(append(append(w.b, "</"...), name...), '>')
	return nil
}

// element opens a structure's element with its attributes.
func (w *xmlWriter) element(n *node, name string, v reflect.Value, namespace string) {
	w.open(name, namespace)
	for i := range n.fields {
		f := &n.fields[i]
		if !f.m.attr || f.absent(v.Field(f.index)) {
			continue
		}
		fv := v.Field(f.index)
		for fv.Kind() == reflect.Pointer {
			fv = fv.Elem()
		}
		w.b = append(w.b[:len(w.b)-1], ' ')
		if f.m.namespace != "" {
			// The model's own prefix, as S3 writes xsi:type.
			w.b = append(w.b, "xmlns:"+f.m.nsPrefix+`="`+f.m.namespace+`" `...)
		}
		w.b = append(append(w.b, f.out...), `="`...)
		w.b = append(appendXMLText(w.b, fv.String()), `">`...)
	}
}

// endElement closes an element, as <name/> if nothing was written since at.
func (w *xmlWriter) endElement(name string, at int) {
	if len(w.b) != at {
		w.close(name)
		return
	}
	w.depth--
	w.b = append(w.b[:at-1], "/>"...)
}

func (w *xmlWriter) list(n *node, name string, v reflect.Value) error {
	if n.flat {
		for i := range v.Len() {
			if err := w.value(n.elem, name, v.Index(i), n.shape.elem.timeFormat, ""); err != nil {
				return err
			}
		}
		return nil
	}
	if v.Len() == 0 {
		w.empty(name)
		return nil
	}
	w.open(name, "")
	for i := range v.Len() {
		if err := w.value(n.elem, n.elemName, v.Index(i), n.shape.elem.timeFormat, n.shape.elem.namespace); err != nil {
			return err
		}
	}
	w.close(name)
	return nil
}

func (w *xmlWriter) mapping(n *node, name string, v reflect.Value) error {
	entry := "entry"
	if n.flat {
		entry = name
	} else {
		if v.Len() == 0 {
			w.empty(name)
			return nil
		}
		w.open(name, "")
	}
	for _, k := range sortedKeys(v) {
		w.open(entry, "")
		w.text(n.keyName, k.String())
		if err := w.value(n.elem, n.valueName, v.MapIndex(k), n.shape.value.timeFormat, ""); err != nil {
			return err
		}
		w.close(entry)
	}
	if !n.flat {
		w.close(name)
	}
	return nil
}

// chosen is the member a union value holds.
func (n *node) chosen(v reflect.Value) (*field, reflect.Value, error) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for i := range n.fields {
		if v.IsValid() && n.fields[i].union == v.Type() {
			return &n.fields[i], v.Field(0), nil
		}
	}
	return nil, v, fmt.Errorf("wire: union %s holds no known member", n.shape.name)
}

// sortedKeys orders a map's keys, so that equal answers are equal bytes.
func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return keys
}
