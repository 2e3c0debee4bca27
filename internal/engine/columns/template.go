package columns

import (
	"errors"

	"github.com/eksact/eksact/internal/engine/scan"
)

// A template is a message without its scalar values.
type template struct {
	text     string   // with a byte for each value, its slot's kind
	literals []string // what is before, between and after the slots
	slots    []slot
	fields   map[string]int // the slots that are fields, by name
}

type slot struct {
	name string
	kind byte
}

// shape is a template in a segment. Segments share templates.
type shape struct {
	*template
	columns []int  // of its slots
	has     bitset // those
}

// bitset is small numbers.
type bitset []uint64

func (s bitset) has(n int) bool { return n/64 < len(s) && s[n/64]>>(n%64)&1 != 0 }

func setOf(numbers []int) (s bitset) {
	for _, n := range numbers {
		for n/64 >= len(s) {
			s = append(s, 0)
		}
		s[n/64] |= 1 << (n % 64)
	}
	return s
}

// columnKey tells columns apart.
type columnKey struct {
	name string
	kind byte
}

// shapes are the templates and columns of a segment. Template 0 is the one of messages
// that are kept whole, column 0 has them.
type shapes struct {
	templates []shape
	columns   []columnKey
	byKey     map[columnKey]int
}

// wholeMessage is template 0.
var wholeMessage = &template{text: string([]byte{whole}), literals: []string{"", ""}, slots: []slot{{kind: whole}}}

func newShapes() *shapes {
	s := &shapes{byKey: map[columnKey]int{}}
	s.use(wholeMessage)
	return s
}

// use takes a template in.
func (s *shapes) use(t *template) {
	columns := make([]int, len(t.slots))
	for i, slot := range t.slots {
		columns[i] = s.addColumn(columnKey(slot))
	}
	s.templates = append(s.templates, shape{t, columns, setOf(columns)})
}

func (s *shapes) addColumn(k columnKey) int {
	if c, known := s.byKey[k]; known {
		return c
	}
	s.byKey[k] = len(s.columns)
	s.columns = append(s.columns, k)
	return len(s.columns) - 1
}

// newTemplate makes a template of its text, which has the leaves. It refuses one that names
// two leaves alike.
func newTemplate(text string, leaves []leaf) (*template, bool) {
	t := &template{text: text, fields: make(map[string]int, len(leaves))}
	names := make(map[string]bool, len(leaves))
	at := 0
	for i, l := range leaves {
		if names[l.name] {
			return nil, false
		}
		names[l.name] = true
		t.slots = append(t.slots, slot{name: l.name, kind: l.kind})
		t.literals = append(t.literals, text[at:l.from])
		at = l.to
		if i < scan.MaxFields {
			t.fields[l.name] = i
		}
	}
	t.literals = append(t.literals, text[at:])
	return t, true
}

var errTemplate = errors.New("a template is not one")

// parseTemplate reads a template's text, as it lies in a segment.
func parseTemplate(text string) (*template, error) {
	leaves, doubled, ok := parseObject([]byte(text), true, maxDepth)
	if !ok || doubled {
		return nil, errTemplate
	}
	t, ok := newTemplate(text, leaves)
	if !ok {
		return nil, errTemplate
	}
	return t, nil
}

// A splitter takes messages apart by the templates that it knows, and learns new ones.
type splitter struct {
	shapes *shapes
	root   node
	most   int // templates it may know
	spans  []span
	text   []byte
}

type span struct{ from, to int }

// node is a place in templates, at their beginning or behind a value.
type node struct{ edges []edge }

// maxEdges bounds the ways that lead on from a node. A place where texts differ more has
// values for keys.
const maxEdges = 128

// edge is literal text and what comes after it.
type edge struct {
	literal  string
	kind     byte // of the slot behind it, or end
	to       *node
	template int
}

const end byte = 3

func newSplitter(s *shapes, most int) *splitter { return &splitter{shapes: s, most: most} }

// split gives a message's template and values. They are valid until the next call.
func (s *splitter) split(message []byte) (int, []span) {
	if t, ok := s.match(message); ok {
		return t, s.spans
	}
	if t, ok := s.learn(message); ok {
		return t, s.spans
	}
	s.spans = append(s.spans[:0], span{0, len(message)})
	return 0, s.spans
}

// match follows the message from literal to literal. What it takes is valid JSON, as its
// template is.
func (s *splitter) match(message []byte) (int, bool) {
	s.spans = s.spans[:0]
	n, at := &s.root, 0
walk:
	for {
		for i := range n.edges {
			e := &n.edges[i]
			from := at + len(e.literal)
			if from > len(message) || string(message[at:from]) != e.literal {
				continue
			}
			if e.kind == end {
				if from == len(message) {
					return e.template, true
				}
				continue
			}
			scan := scanString
			if e.kind == bare {
				scan = scanBare
			}
			to, ok := scan(message, from)
			if !ok {
				continue
			}
			s.spans = append(s.spans, span{from, to})
			at = to
			next := e.to
			if i > 0 { // ways often taken come first
				n.edges[i], n.edges[i-1] = n.edges[i-1], n.edges[i]
			}
			n = next
			continue walk
		}
		return 0, false
	}
}

// learn makes a template of a message that has none yet.
func (s *splitter) learn(message []byte) (int, bool) {
	if len(s.shapes.templates) >= s.most || !startsObject(message) {
		return 0, false
	}
	leaves, doubled, ok := parseObject(message, false, maxDepth)
	if !ok || doubled || len(leaves) > maxSlots {
		return 0, false
	}
	s.spans, s.text = s.spans[:0], s.text[:0]
	at := 0
	for i := range leaves {
		l := &leaves[i]
		s.spans = append(s.spans, span{l.from, l.to})
		s.text = append(s.text, message[at:l.from]...)
		at = l.to
		l.from = len(s.text)
		s.text = append(s.text, l.kind)
		l.to = len(s.text)
	}
	if s.text = append(s.text, message[at:]...); len(s.text) > maxTemplate {
		return 0, false
	}
	n, depth := s.find(leaves)
	if len(n.edges) >= maxEdges {
		return 0, false
	}
	t, ok := newTemplate(string(s.text), leaves)
	if !ok {
		return 0, false
	}
	s.shapes.use(t)
	s.grow(n, t, depth, len(s.shapes.templates)-1)
	return len(s.shapes.templates) - 1, true
}

func startsObject(message []byte) bool {
	for _, c := range message {
		if !isSpace(c) {
			return c == '{'
		}
	}
	return false
}

// find follows known edges by the leaves of the text, as far as they lead.
func (s *splitter) find(leaves []leaf) (n *node, depth int) {
	n = &s.root
	at := 0
walk:
	for i, l := range leaves {
		for j := range n.edges {
			if e := &n.edges[j]; e.kind == l.kind && e.literal == string(s.text[at:l.from]) {
				n, at = e.to, l.to
				continue walk
			}
		}
		return n, i
	}
	return n, len(leaves)
}

// grow adds the rest of a template behind a node.
func (s *splitter) grow(n *node, t *template, depth, number int) {
	for i := depth; i < len(t.slots); i++ {
		to := &node{}
		n.edges = append(n.edges, edge{literal: t.literals[i], kind: t.slots[i].kind, to: to})
		n = to
	}
	n.edges = append(n.edges, edge{literal: t.literals[len(t.slots)], kind: end, template: number})
}
