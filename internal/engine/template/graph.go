package template

import (
	"slices"
	"strings"
)

// Graph says which resources need which, by logical id. Only present resources are
// in it.
type Graph struct {
	order []string // as in the template
	needs map[string][]string
}

// Graph finds the dependencies of the present resources: Ref, GetAtt and Sub that
// evaluation reaches, DependsOn. DependsOn on a resource whose condition is false is
// ignored, a reference to one is an error. So are a cycle, and a key that a mapping
// doesn't have.
func (s *Scope) Graph() (*Graph, error) {
	g := &Graph{needs: map[string][]string{}}
	ev := evaluator{scope: s}
	for _, r := range s.Resources() {
		g.order = append(g.order, r.Name)
		var needs []string
		add := func(name string) {
			if !slices.Contains(needs, name) {
				needs = append(needs, name)
			}
		}
		for _, d := range r.DependsOn {
			if s.Present(d) {
				add(d)
			}
		}
		visit := func(x *Expr) error {
			if err := s.mapped(x); err != nil {
				return err
			}
			for _, ref := range x.own() {
				if _, isResource := s.Template.resources[ref.Name]; !isResource {
					continue
				}
				if !s.Present(ref.Name) {
					return ev.absent(ref.Name, x.Pos)
				}
				add(ref.Name)
			}
			return nil
		}
		for _, e := range []*Expr{r.Properties, r.CreationPolicy, r.UpdatePolicy} {
			if err := s.taken(e, visit); err != nil {
				return nil, err
			}
		}
		g.needs[r.Name] = needs
	}
	if cycle := g.cycle(); len(cycle) > 0 {
		return nil, plainError(Pos{}, "Circular dependency between resources: [%s]", strings.Join(cycle, ", "))
	}
	return g, g.checkOutputs(s)
}

// mapped looks whether a mapping has what a FindInMap asks for, as far as that is
// known.
func (s *Scope) mapped(e *Expr) error {
	if e.Fn != "Fn::FindInMap" {
		return nil
	}
	_, err := s.Value(e, nil)
	return err
}

// checkOutputs refuses outputs that refer to resources that are not present.
func (g *Graph) checkOutputs(s *Scope) error {
	for i := range s.Template.Outputs {
		o := &s.Template.Outputs[i]
		if !s.Holds(o.Condition) {
			continue
		}
		for _, e := range []*Expr{o.Value, o.Export} {
			err := s.taken(e, func(x *Expr) error {
				if err := s.mapped(x); err != nil {
					return err
				}
				for _, ref := range x.own() {
					if _, isResource := s.Template.resources[ref.Name]; isResource && !s.Present(ref.Name) {
						return plainError(x.Pos, "Unresolved resource dependencies [%s] in the Outputs block of the template", ref.Name)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// NewGraph makes a graph of stored dependencies: deletions follow those that
// resources had when they were made. Names that are not in order are ignored.
func NewGraph(order []string, needs map[string][]string) *Graph {
	g := &Graph{order: order, needs: map[string][]string{}}
	for _, name := range order {
		for _, d := range needs[name] {
			if slices.Contains(order, d) {
				g.needs[name] = append(g.needs[name], d)
			}
		}
	}
	return g
}

// Names are the resources in the template's order.
func (g *Graph) Names() []string { return g.order }

// Needs are the resources that one needs, directly.
func (g *Graph) Needs(name string) []string { return g.needs[name] }

// cycle returns the resources that stand in or behind a cycle's way: those that are
// left when all that can be made were, and all that nobody of the rest needs were
// taken away.
func (g *Graph) cycle() []string {
	left := map[string]bool{}
	for _, n := range g.order {
		left[n] = true
	}
	for changed := true; changed; {
		changed = false
		for _, n := range g.order {
			if !left[n] {
				continue
			}
			waits := slices.ContainsFunc(g.needs[n], func(d string) bool { return left[d] })
			wanted := slices.ContainsFunc(g.order, func(o string) bool { return left[o] && slices.Contains(g.needs[o], n) })
			if !waits || !wanted {
				delete(left, n)
				changed = true
			}
		}
	}
	var list []string
	for _, n := range g.order {
		if left[n] {
			list = append(list, n)
		}
	}
	return list
}

// Ready lists the resources to be made or updated next: those not begun whose needs
// are done, in the template's order.
func (g *Graph) Ready(begun, done func(name string) bool) []string {
	var list []string
	for _, n := range g.order {
		if !begun(n) && !slices.ContainsFunc(g.needs[n], func(d string) bool { return !done(d) }) {
			list = append(list, n)
		}
	}
	return list
}
