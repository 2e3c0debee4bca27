package insights

import (
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// describe says what a condition on one field of events asks, for stores that can't call
// our functions; nil if scan.Test has no words for it.
func (s *scope) describe(e syntax.Expr, field string) *scan.Test {
	d := describer{s, field == timestamp || field == ingestionTime}
	return d.test(e)
}

// A describer describes conditions on one field. The texts of times are dates here and
// numbers to stores, so that questions about texts are not asked of them.
type describer struct {
	*scope
	isTime bool
}

func (d describer) test(e syntax.Expr) *scan.Test {
	switch e := e.(type) {
	case *syntax.Binary:
		switch e.Op {
		case syntax.And:
			return both(scan.And, d.test(e.X), d.test(e.Y))
		case syntax.Or:
			return both(scan.Or, d.test(e.X), d.test(e.Y))
		}
		return d.comparison(e)
	case *syntax.Unary:
		if of := d.test(e.X); e.Op == syntax.Not && of != nil {
			return negated(of)
		}
	case *syntax.Like:
		return d.like(e)
	case *syntax.In:
		return d.in(e)
	case *syntax.Call:
		return d.call(e)
	case *syntax.Field:
		if d.isField(e) && !d.isTime {
			return &scan.Test{Op: scan.Truth}
		}
	}
	return nil
}

func both(op scan.Op, x, y *scan.Test) *scan.Test {
	if x == nil || y == nil {
		return nil
	}
	return &scan.Test{Op: op, Of: []*scan.Test{x, y}}
}

func negated(t *scan.Test) *scan.Test { return &scan.Test{Op: scan.Not, Of: []*scan.Test{t}} }

// isField reports whether an expression is the field itself.
func (d describer) isField(e syntax.Expr) bool {
	switch e.(type) {
	case *syntax.Field, *syntax.Access:
		return d.expr(e).kind == leaf
	}
	return false
}

// constant is the value of a literal, as stores hold values.
func (d describer) constant(e syntax.Expr) (scan.Value, bool) {
	switch e.(type) {
	case *syntax.Number, *syntax.String, *syntax.Bool, *syntax.Unary:
	default:
		return scan.Value{}, false
	}
	n := d.expr(e)
	if n.kind != constant {
		return scan.Value{}, false
	}
	switch n.value.Kind() {
	case value.Text:
		return scan.Value{Kind: scan.Text, Text: n.value.String()}, true
	case value.Number:
		return scan.Value{Kind: scan.Number, Text: n.value.String()}, true
	case value.Bool:
		return scan.Value{Kind: scan.Bool, Text: n.value.JSON()}, true
	}
	return scan.Value{}, false
}

var questions = map[syntax.Op]scan.Op{
	syntax.Equal: scan.Equal, syntax.Unequal: scan.Unequal,
	syntax.Less: scan.Less, syntax.LessEqual: scan.LessEqual,
	syntax.Greater: scan.Greater, syntax.GreaterEqual: scan.GreaterEqual,
}

// turned are comparisons with their sides exchanged.
var turned = map[scan.Op]scan.Op{
	scan.Equal: scan.Equal, scan.Unequal: scan.Unequal,
	scan.Less: scan.Greater, scan.LessEqual: scan.GreaterEqual,
	scan.Greater: scan.Less, scan.GreaterEqual: scan.LessEqual,
}

func (d describer) comparison(e *syntax.Binary) *scan.Test {
	op, ok := questions[e.Op]
	if !ok {
		return nil
	}
	if c, isConstant := d.constant(e.Y); isConstant && d.isField(e.X) {
		return &scan.Test{Op: op, Value: c}
	}
	if c, isConstant := d.constant(e.X); isConstant && d.isField(e.Y) {
		return &scan.Test{Op: turned[op], Value: c}
	}
	return nil
}

func (d describer) like(e *syntax.Like) *scan.Test {
	if d.isTime || !d.isField(e.X) {
		return nil
	}
	t := &scan.Test{Op: scan.Contains}
	switch p := e.Pattern.(type) {
	case *syntax.Regex:
		if literals, enough := required(p.Regexp.Regexp); enough {
			t.Text = literals[0]
			break
		}
		t.Op, t.Regexp = scan.Matches, p.Regexp.Regexp
	case *syntax.String:
		t.Text = p.Text
	}
	return d.unless(e.Not, t)
}

// unless is a question, or its opposite as the language has it: what is null is not
// unlike anything.
func (d describer) unless(not bool, t *scan.Test) *scan.Test {
	if !not {
		return t
	}
	return both(scan.And, &scan.Test{Op: scan.Present}, negated(t))
}

func (d describer) in(e *syntax.In) *scan.Test {
	if e.Sub != nil || !d.isField(e.X) {
		return nil
	}
	t := &scan.Test{Op: scan.In}
	for _, item := range e.List {
		c, ok := d.constant(item)
		if !ok {
			return nil
		}
		t.Values = append(t.Values, c)
	}
	return d.unless(e.Not, t)
}

var textQuestions = map[string]scan.Op{"strcontains": scan.Contains, "startswith": scan.Begins, "endswith": scan.Ends}

func (d describer) call(e *syntax.Call) *scan.Test {
	name := strings.ToLower(e.Name)
	if name == "ispresent" && len(e.Args) == 1 && d.isField(e.Args[0]) {
		return &scan.Test{Op: scan.Present}
	}
	op, ok := textQuestions[name]
	if !ok || d.isTime || len(e.Args) != 2 || !d.isField(e.Args[0]) {
		return nil
	}
	text, ok := e.Args[1].(*syntax.String)
	if !ok {
		return nil
	}
	return &scan.Test{Op: op, Text: text.Text}
}
