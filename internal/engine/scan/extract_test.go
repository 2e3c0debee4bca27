package scan

import (
	"reflect"
	"regexp"
	"testing"
)

func TestExtractsTakeTextsApart(t *testing.T) {
	for _, c := range []struct {
		name, text string
		e          Extract
		want       []string // nil: no match
	}{
		{"between two parts", `{"userAgent":"kubectl/1","b":2}`, Extract{Glob: []string{`"userAgent":"`, `"`}}, []string{"kubectl/1"}},
		{"an empty last part takes the rest", "took 3 ms in all", Extract{Glob: []string{"took ", " ", ""}}, []string{"3", "ms in all"}},
		{"an empty first part begins at the beginning", "GET /a b", Extract{Glob: []string{"", " ", ""}}, []string{"GET", "/a b"}},
		{"the earliest end counts", "a=1;b=2;", Extract{Glob: []string{"=", ";"}}, []string{"1"}},
		{"a part is missing", "a=1", Extract{Glob: []string{"=", ";"}}, nil},
		{"groups of a regular expression", "a=1,b=2", Extract{Regexp: regexp.MustCompile(`(\w)=(\d),(x)?`), Groups: []int{2, 1, 3}}, []string{"1", "a", ""}},
		{"no match", "a", Extract{Regexp: regexp.MustCompile(`b(.)`), Groups: []int{1}}, nil},
	} {
		out := make([]string, c.e.Columns())
		if ok := c.e.Apply(c.text, out); ok != (c.want != nil) || ok && !reflect.DeepEqual(out, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.name, out, ok, c.want)
		}
	}
}
