package policy

import (
	"math/bits"
	"strings"

	"github.com/eksact/eksact/internal/engine/actions"
)

// lane is the statements of one effect that may be about one service's actions, or
// (general) about those of all services. It finds those that may match without
// looking at the others.
//
// INVARIANT: a lane is not changed once its program is made.
type lane struct {
	size  int    // of the service: how many actions it has; 0 in general lanes
	every bool   // some statement covers all actions
	any   bitset // or else: the actions that any statement covers
	root  branch
}

// entry is a statement with one of its resources.
type entry struct {
	*statement
	source int32  // index of the program's sources
	set    bitset // actions of the lane's service; nil in general lanes: what the statement says
	rest   glob   // what follows the literal beginning of the resource
	vars   *template
	form   entryForm
}

type entryForm uint8

const (
	byRest      entryForm = iota // rest is to match what follows
	byTemplate                   // vars, a pattern with variables, is to match all of the resource
	byStatement                  // NotResource: the statement is to be asked
)

// branch is one of a radix tree over the literal beginnings of resources: what
// stands on the way from the root. Its entries' resources begin with that.
type branch struct {
	entries  []entry
	rows     []bitset // if there are many entries: by action, which of them cover it
	grams    []*grams // and those that are found by a literal further on
	first    []byte   // of each child's label
	children []*branch
	label    string
}

// crowded is how many entries of a branch are looked at one by one.
const crowded = 16

// add puts a statement into the lane, once for each of its resources.
func (l *lane) add(s *statement, source int32, set bitset) {
	e := entry{statement: s, source: source, set: set}
	switch {
	case s.itself:
		e.rest = glob{form: anything}
		l.root.entries = append(l.root.entries, e)
	case s.notResource:
		e.form = byStatement
		l.root.entries = append(l.root.entries, e)
	default:
		for i := range s.resources {
			l.addResource(e, &s.resources[i])
		}
	}
	switch {
	case l.every:
	case set == nil:
		l.every = true
	default:
		if l.any == nil {
			l.any = newBitset(l.size)
		}
		l.any.union(set)
	}
}

func (l *lane) addResource(e entry, t *template) {
	if len(t.vars) > 0 {
		e.form, e.vars = byTemplate, t
		begin := ""
		if first := t.segs[0].pieces; len(first) > 0 && first[0].form == literal {
			begin = first[0].lit
		}
		l.root.insert(begin, e)
		return
	}
	begin, rest := t.split()
	e.rest = rest
	l.root.insert(begin, e)
}

// split takes the literal beginning off a pattern without variables.
func (t *template) split() (begin string, rest glob) {
	switch t.form {
	case exact:
		return t.lit, glob{form: exact}
	case prefix:
		return t.lit, glob{form: anything}
	case anything:
		return "", glob{form: anything}
	}
	first := t.segs[0].pieces
	if len(first) == 0 || first[0].form != literal {
		return "", t.glob
	}
	rest = t.glob
	rest.segs = append([]segment{{pieces: first[1:]}}, t.segs[1:]...)
	return first[0].lit, rest
}

// insert puts an entry where begin ends.
func (n *branch) insert(begin string, e entry) {
	for begin != "" {
		at := indexByte(n.first, begin[0])
		if at < 0 {
			child := &branch{label: begin}
			n.first, n.children = append(n.first, begin[0]), append(n.children, child)
			n, begin = child, ""
			break
		}
		child := n.children[at]
		common := commonPrefix(begin, child.label)
		if common < len(child.label) {
			upper := &branch{label: child.label[:common], first: []byte{child.label[common]}, children: []*branch{child}}
			child.label = child.label[common:]
			n.children[at] = upper
			child = upper
		}
		n, begin = child, begin[common:]
	}
	n.entries = append(n.entries, e)
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// finish makes crowded branches quick. Size is that of the service, 0 in general
// lanes.
func (n *branch) finish(size int) {
	if len(n.entries) > crowded {
		n.entries, n.grams = takeGrams(n.entries)
	}
	if size > 0 && len(n.entries) > crowded {
		n.rows = make([]bitset, size)
		for i := range n.entries {
			for action := range size {
				if n.entries[i].set.has(action) {
					if n.rows[action] == nil {
						n.rows[action] = newBitset(len(n.entries))
					}
					n.rows[action].add(i)
				}
			}
		}
	}
	for _, c := range n.children {
		c.finish(size)
	}
}

// query is a request with the numbers of its action.
type query struct {
	*Request
	service, number int
	known           bool // the action is in the reference
}

func (q *query) ask(r *Request) {
	q.Request = r
	q.service, q.number, q.known = actions.Find(r.Action)
}

// covers says whether any statement covers the action.
func (l *lane) covers(q *query) bool {
	return l.every || l.any != nil && l.any.has(q.number)
}

// search is the evaluation of one layer: what is asked, and what was found so far.
type search struct {
	*query
	found   *verdict
	bounded bool // there is a boundary
}

// try takes what a statement says whose action and resource match. It returns true
// when nothing can be added to what was found.
func (s *search) try(e *entry) bool {
	m := e.appliesTo(s.Request, s.bounded)
	return m.miss == NoMiss && s.found.take(e.statement, e.source, m.grade)
}

// visit tries the statements whose action and resource match, until one settles the
// search.
func (l *lane) visit(s *search) bool {
	if !l.covers(s.query) {
		return false
	}
	n, text := &l.root, s.Resource
	for {
		if !n.empty() && n.visit(s, text) {
			return true
		}
		if text == "" {
			return false
		}
		at := indexByte(n.first, text[0])
		if at < 0 {
			return false
		}
		n = n.children[at]
		if !strings.HasPrefix(text, n.label) {
			return false
		}
		text = text[len(n.label):]
	}
}

func indexByte(list []byte, c byte) int {
	for i, have := range list {
		if have == c {
			return i
		}
	}
	return -1
}

// empty says that no resource's literal beginning ends here.
func (n *branch) empty() bool { return len(n.entries) == 0 && len(n.grams) == 0 }

// visit tries a branch's own entries; text is what follows of the resource.
func (n *branch) visit(s *search, text string) bool {
	if n.rows != nil {
		row := n.rows[s.number]
		for i, word := range row {
			for ; word != 0; word &= word - 1 {
				e := &n.entries[i<<6+bits.TrailingZeros64(word)]
				if e.resourceMatches(s.query, text) && s.try(e) {
					return true
				}
			}
		}
	} else if visitAll(n.entries, s, text) {
		return true
	}
	for _, g := range n.grams {
		if g.visit(s, text) {
			return true
		}
	}
	return false
}

func visitAll(entries []entry, s *search, text string) bool {
	for i := range entries {
		e := &entries[i]
		if e.actionMatches(s.query) && e.resourceMatches(s.query, text) && s.try(e) {
			return true
		}
	}
	return false
}

func (e *entry) actionMatches(q *query) bool {
	if e.set != nil {
		return e.set.has(q.number)
	}
	return e.all || e.known.has(q.service, q.number)
}

func (e *entry) resourceMatches(q *query, text string) bool {
	switch e.form {
	case byTemplate:
		return e.vars.matches(q.Request, q.Resource)
	case byStatement:
		return e.resource(q.Request)
	}
	return e.rest.match(text, nil)
}
