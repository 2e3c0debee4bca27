package actions

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/reference.txt
var reference string

// book is the reference in memory: strings are parts of the embedded text.
type book struct {
	tables []Table
	slots  []entry // open addressing, by hash
	mask   uint32
}

// loaded reads the reference once. The text is ours: if it can't be read the
// program is broken, and nothing could be authorized by it.
var loaded = sync.OnceValue(func() *book {
	b, err := parse(reference)
	if err != nil {
		panic("embedded service authorization reference: " + err.Error())
	}
	return b
})

func parse(text string) (*book, error) {
	b := &book{}
	p := parser{book: b}
	for number := 1; text != ""; number++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	b.index()
	return b, nil
}

// index fills the hash table, at most half full. Whole names of actions
// need memory of their own: one string holds them all.
func (b *book) index() {
	count, size := len(b.tables), 0
	for i := range b.tables {
		t := &b.tables[i]
		count += len(t.Actions)
		for j := range t.Actions {
			size += len(t.Prefix) + 1 + len(t.Actions[j].Name)
		}
	}
	slots := 1
	for slots < 2*count {
		slots *= 2
	}
	b.slots, b.mask = make([]entry, slots), uint32(slots-1)
	var names strings.Builder
	names.Grow(size)
	for i := range b.tables {
		t := &b.tables[i]
		b.put(entry{name: t.Prefix, service: int16(i), action: -1})
		for j := range t.Actions {
			start := names.Len()
			names.WriteString(t.Prefix)
			names.WriteByte(':')
			names.WriteString(t.Actions[j].Name)
			b.put(entry{name: names.String()[start:], service: int16(i), action: int16(j)})
		}
	}
}

func (b *book) put(e entry) {
	slot := hash(e.name) & b.mask
	for b.slots[slot].name != "" {
		slot = (slot + 1) & b.mask
	}
	b.slots[slot] = e
}

// parser reads the text line by line. Lists are cut from larger ones, so that
// reading makes few allocations.
type parser struct {
	*book
	table   *Table
	numbers []uint16
	uses    []Use
	texts   []string
}

func (p *parser) line(line string) error {
	kind, rest, _ := strings.Cut(line, "\t")
	if kind != "#" && kind != "S" && p.table == nil && !strings.HasPrefix(kind, "#") {
		return fmt.Errorf("%q before any service", kind)
	}
	switch kind {
	case "S":
		return p.service(rest)
	case "K":
		name, kind, _ := strings.Cut(rest, "\t")
		p.table.Keys = append(p.table.Keys, Key{Name: name, Type: Type(kind)})
		return nil
	case "R":
		return p.resource(rest)
	case "A":
		return p.action(rest)
	}
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	return fmt.Errorf("unknown kind %q", kind)
}

func (p *parser) service(rest string) error {
	prefix, counts, _ := strings.Cut(rest, "\t")
	var sizes [3]int
	for i := range sizes {
		var field string
		var err error
		field, counts, _ = strings.Cut(counts, "\t")
		if sizes[i], err = strconv.Atoi(field); err != nil {
			return err
		}
	}
	p.tables = append(p.tables, Table{
		Prefix:    prefix,
		Keys:      make([]Key, 0, sizes[0]),
		Resources: make([]ResourceType, 0, sizes[1]),
		Actions:   make([]Action, 0, sizes[2]),
	})
	p.table = &p.tables[len(p.tables)-1]
	return nil
}

func (p *parser) resource(rest string) (err error) {
	var r ResourceType
	r.Name, rest, _ = strings.Cut(rest, "\t")
	r.ARN, rest, _ = strings.Cut(rest, "\t")
	r.Keys, err = p.list(rest)
	p.table.Resources = append(p.table.Resources, r)
	return err
}

func (p *parser) action(rest string) (err error) {
	var a Action
	var level, field string
	a.Name, rest, _ = strings.Cut(rest, "\t")
	level, rest, _ = strings.Cut(rest, "\t")
	if level == "" {
		return fmt.Errorf("%s has no access level", a.Name)
	}
	a.Level = Level(level[0])
	field, rest, _ = strings.Cut(rest, "\t")
	if a.Keys, err = p.list(field); err != nil {
		return err
	}
	field, rest, _ = strings.Cut(rest, "\t")
	a.Dependent = p.words(field)
	start := len(p.uses)
	for rest != "" {
		field, rest, _ = strings.Cut(rest, " ")
		u, err := p.use(field)
		if err != nil {
			return err
		}
		p.uses = append(p.uses, u)
	}
	a.Resources = cut(p.uses, start)
	p.table.Actions = append(p.table.Actions, a)
	return nil
}

func (p *parser) use(text string) (u Use, err error) {
	number, rest, _ := strings.Cut(text, ";")
	number, u.Required = strings.CutSuffix(number, "*")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return u, err
	}
	if int(n) >= len(p.table.Resources) {
		return u, fmt.Errorf("no resource type %d", n)
	}
	u.Type = uint16(n)
	keys, dependent, _ := strings.Cut(rest, ";")
	u.Dependent = p.words(dependent)
	u.Keys, err = p.list(keys)
	return u, err
}

// list reads places in the list of keys.
func (p *parser) list(text string) ([]uint16, error) {
	start := len(p.numbers)
	for text != "" {
		var field string
		field, text, _ = strings.Cut(text, ",")
		n, err := strconv.ParseUint(field, 10, 16)
		if err != nil {
			return nil, err
		}
		if int(n) >= len(p.table.Keys) {
			return nil, fmt.Errorf("no condition key %d", n)
		}
		p.numbers = append(p.numbers, uint16(n))
	}
	return cut(p.numbers, start), nil
}

func (p *parser) words(text string) []string {
	start := len(p.texts)
	for text != "" {
		var field string
		field, text, _ = strings.Cut(text, ",")
		p.texts = append(p.texts, field)
	}
	return cut(p.texts, start)
}

// cut returns what was appended since start, so that nobody can append to it.
func cut[T any](list []T, start int) []T {
	if start == len(list) {
		return nil
	}
	return list[start:len(list):len(list)]
}
