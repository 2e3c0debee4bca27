package cases

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Reader reads a policy's file, whose path is relative to the file of cases.
type Reader func(path string) ([]byte, error)

// file is what is known while a file of cases is read.
type file struct {
	src   *source
	lib   *library
	who   map[string]*Principal
	cases []*Case
	seen  int // cases and groups, of which aliases could make no end
}

// Parse reads a file of cases, named name in errors. Read may be nil when the
// cases name no files. The error is an *Error.
func Parse(name, text string, read Reader) ([]*Case, error) {
	src := &source{name, text}
	root, err := src.root()
	if err != nil {
		return nil, err
	}
	f := &file{
		src: src, who: map[string]*Principal{},
		lib: &library{src: src, read: read, shared: map[string]*draft{}, files: map[string]*draft{}},
	}
	if err := f.shared(root); err != nil {
		return nil, err
	}
	if err := f.group(root, group{}, 0, true); err != nil {
		return nil, err
	}
	if len(f.cases) == 0 {
		return nil, src.fail(root, "the file has no cases")
	}
	return f.cases, nil
}

// shared reads what the file shares before anything else, wherever it stands.
func (f *file) shared(root *yaml.Node) error {
	if root.Kind != yaml.MappingNode {
		return f.src.fail(root, "a file of cases is a mapping, not %s", kindOf(root))
	}
	for _, part := range []struct {
		name string
		read func(*yaml.Node) error
	}{{"policies", f.lib.define}, {"principals", f.principals}} {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value != part.name {
				continue
			}
			if err := part.read(follow(root.Content[i+1])); err != nil {
				return err
			}
		}
	}
	return nil
}

// group are the fields of a case, or of a group: those that its cases have unless
// they say otherwise.
type group struct {
	names      []string
	source     string
	principals []*Principal
	actions    []string
	resources  []string
	owner      string
	contexts   []Context
	layers     Layers
	expect     Expectation
	known      string
	unchecked  bool // actions and condition keys may be unknown ones
}

// group reads a mapping and the cases inside it.
func (f *file) group(n *yaml.Node, g group, depth int, top bool) error {
	if f.seen++; depth > maxDepth || f.seen > maxGroups {
		return f.src.fail(n, "cases are nested too deep, or too many")
	}
	if err := f.src.unchecked(n, &g.unchecked); err != nil {
		return err
	}
	var name string
	var contexts []Context
	var inside *yaml.Node
	known := map[string]func(*yaml.Node) error{
		"name":      f.src.str(&name),
		"about":     func(*yaml.Node) error { return nil },
		"source":    f.src.str(&g.source),
		"principal": func(v *yaml.Node) error { return f.callers(v, &g.principals) },
		"action":    f.src.checkedActions(&g),
		"resource":  f.src.strs(&g.resources),
		"owner":     f.src.strOrNull(&g.owner),
		"context":   f.src.contexts(&contexts, !g.unchecked),
		"known":     f.src.str(&g.known),
		"unchecked": func(*yaml.Node) error { return nil }, // read before the others
		"cases":     func(v *yaml.Node) error { inside = v; return nil },
	}
	f.layerFields(known, &g)
	g.expect.fields(f.src, known)
	if top {
		done := func(*yaml.Node) error { return nil } // by shared
		known["policies"], known["principals"] = done, done
	}
	if err := f.src.fields(n, "a case", known); err != nil {
		return err
	}
	if len(g.contexts)*len(contexts) > maxCases {
		return f.src.fail(n, "more than %d cases in one file", maxCases)
	}
	g.contexts = product(g.contexts, contexts)
	if name != "" {
		g.names = append(g.names[:len(g.names):len(g.names)], name)
	}
	if inside == nil {
		if top {
			return f.src.fail(n, "the file has no cases")
		}
		return f.expand(n, &g)
	}
	if inside.Kind != yaml.SequenceNode {
		return f.src.fail(inside, "cases are a list, not %s", kindOf(inside))
	}
	for _, item := range inside.Content {
		if err := f.group(follow(item), g, depth+1, false); err != nil {
			return err
		}
	}
	return nil
}

// product lays each of the inner contexts over each of the outer ones.
func product(outer, inner []Context) []Context {
	if inner == nil {
		return outer
	}
	if outer == nil {
		return inner
	}
	var out []Context
	for _, o := range outer {
		for _, i := range inner {
			out = append(out, i.over(o))
		}
	}
	return out
}

func (f *file) callers(n *yaml.Node, into *[]*Principal) error {
	*into = nil
	return f.src.list(n, func(item *yaml.Node) error {
		p, err := f.principal(item)
		*into = append(*into, p)
		return err
	})
}

