package lower_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/engine/scan/lower"
)

// What follows reads the part of ClickHouse's SQL that package lower writes, and runs it
// over rows: as ClickHouse would, save that what its RE2 says of text that is no UTF-8 is
// the opposite of what Go's regexp says, to see that nobody relies on it.

type tokens struct {
	list []string // literals keep their first quotation mark
	at   int
}

func lex(sql string) *tokens {
	t := &tokens{}
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\n':
			i++
		case c == '\'' || c == '`':
			var b strings.Builder
			b.WriteByte(c)
			for i++; sql[i] != c; i++ {
				if sql[i] != '\\' {
					b.WriteByte(sql[i])
					continue
				}
				i++
				b.WriteString(map[byte]string{'n': "\n", '0': "\x00", '\\': `\`, '\'': "'", '`': "`"}[sql[i]])
			}
			t.list = append(t.list, b.String())
			i++
		case c >= '0' && c <= '9' || c == '-' && sql[i+1] >= '0' && sql[i+1] <= '9':
			from := i
			for i++; i < len(sql) && strings.IndexByte("0123456789.e+-", sql[i]) >= 0; i++ {
			}
			t.list = append(t.list, sql[from:i])
		case c == '_' || c|32 >= 'a' && c|32 <= 'z':
			from := i
			for i++; i < len(sql) && (sql[i] == '_' || sql[i] >= '0' && sql[i] <= '9' || sql[i]|32 >= 'a' && sql[i]|32 <= 'z'); i++ {
			}
			t.list = append(t.list, sql[from:i])
		default:
			n := 1
			if two := sql[i:min(len(sql), i+2)]; two == "!=" || two == "<=" || two == ">=" {
				n = 2
			}
			t.list = append(t.list, sql[i:i+n])
			i += n
		}
	}
	return t
}

func (t *tokens) peek() string {
	if t.at == len(t.list) {
		return ""
	}
	return t.list[t.at]
}

func (t *tokens) takes(want ...string) bool {
	for i, w := range want {
		if t.at+i >= len(t.list) || t.list[t.at+i] != w {
			return false
		}
	}
	t.at += len(want)
	return true
}

func (t *tokens) must(want ...string) {
	if !t.takes(want...) {
		panic(fmt.Sprintf("%v is expected at %q", want, t.list[t.at:]))
	}
}

// An expr computes a value of a row: a number, a text or a list.
type expr func(r *lower.Row) any

func truth(b bool) any {
	if b {
		return 1.0
	}
	return 0.0
}

func (t *tokens) or() expr {
	x := t.and()
	for t.takes("OR") {
		a, b := x, t.and()
		x = func(r *lower.Row) any { return truth(a(r) != 0.0 || b(r) != 0.0) }
	}
	return x
}

func (t *tokens) and() expr {
	x := t.not()
	for t.takes("AND") {
		a, b := x, t.not()
		x = func(r *lower.Row) any { return truth(a(r) != 0.0 && b(r) != 0.0) }
	}
	return x
}

func (t *tokens) not() expr {
	if t.takes("NOT") {
		x := t.not()
		return func(r *lower.Row) any { return truth(x(r) == 0.0) }
	}
	x := t.difference()
	switch op := t.peek(); op {
	case "=", "!=", "<", "<=", ">", ">=":
		t.at++
		y := t.difference()
		return func(r *lower.Row) any { return truth(compares(op, x(r), y(r))) }
	case "IN", "NOT":
		in := t.takes("IN")
		if !in {
			t.must("NOT", "IN")
		}
		list := t.listed("(", ")")
		return func(r *lower.Row) any { return truth(slices.Contains(all(list, r), x(r)) == in) }
	}
	return x
}

func compares(op string, x, y any) bool {
	if a, ok := x.(string); ok {
		o := strings.Compare(a, y.(string))
		return op == "=" && o == 0 || op == "!=" && o != 0 || op == "<" && o < 0 || op == "<=" && o <= 0 || op == ">" && o > 0 || op == ">=" && o >= 0
	}
	a, b := x.(float64), y.(float64)
	return op == "=" && a == b || op == "!=" && a != b || op == "<" && a < b || op == "<=" && a <= b || op == ">" && a > b || op == ">=" && a >= b
}

