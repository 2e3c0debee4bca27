package cases

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// checkedActions reads actions, which the reference must have unless the case is
// unchecked.
func (s *source) checkedActions(g *group) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := s.strs(&g.actions)(n); err != nil || g.unchecked {
			return err
		}
		return s.list(n, func(item *yaml.Node) error {
			if !isAction(item.Value) {
				return nil // which Check says, with what is wanted
			}
			return s.doubted(item, DoubtAction(item.Value))
		})
	}
}

// doubted is the error of a name that is likely wrong.
func (s *source) doubted(n *yaml.Node, d *Doubt) error {
	if d == nil || !d.Sure {
		return nil
	}
	return s.fail(n, "%s (unchecked: true lets it be)", d.Text)
}

// checkKey checks a condition key and its values.
func (s *source) checkKey(key, value *yaml.Node) error {
	if err := s.doubted(key, DoubtKey(key.Value)); err != nil || isNull(value) {
		return err
	}
	return s.list(value, func(item *yaml.Node) error {
		if err := CheckValue(key.Value, item.Value); err != nil {
			return s.fail(item, "%v", err)
		}
		return nil
	})
}

// unchecked reads the field of that name, on which depends how others are read.
func (s *source) unchecked(n *yaml.Node, into *bool) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "unchecked" {
			continue
		}
		v := follow(n.Content[i+1])
		if v.ShortTag() != "!!bool" {
			return s.fail(v, "unchecked is true or false, not %s", kindOf(v))
		}
		*into = strings.EqualFold(v.Value, "true")
	}
	return nil
}
