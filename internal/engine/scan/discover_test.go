package scan

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestDiscoversFields(t *testing.T) {
	text := func(s string) Value { return Value{Text, s} }
	number := func(s string) Value { return Value{Number, s} }
	for _, c := range []struct {
		message string
		want    []Leaf
	}{
		{"plain text", nil},
		{`["a"]`, nil},
		{`{"a":1`, nil},
		{`{"a":1} x`, nil},
		{"", nil},
		{" \n{\"a\" : 1.50}\t", []Leaf{{"a", number("1.50")}}},
		{`{"b":"x","a":{"c":[true,{"d":null}],"e":{},"f":[]}}`, []Leaf{{"b", text("x")}, {"a.c.0", Value{Bool, "true"}}}},
		{`{"@a":1,"b":{"@c":2}}`, []Leaf{{"@@a", number("1")}, {"b.@c", number("2")}}},
		{`{"a":{"b":1,"c":1},"a":{"b":2}}`, []Leaf{{"a.b", number("2")}}},
		{`{"a":{"b":1},"a.b":2}`, []Leaf{{"a.b", number("2")}}},
		{`{"a":{"b":1},"a.b":null}`, nil},
		{`{"x/y.z":"é\n\"","":1}`, []Leaf{{"x/y.z", text("é\n\"")}, {"", number("1")}}},
		{"{\"a\":\"\xff\"}", []Leaf{{"a", text("\ufffd")}}},
	} {
		if got := Discover(c.message); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.message, got, c.want)
		}
	}
}

func TestOnlyTheFirstLeavesAreFields(t *testing.T) {
	var b strings.Builder
	for i := range MaxFields + 50 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	got := Discover("{" + b.String()[1:] + "}")
	if len(got) != MaxFields || got[MaxFields-1].Name != fmt.Sprintf("k%d", MaxFields-1) {
		t.Errorf("%d fields, the last is %v", len(got), got[len(got)-1])
	}
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	if got := Discover(deep); got != nil {
		t.Errorf("nested 20,000 deep: %d fields", len(got))
	}
}
