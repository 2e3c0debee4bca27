package insights

import (
	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A multiplyStep makes several rows of one, or none: each call of add makes a row with
// these values of the step's own leaves.
type multiplyStep struct {
	inputs []*node
	owns   []int // leaves
	rows   func(inputs []value.Value, add func(own ...value.Value))
}

// frameRows is how many rows a multiplied frame has, and some more, before it is handed
// on.
const frameRows = 8192

func (m *multiplyStep) apply(f *frame, next func(*frame) error) error {
	in := make([]*vector, len(m.inputs))
	for i, n := range m.inputs {
		in[i] = f.vector(n)
	}
	inputs := make([]value.Value, len(in))
	var rows []int32
	columns := make([][]value.Value, len(m.owns))
	for row := range f.n {
		for i, v := range in {
			inputs[i] = v.at(row)
		}
		m.rows(inputs, func(own ...value.Value) {
			rows = append(rows, int32(row))
			for i, v := range own {
				columns[i] = append(columns[i], v)
			}
		})
		if len(rows) < frameRows && row < f.n-1 || len(rows) == 0 {
			continue
		}
		out := &frame{w: f.w, n: len(rows), parent: f, rows: rows, own: map[int]*vector{}}
		for i, l := range m.owns {
			out.own[l] = &vector{form: plain, all: columns[i]}
		}
		if err := next(out); err != nil {
			return err
		}
		rows, columns = nil, make([][]value.Value, len(m.owns))
	}
	return nil
}

// multiply adds a step that makes rows, and gives its columns names.
func (s *scope) multiply(p *plan, m *multiplyStep, names ...string) {
	for _, name := range names {
		l := s.c.addLeaf(leafInfo{own: true, extract: -1})
		m.owns = append(m.owns, l)
		s.make(name, s.c.leaf(l))
	}
	p.steps = append(p.steps, m)
}

// unnest compiles unnest and expand: a row for each item of a list, or of the text of a
// JSON array. A field of the event that is an array is looked for in @message, since
// what is discovered are its items. Rows without a list, or with an empty one, stay as
// they are, without the new column.
func (s *scope) unnest(p *plan, n *node, e syntax.Expr, into string) {
	m := &multiplyStep{inputs: []*node{n}}
	path := ""
	if name := s.fieldOf(e, n); name != "" && name != message {
		m.inputs = append(m.inputs, s.resolve(message))
		path = name
	}
	m.rows = func(in []value.Value, add func(...value.Value)) {
		list := in[0]
		if text, ok := list.Text(); ok {
			list, _ = function.ParseJSON(text)
		} else if list.IsNull() && path != "" {
			text, _ := in[1].Text()
			whole, _ := function.ParseJSON(text)
			list = item(whole, path)
		}
		if list.Kind() != value.List || len(list.Items()) == 0 {
			v := in[0]
			if v.IsComposite() {
				v = value.Value{}
			}
			add(v)
			return
		}
		for _, v := range list.Items() {
			add(v)
		}
	}
	s.multiply(p, m, into)
}

// fieldOf is the name of the event's field that an expression is; "" if it is none.
func (s *scope) fieldOf(e syntax.Expr, n *node) string {
	_, name, ok := path(e)
	if !ok || n.kind != leaf {
		return ""
	}
	if _, is := s.pathOf(e); is && s.field != nil || s.raw[name] {
		return name
	}
	return ""
}

// mostMatches bounds how many rows parse multi makes of one event.
const mostMatches = 10_000

// parseAll compiles parse multi: a row for each match; an event without one stays as it
// is.
func (s *scope) parseAll(p *plan, e *syntax.ParseField) {
	x := s.extract(e)
	m := &multiplyStep{inputs: []*node{s.resolve(e.Field.Name)}}
	m.rows = func(in []value.Value, add func(...value.Value)) {
		own := make([]value.Value, len(x.Groups))
		text, ok := in[0].Text()
		if !ok {
			add(own...)
			return
		}
		matches := e.Regex.Regexp.FindAll(s.c.ctx, text, mostMatches)
		if len(matches) == 0 {
			add(own...)
		}
		for _, at := range matches {
			for i, g := range x.Groups {
				own[i] = value.OfText("")
				if at[2*g] >= 0 {
					own[i] = value.OfText(text[at[2*g]:at[2*g+1]])
				}
			}
			add(own...)
		}
	}
	names := make([]string, len(e.As))
	for i, as := range e.As {
		names[i] = as.Name
	}
	s.multiply(p, m, names...)
}
