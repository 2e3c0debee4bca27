package policy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
)

// condition is a compiled Condition: all of a statement's must hold.
type condition struct {
	Operator
	key    string // lower case
	values []operand
}

// operand is one value of a condition, prepared for its operator.
type operand struct {
	template
	arn    *arnPattern // of ArnLike
	number decimal
	date   instant
	net    netip.Prefix
	binary []byte
	truth  string // of Bool and Null, in lower case
	valid  bool   // what is not valid is equal to nothing
}

func compileCondition(c Condition, version string) condition {
	out := condition{Operator: c.Operator, key: strings.ToLower(c.Key)}
	variables := version == Version2012 && c.Operator.Test.variables()
	for _, v := range c.Values {
		o := operand{valid: true}
		switch c.Operator.Test {
		case StringEquals, StringEqualsIgnoreCase:
			o.template = compileTemplate(v.Value, false, variables)
		case StringLike:
			o.template = compileTemplate(v.Value, true, variables)
		case ArnLike:
			o.arn = compileARN(v.Value, variables)
		case IPAddress:
			o.net, o.valid = parseNet(v.Value)
		case Bool, Null:
			o.truth = strings.ToLower(v.Value)
		case BinaryEquals:
			var err error
			o.binary, err = base64.StdEncoding.DecodeString(v.Value)
			o.valid = err == nil
		case DateEquals, DateLessThan, DateLessThanEquals, DateGreaterThan, DateGreaterThanEquals:
			o.date, o.valid = parseDate(v.Value)
		default:
			o.number, o.valid = parseNumber(v.Value)
		}
		out.values = append(out.values, o)
	}
	return out
}

// holds evaluates the condition. What is absent: a key that is missing, or there
// without a value, makes a condition false, a negated one and one with IfExists
// true; ForAllValues true; ForAnyValue false.
func (c *condition) holds(r *Request) bool {
	have := r.values(c.key)
	if c.Test == Null {
		want := "false"
		if have.Len() == 0 {
			want = "true"
		}
		for i := range c.values {
			if c.values[i].truth == want {
				return true
			}
		}
		return false
	}
	if have.Len() == 0 {
		return c.IfExists || c.Set == ForAllValues || c.Negated && c.Set == NoSet
	}
	switch c.Set {
	case ForAllValues:
		for i := range have.Len() {
			v := have.At(i)
			if c.anyEquals(r, v) == c.Negated {
				return false
			}
		}
		return true
	case ForAnyValue:
		for i := range have.Len() {
			v := have.At(i)
			if c.anyEquals(r, v) != c.Negated {
				return true
			}
		}
		return false
	}
	for i := range have.Len() {
		v := have.At(i)
		if c.anyEquals(r, v) {
			return !c.Negated
		}
	}
	return c.Negated
}

// anyEquals says whether value passes the positive test against any operand.
func (c *condition) anyEquals(r *Request, value string) bool {
	switch c.Test {
	case StringEquals, StringEqualsIgnoreCase, StringLike, ArnLike:
		return c.anyText(r, value)
	case Bool:
		for i := range c.values {
			if strings.EqualFold(c.values[i].truth, value) {
				return true
			}
		}
		return false
	case BinaryEquals:
		var room [256]byte
		got, ok := decoded(room[:], value)
		for i := range c.values {
			if ok && c.values[i].valid && bytes.Equal(c.values[i].binary, got) {
				return true
			}
		}
		return false
	case IPAddress:
		addr, err := netip.ParseAddr(value)
		for i := range c.values {
			if err == nil && c.values[i].valid && c.values[i].net.Contains(addr.Unmap()) {
				return true
			}
		}
		return false
	}
	return c.anyOrdered(value)
}

func (c *condition) anyText(r *Request, value string) bool {
	for i := range c.values {
		v := &c.values[i]
		var same bool
		switch c.Test {
		case ArnLike:
			same = v.arn.matches(r, value)
		case StringEqualsIgnoreCase:
			same = v.equalsFold(r, value)
		default:
			same = v.matches(r, value)
		}
		if same {
			return true
		}
	}
	return false
}

// decoded decodes base64, into room if it has enough.
func decoded(room []byte, value string) ([]byte, bool) {
	if n := base64.StdEncoding.DecodedLen(len(value)); n > len(room) {
		room = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(room, []byte(value))
	return room[:n], err == nil
}

// anyOrdered compares numbers and dates.
func (c *condition) anyOrdered(value string) bool {
	var number decimal
	var date instant
	var ok bool
	dates := c.Test >= DateEquals
	if dates {
		date, ok = parseDate(value)
	} else {
		number, ok = parseNumber(value)
	}
	if !ok {
		return false
	}
	for i := range c.values {
		v := &c.values[i]
		if !v.valid {
			continue
		}
		order := 0
		if dates {
			order = date.compare(v.date)
		} else {
			order = number.compare(v.number)
		}
		if c.Test.ordered(order) {
			return true
		}
	}
	return false
}

// ordered says whether the test holds of what compares so with its operand.
func (t Test) ordered(order int) bool {
	switch t {
	case NumericEquals, DateEquals:
		return order == 0
	case NumericLessThan, DateLessThan:
		return order < 0
	case NumericLessThanEquals, DateLessThanEquals:
		return order <= 0
	case NumericGreaterThan, DateGreaterThan:
		return order > 0
	}
	return order >= 0
}
