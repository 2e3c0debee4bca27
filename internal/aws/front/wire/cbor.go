package wire

import (
	"fmt"
	"math"
	"reflect"

	"github.com/aws/smithy-go/encoding/cbor"
)

// RPC v2 CBOR bodies
// (https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html). The
// format itself is smithy-go's; here its values meet the plans.

// epochTag is the tag of timestamps: seconds since 1970 (RFC 8949, 3.4.2).
const epochTag = 1

func decodeCBOR(n *node, v reflect.Value, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if err := boundCBOR(body); err != nil {
		return err
	}
	value, err := cbor.Decode(body)
	if err != nil {
		return serialization("The CBOR is not well-formed")
	}
	return setCBOR(n, v, value, 0)
}

// boundCBOR refuses nesting deeper than maxDepth, before anything recurses.
func boundCBOR(b []byte) error {
	type open struct {
		left       uint64
		indefinite bool
	}
	var stack []open
	bad := serialization("The CBOR is not well-formed")
	for i := 0; i < len(b); {
		major, info := b[i]>>5, b[i]&31
		i++
		if major == 7 && info == 31 { // break
			if len(stack) == 0 || !stack[len(stack)-1].indefinite {
				return bad
			}
			stack = stack[:len(stack)-1]
		} else {
			arg := uint64(info)
			if info >= 24 && info <= 27 {
				size := 1 << (info - 24)
				if len(b)-i < size {
					return bad
				}
				arg = 0
				for _, c := range b[i : i+size] {
					arg = arg<<8 | uint64(c)
				}
				i += size
			} else if info > 27 && info != 31 {
				return bad
			}
			switch major {
			case 2, 3:
				if info == 31 {
					stack = append(stack, open{indefinite: true})
				} else if arg > uint64(len(b)-i) {
					return bad
				} else {
					i += int(arg)
				}
			case 4, 5, 6:
				if major == 5 {
					arg *= 2
				}
				if major == 6 {
					arg = 1
				}
				if info == 31 {
					stack = append(stack, open{indefinite: true})
				} else if arg > uint64(len(b)-i) {
					return bad // more elements than bytes
				} else if arg > 0 {
					stack = append(stack, open{left: arg + 1})
				}
			}
		}
		if len(stack) > maxDepth {
			return serialization("Nesting is too deep")
		}
		for len(stack) > 0 && !stack[len(stack)-1].indefinite {
			top := &stack[len(stack)-1]
			if top.left--; top.left > 0 {
				break
			}
			stack = stack[:len(stack)-1]
		}
	}
	if len(stack) > 0 {
		return bad
	}
	return nil
}

func setCBOR(n *node, v reflect.Value, value cbor.Value, depth int) error {
	if depth > maxDepth {
		return serialization("Nesting is too deep")
	}
	wrong := func() error { return serialization("Unexpected value for %s", n.shape.name) }
	switch value.(type) {
	case *cbor.Nil, *cbor.Undefined:
		return nil
	}
	switch n.kind {
	case structKind, unionKind:
		m, ok := value.(cbor.Map)
		if !ok {
			return wrong()
		}
		for name, item := range m {
			fi, ok := n.byName[name]
			if !ok {
				continue
			}
			f := &n.fields[fi]
			if n.kind == unionKind {
				if !v.IsNil() {
					return wrong()
				}
				p := reflect.New(f.union)
				if err := setCBOR(f.node, p.Elem().Field(0), item, depth+1); err != nil {
					return err
				}
				v.Set(p)
				continue
			}
			if err := setCBOR(f.node, indirect(v).Field(f.index), item, depth+1); err != nil {
				return err
			}
		}
		if n.kind == structKind {
			indirect(v)
		}
		return nil
	case listKind:
		l, ok := value.(cbor.List)
		if !ok {
			return wrong()
		}
		v.Set(reflect.MakeSlice(n.typ, len(l), len(l)))
		for i, item := range l {
			if err := setCBOR(n.elem, v.Index(i), item, depth+1); err != nil {
				return err
			}
		}
		return nil
	case mapKind:
		m, ok := value.(cbor.Map)
		if !ok {
			return wrong()
		}
		v.Set(reflect.MakeMapWithSize(n.typ, len(m)))
		for k, item := range m {
			key, into := reflect.New(n.typ.Key()).Elem(), reflect.New(n.typ.Elem()).Elem()
			key.SetString(k)
			if err := setCBOR(n.elem, into, item, depth+1); err != nil {
				return err
			}
			v.SetMapIndex(key, into)
		}
		return nil
	}
	return setCBORScalar(n, v, value, wrong)
}

