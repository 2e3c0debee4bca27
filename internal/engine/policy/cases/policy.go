package cases

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Policy is a policy of a case and where it was written.
type Policy struct {
	// Name is that of the shared part, the path of its file, or where it begins
	// when it stands in the case itself.
	Name     string
	Document *policy.Document
	Source   policy.Source
	place    func(offset int) (file string, line, column int)
}

// Place translates an offset of the document's text to the file it was written
// in. Line and column are 0 when only the file is known.
func (p *Policy) Place(offset int) (file string, line, column int) { return p.place(offset) }

// Statement names a statement of the policy: by its Sid, or else by its index.
func (p *Policy) Statement(index int) string {
	if index < 0 || index >= len(p.Document.Statements) {
		return ""
	}
	if sid := p.Document.Statements[index].Sid; sid != "" {
		return sid
	}
	return fmt.Sprintf("Statement[%d]", index)
}

// draft is a policy as written, before a layer says of which kind it is. One
// draft of the shared part may serve in layers of several kinds.
type draft struct {
	name  string
	arn   string
	text  string
	place func(offset int) (file string, line, column int)
	made  map[policy.Kind]*Policy
}

// as parses the policy as one of a kind.
func (d *draft) as(kind policy.Kind) (*Policy, error) {
	if p := d.made[kind]; p != nil {
		return p, nil
	}
	doc, err := policy.Parse(kind, d.text)
	if err != nil {
		return nil, d.refused(err)
	}
	p := &Policy{
		Name: d.name, Document: doc, place: d.place,
		Source: policy.Source{ARN: d.arn, Policy: policy.Compile(doc)},
	}
	if d.made == nil {
		d.made = map[policy.Kind]*Policy{}
	}
	d.made[kind] = p
	return p, nil
}

// refused points the parser's error at the file.
func (d *draft) refused(err error) error {
	var e *policy.Error
	if !errors.As(err, &e) {
		return err
	}
	out := &Error{Text: e.Message}
	if e.Detail != "" {
		out.Text += " (" + e.Detail + ")"
	}
	out.File, out.Line, out.Column = d.place(offsetOf(d.text, e.Line, e.Column))
	switch out.File {
	case d.name:
	case "":
		out.File = d.name
	default:
		out.Text = "policy " + strings.TrimPrefix(d.name, "the policy ") + ": " + out.Text
	}
	return out
}

// offsetOf is the inverse of policy.Document's Position.
func offsetOf(text string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(text[offset:], '\n')
		if i < 0 {
			return len(text)
		}
		offset += i + 1
	}
	for ; column > 1 && offset < len(text); column-- {
		_, size := utf8.DecodeRuneInString(text[offset:])
		offset += size
	}
	return offset
}

// library reads policies wherever they are written, each file once.
type library struct {
	src    *source
	read   Reader
	shared map[string]*draft
	files  map[string]*draft
}

// define reads the shared part: name → policy.
func (l *library) define(n *yaml.Node) error {
	return l.src.pairs(n, "policies", func(key, value *yaml.Node) error {
		d, err := l.draft(value, true)
		if err != nil {
			return err
		}
		l.shared[key.Value] = d.renamed(key.Value, d.arn)
		return nil
	})
}

// renamed is a copy: a file's draft may have other names too.
func (d *draft) renamed(name, arn string) *draft {
	return &draft{name: name, arn: arn, text: d.text, place: d.place}
}

// managed reads {arn, document}.
func (l *library) managed(n *yaml.Node, sharing bool) (*draft, error) {
	var arn string
	var body *yaml.Node
	err := l.src.fields(n, "a policy", map[string]func(*yaml.Node) error{
		"arn":      l.src.str(&arn),
		"document": func(v *yaml.Node) error { body = v; return nil },
	})
	if err != nil {
		return nil, err
	}
	if arn == "" {
		return nil, l.src.fail(n, "a policy with a document has an arn too")
	}
	if body.Kind == yaml.MappingNode && has(body, "document") {
		return nil, l.src.fail(body, "a document is a policy itself")
	}
	d, err := l.draft(body, sharing)
	if err != nil {
		return nil, err
	}
	return d.renamed(arn, arn), nil
}

func has(n *yaml.Node, field string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == field {
			return true
		}
	}
	return false
}

// draft reads one policy: a mapping, JSON text, the name of a shared one or the
// path of a file. In the shared part itself there are no names yet.
func (l *library) draft(n *yaml.Node, sharing bool) (*draft, error) {
	switch {
	case n.Kind == yaml.MappingNode && has(n, "document"):
		return l.managed(n, sharing)
	case n.Kind == yaml.MappingNode:
		return l.inline(n)
	case n.Kind != yaml.ScalarNode || isNull(n):
		return nil, l.src.fail(n, "a policy is a mapping, JSON text, a name or a path, not %s", kindOf(n))
	case strings.HasPrefix(strings.TrimSpace(n.Value), "{"):
		return &draft{name: l.here(n), text: n.Value, place: l.src.inScalar(n)}, nil
	}
	if d := l.shared[n.Value]; d != nil && !sharing {
		return d, nil
	}
	if !isPath(n.Value) {
		return nil, l.src.fail(n, "no policy %q is defined under policies; %s", n.Value, suggest(n.Value, l.shared))
	}
	return l.file(n)
}

