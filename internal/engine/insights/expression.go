package insights

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/regex"
)

// expr compiles an expression. It fails by panicking with a *syntax.Error, which compile
// returns.
func (s *scope) expr(e syntax.Expr) *node {
	c := s.c
	switch e := e.(type) {
	case *syntax.Field:
		if s.summary != nil && s.names[e.Name] == nil {
			panic(syntax.Unexpected(c.text, e.Span)) // neither a key nor aggregated
		}
		return s.resolve(e.Name)
	case *syntax.Number:
		return c.constant(value.Written(e.Text))
	case *syntax.String:
		return c.constant(value.OfText(e.Text))
	case *syntax.Bool:
		return c.constant(value.OfBool(e.Value))
	case *syntax.Period:
		return c.constant(value.OfText(e.Text))
	case *syntax.Regex:
		return c.constant(value.OfText(e.Regexp.String()))
	case *syntax.Unary:
		if e.Op == syntax.Not {
			n := c.call(func(a []value.Value) value.Value { return value.OfBool(!a[0].True()) }, s.expr(e.X))
			n.logic = syntax.Not
			return n
		}
		return c.call(func(a []value.Value) value.Value {
			f, ok := a[0].Number()
			if !ok {
				return value.Value{}
			}
			return value.OfNumber(-f)
		}, s.expr(e.X))
	case *syntax.Binary:
		n := c.call(operators[e.Op], s.expr(e.X), s.expr(e.Y))
		if f, ok := arithmetics[e.Op]; ok {
			n.arithmetic, n.op = f, e.Op
		}
		if e.Op == syntax.Or || e.Op == syntax.And {
			n.logic = e.Op
		}
		return n
	case *syntax.Like:
		return c.call(like(c.ctx, e), s.expr(e.X))
	case *syntax.In:
		return s.in(e)
	case *syntax.Call:
		return s.call(e)
	case *syntax.Access:
		return s.access(e)
	}
	panic("an expression of no kind")
}

var operators = map[syntax.Op]func([]value.Value) value.Value{
	syntax.Or:  func(a []value.Value) value.Value { return value.OfBool(a[0].True() || a[1].True()) },
	syntax.And: func(a []value.Value) value.Value { return value.OfBool(a[0].True() && a[1].True()) },
	syntax.Equal: func(a []value.Value) value.Value {
		return value.OfBool(value.Equal(a[0], a[1]))
	},
	syntax.Unequal: func(a []value.Value) value.Value {
		return value.OfBool(value.Unequal(a[0], a[1]))
	},
	syntax.Less:         comparison(func(order int) bool { return order < 0 }),
	syntax.LessEqual:    comparison(func(order int) bool { return order <= 0 }),
	syntax.Greater:      comparison(func(order int) bool { return order > 0 }),
	syntax.GreaterEqual: comparison(func(order int) bool { return order >= 0 }),
}

var arithmetics = map[syntax.Op]func(x, y float64) float64{
	syntax.Add:      func(x, y float64) float64 { return x + y },
	syntax.Subtract: func(x, y float64) float64 { return x - y },
	syntax.Multiply: func(x, y float64) float64 { return x * y },
	syntax.Divide:   func(x, y float64) float64 { return x / y },
	syntax.Modulo:   math.Mod,
	syntax.Power:    power,
}

// power is x to the power of y. Of what is no number it makes none, where 1 to the power
// of anything is 1 otherwise.
func power(x, y float64) float64 {
	if x != x || y != y {
		return math.NaN()
	}
	return math.Pow(x, y)
}

func init() {
	for op, f := range arithmetics {
		operators[op] = arithmetic(f)
	}
}

func comparison(holds func(order int) bool) func([]value.Value) value.Value {
	return func(a []value.Value) value.Value {
		order, ok := value.Compare(a[0], a[1])
		return value.OfBool(ok && holds(order))
	}
}

// arithmetic makes an operator of two numbers; others, and results that are none, make
// null.
func arithmetic(f func(x, y float64) float64) func([]value.Value) value.Value {
	return func(a []value.Value) value.Value {
		x, ok := a[0].Number()
		y, too := a[1].Number()
		if !ok || !too {
			return value.Value{}
		}
		return value.OfNumber(f(x, y))
	}
}

// like compares with a text or a regular expression. Null is like nothing, and not
// unlike anything either.
func like(ctx context.Context, e *syntax.Like) func([]value.Value) value.Value {
	matches := matcher(ctx, e.Pattern)
	return func(a []value.Value) value.Value {
		s, ok := a[0].Text()
		return value.OfBool(ok && matches(s) != e.Not)
	}
}

func matcher(ctx context.Context, pattern syntax.Expr) func(string) bool {
	if r, ok := pattern.(*syntax.Regex); ok {
		return regexMatcher(ctx, r.Regexp)
	}
	text := pattern.(*syntax.String).Text
	return func(s string) bool { return strings.Contains(s, text) }
}

// regexMatcher looks for what every match contains before it asks the regular
// expression, which it does no longer than ctx lasts.
func regexMatcher(ctx context.Context, re *regex.Regexp) func(string) bool {
	if list := alternatives(re.Regexp); list != nil {
		return func(s string) bool {
			return slices.ContainsFunc(list, func(l string) bool { return strings.Contains(s, l) })
		}
	}
	exact, folded, enough := needed(re.Regexp)
	return func(s string) bool {
		for _, l := range exact {
			if !strings.Contains(s, l) {
				return false
			}
		}
		for _, l := range folded {
			contains, unsure := containsFold(s, l)
			if unsure {
				return re.Match(ctx, s)
			}
			if !contains {
				return false
			}
		}
		return enough || re.Match(ctx, s)
	}
}

