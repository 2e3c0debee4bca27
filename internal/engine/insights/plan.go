package insights

import (
	"slices"

	"github.com/eksact/eksact/internal/engine/scan"
)

// A plan is what is done with events, one batch after the other and by several workers:
// what the source is asked for, and the steps that rows pass. What becomes of the rows
// then is a sink's.
type plan struct {
	leaves   []leafInfo
	where    []scan.Predicate
	extracts []scan.Extract
	steps    []frameStep
	order    []orderKey // as far as sort says; ties are newest first
	counted  bool       // rows are only counted (counted.go)
	grain    int64      // what @timestamp may be rounded down to
	// window is the time that conditions leave, if narrowed.
	window   window
	narrowed bool
}

// within narrows the time that is looked at, both ends inclusive.
func (p *plan) within(from, to int64) {
	if !p.narrowed {
		p.window, p.narrowed = window{from, to}, true
		return
	}
	p.window = p.window.and(window{from, to})
}

// and is the time that both windows have.
func (w window) and(o window) window { return window{max(w.from, o.from), min(w.to, o.to)} }

// A leafInfo says where a leaf's values come from.
type leafInfo struct {
	field   string // of the event
	extract int    // -1, or the extract
	group   int    // of the extract's columns
	own     bool   // made by a step
	column  int    // in a batch; -1 if nobody asks for it
}

// An orderKey is one key of sort.
type orderKey struct {
	node *node
	desc bool
}

// A frameStep makes frames of a frame, and hands them on.
type frameStep interface {
	apply(f *frame, next func(f *frame) error) error
}

type whereStep struct{ node *node }

func (s whereStep) apply(f *frame, next func(*frame) error) error {
	if f = f.where(s.node); f == nil {
		return nil
	}
	return next(f)
}

// multiplies reports whether a step makes rows, which frames then hold themselves.
func (p *plan) multiplies() bool {
	return slices.ContainsFunc(p.steps, func(s frameStep) bool { _, ok := s.(*multiplyStep); return ok })
}

// inputs are the nodes that steps ask for.
func (p *plan) inputs() (list []*node) {
	for _, s := range p.steps {
		switch s := s.(type) {
		case whereStep:
			list = append(list, s.node)
		case *multiplyStep:
			list = append(list, s.inputs...)
		}
	}
	return list
}

// request is what to ask the source for, so that nodes can be computed.
func (p *plan) request(nodes []*node) *scan.Request {
	r := &scan.Request{Where: p.where, Counted: p.counted, Grain: p.grain}
	used := make([]bool, len(p.leaves))
	for _, n := range append(nodes, p.inputs()...) {
		n.leaves(func(i int) { used[i] = true })
	}
	columns := 0
	for i := range p.leaves {
		l := &p.leaves[i]
		l.column = -1
		if used[i] && l.extract < 0 && !l.own {
			r.Fields = append(r.Fields, l.field)
			l.column = columns
			columns++
		}
	}
	for x, e := range p.extracts {
		isUsed := false
		for i := range p.leaves {
			isUsed = isUsed || used[i] && p.leaves[i].extract == x
		}
		if !isUsed {
			continue
		}
		r.Extracts = append(r.Extracts, e)
		for i := range p.leaves {
			if l := &p.leaves[i]; l.extract == x {
				l.column = columns + l.group
			}
		}
		columns += e.Columns()
	}
	return r
}
