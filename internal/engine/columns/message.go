package columns

import (
	"bytes"
	"strings"

	"github.com/eksact/eksact/internal/engine/scan"
)

// planKey names what was found out of a template for a text or an extract.
type planKey struct {
	t      *template
	text   string
	number int
}

func (q *query) textPlan(t *template, text string) *textPlan {
	key := planKey{t: t, text: text}
	if p, ok := q.plans.Load(key); ok {
		return p.(*textPlan)
	}
	p := planText(t.literals, t.slots, text)
	stored, _ := q.plans.LoadOrStore(key, &p)
	return stored.(*textPlan)
}

// onMessage applies a predicate on @message.
func (w *worker) onMessage(g *group, c *condition) error {
	sure := c.Enough
	for _, text := range c.Contains {
		if text == "" {
			continue
		}
		exact, err := w.containing(g, text)
		if err != nil {
			return err
		}
		sure = sure && exact
		if g.rows.len() == 0 {
			return nil
		}
	}
	if sure {
		return nil
	}
	g.opened = true
	m, err := w.messages(g)
	if err != nil {
		return err
	}
	g.rows.keep(func(row int) bool {
		w.buffer = m.appendTo(w.buffer[:0], row)
		if c.Enough { // what is left to decide is whether it has all of the texts
			for _, text := range c.Contains {
				if !bytes.Contains(w.buffer, []byte(text)) {
					return false
				}
			}
			return true
		}
		return c.Match(scan.Value{Kind: scan.Text, Text: string(w.buffer)})
	})
	return m.broken()
}

// messages opens what the group's messages are rebuilt from.
func (w *worker) messages(g *group) (*messages, error) {
	if g.whole == nil {
		var err error
		if g.whole, err = g.k.messages(g.place); err != nil {
			return nil, err
		}
	}
	return g.whole, nil
}

// mostPlanned is how much of a text is looked for in templates and dictionaries. That
// takes time by its square.
const mostPlanned = 200

// containing leaves the rows whose messages may contain a text. It tells whether all that
// are left do.
func (w *worker) containing(g *group, text string) (exact bool, err error) {
	if len(text) > mostPlanned {
		_, err := w.containing(g, text[:mostPlanned])
		return false, err
	}
	p := w.textPlan(g.template, text)
	if p.always {
		return true, nil
	}
	if p.rebuild {
		return false, nil
	}
	if w.hits == nil {
		w.hits = make([]byte, ChunkEvents)
	}
	hits := w.hits[:g.count]
	clear(hits)
	any := false
	memo := w.memo(g.k, text)
	for i := range p.tests {
		all, some, err := w.test(g, memo, &p.tests[i], hits)
		if err != nil || all {
			return true, err
		}
		any = any || some
	}
	if !any {
		g.rows.none()
		return true, nil
	}
	if g.rows.some {
		g.rows.keep(func(row int) bool { return hits[row] != 0 })
		return true, nil
	}
	chosen, n := w.choosing(), 0
	for row, hit := range hits {
		chosen[n] = uint32(row) // for each, so that nothing has to be foretold
		n += int(hit)
	}
	g.rows.leave(chosen[:n])
	return true, nil
}

// memo is what tests for a text found of the columns of a chunk, which templates share.
type memo struct {
	k  *chunk
	of []columnMemo // by entry
}

// memo gives the one of a chunk and a text.
func (w *worker) memo(k *chunk, text string) *memo {
	if w.memos == nil {
		w.memos = map[string]*memo{}
	}
	m := w.memos[text]
	if m == nil {
		m = &memo{}
		w.memos[text] = m
	}
	if m.k != k {
		m.k = k
		if cap(m.of) < len(k.entries) {
			m.of = make([]columnMemo, len(k.entries))
		}
		m.of = m.of[:len(k.entries)]
		clear(m.of)
	}
	return m
}

// test marks the rows whose value in a slot passes a test. It tells whether all do, and
// whether any may.
func (w *worker) test(g *group, memo *memo, t *textTest, hits []byte) (all, some bool, err error) {
	entry, from := g.k.entryIn(g.chunkRows, t.slot), int(g.froms[t.slot])
	e := &g.k.entries[entry]
	if e.form >= formArray {
		var pages []bool
		may := t.fits(e.form - formArray)
		switch {
		case may && e.form == formArray+asText:
			pages, may = g.k.sieve(entry).ofTest(t)
		case may && e.form == formArray+asUUIDs && t.only():
			one, none := onlyUUID([]string{t.within})
			may = !none && (one == nil || g.k.filter(entry).has(one))
		}
		if !may {
			return false, false, nil
		}
		col, err := g.k.column(entry)
		if err != nil {
			return false, false, err
		}
		g.opened = true
		return false, t.mark(col.array, pages, from, &g.rows, hits), broken(col.array)
	}
	m := &memo.of[entry]
	if m.key != t.key {
		*m = columnMemo{key: t.key}
		if err := w.remember(g.k, entry, t, m); err != nil {
			return false, false, err
		}
	}
	if !m.any || m.all {
		return m.all, m.all, nil
	}
	g.opened = true
	if g.rows.some {
		for _, row := range g.rows.list {
			hits[row] |= m.local[m.column.local(from+int(row))]
		}
		return false, true, m.column.broken()
	}
	locals, err := w.locals(m.column, from, g.rows.n)
	if err != nil {
		return false, false, err
	}
	for row, l := range locals {
		hits[row] |= m.local[l]
	}
	return false, true, nil
}

// remember finds which values of a column pass a test.
func (w *worker) remember(k *chunk, entry int, t *textTest, m *columnMemo) error {
	dict := int(k.entries[entry].dict)
	pages, any := k.s.sieveOf(dict).ofTest(t)
	if !any || !t.fits(k.s.dicts[dict].form) {
		return nil
	}
	v := w.verdict(k.s, dict, verdictKey{number: -1, test: t.key}, func(d *dictionaryData, yes []byte) error {
		rows := selection{n: d.count}
		t.mark(d.array, pages, 0, &rows, yes)
		return broken(d.array)
	})
	return m.of(k, entry, v)
}

// mark marks the rows whose values, from a place in an array on, pass the test. If pages
// are given, others have none that does.
func (t *textTest) mark(a array, pages []bool, from int, rows *selection, hits []byte) (some bool) {
	texts, paged := a.(*pagedTexts)
	if !paged {
		for i := range rows.len() {
			if row := rows.at(i); t.takes(a.text(from + row)) {
				hits[row], some = 1, true
			}
		}
		return some
	}
	if len(pages) != len(texts.packed) {
		pages = nil
	}
	var p *page
	first, behind := 0, 0 // of the page
	lacking := false      // nothing in the page passes
	for i := range rows.len() {
		row := rows.at(i)
		at := from + row
		if at >= behind {
			number := texts.pageOf(at)
			first, behind = texts.firsts[number], texts.firsts[number+1]
			if lacking = pages != nil && !pages[number]; !lacking {
				p = texts.page(number)
				lacking = t.only() && !strings.Contains(p.all, t.within)
			}
		}
		if !lacking && t.takes(p.text(at-first)) {
			hits[row], some = 1, true
		}
	}
	return some
}