func setCBORScalar(n *node, v reflect.Value, value cbor.Value, wrong func() error) error {
	switch x := value.(type) {
	case cbor.String:
		if n.kind == stringKind {
			indirect(v).SetString(string(x))
			return nil
		}
	case cbor.Bool:
		if n.kind == boolKind {
			indirect(v).SetBool(bool(x))
			return nil
		}
	case cbor.Slice:
		if n.kind == blobKind {
			n.setBlob(v, x)
			return nil
		}
	case *cbor.Tag:
		if f, ok := cborFloat(x.Value); ok && n.kind == timeKind && x.ID == epochTag {
			if t, ok := unixTime(f); ok {
				indirect(v).Set(reflect.ValueOf(t))
				return nil
			}
		}
	default:
		f, ok := cborFloat(x)
		switch {
		case ok && n.kind == floatKind:
			indirect(v).SetFloat(f)
			return nil
		case n.kind == intKind:
			if i, ok := cborInt(x); ok && n.setInt(indirect(v), i) {
				return nil
			}
		}
	}
	return wrong()
}

func cborInt(value cbor.Value) (int64, bool) {
	switch x := value.(type) {
	case cbor.Uint:
		return int64(x), x <= math.MaxInt64
	case cbor.NegInt: // holds the magnitude
		return int64(-x), x <= math.MaxInt64
	}
	return 0, false
}

func cborFloat(value cbor.Value) (float64, bool) {
	switch x := value.(type) {
	case cbor.Uint:
		return float64(x), true
	case cbor.NegInt:
		return -float64(x), true
	case cbor.Float32:
		return float64(x), true
	case cbor.Float64:
		return float64(x), true
	}
	return 0, false
}

// cborOf turns an output value into CBOR's.
func cborOf(n *node, v reflect.Value) (cbor.Value, error) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return &cbor.Nil{}, nil
		}
		v = v.Elem()
	}
	switch n.kind {
	case structKind:
		m := cbor.Map{}
		for i := range n.fields {
			f := &n.fields[i]
			fv := v.Field(f.index)
			if f.absent(fv) {
				continue
			}
			item, err := cborOf(f.node, fv)
			if err != nil {
				return nil, err
			}
			m[f.out] = item
		}
		return m, nil
	case unionKind:
		f, value, err := n.chosen(v)
		if err != nil {
			return nil, err
		}
		item, err := cborOf(f.node, value)
		return cbor.Map{f.out: item}, err
	case listKind:
		l := make(cbor.List, v.Len())
		for i := range l {
			var err error
			if l[i], err = cborOf(n.elem, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return l, nil
	case mapKind:
		m := cbor.Map{}
		for _, k := range v.MapKeys() {
			item, err := cborOf(n.elem, v.MapIndex(k))
			if err != nil {
				return nil, err
			}
			m[k.String()] = item
		}
		return m, nil
	case stringKind:
		return cbor.String(v.String()), nil
	case boolKind:
		return cbor.Bool(v.Bool()), nil
	case intKind:
		if i := v.Int(); i < 0 {
			return cbor.NegInt(uint64(-i)), nil
		} else {
			return cbor.Uint(i), nil
		}
	case floatKind:
		return cbor.Float64(v.Float()), nil
	case timeKind:
		return &cbor.Tag{ID: epochTag, Value: cbor.Float64(float64(timeOf(v).UnixMilli()) / 1000)}, nil
	case blobKind:
		b, err := n.blob(v)
		return cbor.Slice(b), err
	}
	return nil, fmt.Errorf("wire: %s can not be sent", n.shape.name)
}
