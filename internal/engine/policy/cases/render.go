package cases

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mark says at which place of the file the text of a policy goes on from offset.
type mark struct{ offset, line, column int }

// renderer writes YAML as JSON, and keeps where each value stood.
type renderer struct {
	src   *source
	out   strings.Builder
	marks []mark
}

// render is a node as JSON text. What YAML reads as a date stays the text that it
// is, for Version 2012-10-17 is one.
func (s *source) render(n *yaml.Node, prefix, suffix string) (text string, marks []mark, err error) {
	r := renderer{src: s}
	r.mark(n)
	r.out.WriteString(prefix)
	if err := r.value(n, 0); err != nil {
		return "", nil, err
	}
	r.out.WriteString(suffix)
	return r.out.String(), r.marks, nil
}

func (r *renderer) mark(n *yaml.Node) {
	r.marks = append(r.marks, mark{r.out.Len(), n.Line, n.Column})
}

func (r *renderer) value(n *yaml.Node, depth int) error {
	n = follow(n)
	if depth > maxDepth || r.out.Len() > maxRendered {
		return r.src.fail(n, "the policy is too large or too deep")
	}
	r.mark(n)
	switch n.Kind {
	case yaml.MappingNode:
		return r.mapping(n, depth)
	case yaml.SequenceNode:
		r.out.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				r.out.WriteByte(',')
			}
			if err := r.value(item, depth+1); err != nil {
				return err
			}
		}
		r.out.WriteByte(']')
		return nil
	}
	r.scalar(n)
	return nil
}

func (r *renderer) mapping(n *yaml.Node, depth int) error {
	r.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			r.out.WriteByte(',')
		}
		key := follow(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			return r.src.fail(key, "a key is a string, not %s", kindOf(key))
		}
		r.mark(key)
		r.quote(key.Value)
		r.out.WriteByte(':')
		if err := r.value(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	r.out.WriteByte('}')
	return nil
}

func (r *renderer) scalar(n *yaml.Node) {
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		r.out.WriteString("null")
	case tag == "!!bool":
		r.out.WriteString(strings.ToLower(n.Value))
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(n.Value)):
		r.out.WriteString(n.Value)
	default:
		r.quote(n.Value)
	}
}

func (r *renderer) quote(s string) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string is always encoded
	r.out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// placeIn finds where in the file an offset of the rendered text came from.
func placeIn(marks []mark, offset int) (line, column int) {
	i := sort.Search(len(marks), func(i int) bool { return marks[i].offset > offset })
	if i == 0 {
		return 0, 0
	}
	// Of several marks at one offset the last is the most exact.
	return marks[i-1].line, marks[i-1].column
}
