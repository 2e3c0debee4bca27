package insights

import (
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
)

// A Selection says whose events are wanted. The zero value is those that the query was
// started for.
type Selection struct {
	Groups   []string // by name
	Prefixes []string // of names
	All      bool     // all groups, as far as the other conditions go
	Classes  []string // STANDARD, INFREQUENT_ACCESS; none: STANDARD
	Accounts []string
}

// IsDefault reports whether the query leaves the choice to who started it.
func (s Selection) IsDefault() bool {
	return len(s.Groups) == 0 && len(s.Prefixes) == 0 && !s.All
}

// Selections are all that the query reads from, its own first, then those of joins and
// subqueries.
func (q *Query) Selections() []Selection {
	list := []Selection{selection(q.tree)}
	eachSubquery(q.tree, func(sub *syntax.Query) { list = append(list, selection(sub)) })
	return list
}

// Tables are the names of the lookup tables that the query reads.
func (q *Query) Tables() []string {
	var names []string
	collect := func(q *syntax.Query) {
		for _, c := range q.Commands {
			switch c := c.(type) {
			case *syntax.Lookup:
				names = append(names, c.Table.Name)
			case *syntax.CIDRLookup:
				names = append(names, c.Table.Name)
			}
		}
	}
	collect(q.tree)
	eachSubquery(q.tree, collect)
	return names
}

// source is the SOURCE command of a query, or nil.
func source(q *syntax.Query) *syntax.Source {
	s, _ := q.Commands[0].(*syntax.Source)
	return s
}

func selection(q *syntax.Query) Selection {
	var sel Selection
	e := source(q)
	if e == nil {
		return sel
	}
	for _, g := range e.Groups {
		sel.Groups = append(sel.Groups, g.Text)
	}
	for _, s := range e.Selectors {
		sel.All = true
		for _, a := range s.Args {
			switch strings.ToLower(a.Name) {
			case "nameprefix":
				sel.Prefixes, sel.All = append(sel.Prefixes, a.Values...), false
			case "class", "loggroupclass":
				sel.Classes = append(sel.Classes, a.Values...)
			case "accountidentifiers", "accountidentifier":
				sel.Accounts = append(sel.Accounts, a.Values...)
			}
		}
	}
	return sel
}

// checkSource refuses what SOURCE can't mean.
func checkSource(text string, e *syntax.Source) {
	limits := map[string]int{"nameprefix": 5, "class": 2, "loggroupclass": 2, "accountidentifiers": 20, "accountidentifier": 20}
	for _, s := range e.Selectors {
		if !strings.EqualFold(s.Name, "logGroups") {
			panic(syntax.Unexpected(text, syntax.Span{Start: s.Start, End: s.Start + len(s.Name)}))
		}
		for _, a := range s.Args {
			most, ok := limits[strings.ToLower(a.Name)]
			if !ok {
				panic(syntax.Unexpected(text, syntax.Span{Start: a.Start, End: a.Start + len(a.Name)}))
			}
			if len(a.Values) > most {
				panic(syntax.Errorf(text, a.Span, "%s takes at most %d values", a.Name, most))
			}
		}
	}
	for _, m := range []*syntax.Moment{e.Start, e.End} {
		if m == nil {
			continue
		}
		if _, ok := moment(m, 0); !ok {
			panic(syntax.Unexpected(text, m.Span))
		}
	}
}

// moment is a time of SOURCE in milliseconds: before or after now, seconds or
// milliseconds since 1970, or a date in ISO 8601.
func moment(m *syntax.Moment, now int64) (int64, bool) {
	if m.Period != "" {
		if strings.TrimLeft(m.Period[:1], "0") == "" && strings.Trim(m.Period, "0abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			return now, true // 0s
		}
		ms, err := function.ParseDuration(m.Period)
		return now + int64(m.Sign)*ms, err == nil
	}
	if m.Text == "now" {
		return now, true
	}
	if n, err := strconv.ParseInt(m.Text, 10, 64); err == nil {
		if n < 100_000_000_000 { // seconds, till the year 5138
			n *= 1000
		}
		return n, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, m.Text); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

// window is the time that a query looks at: SOURCE's, as far as it says, or outer.
func windowOf(q *syntax.Query, outer window, now int64) window {
	e := source(q)
	if e == nil {
		return outer
	}
	if e.Start != nil {
		outer.from, _ = moment(e.Start, now)
	}
	if e.End != nil {
		outer.to, _ = moment(e.End, now)
	}
	return outer
}
