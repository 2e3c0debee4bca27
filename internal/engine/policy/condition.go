package policy

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"strings"
	"time"
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
	arn    arnPattern
	number *big.Rat
	date   time.Time
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
		got, err := base64.StdEncoding.DecodeString(value)
		for i := range c.values {
			if err == nil && c.values[i].valid && bytes.Equal(c.values[i].binary, got) {
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
		switch c.Test {
		case StringLike:
			if v.matches(r, value) {
				return true
			}
		case ArnLike:
			if v.arn.matches(r, value) {
				return true
			}
		default:
			text, ok := v.string(r)
			if ok && (text == value || c.Test == StringEqualsIgnoreCase && strings.EqualFold(text, value)) {
				return true
			}
		}
	}
	return false
}

// anyOrdered compares numbers and dates.
func (c *condition) anyOrdered(value string) bool {
	var number *big.Rat
	var date time.Time
	var ok bool
	if c.Test >= DateEquals {
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
		var order int
		if number != nil {
			order = number.Cmp(v.number)
		} else {
			order = date.Compare(v.date)
		}
		switch c.Test {
		case NumericEquals, DateEquals:
			ok = order == 0
		case NumericLessThan, DateLessThan:
			ok = order < 0
		case NumericLessThanEquals, DateLessThanEquals:
			ok = order <= 0
		case NumericGreaterThan, DateGreaterThan:
			ok = order > 0
		default:
			ok = order >= 0
		}
		if ok {
			return true
		}
	}
	return false
}
