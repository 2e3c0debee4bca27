package cases

import (
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Context are the condition keys of a request, in lower case.
type Context map[string][]string

// Values implements policy.Keys.
func (c Context) Values(name string) policy.Values { return policy.Many(c[name]) }

// NewContext makes a Context of keys in any spelling.
func NewContext(keys map[string][]string) Context {
	c := Context{}
	for key, v := range keys {
		c.set(key, v...)
	}
	return c
}

func (c Context) set(key string, values ...string) { c[strings.ToLower(key)] = values }

// over lays c over a base: a key that is there with no values is absent.
func (c Context) over(base Context) Context {
	out := Context{}
	maps.Copy(out, base)
	maps.Copy(out, c)
	return out
}

// contexts reads one set of keys, or a list of them. Checked are keys and values
// that AWS has.
func (s *source) contexts(into *[]Context, checked bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		*into = []Context{}
		return s.list(n, func(item *yaml.Node) error {
			c, err := s.context(item, checked)
			*into = append(*into, c)
			return err
		})
	}
}

// context reads key → value or values. Null says that the key is absent, which
// an empty list means too.
func (s *source) context(n *yaml.Node, checked bool) (Context, error) {
	c := Context{}
	if isNull(n) {
		return c, nil
	}
	return c, s.pairs(n, "context", func(key, value *yaml.Node) error {
		var values []string
		if !isNull(value) {
			if err := s.strs(&values)(value); err != nil {
				return err
			}
		}
		name := strings.ToLower(key.Value)
		if _, ok := c[name]; ok {
			return s.fail(key, "%q is given twice: condition keys are the same in any case of letters", key.Value)
		}
		if !strings.Contains(name, ":") {
			return s.fail(key, "condition key %q has no prefix, such as aws: or s3:", key.Value)
		}
		c[name] = values
		if checked {
			return s.checkKey(key, value)
		}
		return nil
	})
}
