package insights

import (
	"math"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// where adds a condition to a plan. Its parts, joined by and, that depend on one field of
// events are the source's to apply; others are steps.
func (s *scope) where(p *plan, condition syntax.Expr) {
	if b, ok := condition.(*syntax.Binary); ok && b.Op == syntax.And {
		s.where(p, b.X)
		s.where(p, b.Y)
		return
	}
	if s.during(p, condition) {
		return
	}
	n := s.expr(condition)
	if n.only < 0 || s.c.plan.leaves[n.only].own || s.c.plan.leaves[n.only].extract >= 0 {
		p.steps = append(p.steps, whereStep{n})
		return
	}
	field := s.c.plan.leaves[n.only].field
	pred := scan.Predicate{Field: field, Match: predicate(field, n), Test: s.describe(condition, field)}
	if x := compared(condition); x != nil && field != timestamp && field != ingestionTime {
		if l := s.expr(x); l.kind == leaf {
			pred.Contains, pred.Enough = contained(condition)
		}
	}
	p.where = append(p.where, pred)
}

// during takes a comparison of the event's time with a number into the plan's window, so
// that stores pass by what lies outside. It reports whether the condition was one.
func (s *scope) during(p *plan, condition syntax.Expr) bool {
	b, ok := condition.(*syntax.Binary)
	if !ok {
		return false
	}
	f, isField := b.X.(*syntax.Field)
	number, isNumber := b.Y.(*syntax.Number)
	if !isField || !isNumber || f.Name != timestamp || s.field == nil || s.names[timestamp] != nil {
		return false
	}
	x, ok := value.ParseNumber(number.Text)
	if !ok || math.Abs(x) > 1<<53 {
		return false
	}
	low, high := int64(math.Ceil(x)), int64(math.Floor(x)) // the same, but for fractions
	switch b.Op {
	case syntax.Equal:
		p.within(low, high)
	case syntax.Greater:
		p.within(high+1, math.MaxInt64)
	case syntax.GreaterEqual:
		p.within(low, math.MaxInt64)
	case syntax.Less:
		p.within(math.MinInt64, low-1)
	case syntax.LessEqual:
		p.within(math.MinInt64, high)
	default:
		return false
	}
	return true
}

const ingestionTime = "@ingestionTime"

// predicate is a condition on one field, as a function of what the source holds. Several
// goroutines may call it.
func predicate(field string, n *node) func(scan.Value) bool {
	isTime := field == timestamp || field == ingestionTime
	return func(v scan.Value) bool {
		r := single{value.Scanned(v)}
		if ms, ok := r.v.Milliseconds(); ok && isTime {
			r.v = value.OfTime(ms)
		}
		var s scratch
		return s.of(n, &r).True()
	}
}

// compared is what a comparison with a text or a regular expression compares.
func compared(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.Like:
		if !e.Not {
			return e.X
		}
	case *syntax.Binary:
		if e.Op == syntax.Equal {
			return e.X
		}
	case *syntax.Call:
		if strings.EqualFold(e.Name, "strcontains") && len(e.Args) == 2 {
			return e.Args[0]
		}
	}
	return nil
}

// contained are texts that the left side of a comparison must contain to be a match, and
// whether that is enough.
func contained(e syntax.Expr) (texts []string, enough bool) {
	switch e := e.(type) {
	case *syntax.Like:
		if r, ok := e.Pattern.(*syntax.Regex); ok {
			return honest(required(r.Regexp.Regexp))
		}
		return honest([]string{e.Pattern.(*syntax.String).Text}, true)
	case *syntax.Binary:
		if t, ok := e.Y.(*syntax.String); ok {
			if _, isNumber := value.ParseNumber(t.Text); !isNumber {
				return honest([]string{t.Text}, false)
			}
		}
	case *syntax.Call:
		if t, ok := e.Args[1].(*syntax.String); ok {
			return honest([]string{t.Text}, true)
		}
	}
	return nil, false
}

// honest leaves out what is not so of true and false, which the store holds by these
// names while to queries they are 1 and 0: a match of "1" does not contain it there, and
// what contains "t" there is no match.
func honest(texts []string, enough bool) ([]string, bool) {
	var list []string
	for _, t := range texts {
		if t == "" || t == "0" || t == "1" {
			enough = enough && t == ""
			continue
		}
		if strings.Contains("true", t) || strings.Contains("false", t) {
			enough = false
		}
		list = append(list, t)
	}
	return list, enough && len(list) > 0
}
