package lower

import (
	"fmt"
	"strings"

	"github.com/eksact/eksact/internal/engine/scan"
)

// A Statement is a scan in SQL.
type Statement struct {
	SQL string
	// Columns are what the answer has.
	Columns []Answer
	// Ordered says that rows come in the request's order of time.
	Ordered bool

	request  *scan.Request
	fields   []source  // of the request's, in its order
	extracts []extract // of the request's, in its order
	checks   []check   // what is to be asked again
	counts   int       // the column of counts, or -1
	time     int       // the column of @timestamp, or -1
}

// An Answer is one column of an answer.
type Answer struct {
	Name string
	Type Type
}

// A Type is a type of ClickHouse's.
type Type string

// The types that answers have.
const (
	Int64  Type = "Int64"
	UInt64 Type = "UInt64"
	UInt8  Type = "UInt8"
	String Type = "String"
	Array  Type = "Array(String)"
)

// A source says in which columns of the answer a field is.
type source struct {
	time, kind, text int // -1: in none
}

// An extract says where the columns of one are: in a list of groups, or to be taken out of
// a field here.
type extract struct {
	of     *scan.Extract
	list   int // -1: none
	groups []int
	count  int // of groups
	from   source
}

// A check is a predicate that must be asked again.
type check struct {
	of   *scan.Predicate
	from source
	// decided says that rows with an empty text were decided by SQL.
	decided bool
}

// builder makes a statement.
type builder struct {
	s           *Statement
	expressions []string
	known       map[string]source
	grain       int64 // that @timestamp is rounded down to; 0: none
}

// Lower says what to ask for a request.
func Lower(r *scan.Request, t Table) *Statement {
	b := &builder{s: &Statement{request: r, counts: -1, time: -1}, known: map[string]source{}}
	s := b.s
	if r.Counted {
		b.grain = r.Grain
	}
	wanted := make([]condition, len(r.Where))
	for i := range r.Where {
		wanted[i] = where(&r.Where[i])
		if wanted[i].precision < exact && r.Where[i].Field == timestamp {
			b.grain = 0 // it is to be asked of the whole time
		}
	}
	for _, f := range r.Fields {
		s.fields = append(s.fields, b.field(f))
	}
	for i := range r.Extracts {
		s.extracts = append(s.extracts, b.extract(&r.Extracts[i]))
	}
	for i := range r.Where {
		p := &r.Where[i]
		switch wanted[i].precision {
		case exactInUTF8:
			s.checks = append(s.checks, check{of: p, from: b.odd(p.Field), decided: true})
		case superset:
			s.checks = append(s.checks, check{of: p, from: b.field(p.Field)})
		}
	}
	conditions := []string{"log = " + quote(t.Log)}
	if r.From > First {
		conditions = append(conditions, fmt.Sprintf("time >= fromUnixTimestamp64Milli(%d, 'UTC')", min(r.From, Last)))
	}
	if r.To < Last {
		conditions = append(conditions, fmt.Sprintf("time <= fromUnixTimestamp64Milli(%d, 'UTC')", max(r.To, First)))
	}
	for _, c := range wanted {
		if c.sql != "" {
			conditions = append(conditions, c.sql)
		}
	}
	group := ""
	switch {
	case r.Counted:
		group = b.grouped()
	case r.Order != scan.Any && r.Cutoff != nil:
		if s.time < 0 {
			b.field(timestamp)
		}
		s.Ordered = true
	}
	if len(b.expressions) == 0 { // rows must have a column to be there
		b.add("one", UInt8, "1")
	}
	s.SQL = "SELECT " + strings.Join(b.expressions, ", ") + "\nFROM " + identifier(t.Name) + "\nWHERE " + strings.Join(conditions, "\n  AND ") + group
	if s.Ordered {
		s.SQL += "\nORDER BY time" + map[scan.Order]string{scan.Newest: " DESC", scan.Oldest: " ASC"}[r.Order]
	}
	return s
}

// add adds a column and says where it is.
func (b *builder) add(name string, t Type, expression string) int {
	b.s.Columns = append(b.s.Columns, Answer{name, t})
	b.expressions = append(b.expressions, expression+" AS "+name)
	return len(b.s.Columns) - 1
}

// field asks for a field, once.
func (b *builder) field(name string) source {
	if got, ok := b.known[name]; ok {
		return got
	}
	n := len(b.known)
	at := source{-1, -1, -1}
	if ms, isTime := eventTimes[name]; isTime {
		if name == timestamp {
			if b.grain > 0 {
				ms = fmt.Sprintf("%s - positiveModulo(%s, %d)", ms, ms, b.grain)
			}
		}
		at.time = b.add(fmt.Sprintf("t%d", n), Int64, ms)
		if name == timestamp {
			b.s.time = at.time
		}
	} else {
		c := columnOf(name)
		if c.kind != "" {
			at.kind = b.add(fmt.Sprintf("k%d", n), UInt8, c.kind)
		}
		at.text = b.add(fmt.Sprintf("s%d", n), String, c.text)
	}
	b.known[name] = at
	return at
}

// odd asks for a field of every event where it is no UTF-8; elsewhere the text is empty.
func (b *builder) odd(field string) source {
	name := "odd " + field
	at, ok := b.known[name]
	if !ok {
		text := columnOf(field).text
		at = source{-1, -1, b.add(fmt.Sprintf("o%d", len(b.known)), String, "if(isValidUTF8("+text+"), '', "+text+")")}
		b.known[name] = at
	}
	return at
}

// extract asks for what an extract takes out of texts that all events have. A text that is
// no UTF-8 comes as it is, in a list that is one too long.
func (b *builder) extract(e *scan.Extract) extract {
	x := extract{of: e, list: -1}
	c := columnOf(e.Field)
	re, groups, count, ok := pattern(e)
	if !ok || !c.isEvents || c.text == "" {
		x.from = b.field(e.Field)
		return x
	}
	x.groups, x.count = groups, count
	x.list = b.add(fmt.Sprintf("x%d", len(b.expressions)), Array,
		fmt.Sprintf("if(isValidUTF8(%s), extractGroups(%s, %s), arrayResize([%s], %d))", c.text, c.text, quote(re), c.text, count+1))
	return x
}

// grouped counts the rows that agree.
func (b *builder) grouped() string {
	var names []string
	for _, c := range b.s.Columns {
		names = append(names, c.Name)
	}
	b.s.counts = b.add("n", UInt64, "count()")
	if len(names) == 0 {
		return "\nHAVING n > 0"
	}
	return "\nGROUP BY " + strings.Join(names, ", ")
}
