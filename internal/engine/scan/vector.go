package scan

import (
	"strconv"
	"time"
)

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
	Absent   Form = iota // null in all rows
	Coded                // by ids into a dictionary
	Times                // milliseconds since 1970: @timestamp, @ingestionTime
	Plain                // each row its own
	Late                 // read when asked for
	Instants             // points in time that were written as text, in RFC 3339 and UTC
	Integers             // numbers of 64 bits, in their shortest form
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
	IDs  []uint32            // Coded: one for each row; nil when all rows have Same
	Same uint32              // Coded without IDs: the id of all rows
	Ints []int64             // Times, Integers; Instants: microseconds since 1970
	All  []Value             // Plain
	Read func(row int) Value // Late: safe for use by several goroutines
	// Digits is how many digits Instants have after their seconds, 0 to 6: with 3,
	// 2026-11-22T14:05:00.000Z.
	Digits int
}

// At is the value of a row.
func (v *Vector) At(row int) Value {
	switch v.Form {
	case Coded:
		id := v.Same
		if v.IDs != nil {
			id = v.IDs[row]
		}
		if id == None {
			return Value{}
		}
		return v.Dict.Values[id]
	case Times, Integers:
		return Value{Kind: Number, Text: strconv.FormatInt(v.Ints[row], 10)}
	case Plain:
		return v.All[row]
	case Late:
		return v.Read(row)
	case Instants:
		return Value{Kind: Text, Text: FormatInstant(v.Ints[row], v.Digits)}
	}
	return Value{}
}

// Code makes a vector of values: by a dictionary, unless most of them differ.
func Code(all []Value) Vector {
	ids := map[Value]uint32{}
	v := Vector{Form: Coded, Dict: &Dictionary{}, IDs: make([]uint32, len(all))}
	for i, x := range all {
		if x.Kind == Null {
			v.IDs[i] = None
			continue
		}
		id, ok := ids[x]
		if !ok {
			if len(ids) > 1024 && len(ids) > i/2 {
				return Vector{Form: Plain, All: all}
			}
			id = uint32(len(ids))
			ids[x] = id
			v.Dict.Values = append(v.Dict.Values, x)
		}
		v.IDs[i] = id
	}
	switch {
	case len(ids) == 0:
		return Vector{}
	case len(ids) > 16 && len(ids) > len(all)/2:
		return Vector{Form: Plain, All: all}
	}
	return v
}

// FormatInstant writes a point in time, in microseconds since 1970, in RFC 3339 and UTC
// with so many digits, 0 to 6, after the seconds.
func FormatInstant(micros int64, digits int) string {
	const form = "2006-01-02T15:04:05.000000"
	n := len(form)
	if n -= 6 - digits; digits == 0 {
		n--
	}
	return time.UnixMicro(micros).UTC().Format(form[:n]) + "Z"
}
