package scan

import "regexp"

// A Test says in full what a Predicate's Match decides, for sources that can't call it
// where their values are. It is a tree of questions about one value:
//
//   - Null is like nothing: no comparison with it holds.
//   - JSON numbers, texts that read as a decimal number (package insights/value), true as
//     1 and false as 0 count as numbers. The text of true is 1 and of false 0; that of a
//     number is as it was written. A JSON number beyond a float64 is a text.
//   - Two values compare as numbers if both count as such, from 2^53 on by all their digits;
//     if not, by their texts' bytes
//     if both are texts; others don't compare.
type Test struct {
	Op     Op
	Of     []*Test        // And, Or, and Not, which has one
	Value  Value          // what is compared with: Equal to GreaterEqual
	Values []Value        // In
	Text   string         // Contains, Begins, Ends
	Regexp *regexp.Regexp // Matches
}

// An Op is a question.
type Op uint8

// Questions.
const (
	And     Op = iota // all of its parts hold; true without any
	Or                // one of its parts holds; false without any
	Not               // its part does not hold
	Present           // not null
	Truth             // a number other than 0, or a text that is neither empty nor "false"
	Equal
	Unequal // neither null nor equal; what does not compare is unequal
	Less
	LessEqual
	Greater
	GreaterEqual
	In       // equal to one of Values
	Contains // its text contains Text
	Begins
	Ends
	Matches // its text has a match of Regexp
)
