package scan

import "testing"

func TestVectorsGiveValues(t *testing.T) {
	dict := &Dictionary{Values: []Value{{Text, "a"}, {Number, "1"}}}
	for _, c := range []struct {
		name string
		v    Vector
		want []Value
	}{
		{"absent", Vector{}, []Value{{}, {}}},
		{"coded", Vector{Form: Coded, Dict: dict, IDs: []uint32{1, None}}, []Value{{Number, "1"}, {}}},
		{"coded, all the same", Vector{Form: Coded, Dict: dict, Same: 1}, []Value{{Number, "1"}, {Number, "1"}}},
		{"coded, all null", Vector{Form: Coded, Dict: dict, Same: None}, []Value{{}, {}}},
		{"times", Vector{Form: Times, Ints: []int64{-1, 5}}, []Value{{Number, "-1"}, {Number, "5"}}},
		{"instants", Vector{Form: Instants, Ints: []int64{1_000_001, 0}, Digits: 6}, []Value{{Text, "1970-01-01T00:00:01.000001Z"}, {Text, "1970-01-01T00:00:00.000000Z"}}},
		{"instants of seconds", Vector{Form: Instants, Ints: []int64{1_000_000, 0}}, []Value{{Text, "1970-01-01T00:00:01Z"}, {Text, "1970-01-01T00:00:00Z"}}},
		{"plain", Vector{Form: Plain, All: []Value{{Bool, "true"}, {}}}, []Value{{Bool, "true"}, {}}},
		{"late", Vector{Form: Late, Read: func(row int) Value { return dict.Values[row] }}, dict.Values},
	} {
		for row, want := range c.want {
			if got := c.v.At(row); got != want {
				t.Errorf("%s, row %d: %v, want %v", c.name, row, got, want)
			}
		}
	}
}