// layerFields adds the fields of policies.
func (f *file) layerFields(known map[string]func(*yaml.Node) error, g *group) {
	l := &g.layers
	one := func(kind policy.Kind, into **Policy) func(*yaml.Node) error {
		return func(n *yaml.Node) (err error) {
			if *into = nil; !isNull(n) {
				*into, err = f.policy(n, kind)
			}
			return err
		}
	}
	many := func(kind policy.Kind, into *[]*Policy) func(*yaml.Node) error {
		return func(n *yaml.Node) (err error) {
			if *into = nil; !isNull(n) {
				*into, err = f.policies(n, kind)
			}
			return err
		}
	}
	levels := func(kind policy.Kind, into *[][]*Policy) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			*into = nil
			if isNull(n) {
				return nil
			}
			return f.src.list(n, func(item *yaml.Node) error {
				level, err := f.policies(item, kind)
				*into = append(*into, level)
				return err
			})
		}
	}
	resource := func(kind policy.Kind, is ResourceKind) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			if l.Kind = is; isNull(n) {
				l.Kind = PlainResource
			}
			return one(kind, &l.Resource)(n)
		}
	}
	known["identity"] = many(policy.Inline, &l.Identity)
	known["boundary"] = one(policy.Inline, &l.Boundary)
	known["session"] = many(policy.Session, &l.Session)
	known["scp"] = levels(policy.Inline, &l.SCP)
	known["rcp"] = levels(policy.Resource, &l.RCP) // these name principals
	known["resourcePolicy"] = resource(policy.Resource, PlainResource)
	known["trustPolicy"] = resource(policy.Trust, RoleTrust)
	known["keyPolicy"] = resource(policy.Resource, KeyPolicy)
	known["endpointPolicy"] = one(policy.Resource, &l.Endpoint)
}

func (f *file) policy(n *yaml.Node, kind policy.Kind) (*Policy, error) {
	d, err := f.lib.draft(n, false)
	if err != nil {
		return nil, err
	}
	return d.as(kind)
}

// policies reads one policy or a list; the list is never nil.
func (f *file) policies(n *yaml.Node, kind policy.Kind) ([]*Policy, error) {
	list := []*Policy{}
	err := f.src.list(n, func(item *yaml.Node) error {
		p, err := f.policy(item, kind)
		list = append(list, p)
		return err
	})
	return list, err
}

// expand makes the cases of a matrix: each principal with each action, resource
// and context.
func (f *file) expand(n *yaml.Node, g *group) error {
	if !g.expect.given {
		return f.src.fail(n, "the case does not say what to expect: allowed, explicitDeny or implicitDeny")
	}
	name := strings.Join(g.names, " / ")
	if name == "" {
		name = fmt.Sprintf("line %d", n.Line)
	}
	contexts := g.contexts
	if len(contexts) == 0 {
		contexts = []Context{nil}
	}
	if size := len(g.principals) * len(g.actions) * len(g.resources) * len(contexts); len(f.cases)+size > maxCases {
		return f.src.fail(n, "more than %d cases in one file", maxCases)
	}
	before := len(f.cases)
	for _, who := range orNone(g.principals) {
		for _, action := range orNone(g.actions) {
			for _, resource := range orNone(g.resources) {
				for i, context := range contexts {
					c := &Case{
						File: f.src.name, Line: n.Line, Column: n.Column, Source: g.source, Known: g.known, Unchecked: g.unchecked, Expect: g.expect,
						Question: Question{Principal: who, Action: action, Resource: resource, Owner: g.owner, Context: context, Layers: g.layers},
					}
					if err := c.Question.Check(); err != nil {
						return f.src.fail(n, "%v", err)
					}
					c.Name = name + variant(g, c, i, len(contexts))
					f.cases = append(f.cases, c)
				}
			}
		}
	}
	if len(f.cases) == before {
		return f.src.fail(n, "the case has an empty list of principals, actions, resources or contexts")
	}
	return nil
}

// orNone is a list, or one of nothing, which the check of the question refuses.
func orNone[T any](list []T) []T {
	if list == nil {
		return make([]T, 1)
	}
	return list
}

// variant says which of a matrix's cases this is.
func variant(g *group, c *Case, context, contexts int) string {
	var parts []string
	if len(g.principals) > 1 {
		parts = append(parts, c.Question.Principal.Name)
	}
	if len(g.actions) > 1 {
		parts = append(parts, c.Question.Action)
	}
	if len(g.resources) > 1 {
		parts = append(parts, c.Question.Resource)
	}
	if contexts > 1 {
		parts = append(parts, fmt.Sprintf("context %d", context+1))
	}
	if len(parts) == 0 {
		return ""
	}
	return " [" + strings.Join(parts, ", ") + "]"
}
