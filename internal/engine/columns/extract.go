package columns

import (
	"slices"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/engine/scan"
)

// extract gives the columns of one of the request's extracts.
func (w *worker) extract(s *stretch, number int) ([]scan.Vector, error) {
	e, g := &w.Extracts[number], s.groups[0]
	from := len(w.Fields) + number
	if w.wants[from].kind == message {
		if p := w.extractPlan(g.template, number); !p.rebuild {
			if out, ok, err := w.planned(g, number, p); ok || err != nil {
				return out, err
			}
		}
		return w.fromMessages(g, e)
	}
	v, err := w.vector(s, w.wants[from], from)
	if err != nil {
		return nil, err
	}
	switch v.Form {
	case scan.Absent:
		return make([]scan.Vector, e.Columns()), nil
	case scan.Coded:
		m := w.mapping(mappedKey{dict: v.Dict, number: number}, len(v.Dict.Values), e.Columns(), func(i int, out []string) (ok, sure bool) {
			return e.Apply(v.Dict.Values[i].Text, out), true
		})
		out := make([]scan.Vector, e.Columns())
		for i := range out {
			out[i] = m.vector(i, &v)
		}
		return out, nil
	}
	out := plain(e.Columns(), g.rows.len())
	texts := make([]string, e.Columns())
	for i := range g.rows.len() {
		if value := v.At(i); value.Kind != scan.Null && e.Apply(value.Text, texts) {
			set(out, i, texts)
		}
	}
	return out, nil
}

// fromMessages takes messages apart one by one.
func (w *worker) fromMessages(g *group, e *scan.Extract) ([]scan.Vector, error) {
	m, err := w.messages(g)
	if err != nil {
		return nil, err
	}
	g.opened = true
	out := plain(e.Columns(), g.rows.len())
	texts := make([]string, e.Columns())
	for i := range g.rows.len() {
		w.buffer = m.appendTo(w.buffer[:0], g.rows.at(i))
		if e.Apply(string(w.buffer), texts) {
			set(out, i, texts)
		}
	}
	return out, m.broken()
}

func plain(columns, rows int) []scan.Vector {
	out := make([]scan.Vector, columns)
	for i := range out {
		out[i] = scan.Vector{Form: scan.Plain, All: make([]scan.Value, rows)}
	}
	return out
}

// set keeps the texts, not what they are part of.
func set(out []scan.Vector, row int, texts []string) {
	for i := range out {
		out[i].All[row] = scan.Value{Kind: scan.Text, Text: strings.Clone(texts[i])}
	}
}

// mapping is what an extract makes of the values of a dictionary.
type mapping struct {
	once   sync.Once
	dicts  []*scan.Dictionary
	ids    [][]uint32 // by column and value
	unsure []bool     // by value; nil: none
}

type mappedKey struct {
	dict                any // *scan.Dictionary, or a segment's
	of                  int
	number, step        int
	before, after, part string
}

func (q *query) mapping(key mappedKey, values, columns int, apply func(i int, out []string) (ok, sure bool)) *mapping {
	stored, ok := q.mapped.Load(key)
	if !ok {
		stored, _ = q.mapped.LoadOrStore(key, &mapping{})
	}
	m := stored.(*mapping)
	m.once.Do(func() {
		known := make([]map[string]uint32, columns)
		m.dicts, m.ids = make([]*scan.Dictionary, columns), make([][]uint32, columns)
		for c := range columns {
			known[c], m.dicts[c], m.ids[c] = map[string]uint32{}, &scan.Dictionary{}, make([]uint32, values)
		}
		texts := make([]string, columns)
		for i := range values {
			ok, sure := apply(i, texts)
			if !sure {
				if m.unsure == nil {
					m.unsure = make([]bool, values)
				}
				m.unsure[i] = true
			}
			for c := range columns {
				if !ok || !sure {
					m.ids[c][i] = scan.None
					continue
				}
				id, again := known[c][texts[c]]
				if !again {
					id = uint32(len(m.dicts[c].Values))
					known[c][texts[c]] = id
					m.dicts[c].Values = append(m.dicts[c].Values, scan.Value{Kind: scan.Text, Text: texts[c]})
				}
				m.ids[c][i] = id
			}
		}
	})
	return m
}

// vector gives a column for values that are coded.
func (m *mapping) vector(column int, v *scan.Vector) scan.Vector {
	to := func(id uint32) uint32 {
		if id == scan.None {
			return id
		}
		return m.ids[column][id]
	}
	out := scan.Vector{Form: scan.Coded, Dict: m.dicts[column]}
	if v.IDs == nil {
		out.Same = to(v.Same)
		return out
	}
	out.IDs = make([]uint32, len(v.IDs))
	for i, id := range v.IDs {
		out.IDs[i] = to(id)
	}
	return out
}

// extractPlan is how an extract's columns follow from a template and its values.
type extractPlan struct {
	rebuild bool // not known: messages must be looked at
	never   bool // nothing matches
	steps   []step
	wanted  []int // of the steps; nil: all
}

// step gives a column: the text before a slot's value, the value and the text behind it,
// up to where a part begins.
type step struct {
	slot                int // -1: the text is before
	before, after, part string
	at                  int // of the part in after
	last                bool
	oneLine             bool // not known for texts with line breaks
}

// of gives the column's text for a value. It isn't sure where the part begins elsewhere
// than behind the value, on which what follows depends.
func (s *step) of(raw string) (text string, sure bool) {
	all := s.before + raw + s.after
	p := strings.Index(all, s.part)
	if p < 0 || !s.last && p != len(s.before)+len(raw)+s.at || s.oneLine && strings.Contains(all[:p], "\n") {
		return "", false
	}
	return all[:p], true
}

