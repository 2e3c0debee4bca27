package wire

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// node is a plan: a shape of a table joined with a Go type, for one protocol.
type node struct {
	kind  kind
	shape *shape
	typ   reflect.Type // never a pointer
	proto protocol

	fields []field        // of structures and unions, in the model's order
	byName map[string]int // body names (as read) to fields
	body   bool           // any field travels in the body
	bound  bool           // any field travels elsewhere
	attrs  bool           // any field is an XML attribute

	payload int // the field that is the whole body; -1 without

	elem, key *node
	// Names of list elements and map entries in XML and query.
	elemName, keyName, valueName string
	flat                         bool
	timeFormat                   string
	bytes                        bool // a Go []byte
}

// field is a member of a structure.
type field struct {
	*node
	m       *member
	index   int          // of the Go field
	ptr     bool         // the Go field is a pointer
	in, out string       // its name in a request's and a response's body
	union   reflect.Type // of a union: the struct that implements the member
	format  string       // timestamp format of this use

	// In XML: whether it is an element of the body, or an element without
	// others in it, and its tags.
	element, leaf bool
	start, end    string
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	bytesType  = reflect.TypeFor[[]byte]()
	readerType = reflect.TypeFor[io.Reader]()
)

type planKey struct {
	shape string
	typ   reflect.Type
	proto protocol
	flat  bool
	name  string // wire name of a flattened list's use, else ""
}

// plans caches compiled nodes; recursive shapes find themselves there.
type plans struct {
	mu    sync.Mutex
	nodes map[planKey]*node
}

// compile plans the use of a shape as a Go type. A use without a shape is an
// operation without input or output.
func (p *plans) compile(t *table, r ref, typ reflect.Type, proto protocol) (*node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nodes == nil {
		p.nodes = map[planKey]*node{}
	}
	if r.shape == "" {
		return &node{kind: structKind, shape: &shape{kind: structKind}, typ: typ, proto: proto, payload: -1}, nil
	}
	c := compiler{plans: p, table: t, proto: proto, added: map[planKey]*node{}}
	n, err := c.use(r, typ, "")
	if err != nil {
		return nil, err
	}
	for k, n := range c.added {
		p.nodes[k] = n
	}
	return n, nil
}

// compiler keeps what one compilation adds, so that a failed one leaves
// nothing half-made behind.
type compiler struct {
	plans *plans
	table *table
	proto protocol
	added map[planKey]*node
}

func (c *compiler) use(r ref, typ reflect.Type, wire string) (*node, error) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	sh, err := c.table.shape(r.shape)
	if err != nil {
		return nil, err
	}
	key := planKey{shape: r.shape, typ: typ, proto: c.proto}
	if sh.kind == listKind || sh.kind == mapKind {
		key.flat = r.flat || sh.flat
		if key.flat {
			key.name = wire
		}
	}
	if n, ok := c.plans.nodes[key]; ok {
		return n, nil
	}
	if n, ok := c.added[key]; ok {
		return n, nil
	}
	n := &node{kind: sh.kind, shape: sh, typ: typ, proto: c.proto, payload: -1, timeFormat: sh.timeFormat, flat: key.flat}
	c.added[key] = n
	if err := c.fill(n, wire); err != nil {
		return nil, err
	}
	return n, nil
}

