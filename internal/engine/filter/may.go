package filter

import (
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/scan"
)

// mostWays is how many lists of conditions May gives; a pattern with more has none.
const mostWays = 8

// May tells a store of messages what those that match have: each meets all conditions of
// one of the lists, but for messages that the store keeps as plain text, of which those on
// @message hold alone. Nil says nothing: any message may match. Match decides what is left.
//
// Conditions on fields are of a field's value as package scan names and reads it.
func (p *Pattern) May() [][]scan.Predicate {
	if f, ok := p.form.(interface{ may() [][]scan.Predicate }); ok {
		return f.may()
	}
	return nil
}

// contains is the condition that messages contain a text.
func contains(text string) scan.Predicate {
	return scan.Predicate{Field: "@message", Contains: []string{text}, Enough: true, Match: func(v scan.Value) bool { return strings.Contains(v.Text, text) }}
}

// needed is a text that messages with the term contain, "" if it tells none.
func (t term) needed() string {
	if t.re == nil {
		return t.text
	}
	prefix, _ := t.re.LiteralPrefix()
	return prefix
}

func (t *terms) may() [][]scan.Predicate {
	var all []scan.Predicate
	for _, one := range t.all {
		if text := one.needed(); text != "" {
			all = append(all, contains(text))
		}
	}
	if len(all) > 0 {
		return [][]scan.Predicate{all}
	}
	if len(t.any) > mostWays {
		return nil
	}
	var ways [][]scan.Predicate
	for _, one := range t.any {
		text := one.needed()
		if text == "" {
			return nil
		}
		ways = append(ways, []scan.Predicate{contains(text)})
	}
	return ways
}

func (d *delimited) may() [][]scan.Predicate {
	var ways [][]scan.Predicate
	for _, alternatives := range d.needs() {
		var these [][]scan.Predicate
		for _, text := range alternatives {
			if text == "" {
				these = nil
				break
			}
			these = append(these, []scan.Predicate{contains(text)})
		}
		ways = both(ways, these)
	}
	return ways
}

func (f *jsonForm) may() [][]scan.Predicate { return f.ways(f.cond) }

// ways are those of a condition, nil if it says nothing.
func (f *jsonForm) ways(e *expr) (ways [][]scan.Predicate) {
	switch e.kind {
	case and:
		for _, kid := range e.kids {
			ways = both(ways, f.ways(kid))
		}
		return ways
	case or:
		for _, kid := range e.kids {
			of := f.ways(kid)
			if of == nil || len(ways)+len(of) > mostWays {
				return nil
			}
			ways = append(ways, of...)
		}
		return ways
	}
	if p, ok := e.cmp.predicate(f.steps[e.cmp.slot]); ok {
		return [][]scan.Predicate{{p}}
	}
	return nil
}

// both are the ways that meet two conditions. Where there are too many, those of the first
// are enough.
func both(a, b [][]scan.Predicate) (ways [][]scan.Predicate) {
	switch {
	case a == nil:
		return b
	case b == nil || len(a)*len(b) > mostWays:
		return a
	}
	for _, one := range a {
		for _, other := range b {
			ways = append(ways, append(one[:len(one):len(one)], other...))
		}
	}
	return ways
}

// predicate is the comparison as a condition on a field. There is none of one that holds
// where the field is missing, nor of selectors that name several values.
func (c *comparison) predicate(steps []step) (p scan.Predicate, ok bool) {
	switch c.op {
	case notEqual, isNull, notExists:
		return p, false
	}
	if p.Field, ok = fieldOf(steps); !ok {
		return p, false
	}
	own := *c
	p.Match = func(v scan.Value) bool {
		switch v.Kind {
		case scan.Null:
			return false
		case scan.Number:
			return own.ofField(field{kind: numeric, raw: v.Text})
		case scan.Bool:
			return own.ofField(field{kind: boolean, raw: v.Text})
		}
		if own.op == isTrue || own.op == isFalse {
			return false
		}
		return odd(v.Text) || own.compare(v.Text, 0, false)
	}
	return p, true
}

// odd says whether a text may have been written so that the store reads it otherwise than
// Match does.
func odd(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\uFFFD' })
}

// fieldOf is the name of the field that a selector leads to.
func fieldOf(steps []step) (string, bool) {
	if steps[0].index >= 0 {
		return "", false // of a list, whose values are no fields
	}
	names := make([]string, len(steps))
	for i, s := range steps {
		if names[i] = s.key; s.index >= 0 {
			names[i] = strconv.Itoa(s.index)
		}
		if s.all {
			return "", false
		}
	}
	if strings.HasPrefix(names[0], "@") {
		names[0] = "@" + names[0]
	}
	return strings.Join(names, "."), true
}