func isPath(s string) bool {
	if isAWSPolicy(s) {
		return true
	}
	for _, end := range []string{".json", ".yaml", ".yml"} {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || strings.HasPrefix(s, "/")
}

// isAWSPolicy recognises the ARN of an AWS managed policy, which is read like a
// file.
func isAWSPolicy(s string) bool {
	return strings.HasPrefix(s, "arn:") && strings.Contains(s, ":iam::aws:policy/")
}

// here names a policy that stands where it is used.
func (l *library) here(n *yaml.Node) string { return fmt.Sprintf("the policy at line %d", n.Line) }

// inline reads a policy written as YAML. A statement alone is a policy of that
// one statement, in today's version of the language.
func (l *library) inline(n *yaml.Node) (*draft, error) {
	d, err := l.src.document(n)
	if err == nil {
		d.name = l.here(n)
	}
	return d, err
}

// document reads a mapping as a policy.
func (s *source) document(n *yaml.Node) (*draft, error) {
	var prefix, suffix string
	if has(n, "Effect") && !has(n, "Statement") {
		prefix, suffix = `{"Version":"`+policy.Version2012+`","Statement":`, "}"
	}
	text, marks, err := s.render(n, prefix, suffix)
	if err != nil {
		return nil, err
	}
	return &draft{text: text, place: func(offset int) (string, int, int) {
		line, column := placeIn(marks, offset)
		return s.name, line, column
	}}, nil
}

// inScalar finds places of a text in a YAML string: exactly in literal blocks,
// else where the string begins.
func (s *source) inScalar(n *yaml.Node) func(int) (string, int, int) {
	return func(offset int) (string, int, int) {
		if n.Style&yaml.LiteralStyle == 0 {
			return s.name, n.Line, n.Column
		}
		before := n.Value[:min(offset, len(n.Value))]
		start := strings.LastIndexByte(before, '\n') + 1
		line := n.Line + 1 + strings.Count(before, "\n")
		whole, _, _ := strings.Cut(n.Value[start:], "\n")
		indent := 0
		if lines := strings.Split(s.text, "\n"); line <= len(lines) {
			indent = max(0, utf8.RuneCountInString(strings.TrimRight(lines[line-1], "\r"))-utf8.RuneCountInString(whole))
		}
		return s.name, line, 1 + indent + utf8.RuneCountInString(before[start:])
	}
}

func (l *library) file(n *yaml.Node) (*draft, error) {
	if d := l.files[n.Value]; d != nil {
		return d, nil
	}
	if l.read == nil {
		return nil, l.src.fail(n, "policy %s can't be read: there are no files here", n.Value)
	}
	text, err := l.read(n.Value)
	if err != nil {
		return nil, l.src.fail(n, "policy %s can't be read: %v", n.Value, err)
	}
	found := n.Value
	if !path.IsAbs(found) && !isAWSPolicy(found) {
		found = path.Join(path.Dir(l.src.name), found)
	}
	d, err := fileDraft(found, string(text))
	if err != nil {
		return nil, err
	}
	d.name = n.Value
	l.files[n.Value] = d
	return d, nil
}

// fileDraft reads a file that holds one policy. It is JSON, whose errors are
// IAM's, unless its name or beginning says YAML.
func fileDraft(name, text string) (*draft, error) {
	if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" && strings.HasPrefix(strings.TrimSpace(text), "{") {
		doc := policy.Document{Text: text}
		arn := ""
		if isAWSPolicy(name) {
			arn = name
		}
		return &draft{name: name, arn: arn, text: text, place: func(offset int) (string, int, int) {
			line, column := doc.Position(offset)
			return name, line, column
		}}, nil
	}
	s := &source{name, text}
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	if root.Kind != yaml.MappingNode {
		return nil, s.fail(root, "a policy is a mapping, not %s", kindOf(root))
	}
	d, err := s.document(root)
	if err == nil {
		d.name = name
	}
	return d, err
}

// ParsePolicy reads a file that holds one policy, JSON or YAML, as a policy of a
// kind. The error is an *Error with the place in the file.
func ParsePolicy(kind policy.Kind, name, text string) (*Policy, error) {
	d, err := fileDraft(name, text)
	if err != nil {
		return nil, err
	}
	return d.as(kind)
}

// StoredPolicy reads a policy that stands in no file: one of an account. Arn is
// that of a managed policy, else empty.
func StoredPolicy(kind policy.Kind, name, arn, text string) (*Policy, error) {
	d := &draft{name: name, arn: arn, text: text, place: func(int) (string, int, int) { return "", 0, 0 }}
	return d.as(kind)
}
