package cases

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Error is a fault of a file, and where it is.
type Error struct {
	File         string
	Line, Column int // from 1; 0: the file as a whole
	Text         string
}

// Error is the fault as compilers say it: file:line:column: text.
func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place += ":" + strconv.Itoa(e.Line)
		if e.Column > 0 {
			place += ":" + strconv.Itoa(e.Column)
		}
	}
	return place + ": " + e.Text
}

// Bounds of a file, against those that grow when their aliases are followed.
const (
	maxDepth    = 64
	maxCases    = 100_000
	maxGroups   = 20_000  // of cases, and cases as written
	maxRendered = 1 << 20 // bytes of one policy
)

// source is a text of YAML and its name, to which errors point.
type source struct {
	name string
	text string
}

func (s *source) fail(n *yaml.Node, format string, args ...any) error {
	return &Error{File: s.name, Line: n.Line, Column: n.Column, Text: fmt.Sprintf(format, args...)}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:while .* )?line (\d+): (.*)$`)

// root parses the text, which must hold one value.
func (s *source) root() (*yaml.Node, error) {
	if strings.TrimSpace(s.text) == "" {
		return nil, &Error{File: s.name, Text: "the file is empty"}
	}
	d := yaml.NewDecoder(strings.NewReader(s.text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil && err != io.EOF {
		return nil, s.syntax(err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" {
		return nil, &Error{File: s.name, Text: "the file says nothing"}
	}
	if d.Decode(&more) == nil {
		return nil, s.fail(&more, "a second document begins here; a file holds one")
	}
	return doc.Content[0], nil
}

// syntax gives an error of the YAML library its line, which it has in its text.
func (s *source) syntax(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	out := &Error{File: s.name, Text: "not YAML or JSON: " + text}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		out.Line, _ = strconv.Atoi(m[1])
		out.Text = "not YAML or JSON: " + m[2]
	}
	return out
}

// follow is the node itself, or what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf says in words what a node is.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// pairs calls fn for each key of a mapping.
func (s *source) pairs(n *yaml.Node, what string, fn func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return s.fail(n, "%s is a mapping, not %s", what, kindOf(n))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), follow(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			return s.fail(key, "a key of %s is a string, not %s", what, kindOf(key))
		}
		if seen[key.Value] {
			return s.fail(key, "%q is given twice", key.Value)
		}
		seen[key.Value] = true
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

// fields reads a mapping of which all keys are known.
func (s *source) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node) error) error {
	return s.pairs(n, what, func(key, value *yaml.Node) error {
		read, ok := known[key.Value]
		if !ok {
			return s.fail(key, "%s has no field %q; %s", what, key.Value, suggest(key.Value, known))
		}
		return read(value)
	})
}

// suggest names the known field nearest to a wrong one, or else all of them.
func suggest[V any](wrong string, known map[string]V) string {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	best, least := "", 3
	for _, name := range names {
		if d := distance(strings.ToLower(wrong), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best != "" {
		return "is it " + best + "?"
	}
	if len(names) == 0 {
		return "there are none"
	}
	return "there are " + strings.Join(names, ", ")
}

// distance counts the letters to add, drop or change between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// str reads a scalar as it is spelled: an account without quotes keeps its zeros.
func (s *source) str(into *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || isNull(n) {
			return s.fail(n, "a string is expected here, not %s", kindOf(n))
		}
		*into = n.Value
		return nil
	}
}

// strOrNull reads a scalar, or null, which takes back what a group said.
func (s *source) strOrNull(into *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if *into = ""; isNull(n) {
			return nil
		}
		return s.str(into)(n)
	}
}

// list calls fn for the items of a list, or for a lone value.
func (s *source) list(n *yaml.Node, fn func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return fn(n)
	}
	for _, item := range n.Content {
		if err := fn(follow(item)); err != nil {
			return err
		}
	}
	return nil
}

// strs reads a string or a list of strings.
func (s *source) strs(into *[]string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		*into = []string{}
		return s.list(n, func(item *yaml.Node) error {
			var text string
			if err := s.str(&text)(item); err != nil {
				return err
			}
			*into = append(*into, text)
			return nil
		})
	}
}
