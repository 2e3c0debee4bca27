package wire

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Requests of the query protocols: a form of names like Tags.member.1.Key
// (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html,
// https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html).

// pair is one parameter, unescaped.
type pair struct{ key, value string }

// maxDepth bounds nesting in every protocol; AWS's own shapes nest less.
const maxDepth = 64

// parsePairs splits a form or query string. It allocates the slice and what
// must be unescaped, no more.
func parsePairs(text string, into []pair) ([]pair, error) {
	if into == nil {
		into = make([]pair, 0, strings.Count(text, "&")+1)
	}
	for text != "" {
		var part string
		part, text, _ = strings.Cut(text, "&")
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		k, err := unescape(key)
		if err != nil {
			return nil, errMalformedQuery
		}
		v, err := unescape(value)
		if err != nil {
			return nil, errMalformedQuery
		}
		into = append(into, pair{k, v})
	}
	return into, nil
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}

// lookup returns the first value of a parameter.
func lookup(pairs []pair, key string) string {
	for i := range pairs {
		if pairs[i].key == key {
			return pairs[i].value
		}
	}
	return ""
}

// queryReader decodes sorted pairs. Sorting brings each structure's and each
// list's parameters together, so no tree of them needs to be built.
type queryReader struct {
	ec2   bool
	depth int
}

func decodeQuery(call *Call, n *node, v reflect.Value, pairs []pair) error {
	sorted := pairs
	if !slices.IsSortedFunc(pairs, comparePairs) {
		sorted = slices.Clone(pairs)
		slices.SortStableFunc(sorted, comparePairs)
	}
	q := queryReader{ec2: call.proto == ec2Protocol}
	return q.structure(n, v, sorted, 0)
}

func comparePairs(a, b pair) int { return strings.Compare(a.key, b.key) }

// structure reads pairs whose keys all begin with the same off bytes.
func (q *queryReader) structure(n *node, v reflect.Value, pairs []pair, off int) error {
	if q.depth++; q.depth > maxDepth {
		return malformed("Nesting is deeper than %d", maxDepth)
	}
	defer func() { q.depth-- }()
	for i := 0; i < len(pairs); {
		name, end := group(pairs[i:], off)
		part := pairs[i : i+end]
		i += end
		fi, ok := n.byName[name]
		if !ok {
			if q.ec2 && !ignored(name) {
				return errorf(400, "UnknownParameter", "The parameter %s is not recognized", clip(part[0].key))
			}
			continue // the other query services ignore what they don't know
		}
		f := &n.fields[fi]
		if err := q.value(f.node, v.Field(f.index), part, off+len(name), f); err != nil {
			return err
		}
	}
	return nil
}

// ignored names belong to the protocol or to a presigned URL.
func ignored(name string) bool {
	switch name {
	case "Action", "Version", "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "SecurityToken", "Expires", "AUTHPARAMS":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-")
}

// group returns the first name after off and how many pairs share it.
func group(pairs []pair, off int) (name string, n int) {
	rest := pairs[0].key[off:]
	name, _, _ = strings.Cut(rest, ".")
	scalar := len(name) == len(rest)
	for n = 1; n < len(pairs); n++ {
		rest := pairs[n].key[off:]
		if !strings.HasPrefix(rest, name) || len(rest) > len(name) && rest[len(name)] != '.' {
			break
		}
		if scalar && len(rest) > len(name) {
			break // "Tags" and "Tags.1": two groups
		}
	}
	return name, n
}

// value reads one member from the pairs whose keys continue at off with "." or
// end there.
func (q *queryReader) value(n *node, v reflect.Value, pairs []pair, off int, f *field) error {
	leaf := len(pairs[0].key) == off
	switch n.kind {
	case structKind, unionKind, listKind, mapKind:
		if leaf {
			if pairs[0].value != "" {
				return malformed("Unexpected value for %s", pairs[0].key)
			}
			return q.empty(n, v)
		}
		off++ // the dot
	default:
		if !leaf {
			return malformed("Start of structure or map found where not expected.")
		}
		if err := n.setText(v, pairs[0].value, ""); err != nil {
			if q.ec2 {
				return errorf(400, "InvalidParameterValue", "Value (%s) for parameter %s is invalid. It must be %s.", clip(pairs[0].value), pairs[0].key, err.(*badValue).want)
			}
			return malformed("%s must be %s", pairs[0].key, err.(*badValue).want)
		}
		return nil
	}
	switch n.kind {
	case structKind:
		return q.structure(n, indirect(v), pairs, off)
	case unionKind:
		return q.union(n, v, pairs, off)
	case listKind:
		return q.list(n, v, pairs, off)
	default:
		return q.mapping(n, v, pairs, off)
	}
}