func (c *compiler) fill(n *node, wire string) error {
	mismatch := fmt.Errorf("wire: shape %s does not fit the Go type %s", n.shape.name, n.typ)
	k := n.typ.Kind()
	switch n.kind {
	case structKind:
		if k != reflect.Struct {
			return mismatch
		}
		return c.structure(n)
	case unionKind:
		if k != reflect.Interface {
			return mismatch
		}
		return c.union(n)
	case eventsKind:
		return nil
	case listKind:
		if k != reflect.Slice {
			return mismatch
		}
		n.elemName = n.shape.elem.wire
		if n.elemName == "" {
			n.elemName = "member"
			if n.flat {
				n.elemName = wire
			}
		}
		var err error
		n.elem, err = c.use(n.shape.elem, n.typ.Elem(), "")
		return err
	case mapKind:
		if k != reflect.Map {
			return mismatch
		}
		n.keyName, n.valueName = orElse(n.shape.key.wire, "key"), orElse(n.shape.value.wire, "value")
		n.elemName = "entry"
		if n.flat {
			n.elemName = wire
		}
		var err error
		if n.key, err = c.use(n.shape.key, n.typ.Key(), ""); err != nil {
			return err
		}
		n.elem, err = c.use(n.shape.value, n.typ.Elem(), "")
		return err
	case stringKind:
		switch k {
		case reflect.String:
		case reflect.Int32: // the SDK makes numbers of some, such as Route 53's MaxItems
			n.kind = intKind
		default:
			return mismatch
		}
	case boolKind:
		if k != reflect.Bool {
			return mismatch
		}
	case intKind:
		if !n.typ.ConvertibleTo(reflect.TypeFor[int64]()) || k == reflect.Float32 || k == reflect.Float64 || k == reflect.String {
			return mismatch
		}
	case floatKind:
		if k != reflect.Float32 && k != reflect.Float64 {
			return mismatch
		}
	case timeKind:
		if n.typ != timeType {
			return mismatch
		}
	case blobKind:
		switch {
		case n.typ == bytesType:
			n.bytes = true
		case k == reflect.Interface && n.typ.Implements(readerType):
		default:
			return mismatch
		}
	}
	return nil
}

func (c *compiler) structure(n *node) error {
	n.byName = make(map[string]int, len(n.shape.members))
	for i := range n.shape.members {
		m := &n.shape.members[i]
		sf, ok := n.typ.FieldByName(fieldName(m))
		if !ok {
			continue // the SDK dropped this member; the coverage test looks the other way
		}
		node, err := c.use(m.ref, sf.Type, orElse(m.wire, m.name))
		if err != nil {
			return err
		}
		f := field{node: node, m: m, index: sf.Index[0], ptr: sf.Type.Kind() == reflect.Pointer, format: m.timeFormat}
		c.name(&f)
		n.add(f)
		if m.name == n.shape.payload {
			n.payload = len(n.fields) - 1
		}
	}
	return nil
}

func (c *compiler) union(n *node) error {
	n.byName = make(map[string]int, len(n.shape.members))
	concrete := map[string]reflect.Type{}
	for _, t := range unionMembers(n.typ) {
		concrete[strings.TrimPrefix(t.Name(), n.typ.Name()+"Member")] = t
	}
	for i := range n.shape.members {
		m := &n.shape.members[i]
		t, ok := concrete[fieldName(m)]
		if !ok {
			continue
		}
		node, err := c.use(m.ref, t.Field(0).Type, orElse(m.wire, m.name))
		if err != nil {
			return err
		}
		f := field{node: node, m: m, union: t, ptr: t.Field(0).Type.Kind() == reflect.Pointer, format: m.timeFormat}
		c.name(&f)
		n.add(f)
	}
	return nil
}

// name settles what a member is called in bodies of this protocol.
func (c *compiler) name(f *field) {
	wire := orElse(f.m.wire, f.m.name)
	f.in, f.out = wire, wire
	switch c.proto {
	case ec2Protocol:
		// https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
		f.in = orElse(f.m.query, capitalize(wire))
	case queryProtocol:
		if f.kind == listKind && f.flat && f.shape.elem.wire != "" {
			f.in = f.shape.elem.wire
		}
	case cborRPC:
		f.in, f.out = f.m.name, f.m.name
	}
	if f.flat && c.proto.xml() {
		f.out = f.elemName
		if c.proto == restXML {
			f.in = f.elemName
		}
	}
	if f.format == "" {
		f.format = f.timeFormat
	}
}

func (n *node) add(f field) {
	if f.m.location == "" && f.m.name != n.shape.payload {
		n.byName[f.in] = len(n.fields)
		n.body = true
	} else {
		n.bound = true
	}
	f.element = f.m.location == "" && !f.m.attr
	f.leaf = f.element && f.kind >= stringKind && f.kind <= blobKind
	f.start, f.end = "<"+f.out+">", "</"+f.out+">"
	n.attrs = n.attrs || f.m.attr
	n.fields = append(n.fields, f)
}

func fieldName(m *member) string { return orElse(m.goName, capitalize(m.name)) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 || unicode.IsUpper(r) {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// indirect returns the value v holds or points to, allocating where asked.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return v
}

// absent tells whether an output value has nothing to say. Plain numbers and
// booleans always speak: the SDK gives them no way to be absent.
func (n *node) absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0 // an enumeration's zero
	}
	return false
}
