package cases

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
)

// File is a file of cases.
type File struct {
	Path      string
	Manifests []string // from the file's folder
	PodCIDR   netip.Prefix
	Cases     []*Case
}

// Case is flows and what is expected of them.
type Case struct {
	Name      string
	File      string
	Line      int
	Namespace string
	From, To  []string
	Ports     []manifest.Port
	Expect    netpol.Outcome
	Policy    string
	Known     string
}

// Error is a fault of a file, and where it is.
type Error struct {
	File string
	Line int // from 1; 0: the file as a whole
	Text string
}

// Error is the fault as compilers say it: file:line: text.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Text
}

// most flows of one file, and cases.
const most = 100_000

// written is a file as it is written.
type written struct {
	Manifests list        `yaml:"manifests"`
	Namespace string      `yaml:"namespace"`
	PodCIDR   string      `yaml:"podCIDR"`
	Cases     []yaml.Node `yaml:"cases"`
}

// writtenCase is a case as it is written.
type writtenCase struct {
	Name   string `yaml:"name"`
	From   list   `yaml:"from"`
	To     list   `yaml:"to"`
	Port   list   `yaml:"port"`
	Expect string `yaml:"expect"`
	Policy string `yaml:"policy"`
	Known  string `yaml:"known"`
}

// list is a list of words, or a single one.
type list []string

// UnmarshalYAML takes words as they are spelled, numbers too.
func (l *list) UnmarshalYAML(n *yaml.Node) error {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		if item.Kind != yaml.ScalarNode || item.ShortTag() == "!!null" {
			return fmt.Errorf("line %d: a word or a list of words is expected here", item.Line)
		}
		*l = append(*l, item.Value)
	}
	return nil
}

// Parse reads a file of cases; path names it in errors, which are of type *Error.
func Parse(path, text string) (*File, error) {
	var w written
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&w); err != nil {
		return nil, fault(path, 0, err)
	}
	f := &File{Path: path, Manifests: w.Manifests}
	if w.PodCIDR != "" {
		cidr, err := netip.ParsePrefix(w.PodCIDR)
		if err != nil {
			return nil, &Error{path, 0, fmt.Sprintf("podCIDR %q is no CIDR", w.PodCIDR)}
		}
		f.PodCIDR = cidr.Masked()
	}
	flows := 0
	for i := range w.Cases {
		c, err := parseCase(path, &w.Cases[i])
		if err != nil {
			return nil, err
		}
		if flows += len(c.From) * len(c.To) * len(c.Ports); flows > most {
			return nil, &Error{path, c.Line, fmt.Sprintf("more than %d flows in one file", most)}
		}
		c.Namespace = w.Namespace
		f.Cases = append(f.Cases, c)
	}
	if f.Cases == nil {
		return nil, &Error{path, 0, "the file has no cases"}
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, &Error{path, 0, "it has a second document; a file holds one"}
	}
	return f, nil
}

// caseFields are those of writtenCase: yaml looks for unknown ones in files alone.
var caseFields = []string{"name", "from", "to", "port", "expect", "policy", "known"}

func parseCase(path string, n *yaml.Node) (*Case, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil, &Error{path, n.Line, "a case is a mapping"}
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(caseFields, key.Value) {
			return nil, &Error{path, key.Line, fmt.Sprintf("a case has no field %q; there are %s", key.Value, strings.Join(caseFields, ", "))}
		}
	}
	var w writtenCase
	if err := n.Decode(&w); err != nil {
		return nil, fault(path, n.Line, err)
	}
	c := &Case{Name: w.Name, File: path, Line: n.Line, From: w.From, To: w.To, Policy: w.Policy, Known: w.Known, Expect: netpol.Outcome(w.Expect)}
	for _, part := range []struct {
		name string
		list list
	}{{"from", w.From}, {"to", w.To}, {"port", w.Port}} {
		if len(part.list) == 0 {
			return nil, &Error{path, n.Line, "the case has no " + part.name}
		}
	}
	if c.Expect != netpol.Allowed && c.Expect != netpol.Denied {
		return nil, &Error{path, n.Line, fmt.Sprintf("expect is allowed or denied, not %q", w.Expect)}
	}
	for _, text := range w.Port {
		p, err := manifest.ParsePort(text)
		if err != nil {
			return nil, &Error{path, n.Line, err.Error()}
		}
		c.Ports = append(c.Ports, p)
	}
	if c.Name == "" {
		c.Name = fmt.Sprintf("line %d", n.Line)
	}
	return c, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// fault is an error of the YAML library, with the line that it has in its text.
func fault(path string, line int, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{path, 0, "the file is empty"}
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		return &Error{path, line, strings.ReplaceAll(m[2], " in type cases.written", "")}
	}
	return &Error{path, line, strings.TrimPrefix(err.Error(), "yaml: ")}
}