// empty is `Tags=`: a list or map that is there, and empty.
func (q *queryReader) empty(n *node, v reflect.Value) error {
	switch n.kind {
	case listKind:
		v.Set(reflect.MakeSlice(n.typ, 0, 0))
	case mapKind:
		v.Set(reflect.MakeMap(n.typ))
	case structKind:
		indirect(v)
	}
	return nil
}

func (q *queryReader) union(n *node, v reflect.Value, pairs []pair, off int) error {
	name, end := group(pairs, off)
	fi, ok := n.byName[name]
	if !ok || end != len(pairs) {
		return malformed("Exactly one member of %s must be set", pairs[0].key[:off-1])
	}
	f := &n.fields[fi]
	p := reflect.New(f.union)
	if err := q.value(f.node, p.Elem().Field(0), pairs, off+len(name), f); err != nil {
		return err
	}
	v.Set(p)
	return nil
}

// entry is one numbered element: its place and its pairs.
type entry struct {
	number, from, to, off int
}

// entries finds the numbered elements, in the order of their numbers.
func entries(pairs []pair, off int) ([]entry, error) {
	var buf [8]entry
	found := buf[:0]
	for i := 0; i < len(pairs); {
		name, end := group(pairs[i:], off)
		number, err := strconv.Atoi(name)
		if err != nil || number < 0 || len(name) > 9 {
			return nil, malformed("%s is not a valid index", clip(name))
		}
		found = append(found, entry{number, i, i + end, off + len(name)})
		i += end
	}
	slices.SortFunc(found, func(a, b entry) int { return a.number - b.number })
	for i := 1; i < len(found); i++ {
		if found[i].number == found[i-1].number {
			return nil, malformed("%s is given twice", pairs[found[i].from].key)
		}
	}
	return found, nil
}

// within strips the word ("member", "entry") between a list's name and its
// indices.
func within(word string, pairs []pair, off int) (int, error) {
	name, end := group(pairs, off)
	if name != word || end != len(pairs) || len(pairs[0].key) == off+len(name) {
		return 0, malformed("Start of list found where not expected")
	}
	return off + len(name) + 1, nil
}

func (q *queryReader) list(n *node, v reflect.Value, pairs []pair, off int) error {
	if q.depth++; q.depth > maxDepth {
		return malformed("Nesting is deeper than %d", maxDepth)
	}
	defer func() { q.depth-- }()
	if !n.flat && !q.ec2 {
		var err error
		if off, err = within(n.elemName, pairs, off); err != nil {
			return err
		}
	}
	found, err := entries(pairs, off)
	if err != nil {
		return err
	}
	s := reflect.MakeSlice(n.typ, len(found), len(found))
	for i, e := range found {
		if err := q.value(n.elem, s.Index(i), pairs[e.from:e.to], e.off, nil); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

func (q *queryReader) mapping(n *node, v reflect.Value, pairs []pair, off int) error {
	if q.depth++; q.depth > maxDepth {
		return malformed("Nesting is deeper than %d", maxDepth)
	}
	defer func() { q.depth-- }()
	if !n.flat && !q.ec2 {
		var err error
		if off, err = within("entry", pairs, off); err != nil {
			return err
		}
	}
	found, err := entries(pairs, off)
	if err != nil {
		return err
	}
	m := reflect.MakeMapWithSize(n.typ, len(found))
	for _, e := range found {
		key, value := reflect.New(n.typ.Key()).Elem(), reflect.New(n.typ.Elem()).Elem()
		part := pairs[e.from:e.to]
		if len(part[0].key) == e.off {
			return malformed("%s must have a key and a value", part[0].key)
		}
		haveKey := false
		for i := 0; i < len(part); {
			name, end := group(part[i:], e.off+1)
			into, target := value, n.elem
			switch name {
			case n.keyName:
				into, target, haveKey = key, n.key, true
			case n.valueName:
			default:
				return malformed("%s must have a key and a value", part[i].key)
			}
			if err := q.value(target, into, part[i:i+end], e.off+1+len(name), nil); err != nil {
				return err
			}
			i += end
		}
		if !haveKey {
			return malformed("%s has no key", part[0].key)
		}
		m.SetMapIndex(key, value)
	}
	v.Set(m)
	return nil
}

// clip bounds what an error repeats of a request.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
