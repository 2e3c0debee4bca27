package cloudtrail

import (
	"encoding/base64"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// deepest bounds the nesting of recorded values; API inputs stay far below.
const deepest = 32

var timeType = reflect.TypeFor[time.Time]()

// plan is how a struct type is written: its fields and their names as keys.
type plan struct{ fields []planField }

type planField struct {
	index int
	key   string // with quotes and colon: `"roleName":`
}

// leftOut are fields that hold secrets, under whatever type or (TYPE.FIELD) of one:
// CloudTrail shows neither them nor a trace of their length.
var leftOut = map[string]bool{
	"Password": true, "OldPassword": true, "NewPassword": true, "MasterUserPassword": true,
	"SecretAccessKey": true, "PrivateKey": true, "KeyMaterial": true,
	"WebIdentityToken": true, "SAMLAssertion": true, "TokenCode": true, "Token": true,
	"AuthenticationCode1": true, "AuthenticationCode2": true,
	"SecretString": true, "SecretBinary": true, "Plaintext": true,
	"Base32StringSeed": true, "QRCodePNG": true, "ServicePassword": true,
	"UserData": true, "SecureString": true,
	"ParameterValue": true, "ResolvedValue": true, // CloudFormation's, of which some are not to be echoed

	"PutParameterInput.Value": true,                                           // SSM's
	"PublishInput.Message":    true, "PublishBatchRequestEntry.Message": true, // SNS's
	"UploadLayerPartInput.LayerPartBlob": true, // ECR's

	"ResultMetadata": true, // the SDK's own, not of the API
	"Body":           true, // S3's: an object's bytes
	"SSECustomerKey": true, "CopySourceSSECustomerKey": true,
}

func (enc *encoder) plan(t reflect.Type) *plan {
	if p, ok := enc.plans[t]; ok {
		return p
	}
	p := &plan{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Anonymous || leftOut[f.Name] || leftOut[t.Name()+"."+f.Name] {
			continue
		}
		key := append(appendString(nil, keyOf(t, f.Name)), ':')
		p.fields = append(p.fields, planField{index: i, key: string(key)})
	}
	enc.plans[t] = p
	return p
}

// value appends any value an SDK struct can hold. What is unset is left out of
// its struct.
func (enc *encoder) value(b []byte, v reflect.Value, depth int) []byte {
	if depth > deepest {
		return append(b, "null"...)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, "null"...)
		}
		inner := v.Elem()
		if v.Kind() == reflect.Interface && inner.Kind() == reflect.Pointer {
			return enc.union(b, inner, depth)
		}
		return enc.value(b, inner, depth)
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
		return append(b, "null"...)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes()), '"')
		}
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = enc.value(b, v.Index(i), depth+1)
		}
		return append(b, ']')
	case reflect.Map:
		return enc.mapping(b, v, depth)
	case reflect.Struct:
		if v.Type() == timeType {
			return moment(b, v.Interface().(time.Time))
		}
		b = append(b, '{')
		empty := true
		for _, f := range enc.plan(v.Type()).fields {
			field := v.Field(f.index)
			if unset(field) {
				continue
			}
			if !empty {
				b = append(b, ',')
			}
			empty = false
			b = append(b, f.key...)
			b = enc.value(b, field, depth+1)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// unset reports whether a field carries nothing. Enumerations and numbers that
// are not pointers are unset when zero.
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Func, reflect.Chan:
		return true
	}
	return v.IsZero()
}

// union appends a tagged union, {"member":value}: the SDK names its struct
// INTERFACEMemberMEMBER and gives it one field, Value.
func (enc *encoder) union(b []byte, p reflect.Value, depth int) []byte {
	if p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return append(b, "null"...)
	}
	_, member, ok := strings.Cut(p.Elem().Type().Name(), "Member")
	value := p.Elem().FieldByName("Value")
	if !ok || !value.IsValid() {
		return append(b, "null"...)
	}
	b = append(appendString(append(b, '{'), lowerFirst(member)), ':')
	return append(enc.value(b, value, depth+1), '}')
}

func (enc *encoder) mapping(b []byte, v reflect.Value, depth int) []byte {
	if v.Type().Key().Kind() != reflect.String {
		return append(b, "null"...)
	}
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key.String()), ':')
		b = enc.value(b, v.MapIndex(key), depth+1)
	}
	return append(b, '}')
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// appendString appends a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		ch := s[i]
		if ch >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
				b = append(b, s[from:i]...)
				switch r {
				case utf8.RuneError:
					b = append(b, `\ufffd`...)
				default:
					b = append(b, `\u202`...)
					b = append(b, digits[r&15])
				}
				i += n
				from = i
				continue
			}
			i += n
			continue
		}
		if ch >= ' ' && ch != '"' && ch != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch ch {
		case '"', '\\':
			b = append(b, '\\', ch)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', digits[ch>>4], digits[ch&15])
		}
		i++
		from = i
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