func (t *tokens) difference() expr {
	x := t.postfix()
	for t.takes("-") {
		a, b := x, t.postfix()
		x = func(r *lower.Row) any { return a(r).(float64) - b(r).(float64) }
	}
	return x
}

func (t *tokens) postfix() expr {
	name := t.peek()
	x := t.primary()
	for t.takes("[") {
		list, at := x, t.or()
		t.must("]")
		x = func(r *lower.Row) any {
			items, i := list(r).([]any), int(at(r).(float64))
			switch {
			case i > 0:
				return items[i-1]
			case name == "texts":
				return ""
			}
			return 0.0
		}
	}
	return x
}

func (t *tokens) listed(open, end string) (list []expr) {
	t.must(open)
	for !t.takes(end) {
		list = append(list, t.or())
		t.takes(",")
	}
	return list
}

func all(list []expr, r *lower.Row) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = x(r)
	}
	return out
}

func boxed[T any](list []T, f func(T) any) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

func text(s string) any { return s }

var columns = map[string]expr{
	"log":      func(r *lower.Row) any { return r.Log },
	"stream":   func(r *lower.Row) any { return r.Stream },
	"ptr":      func(r *lower.Row) any { return r.Ptr },
	"message":  func(r *lower.Row) any { return r.Message },
	"time":     func(r *lower.Row) any { return float64(r.Time) },
	"ingested": func(r *lower.Row) any { return float64(r.Ingested) },
	"names":    func(r *lower.Row) any { return boxed(r.Names, text) },
	"texts":    func(r *lower.Row) any { return boxed(r.Texts, text) },
	"kinds":    func(r *lower.Row) any { return boxed(r.Kinds, func(k uint8) any { return float64(k) }) },
	"numbers":  func(r *lower.Row) any { return boxed(r.Numbers, func(f float64) any { return f }) },
}

func (t *tokens) primary() expr {
	switch {
	case t.peek() == "(":
		t.at++
		x := t.or()
		t.must(")")
		return x
	case t.peek() == "[":
		list := t.listed("[", "]")
		return func(r *lower.Row) any { return all(list, r) }
	}
	name := t.peek()
	t.at++
	if name[0] == '\'' {
		return func(*lower.Row) any { return name[1:] }
	}
	if f, err := strconv.ParseFloat(name, 64); err == nil && name != "nan" {
		return func(*lower.Row) any { return f }
	}
	if t.peek() != "(" {
		if columns[name] == nil {
			panic("no column is called " + name)
		}
		return columns[name]
	}
	args, f := t.listed("(", ")"), functions[name]
	if f == nil {
		panic("no function is called " + name)
	}
	return func(r *lower.Row) any { return f(all(args, r)) }
}

func s(v any) string { return v.(string) }

var functions = map[string]func(a []any) any{
	"indexOf":                  func(a []any) any { return float64(slices.Index(a[0].([]any), a[1]) + 1) },
	"has":                      func(a []any) any { return truth(slices.Contains(a[0].([]any), a[1])) },
	"hasAny":                   hasAny,
	"position":                 func(a []any) any { return float64(strings.Index(s(a[0]), s(a[1])) + 1) },
	"startsWith":               func(a []any) any { return truth(strings.HasPrefix(s(a[0]), s(a[1]))) },
	"endsWith":                 func(a []any) any { return truth(strings.HasSuffix(s(a[0]), s(a[1]))) },
	"isValidUTF8":              func(a []any) any { return truth(utf8.ValidString(s(a[0]))) },
	"isNaN":                    func(a []any) any { return truth(math.IsNaN(a[0].(float64))) },
	"CAST":                     func(a []any) any { return a[0] },
	"toFloat64":                func(a []any) any { return a[0] },
	"toUnixTimestamp64Milli":   func(a []any) any { return a[0] },
	"fromUnixTimestamp64Milli": func(a []any) any { return a[0] },
	"match": func(a []any) any {
		found := regexp.MustCompile("(?s)" + s(a[1])).MatchString(s(a[0])) // ClickHouse's dot matches all
		return truth(found == utf8.ValidString(s(a[0])))
	},
	"extractGroups": func(a []any) any {
		found := regexp.MustCompile("(?s)" + s(a[1])).FindStringSubmatch(s(a[0]))
		if !utf8.ValidString(s(a[0])) {
			found = nil
		}
		return boxed(found[min(1, len(found)):], text)
	},
	"arrayResize": func(a []any) any {
		list := slices.Clone(a[0].([]any))
		for len(list) < int(a[1].(float64)) {
			list = append(list, "")
		}
		return list
	},
	"positiveModulo": func(a []any) any {
		return math.Mod(math.Mod(a[0].(float64), a[1].(float64))+a[1].(float64), a[1].(float64))
	},
	"if": func(a []any) any {
		if a[0] != 0.0 {
			return a[1]
		}
		return a[2]
	},
}

