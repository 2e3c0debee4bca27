package scan

import "strconv"

// A Kind is what JSON said that a value is. In comparisons most of it does not matter:
// a discovered value is text that counts as a number where it reads as one.
type Kind uint8

// Kinds of values.
const (
	Null   Kind = iota // absent
	Text               // a string, unescaped
	Number             // a number, as it was written
	Bool               // true or false
)

// A Value is a field of one event.
type Value struct {
	Kind Kind
	Text string
}

// A Form is how a vector holds its values.
type Form uint8

// Forms of vectors.
const (
	Absent Form = iota // null in all rows
	Coded              // by ids into a dictionary
	Times              // 64-bit integers: @timestamp, @ingestionTime
	Plain              // each row its own
	Late               // read when asked for
)

// None is the id of null in a coded vector.
const None = ^uint32(0)

// A Dictionary holds values that rows share. Batches of the same part of a store share
// dictionaries: its address can be the key of what was worked out for its values. Values
// differ from one another; not all need be used.
type Dictionary struct {
	Values []Value
}

// A Vector is one column of a batch.
type Vector struct {
	Form Form
	Dict *Dictionary         // Coded
	IDs  []uint32            // Coded: one for each row; nil when all rows have the value 0
	Ints []int64             // Times
	All  []Value             // Plain
	Read func(row int) Value // Late: safe for use by several goroutines
}

// At is the value of a row.
func (v *Vector) At(row int) Value {
	switch v.Form {
	case Coded:
		id := uint32(0)
		if v.IDs != nil {
			id = v.IDs[row]
		}
		if id == None {
			return Value{}
		}
		return v.Dict.Values[id]
	case Times:
		return Value{Kind: Number, Text: strconv.FormatInt(v.Ints[row], 10)}
	case Plain:
		return v.All[row]
	case Late:
		return v.Read(row)
	}
	return Value{}
}
