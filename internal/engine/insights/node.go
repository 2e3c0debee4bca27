package insights

import (
	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A node is a compiled expression: a constant, a leaf, which is a column of the rows it
// is asked for, or a pure function of other nodes. Nodes never change, so that all
// workers share them.
type node struct {
	id    int // its place in what workers remember of it
	kind  nodeKind
	value value.Value // of constants
	leaf  int         // of leaves
	args  []*node
	cost  int // functions it takes to compute, if nothing is remembered
	eval  func(args []value.Value) value.Value
	// only is the one leaf that the node depends on; none or many otherwise.
	only int
	// What else is known of calls, for vectors of numbers and times:
	bin        *binning                   // rounds a time to a period
	arithmetic func(x, y float64) float64 // of two numbers
	millis     bool                       // of a time, as a number
	op         syntax.Op                  // what arithmetic is
	logic      syntax.Op                  // Or, And, Not
}

type nodeKind uint8

const (
	constant nodeKind = iota
	leaf
	call
)

const (
	none = -1 // of node.only: the node is constant
	many = -2
)

// A binning is what bin and its kin do to a time.
type binning struct {
	period function.Period
	offset int64 // milliseconds that borders are shifted by
}

func (b *binning) floor(ms int64) int64 { return b.period.Floor(ms-b.offset) + b.offset }

// nodes makes nodes and counts them.
type nodes struct{ count int }

func (m *nodes) next() int { m.count++; return m.count - 1 }

func (m *nodes) constant(v value.Value) *node {
	return &node{id: m.next(), kind: constant, value: v, only: none}
}

func (m *nodes) leaf(i int) *node { return &node{id: m.next(), kind: leaf, leaf: i, only: i} }

// call makes a function of nodes; with constants alone it is a constant itself.
func (m *nodes) call(eval func([]value.Value) value.Value, args ...*node) *node {
	n := &node{id: m.next(), kind: call, args: args, eval: eval, only: none, cost: 1}
	for _, a := range args {
		n.cost += a.cost
		switch {
		case a.only == none:
		case n.only == none:
			n.only = a.only
		case n.only != a.only:
			n.only = many
		}
	}
	if n.only == none {
		values := make([]value.Value, len(args))
		for i, a := range args {
			values[i] = a.value
		}
		return m.constant(eval(values))
	}
	return n
}

// leaves calls visit for each leaf that the node depends on.
func (n *node) leaves(visit func(leaf int)) {
	switch n.kind {
	case leaf:
		visit(n.leaf)
	case call:
		for _, a := range n.args {
			a.leaves(visit)
		}
	}
}

// A row gives the values of leaves.
type row interface{ leaf(i int) value.Value }

// A scratch is room for the arguments of functions, so that none is made for each call.
type scratch struct{ stack []value.Value }

// of computes a node for one row.
func (s *scratch) of(n *node, r row) value.Value {
	switch n.kind {
	case constant:
		return n.value
	case leaf:
		return r.leaf(n.leaf)
	}
	from := len(s.stack)
	for _, a := range n.args {
		v := s.of(a, r)
		s.stack = append(s.stack, v)
	}
	args := s.stack[from:]
	v := n.eval(args)
	s.stack = s.stack[:from]
	return v
}

// single is a row of one leaf, whichever is asked for.
type single struct{ v value.Value }

func (r *single) leaf(int) value.Value { return r.v }

// cells is a row of leaves by their numbers.
type cells []value.Value

func (r cells) leaf(i int) value.Value { return r[i] }
