package wire

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"unicode/utf8"
)

// xmlWriter writes indented XML as AWS's services do.
type xmlWriter struct {
	b      []byte
	depth  int
	indent int    // spaces of one level
	format string // of timestamps without one of their own
}

func (w *xmlWriter) line() {
	start := "\n"
	if n := w.depth * w.indent; n < len(indented) {
		start = indented[:1+n]
	} else {
		start += strings.Repeat(" ", n)
	}
	if len(w.b) == 0 {
		start = start[1:]
	}
	w.b = append(w.b, start...)
}

// indented is a new line, as far as its indent usually goes.
const indented = "\n                                                                "

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

// plainXML are the bytes that stand for themselves in a text.
var plainXML = func() (set [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		set[c] = c != '&' && c != '<' && c != '>' && c != '"'
	}
	set['\n'], set['\t'] = true, true
	return set
}()

// plainXML8 says whether eight bytes are printable ASCII and none of &, <, > and ".
// It may say no where plainXML says yes. All eight are looked at together, as in
// https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord
func plainXML8(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	control := (x - ones*' ') &^ x
	angle := (x | ones*2) ^ ones*'>' // '<' differs from '>' in this bit alone
	other := (x | ones*4) ^ ones*'&' // and '"' from '&' in that
	return (x|control|(angle-ones)&^angle|(other-ones)&^other)&highs == 0
}

// word is the first eight bytes of s. The compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// appendXMLText escapes what must be and what a parser would not give back:
// carriage returns. Characters that XML 1.0 can't say become U+FFFD.
func appendXMLText(b []byte, s string) []byte {
	for {
		n := 0
		for n+8 <= len(s) && plainXML8(word(s[n:])) {
			n += 8
		}
		for n < len(s) && plainXML[s[n]] {
			n++
		}
		b = append(b, s[:n]...)
		if n == len(s) {
			return b
		}
		size := 1
		if s[n] < utf8.RuneSelf {
			b = append(b, escapedXML(s[n])...)
		} else {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[n:]); r == 0xFFFE || r == 0xFFFF {
				r = utf8.RuneError
			}
			b = utf8.AppendRune(b, r)
		}
		s = s[n+size:]
	}
}

// escapedXML is an ASCII character that is not plain.
func escapedXML(c byte) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	case '\r':
		return "&#xD;"
	}
	return "\uFFFD"
}

// structure writes a structure's body members.
func (w *xmlWriter) structure(n *node, v reflect.Value) error {
	for i := range n.fields {
		f := &n.fields[i]
		if !f.element {
			continue
		}
		fv := v.Field(f.index)
		if f.absent(fv) {
			continue
		}
		if f.leaf {
			if err := w.leaf(f, fv); err != nil {
				return err
			}
			continue
		}
		if err := w.value(f.node, f.out, fv, f.format, f.m.namespace); err != nil {
			return err
		}
	}
	return nil
}

// leaf is value for a scalar member, whose tags are ready.
func (w *xmlWriter) leaf(f *field, v reflect.Value) (err error) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	w.line()
	w.b = append(w.b, f.start...)
	if f.kind == stringKind {
		w.b = appendXMLText(w.b, v.String())
	} else if w.b, err = f.appendText(w.b, v, orElse(f.format, w.format)); err != nil {
		return err
	}
	w.b = append(w.b, f.end...)
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
	if !n.attrs {
		return
	}
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
		if prefix, namespace := attributeNamespace(n, f); namespace != "" {
			// The model's own prefix, as S3 writes xsi:type.
			w.b = append(w.b, "xmlns:"+prefix+`="`+namespace+`" `...)
		}
		w.b = append(append(w.b, f.out...), `="`...)
		w.b = append(appendXMLText(w.b, fv.String()), `">`...)
	}
}

// attributeNamespace is the prefix of an attribute and what it stands for. S3's
// model has it on the structure, of which the attribute's name has the prefix.
func attributeNamespace(n *node, f *field) (prefix, namespace string) {
	if f.m.namespace != "" {
		return f.m.nsPrefix, f.m.namespace
	}
	if prefix, _, ok := strings.Cut(f.out, ":"); ok && n.shape != nil {
		return prefix, n.shape.namespace
	}
	return "", ""
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
