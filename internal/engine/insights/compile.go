package insights

import (
	"context"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A compiler makes a plan of a query's first commands, those that look at one event at a
// time, and of the expressions in all.
type compiler struct {
	nodes
	text    string
	context *function.Context
	plan    *plan
	fields  map[string]int // leaves of events' fields
	x       *execution
	ctx     context.Context // of the run: compiling may run subqueries and read tables
	// rest are the commands from the one that is being compiled on.
	rest []syntax.Command
}

// maxCost is how many functions an expression may take to compute, where a column that is
// used twice counts twice: columns of columns could double it with each command.
const maxCost = 100_000

func (c *compiler) call(eval func([]value.Value) value.Value, args ...*node) *node {
	n := c.nodes.call(eval, args...)
	if n.cost > maxCost {
		panic(syntax.Errorf(c.text, syntax.Span{Start: 0, End: len(c.text)}, "the query's columns are built on one another with more than %d functions", maxCost))
	}
	return n
}

// fieldLeaf is the leaf of an event's field.
func (c *compiler) fieldLeaf(name string) *node {
	i, ok := c.fields[name]
	if !ok {
		i = c.addLeaf(leafInfo{field: name, extract: -1})
		if c.fields == nil {
			c.fields = map[string]int{}
		}
		c.fields[name] = i
	}
	return c.leaf(i)
}

func (c *compiler) addLeaf(l leafInfo) int {
	c.plan.leaves = append(c.plan.leaves, l)
	return len(c.plan.leaves) - 1
}

// events compiles commands as far as they look at one event at a time. What is left
// begins with a command that looks at all rows.
func (c *compiler) events(s *scope, commands []syntax.Command) []syntax.Command {
	for i, command := range commands {
		c.rest = commands[i:]
		if !s.event(command) {
			return commands[i:]
		}
	}
	return nil
}

// event compiles one command and reports whether it could be.
func (s *scope) event(command syntax.Command) bool {
	p := s.c.plan
	switch e := command.(type) {
	case *syntax.Filter:
		s.where(p, e.Condition)
	case *syntax.FilterIndex:
		s.where(p, e.Condition)
	case *syntax.Sort:
		p.order = append(s.sortKeys(e), p.order...)
	case *syntax.Unnest:
		s.unnest(p, s.expr(e.Expr), e.Expr, e.Into)
	case *syntax.Expand:
		s.unnest(p, s.resolve(e.Field.Name), e.Field, e.Field.Name)
	case *syntax.ParseField:
		if e.Multi {
			s.parseAll(p, e)
			return true
		}
		return s.column(command)
	case *syntax.Join:
		s.join(p, e)
	case *syntax.Limit, *syntax.Source:
		// the caller's: they mean the same wherever they stand
	default:
		return s.column(command)
	}
	return true
}

// column compiles a command that makes columns of columns and leaves rows as they are.
func (s *scope) column(command syntax.Command) bool {
	switch e := command.(type) {
	case *syntax.Fields:
		for _, col := range e.Columns {
			n := s.expr(col.Expr)
			if _, isField := col.Expr.(*syntax.Field); !isField || col.Alias {
				s.define(col.Name, n)
			}
			s.shown = put(s.shown, col.Name, n)
		}
	case *syntax.Display:
		s.shown, s.display = nil, true
		for _, col := range e.Columns {
			n := s.expr(col.Expr)
			if _, isField := col.Expr.(*syntax.Field); !isField || col.Alias {
				s.define(col.Name, n)
			}
			s.shown = put(s.shown, col.Name, n)
		}
	case *syntax.ParseField:
		s.parse(e)
	case *syntax.JSON:
		s.json(e)
	case *syntax.Unmask:
		for _, f := range e.Fields {
			s.shown = put(s.shown, f.Name, s.resolve(f.Name))
		}
	case *syntax.Lookup:
		s.lookup(e)
	case *syntax.CIDRLookup:
		s.cidrLookup(e)
	default:
		return false
	}
	return true
}

func (s *scope) sortKeys(e *syntax.Sort) (keys []orderKey) {
	for _, k := range e.Keys {
		if call, ok := k.Expr.(*syntax.Call); ok && isBin(call) {
			panic(syntax.Unexpected(s.c.text, call.Paren))
		}
		keys = append(keys, orderKey{s.expr(k.Expr), k.Desc})
	}
	return keys
}

// scanned is a batch's column as a vector.
func (w *worker) scanned(column int, b *scan.Batch) *vector {
	v := &b.Columns[column]
	switch v.Form {
	case scan.Coded:
		return &vector{form: coded, dict: w.dictOf(v.Dict), ids: v.IDs, id: v.Same}
	case scan.Times:
		return &vector{form: times, ints: v.Ints}
	case scan.Integers:
		return &vector{form: integers, ints: v.Ints}
	case scan.Plain:
		all := make([]value.Value, len(v.All))
		for i, x := range v.All {
			all[i] = value.Scanned(x)
		}
		return &vector{form: plain, all: all}
	case scan.Instants:
		return &vector{form: instants, ints: v.Ints, digits: v.Digits}
	case scan.Late:
		return &vector{form: late, late: v}
	}
	return &vector{form: same}
}

// scannedAt is one value of a batch's column.
func scannedAt(v *scan.Vector, row int) value.Value {
	if v.Form == scan.Times {
		return value.OfTime(v.Ints[row])
	}
	return value.Scanned(v.At(row))
}
