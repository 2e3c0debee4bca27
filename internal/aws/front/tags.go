package front

import (
	"reflect"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// tagFields says where an input has the tags that it asks for or takes away. The
// services have few ways to write them, always under the same names:
//
//	Tags map[string]string             eks, logs
//	Tags []Tag{Key, Value *string}     iam, sts, elasticloadbalancing, ec2:CreateTags
//	TagSpecifications []{Tags []Tag}   ec2
//	TagKeys []string                   what is taken away
//	Tags []string                      the same, logs:UntagLogGroup
type tagFields struct {
	tags, specifications, names int // index in the struct; -1 without one
}

// findTags looks the fields up, once for each operation.
func findTags(input reflect.Type) tagFields {
	t := tagFields{-1, -1, -1}
	if input.Kind() != reflect.Pointer || input.Elem().Kind() != reflect.Struct {
		return t
	}
	find := func(name string, is func(reflect.Type) bool) int {
		if f, ok := input.Elem().FieldByName(name); ok && len(f.Index) == 1 && is(f.Type) {
			return f.Index[0]
		}
		return -1
	}
	t.tags = find("Tags", func(t reflect.Type) bool { return t == reflect.TypeFor[map[string]string]() || isTags(t) })
	t.specifications = find("TagSpecifications", func(t reflect.Type) bool {
		if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
			return false
		}
		f, ok := t.Elem().FieldByName("Tags")
		return ok && isTags(f.Type)
	})
	isNames := func(t reflect.Type) bool { return t == reflect.TypeFor[[]string]() }
	if t.names = find("TagKeys", isNames); t.names < 0 {
		t.names = find("Tags", isNames)
	}
	return t
}

// isTags says whether a type is a list of structs with Key and Value.
func isTags(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
		return false
	}
	key, hasKey := t.Elem().FieldByName("Key")
	value, hasValue := t.Elem().FieldByName("Value")
	text := reflect.TypeFor[*string]()
	return hasKey && hasValue && key.Type == text && value.Type == text
}

// each calls fn for every tag of the input, until it returns false. A tag that is
// taken away has no value.
func (t tagFields) each(in any, fn func(name string, value *string) bool) {
	v := reflect.ValueOf(in).Elem()
	if t.tags >= 0 && !eachTag(v.Field(t.tags), fn) {
		return
	}
	if t.specifications >= 0 {
		list := v.Field(t.specifications)
		for i := range list.Len() {
			if !eachTag(list.Index(i).FieldByName("Tags"), fn) {
				return
			}
		}
	}
	if t.names >= 0 {
		for _, name := range v.Field(t.names).Interface().([]string) {
			if !fn(name, nil) {
				return
			}
		}
	}
}

// eachTag goes through a map, or a list of tags.
func eachTag(v reflect.Value, fn func(string, *string) bool) bool {
	if tags, ok := v.Interface().(map[string]string); ok {
		for name, value := range tags {
			if !fn(name, &value) {
				return false
			}
		}
		return true
	}
	for i := range v.Len() {
		name, _ := v.Index(i).FieldByName("Key").Interface().(*string)
		value, _ := v.Index(i).FieldByName("Value").Interface().(*string)
		if name != nil && !fn(*name, value) {
			return false
		}
	}
	return true
}

// keys are the values of aws:TagKeys.
func (t tagFields) keys(in any) policy.Values {
	var names []string
	t.each(in, func(name string, _ *string) bool { names = append(names, name); return true })
	return policy.Many(names)
}

// value is aws:RequestTag of a name; names are compared without regard to case.
func (t tagFields) value(in any, name string) (found policy.Values) {
	t.each(in, func(n string, value *string) bool {
		if value == nil || !strings.EqualFold(n, name) {
			return true
		}
		found = policy.One(*value)
		return false
	})
	return found
}
