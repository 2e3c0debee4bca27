package ec2

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// attributes are what a kind of resource can be filtered by: the values that one
// resource has of each. Tags are added by matcher.
type attributes[T any] map[string]func(T) []string

// matcher compiles filters. All must match; of one, any value.
func matcher[T any](filters []types.Filter, known attributes[T], tags func(T) map[string]string) (func(T) bool, error) {
	var tests []func(T) bool
	for _, f := range filters {
		name := aws.ToString(f.Name)
		values, err := attribute(name, known, tags)
		if err != nil {
			return nil, err
		}
		if len(f.Values) == 0 {
			return nil, api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "The filter '%s' has no values", name)
		}
		patterns := make([]*regexp.Regexp, len(f.Values))
		for i, v := range f.Values {
			patterns[i] = pattern(v)
		}
		tests = append(tests, func(resource T) bool {
			return slices.ContainsFunc(values(resource), func(have string) bool {
				return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(have) })
			})
		})
	}
	return func(resource T) bool {
		return !slices.ContainsFunc(tests, func(test func(T) bool) bool { return !test(resource) })
	}, nil
}

func attribute[T any](name string, known attributes[T], tags func(T) map[string]string) (func(T) []string, error) {
	if values, ok := known[name]; ok {
		return values, nil
	}
	if name == "tag-key" && tags != nil {
		return func(r T) []string {
			var keys []string
			for k := range tags(r) {
				keys = append(keys, k)
			}
			return keys
		}, nil
	}
	if key, ok := strings.CutPrefix(name, "tag:"); ok && tags != nil {
		return func(r T) []string {
			if v, ok := tags(r)[key]; ok {
				return []string{v}
			}
			return nil
		}, nil
	}
	return nil, api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "The filter '%s' is invalid", name)
}

// pattern compiles a filter's value: * is any characters, ? is one, \ makes the
// next character itself. Case matters.
func pattern(value string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	escaped := false
	for _, r := range value {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			b.WriteString(".*")
		case r == '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if escaped {
		b.WriteString(`\\`)
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}
