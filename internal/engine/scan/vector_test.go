package scan

import (
	"strconv"
	"testing"
)

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

func TestValuesAreCodedWhereTheyRepeat(t *testing.T) {
	for _, c := range []struct {
		rows, different int
		want            Form
	}{{0, 1, Absent}, {10, 10, Coded}, {1000, 3, Coded}, {5000, 5000, Plain}, {1000, 1000, Plain}, {40, 30, Plain}} {
		all := make([]Value, c.rows)
		for i := range all {
			if i%7 != 6 || c.different == c.rows {
				all[i] = Value{Text, strconv.Itoa(i % c.different)}
			}
		}
		v := Code(all)
		if v.Form != c.want {
			t.Errorf("%d values of %d: form %d, want %d", c.rows, c.different, v.Form, c.want)
		}
		for i, x := range all {
			if got := v.At(i); got != x {
				t.Errorf("%d values of %d: %d is %v, want %v", c.rows, c.different, i, got, x)
			}
		}
	}
	if v := Code(make([]Value, 5)); v.Form != Absent {
		t.Errorf("nothing but null: form %d", v.Form)
	}
}