// in compares with the items of a list, or with what a subquery found.
func (s *scope) in(e *syntax.In) *node {
	x := s.expr(e.X)
	var items []*node
	if e.Sub != nil {
		for _, v := range s.c.x.values(s.c.ctx, e.Sub) {
			items = append(items, s.c.constant(v))
		}
	}
	for _, item := range e.List {
		items = append(items, s.expr(item))
	}
	numbers, texts := map[float64][]value.Value{}, map[string]bool{}
	args := []*node{x}
	for _, n := range items {
		if n.kind != constant {
			args = append(args, n)
		} else if f, ok := n.value.Number(); ok {
			numbers[f] = append(numbers[f], n.value)
		} else if n.value.Kind() == value.Text {
			texts[n.value.String()] = true
		}
	}
	return s.c.call(func(a []value.Value) value.Value {
		v := a[0]
		if v.IsNull() || v.IsComposite() {
			return value.OfBool(false)
		}
		found := false
		if f, ok := v.Number(); ok {
			found = slices.ContainsFunc(numbers[f], func(of value.Value) bool { return value.Equal(v, of) })
		} else {
			found = texts[v.String()]
		}
		for _, other := range a[1:] {
			found = found || value.Equal(v, other)
		}
		return value.OfBool(found != e.Not)
	}, args...)
}

// access is an item of a list or map. Of an event's field, an index is part of the name:
// sourceIPs[0] is sourceIPs.0.
func (s *scope) access(e *syntax.Access) *node {
	if name, ok := s.pathOf(e); ok {
		return s.resolve(name)
	}
	x := s.expr(e.X)
	if e.Index == nil {
		return s.c.access(x, e.Key)
	}
	return s.c.call(func(a []value.Value) value.Value {
		if i, ok := a[1].Number(); ok && a[0].Kind() == value.List && i == math.Trunc(i) {
			return function.Access(a[0], []function.Step{{Index: int(i), IsIndex: true}})
		}
		return item(a[0], a[1].String())
	}, x, s.expr(e.Index))
}

// pathOf is the name of a field of the event that an access means, if it means one.
func (s *scope) pathOf(e syntax.Expr) (string, bool) {
	base, name, ok := path(e)
	if _, defined := s.names[base]; !ok || defined && !s.raw[base] {
		return "", false
	}
	return name, s.field != nil || s.names[name] != nil
}

// path is the name that a field and what accesses its items make together: l[1].a is
// l.1.a, m["x"] is m.x; and the name of the field alone.
func path(e syntax.Expr) (base, name string, ok bool) {
	switch e := e.(type) {
	case *syntax.Field:
		return e.Name, e.Name, true
	case *syntax.Access:
		base, name, ok = path(e.X)
		if e.Index == nil {
			return base, name + "." + e.Key, ok
		}
		if key, isText := e.Index.(*syntax.String); isText {
			return base, name + "." + key.Text, ok
		}
		n, isNumber := e.Index.(*syntax.Number)
		if !ok || !isNumber {
			return "", "", false
		}
		i, err := strconv.Atoi(n.Text)
		return base, name + "." + n.Text, err == nil && i >= 0
	}
	return "", "", false
}

// call compiles a call of a scalar function. A call that is spelled as a column of the
// stage before is that column: sort count(*).
func (s *scope) call(e *syntax.Call) *node {
	c := s.c
	if s.field == nil {
		if n := s.spelled(c.text[e.Start:e.End]); n != nil {
			return n
		}
	}
	if s.summary != nil {
		if n := s.aggregate(e); n != nil {
			return n
		}
	}
	if strings.EqualFold(e.Name, "unmask") && len(e.Args) == 1 {
		return s.expr(e.Args[0]) // nothing is masked here
	}
	f, ok := function.Lookup(e.Name)
	if !ok || e.Star {
		panic(syntax.Unexpected(c.text, e.Paren))
	}
	var args []*node
	if f.HasImplicit(len(e.Args)) {
		args = append(args, s.resolve(f.Implicit))
	}
	literals := make([]*value.Value, len(e.Args))
	for i, a := range e.Args {
		n := s.expr(a)
		if n.kind == constant {
			literals[i] = &n.value
		}
		args = append(args, n)
	}
	eval, err := f.Bind(literals)
	if err != nil {
		at := e.Span
		var wrong *function.ArgumentError
		if errors.As(err, &wrong) && wrong.Argument >= 0 && wrong.Argument < len(e.Args) {
			at = e.Args[wrong.Argument].At()
		}
		panic(syntax.Errorf(c.text, at, "%v", err))
	}
	ctx := c.context
	n := c.call(func(a []value.Value) value.Value { return eval(ctx, a) }, args...)
	n.millis = n.kind == call && strings.EqualFold(f.Name, "toMillis") && args[0].kind == leaf
	if n.kind == call && (strings.EqualFold(f.Name, "bin") || strings.EqualFold(f.Name, "datefloor")) && args[0].kind == leaf {
		if p, err := function.ParsePeriod(args[1].value.String()); err == nil {
			n.bin = &binning{period: p}
		}
	}
	return n
}
