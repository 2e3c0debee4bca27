package policy

import "strings"

// Set is the set operator in front of a condition operator.
type Set uint8

const (
	NoSet Set = iota
	ForAllValues
	ForAnyValue
)

// Test is what a condition operator compares, without its negation.
type Test uint8

const (
	StringEquals Test = iota
	StringEqualsIgnoreCase
	StringLike
	NumericEquals
	NumericLessThan
	NumericLessThanEquals
	NumericGreaterThan
	NumericGreaterThanEquals
	DateEquals
	DateLessThan
	DateLessThanEquals
	DateGreaterThan
	DateGreaterThanEquals
	Bool
	BinaryEquals
	IPAddress
	ArnLike // ArnEquals is the same
	Null
)

// Operator is a condition operator taken apart:
// ForAnyValue:StringNotLikeIfExists is {ForAnyValue, StringLike, Negated, IfExists}.
type Operator struct {
	Name     string // as written
	Set      Set
	Test     Test
	Negated  bool
	IfExists bool
}

// operatorNamed knows the operators without prefix and suffix, in any case of
// letters.
func operatorNamed(name string) (test Test, negated, ok bool) {
	switch strings.ToLower(name) {
	case "stringequals":
		return StringEquals, false, true
	case "stringnotequals":
		return StringEquals, true, true
	case "stringequalsignorecase":
		return StringEqualsIgnoreCase, false, true
	case "stringnotequalsignorecase":
		return StringEqualsIgnoreCase, true, true
	case "stringlike":
		return StringLike, false, true
	case "stringnotlike":
		return StringLike, true, true
	case "numericequals":
		return NumericEquals, false, true
	case "numericnotequals":
		return NumericEquals, true, true
	case "numericlessthan":
		return NumericLessThan, false, true
	case "numericlessthanequals":
		return NumericLessThanEquals, false, true
	case "numericgreaterthan":
		return NumericGreaterThan, false, true
	case "numericgreaterthanequals":
		return NumericGreaterThanEquals, false, true
	case "dateequals":
		return DateEquals, false, true
	case "datenotequals":
		return DateEquals, true, true
	case "datelessthan":
		return DateLessThan, false, true
	case "datelessthanequals":
		return DateLessThanEquals, false, true
	case "dategreaterthan":
		return DateGreaterThan, false, true
	case "dategreaterthanequals":
		return DateGreaterThanEquals, false, true
	case "bool":
		return Bool, false, true
	case "binaryequals":
		return BinaryEquals, false, true
	case "ipaddress":
		return IPAddress, false, true
	case "notipaddress":
		return IPAddress, true, true
	case "arnequals", "arnlike":
		return ArnLike, false, true
	case "arnnotequals", "arnnotlike":
		return ArnLike, true, true
	case "null":
		return Null, false, true
	}
	return 0, false, false
}

// parseOperator takes an operator's name apart; ok is false if there is none of
// that name.
func parseOperator(name string) (op Operator, ok bool) {
	op.Name = name
	rest := name
	if set, after, found := strings.Cut(name, ":"); found {
		switch strings.ToLower(set) {
		case "forallvalues":
			op.Set = ForAllValues
		case "foranyvalue":
			op.Set = ForAnyValue
		default:
			return op, false
		}
		rest = after
	}
	if n := len(rest) - len("IfExists"); n > 0 && strings.EqualFold(rest[n:], "IfExists") {
		op.IfExists = true
		rest = rest[:n]
	}
	op.Test, op.Negated, ok = operatorNamed(rest)
	if op.Test == Null && ok && op.IfExists {
		return op, false // "You can add IfExists to any condition operator except Null"
	}
	return op, ok
}

// variables says whether policy variables are replaced in the operator's values.
func (t Test) variables() bool {
	return t == StringEquals || t == StringEqualsIgnoreCase || t == StringLike || t == ArnLike
}
