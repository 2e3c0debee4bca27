package lower

import (
	"math"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A column is where a field is in the table.
type column struct {
	kind   string // expression of scan.Kind; "" for what is text, or a time, in all events
	text   string
	number string // what it counts as; "" if that can't be said
	// isEvents tells fields of every event, whose texts may be no UTF-8, from discovered
	// ones.
	isEvents bool
}

const (
	timestamp     = "@timestamp"
	ingestionTime = "@ingestionTime"
	message       = "@message"
	pointer       = "@ptr"
)

var eventTexts = map[string]string{message: "message", "@logStream": "CAST(stream, 'String')", "@log": "CAST(log, 'String')", pointer: "ptr"}
var eventTimes = map[string]string{timestamp: "toUnixTimestamp64Milli(time)", ingestionTime: "toUnixTimestamp64Milli(ingested)"}

func columnOf(field string) column {
	if text, ok := eventTexts[field]; ok {
		return column{text: text, isEvents: true}
	}
	if ms, ok := eventTimes[field]; ok {
		return column{number: "toFloat64(" + ms + ")", isEvents: true}
	}
	at := "[indexOf(names, " + quote(field) + ")]"
	return column{kind: "kinds" + at, text: "texts" + at, number: "numbers" + at}
}

// A condition is what SQL can say of a predicate: all that meet it, and as much more as
// its precision says. Without a text it says nothing.
type condition struct {
	sql string
	precision
}

type precision uint8

const (
	superset    precision = iota
	exactInUTF8           // all texts that are no UTF-8 are among what is said
	exact
)

var (
	nothing = condition{}
	always  = condition{"1", exact}
	never   = condition{"0", exact}
)

// where is a predicate's condition.
func where(p *scan.Predicate) condition {
	c := columnOf(p.Field)
	if p.Test != nil {
		if got := c.test(p.Test, true); got.sql != "" {
			return got
		}
	}
	if c.text == "" || len(p.Contains) == 0 || p.Match(scan.Value{}) {
		return nothing
	}
	var list []condition
	for _, text := range p.Contains {
		list = append(list, condition{sql: "position(" + c.text + ", " + quote(text) + ") > 0"})
	}
	return all(list)
}

// all is what meets all conditions; those that say nothing are left out.
func all(list []condition) condition {
	least := exact
	var said []string
	for _, c := range list {
		least = min(least, c.precision)
		if c.sql != "" {
			said = append(said, c.sql)
		}
	}
	switch len(said) {
	case 0:
		if least == exact {
			return always
		}
		return nothing
	case 1:
		return condition{said[0], least}
	}
	return condition{"(" + strings.Join(said, " AND ") + ")", least}
}

// some is what meets one of the conditions: nothing can be said if one says nothing.
func some(list []condition) condition {
	least := exact
	var said []string
	for _, c := range list {
		if c.sql == "" {
			return nothing
		}
		least = min(least, c.precision)
		said = append(said, c.sql)
	}
	switch len(said) {
	case 0:
		return never
	case 1:
		return condition{said[0], least}
	}
	return condition{"(" + strings.Join(said, " OR ") + ")", least}
}

// test is a question that is to be answered by yes or, if not so, by no. Negations move
// to the leaves, so that what is said is always at least all.
func (c column) test(t *scan.Test, yes bool) condition {
	switch t.Op {
	case scan.Not:
		return c.test(t.Of[0], !yes)
	case scan.And, scan.Or:
		var list []condition
		for _, of := range t.Of {
			list = append(list, c.test(of, yes))
		}
		if (t.Op == scan.And) == yes {
			return all(list)
		}
		return some(list)
	}
	leaf := c.leaf(t, !yes)
	switch {
	case leaf.sql == "":
		return nothing
	case leaf == always && !yes, leaf == never && yes:
		return never
	case leaf == always, leaf == never:
		return always
	case !yes:
		leaf.sql = "NOT (" + leaf.sql + ")"
	}
	if t.Op == scan.Matches && c.isEvents {
		return condition{"(" + leaf.sql + " OR NOT isValidUTF8(" + c.text + "))", exactInUTF8}
	}
	return leaf
}

// leaf is one question's condition, exact except for what test adds. Where SQL can't tell
// numbers apart, because a float64 doesn't, it is of all that may meet it or, if sure, of
// all that certainly do.
func (c column) leaf(t *scan.Test, sure bool) condition {
	exactly := func(sql string) condition { return condition{sql, exact} }
	switch t.Op {
	case scan.Present:
		if c.kind == "" {
			return always
		}
		return exactly(c.kind + " != 0")
	case scan.Truth:
		if c.kind == "" {
			return nothing
		}
		return exactly("if(isNaN(" + c.number + "), " + c.text + " NOT IN ('', 'false'), " + c.kind + " != 0 AND " + c.number + " != 0)")
	case scan.Equal, scan.Unequal, scan.Less, scan.LessEqual, scan.Greater, scan.GreaterEqual:
		return c.compared(t.Op, t.Value, sure)
	case scan.In:
		return c.in(t.Values, sure)
	}
	if c.text == "" {
		return nothing
	}
	asked := ""
	switch t.Op {
	case scan.Contains:
		asked = "position(" + c.text + ", " + quote(t.Text) + ") > 0"
	case scan.Begins:
		asked = "startsWith(" + c.text + ", " + quote(t.Text) + ")"
	case scan.Ends:
		asked = "endsWith(" + c.text + ", " + quote(t.Text) + ")"
	case scan.Matches:
		re, ok := canonical(t.Regexp)
		if !ok {
			return nothing
		}
		asked = "match(" + c.text + ", " + quote(re) + ")"
	default:
		return nothing
	}
	if c.kind != "" {
		asked = c.kind + " != 0 AND " + asked
	}
	return exactly(asked)
}

var operators = map[scan.Op]string{scan.Equal: "=", scan.Less: "<", scan.LessEqual: "<=", scan.Greater: ">", scan.GreaterEqual: ">="}

// surely and perhaps are the comparisons of float64s that numbers rounded to them pass only
// if, or whenever, they pass one by their digits. Nothing makes two of them surely equal.
var (
	surely  = map[scan.Op]string{scan.Less: "<", scan.LessEqual: "<", scan.Greater: ">", scan.GreaterEqual: ">"}
	perhaps = map[scan.Op]string{scan.Equal: "=", scan.Less: "<=", scan.LessEqual: "<=", scan.Greater: ">=", scan.GreaterEqual: ">="}
)

// compared is a comparison with a constant.
func (c column) compared(op scan.Op, with scan.Value, sure bool) condition {
	if with.Kind == scan.Null {
		return never
	}
	if op == scan.Unequal {
		equal := c.compared(scan.Equal, with, !sure)
		switch {
		case equal.sql == "":
			return nothing
		case c.kind == "":
			return condition{"NOT (" + equal.sql + ")", equal.precision}
		}
		return condition{c.kind + " != 0 AND NOT (" + equal.sql + ")", equal.precision}
	}
	constant := value.Scanned(with)
	number, isNumber := constant.Number()
	isText := constant.Kind() == value.Text
	operator := " " + operators[op] + " "
	var ways []condition
	if isNumber {
		if c.number == "" {
			return nothing // a text of which it is not known what it counts as
		}
		if value.IsRounded(number) {
			ways = append(ways, c.rounded(op, number, sure))
		} else {
			ways = append(ways, c.hasKind("!= 0", c.number+operator+literal(number)))
		}
	}
	// Texts, unless both count as numbers. None that counts as none equals one that does.
	if isText && c.text != "" && !(isNumber && op == scan.Equal) {
		asked := c.text + operator + quote(constant.String())
		if isNumber {
			asked = "isNaN(" + c.number + ") AND " + asked
		}
		if op == scan.Equal && c.kind != "" {
			asked = "has(texts, " + quote(constant.String()) + ") AND " + asked // by the table's index
		}
		ways = append(ways, c.hasKind("= 1", asked))
	}
	return some(ways)
}

// rounded is a comparison with a number that others may share a float64 with.
func (c column) rounded(op scan.Op, number float64, sure bool) condition {
	operator := perhaps[op]
	if sure {
		operator = surely[op]
	}
	if operator == "" {
		return condition{"0", superset}
	}
	return condition{c.hasKind("!= 0", c.number+" "+operator+" "+literal(number)).sql, superset}
}

// hasKind adds what kind a field must be of.
func (c column) hasKind(kind, asked string) condition {
	if c.kind == "" {
		return condition{asked, exact}
	}
	return condition{"(" + c.kind + " " + kind + " AND " + asked + ")", exact}
}

// in compares with a list: what counts as a number with its numbers, all else with its
// texts.
func (c column) in(values []scan.Value, sure bool) condition {
	var numbers, texts []string
	var ways []condition
	for _, v := range values {
		x := value.Scanned(v)
		f, isNumber := x.Number()
		switch {
		case isNumber && value.IsRounded(f):
			if c.number == "" {
				return nothing
			}
			ways = append(ways, c.rounded(scan.Equal, f, sure))
		case isNumber:
			numbers = append(numbers, literal(f))
		case x.Kind() == value.Text:
			texts = append(texts, quote(x.String()))
		}
	}
	if len(numbers) > 0 {
		if c.number == "" {
			return nothing
		}
		ways = append(ways, c.hasKind("!= 0", c.number+" IN ("+strings.Join(numbers, ", ")+")"))
	}
	if len(texts) > 0 && c.text != "" {
		list := strings.Join(texts, ", ")
		asked := c.text + " IN (" + list + ")"
		if c.kind != "" {
			asked = "hasAny(texts, [" + list + "]) AND " + asked
		}
		ways = append(ways, c.hasKind("= 1", asked))
	}
	return some(ways)
}

// literal writes a number so that it reads as the same.
func literal(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return "toFloat64(" + strconv.FormatFloat(f, 'g', -1, 64) + ")"
}