func (q *query) extractPlan(t *template, number int) *extractPlan {
	key := planKey{t: t, number: number + 1}
	if p, ok := q.plans.Load(key); ok {
		return p.(*extractPlan)
	}
	p := planExtract(t, &q.Extracts[number])
	stored, _ := q.plans.LoadOrStore(key, p)
	return stored.(*extractPlan)
}

var mustRebuild = &extractPlan{rebuild: true}

func planExtract(t *template, e *scan.Extract) *extractPlan {
	glob, oneLine := e.Glob, []bool(nil)
	p := &extractPlan{}
	if e.Regexp != nil {
		var ok bool
		if glob, p.wanted, oneLine, ok = globOf(e); !ok {
			return mustRebuild
		}
	}
	if len(glob[0]) > mostPlanned {
		return mustRebuild
	}
	at, off, found, sure := firstIn(t, glob[0])
	if !sure {
		return mustRebuild
	}
	if !found {
		p.never = true
		return p
	}
	parts := glob[1:]
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "" && last {
			return mustRebuild // the rest of the message
		}
		rest := t.literals[at][off:]
		line := oneLine != nil && oneLine[i]
		if i := strings.Index(rest, part); i >= 0 {
			if line && strings.Contains(rest[:i], "\n") {
				return mustRebuild
			}
			p.steps = append(p.steps, step{slot: -1, before: rest[:i]})
			off += i + len(part)
			continue
		}
		if at == len(t.slots) {
			if !p.onLiterals() {
				return mustRebuild // unless a part before was somewhere else
			}
			p.never = true
			return p
		}
		s := step{slot: at, before: rest, after: t.literals[at+1], part: part, last: last, oneLine: line}
		if s.at = strings.Index(s.after, part); s.at < 0 && !last {
			return mustRebuild
		}
		p.steps = append(p.steps, s)
		at, off = at+1, s.at+len(part)
	}
	return p
}

// onLiterals tells whether all columns so far are the same for all messages.
func (p *extractPlan) onLiterals() bool {
	return !slices.ContainsFunc(p.steps, func(s step) bool { return s.slot >= 0 })
}

// firstIn finds where a text is first in all messages of a template: behind which byte of
// which literal it ends. It isn't sure if that depends on values.
func firstIn(t *template, text string) (literal, behind int, found, sure bool) {
	if text == "" {
		return 0, 0, true, true
	}
	for i, l := range t.literals {
		at := strings.Index(l, text)
		if at < 0 {
			continue
		}
		before := append(append([]string(nil), t.literals[:i]...), l[:at+len(text)-1])
		p := planText(before, t.slots[:i], text)
		return i, at + len(text), true, !p.always && !p.rebuild && len(p.tests) == 0
	}
	p := planText(t.literals, t.slots, text)
	return 0, 0, false, !p.rebuild && len(p.tests) == 0
}

// planned gives an extract's columns by its plan, if it is sure for the rows chosen.
func (w *worker) planned(g *group, number int, p *extractPlan) (out []scan.Vector, ok bool, err error) {
	if p.never {
		return make([]scan.Vector, w.Extracts[number].Columns()), true, nil
	}
	for i := range p.steps {
		v, sure, err := w.step(g, number, i, &p.steps[i])
		if err != nil || !sure {
			return nil, false, err
		}
		out = append(out, v)
	}
	if p.wanted != nil {
		all := out
		out = nil
		for _, i := range p.wanted {
			out = append(out, all[i])
		}
	}
	return out, true, nil
}

func (w *worker) step(g *group, number, n int, s *step) (scan.Vector, bool, error) {
	if s.slot < 0 {
		m := w.mapping(mappedKey{number: number, before: s.before}, 1, 1, func(_ int, out []string) (bool, bool) {
			out[0] = s.before
			return true, true
		})
		return scan.Vector{Form: scan.Coded, Dict: m.dicts[0]}, true, nil
	}
	from := int(g.froms[s.slot])
	col, err := g.k.column(g.k.entryIn(g.chunkRows, s.slot))
	if err != nil {
		return scan.Vector{}, false, err
	}
	g.opened = true
	if col.array != nil {
		v := scan.Vector{Form: scan.Plain, All: make([]scan.Value, g.rows.len())}
		for i := range v.All {
			text, sure := s.of(col.array.text(from + g.rows.at(i)))
			if !sure {
				return v, false, nil
			}
			v.All[i] = scan.Value{Kind: scan.Text, Text: text}
		}
		return v, true, broken(col.array)
	}
	d := col.dict
	m := w.mapping(mappedKey{g.k.s, d.number, number, n, s.before, s.after, s.part}, d.count, 1, func(i int, out []string) (ok, sure bool) {
		out[0], sure = s.of(d.array.text(i))
		return sure, sure
	})
	if err := broken(d.array); err != nil {
		return scan.Vector{}, false, err
	}
	v := scan.Vector{Form: scan.Coded, Dict: m.dicts[0]}
	if col.form == formOne {
		v.Same = m.ids[0][col.one]
		return v, m.unsure == nil || !m.unsure[col.one], nil
	}
	ids := make([]uint32, len(col.used))
	doubt := false
	for i, u := range col.used {
		ids[i] = m.ids[0][u]
		doubt = doubt || m.unsure != nil && m.unsure[u]
	}
	v.IDs = make([]uint32, g.rows.len())
	if !g.rows.some && !doubt {
		locals, err := w.locals(col, from, g.rows.n)
		if err != nil {
			return v, false, err
		}
		for i, l := range locals {
			v.IDs[i] = ids[l]
		}
		return v, true, nil
	}
	for i := range v.IDs {
		l := col.local(from + g.rows.at(i))
		if doubt && m.unsure[col.used[l]] {
			return v, false, nil
		}
		v.IDs[i] = ids[l]
	}
	return v, true, col.broken()
}
