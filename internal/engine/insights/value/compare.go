package value

import (
	"cmp"
	"strings"
)

// Compare orders two values for =, <, > and their like: as numbers if both count as
// numbers (from 2^53 on by all their digits), as texts if both are texts. Others, null among them, do not compare: ok is
// false, and each comparison too (see Unequal for !=).
func Compare(a, b Value) (order int, ok bool) {
	if a.kind == Null || b.kind == Null || a.kind >= List || b.kind >= List {
		return 0, false
	}
	if x, isNumber := a.Number(); isNumber {
		if y, isNumber := b.Number(); isNumber {
			return compareNumbers(a, b, x, y), true
		}
	}
	if a.kind != Text || b.kind != Text {
		return 0, false
	}
	return strings.Compare(a.text, b.text), true
}

// Equal reports whether a = b.
func Equal(a, b Value) bool {
	if a.kind == Text && b.kind == Text && a.text == b.text {
		return true
	}
	order, ok := Compare(a, b)
	return ok && order == 0
}

// Unequal reports whether a != b: false if one is null, a list or a map; true for a
// number and a text that isn't one.
func Unequal(a, b Value) bool {
	if a.kind == Null || b.kind == Null || a.kind >= List || b.kind >= List {
		return false
	}
	return !Equal(a, b)
}

// Same reports whether two values belong to one group: they print the same. Null is
// only the same as null.
func Same(a, b Value) bool {
	return (a.kind == Null) == (b.kind == Null) && a.String() == b.String()
}

// Order is the order of sort, ascending, in which any two values have one: null first,
// and lists and maps, then what is no number, in natural order, then numbers by their
// size. Numbers of the same size go by how they are printed.
func Order(a, b Value) int {
	x, y := RankOf(a), RankOf(b)
	return x.Compare(&y)
}

// A Rank is a value with what its order goes by, for values that are compared often.
type Rank struct {
	Value  Value
	class  orderClass
	number float64
	prefix uint64 // of texts: of one that is less than another's it is never more
}

type orderClass int

const (
	classNull orderClass = iota
	classText
	classNumber
)

// RankOf is a value's rank.
func RankOf(v Value) Rank {
	if v.kind == Null || v.kind >= List {
		return Rank{Value: v, class: classNull}
	}
	if f, ok := v.Number(); ok {
		return Rank{Value: v, class: classNumber, number: f}
	}
	return Rank{Value: v, class: classText, prefix: naturalPrefix(v.String())}
}

// Compare is Order of two values by their ranks.
func (r *Rank) Compare(o *Rank) int {
	if r.class != o.class {
		return int(r.class) - int(o.class)
	}
	switch r.class {
	case classNumber:
		if c := compareFloats(r.number, o.number); c != 0 {
			return c
		}
		if r.Value.text == o.Value.text { // both computed, mostly: no need to print them
			return 0
		}
		if c := compareNumbers(r.Value, o.Value, r.number, o.number); c != 0 {
			return c
		}
		return strings.Compare(r.Value.String(), o.Value.String())
	case classText:
		if r.prefix != o.prefix {
			return cmp.Compare(r.prefix, o.prefix)
		}
		return compareNatural(r.Value.String(), o.Value.String())
	}
	return 0
}

func compareFloats(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// compareNatural compares texts piece by piece, a piece being a run of digits or one of
// other characters: runs of digits by their length, then by their digits, all else by
// code points.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			x, y := digits(a), digits(b)
			if x != y {
				return compareFloats(float64(x), float64(y))
			}
			if o := strings.Compare(a[:x], b[:x]); o != 0 {
				return o
			}
			a, b = a[x:], b[x:]
			continue
		}
		if a[0] != b[0] { // UTF-8 keeps the order of code points
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// naturalPrefix is how a text begins, so that to compare two of these compares the texts
// unless they are equal: characters as they are, and runs of digits as a digit, their
// length, which others come behind if it is too long, and themselves.
func naturalPrefix(s string) (prefix uint64) {
	left := 8
	put := func(c byte) {
		if left > 0 {
			left--
			prefix |= uint64(c) << (8 * left)
		}
	}
	for i := 0; i < len(s) && left > 0; i++ {
		if !isDigit(s[i]) {
			put(s[i])
			continue
		}
		n := digits(s[i:])
		put('0')
		if put(byte(min(n, 255))); n >= 255 {
			break
		}
		for _, c := range []byte(s[i : i+n]) {
			put(c)
		}
		i += n - 1
	}
	return prefix
}

func digits(s string) int {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return i
		}
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