func hasAny(a []any) any {
	return truth(slices.ContainsFunc(a[1].([]any), func(x any) bool { return slices.Contains(a[0].([]any), x) }))
}

// query runs a statement over rows.
func query(st *lower.Statement, rows []lower.Row) *lower.Block {
	t := lex(st.SQL)
	t.must("SELECT")
	var selected []expr
	var names []string
	counts := -1
	for {
		if t.takes("count", "(", ")") {
			counts = len(selected)
			selected = append(selected, nil)
		} else {
			selected = append(selected, t.or())
		}
		t.must("AS")
		names = append(names, t.peek())
		t.at++
		if !t.takes(",") {
			break
		}
	}
	t.must("FROM", "`events", "WHERE")
	condition := t.or()
	grouped := t.takes("HAVING", "n", ">", "0") || t.takes("GROUP", "BY")
	if grouped {
		for t.at < len(t.list) && t.peek() != "ORDER" {
			t.at++ // by all others
		}
	}
	var found []*lower.Row
	for i := range rows {
		if condition(&rows[i]) != 0.0 {
			found = append(found, &rows[i])
		}
	}
	if t.takes("ORDER", "BY", "time") {
		newest := t.takes("DESC")
		if !newest {
			t.must("ASC")
		}
		slices.SortStableFunc(found, func(a, b *lower.Row) int {
			if newest {
				a, b = b, a
			}
			return int(a.Time - b.Time)
		})
	}
	if t.peek() != "" {
		panic(fmt.Sprintf("what follows is not understood: %q", t.list[t.at:]))
	}
	if len(names) != len(st.Columns) || (counts >= 0) != grouped {
		panic("the statement's columns are not those of its SQL: " + st.SQL)
	}
	return answer(st, selected, counts, found)
}

// answer makes a block of rows, or of groups of them.
func answer(st *lower.Statement, selected []expr, counts int, found []*lower.Row) *lower.Block {
	b := &lower.Block{Columns: make([]lower.Column, len(selected))}
	groups := map[string]int{}
	for _, r := range found {
		var values []any
		for i, x := range selected {
			if i != counts {
				values = append(values, x(r))
			}
		}
		if key := fmt.Sprintf("%q", values); counts >= 0 {
			if at, known := groups[key]; known {
				b.Columns[counts].Ints[at]++
				continue
			}
			groups[key] = b.Rows
		}
		b.Rows++
		for i := range selected {
			c := &b.Columns[i]
			if i == counts {
				c.Ints = append(c.Ints, 1)
				continue
			}
			v := selected[i](r)
			switch st.Columns[i].Type {
			case lower.Int64:
				c.Ints = append(c.Ints, int64(v.(float64)))
			case lower.UInt8:
				c.Bytes = append(c.Bytes, uint8(v.(float64)))
			case lower.String:
				c.Texts = append(c.Texts, v.(string))
			case lower.Array:
				var list []string
				for _, item := range v.([]any) {
					list = append(list, item.(string))
				}
				c.Lists = append(c.Lists, list)
			}
		}
	}
	return b
}
