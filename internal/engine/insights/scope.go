package insights

import (
	"maps"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// Fields that every event has.
const (
	timestamp = "@timestamp"
	message   = "@message"
	pointer   = "@ptr"
)

// A scope is what names mean at one place of a query, and which columns are shown.
type scope struct {
	c     *compiler
	names map[string]*node
	// field makes the leaf of an event's field; nil where rows are no longer events,
	// and names that nothing made are null.
	field func(name string) *node
	// raw are names of a table's columns that are events' fields.
	raw map[string]bool
	// aliases resolve names behind a join's alias.
	aliases map[string]func(rest string) *node

	shown   []shownColumn // by fields or display
	usual   []shownColumn // if there are none of those
	made    []shownColumn // by other commands, shown after those of fields
	display bool          // what is shown is said for good

	// In stats' columns: what aggregates' arguments mean, and what becomes of them.
	outer   *scope
	summary *summary
}

// A shownColumn is a column of the result.
type shownColumn struct {
	name string
	node *node
}

// newScope is the scope of events.
func (c *compiler) newScope() *scope {
	s := &scope{c: c, field: c.fieldLeaf}
	s.usual = []shownColumn{{timestamp, s.field(timestamp)}, {message, s.field(message)}}
	return s
}

// resolve is what a name means: a column that was made, an item of one that is a map, or
// a field of the event.
func (s *scope) resolve(name string) *node {
	if n := s.names[name]; n != nil {
		return n
	}
	for at := strings.LastIndexByte(name, '.'); at > 0; at = strings.LastIndexByte(name[:at], '.') {
		if alias := s.aliases[name[:at]]; alias != nil {
			return alias(name[at+1:])
		}
		if n := s.names[name[:at]]; n != nil {
			return s.c.access(n, name[at+1:])
		}
	}
	if s.field == nil {
		return s.c.constant(value.Value{})
	}
	return s.field(name)
}

// spelled is the column that a call names; nil if there is none.
func (s *scope) spelled(text string) *node {
	if n := s.names[text]; n != nil || len(s.names) == 0 {
		return n
	}
	text = syntax.Spelled(text)
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		if strings.HasSuffix(name, ")") && syntax.Spelled(name) == text {
			return s.names[name]
		}
	}
	return nil
}

// define gives a name to a node.
func (s *scope) define(name string, n *node) {
	if s.names == nil {
		s.names = map[string]*node{}
	}
	s.names[name] = n
	delete(s.raw, name)
}

// make defines a column that is shown, too.
func (s *scope) make(name string, n *node) {
	s.define(name, n)
	s.made = put(s.made, name, n)
}

// put adds a column, in the place of one with its name.
func put(list []shownColumn, name string, n *node) []shownColumn {
	for i, c := range list {
		if c.name == name {
			list[i].node = n
			return list
		}
	}
	return append(list, shownColumn{name, n})
}

// columns are the columns of the result. Of events without any they are @timestamp and
// @message.
func (s *scope) columns() []shownColumn {
	if s.display {
		return s.shown
	}
	list := append([]shownColumn(nil), s.shown...)
	if len(list) == 0 {
		list = append(list, s.usual...)
	}
	for _, m := range s.made {
		list = put(list, m.name, m.node)
	}
	return list
}

// access is an item of a map by a key that may have dots: of a key that is there as a
// whole, or step by step.
func (c *compiler) access(n *node, key string) *node {
	return c.call(func(args []value.Value) value.Value { return item(args[0], key) }, n)
}

func item(v value.Value, key string) value.Value {
	if got := v.Get(key); !got.IsNull() {
		return got
	}
	for at := 0; at < len(key); at++ {
		if key[at] != '.' {
			continue
		}
		if got := step(v, key[:at]); !got.IsNull() {
			return item(got, key[at+1:])
		}
	}
	return step(v, key)
}

// step is an item of a map by its key, or of a list by its index.
func step(v value.Value, key string) value.Value {
	if v.Kind() != value.List {
		return v.Get(key)
	}
	i, ok := value.ParseNumber(key)
	if !ok {
		return value.Value{}
	}
	return function.Access(v, []function.Step{{Index: int(i), IsIndex: true}})
}
