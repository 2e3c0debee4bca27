package insights

import (
	"context"
	"fmt"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// MaxJoinKeys is how many different keys the right side of a join may have.
const MaxJoinKeys = 50_000

// join compiles join: a row for each event of the other side with the same keys. With
// type=left, rows without any stay. Fields of either side are named behind its alias;
// names without one are the left side's.
func (s *scope) join(p *plan, e *syntax.Join) {
	names := []string{}
	for _, name := range fieldsOf(s.c.rest[1:]) {
		if field, ok := strings.CutPrefix(name, e.Right+"."); ok {
			names = append(names, field)
		}
	}
	m := &multiplyStep{}
	var fields []string
	for _, on := range e.On {
		m.inputs = append(m.inputs, s.resolve(on.Left.Name))
		fields = append(fields, on.Right.Name)
	}
	others := s.c.x.rightSide(s.c.ctx, e, fields, names)
	absent := make([]value.Value, len(names))
	m.rows = func(in []value.Value, add func(...value.Value)) {
		key, ok := joinKey(in)
		rows := others[key]
		if !ok || len(rows) == 0 {
			if e.Type == "left" {
				add(absent...)
			}
			return
		}
		for _, r := range rows {
			add(r...)
		}
	}
	for _, name := range names {
		l := s.c.addLeaf(leafInfo{own: true, extract: -1})
		m.owns = append(m.owns, l)
		s.define(e.Right+"."+name, s.c.leaf(l))
	}
	p.steps = append(p.steps, m)
	if s.aliases == nil {
		s.aliases = map[string]func(string) *node{}
	}
	s.aliases[e.Left] = s.resolve
}

// rightSide reads the other side of a join: the values of names by the key of fields.
func (x *execution) rightSide(ctx context.Context, e *syntax.Join, fields, names []string) map[string][][]value.Value {
	source, err := x.env.Open(ctx, selection(e.Source))
	must(err)
	right := &execution{runner: x.runner, source: source, window: windowOf(e.Source, x.window, x.env.Now)}
	c := &compiler{plan: &plan{}, x: right, ctx: ctx, context: &function.Context{}}
	s := c.newScope()
	var nodes []*node
	for _, name := range append(fields, names...) {
		nodes = append(nodes, s.resolve(name))
	}
	rows, err := right.all(ctx, c.plan, newOrder(c.plan, s.field(timestamp), s.field(pointer)), nodes)
	must(err)
	byKey := map[string][][]value.Value{}
	for _, r := range rows {
		key, ok := joinKey(r.cells[:len(fields)])
		if !ok {
			continue
		}
		byKey[key] = append(byKey[key], r.cells[len(fields):])
		if len(byKey) > MaxJoinKeys {
			panic(failure{fmt.Errorf("the right side of the join has more than %d different keys: narrow its time range", MaxJoinKeys)})
		}
	}
	return byKey
}
