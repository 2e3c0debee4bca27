package columns

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

func TestExpressionsThatAreGlobs(t *testing.T) {
	for _, c := range []struct {
		text   string
		groups []int
		want   string // empty: none
	}{
		{`"userAgent":"(?P<agent>[^"]*)"`, []int{1}, `["\"userAgent\":\"" "\""] [0] [false]`},
		{`a(.*?)b(.*?)c`, []int{2, 1}, `["a" "b" "c"] [1 0] [true true]`},
		{`a.*?b([^,]*),`, []int{1}, `["a" "b" ","] [1] [true false]`},
		{`a(.*)b`, []int{1}, ""},
		{`a([^b]*)c`, []int{1}, ""},
		{`a([^b]*)bc`, []int{1}, ""},
		{`a([^b]+)b`, []int{1}, ""},
		{`a([^b]*?)b`, []int{1}, ""},
		{`a([^bc]*)b`, []int{1}, ""},
		{`a([^é]*)é`, []int{1}, ""},
		{`(?i)a(.*?)b`, []int{1}, ""},
		{`(?s)a(.*?)b`, []int{1}, ""},
		{`(a)(.*?)b`, []int{1}, ""},
		{`a(.*?)`, []int{1}, ""},
		{`(.*?)a`, []int{1}, ""},
		{`^a(.*?)b`, []int{1}, ""},
		{`a(.*?)b|c`, []int{1}, ""},
		{`abc`, nil, ""},
		{`a(x(.*?))b`, []int{1}, ""},
	} {
		glob, wanted, oneLine, ok := globOf(&scan.Extract{Regexp: regexp.MustCompile(c.text), Groups: c.groups})
		got := ""
		if ok {
			got = fmt.Sprintf("%q %v %v", glob, wanted, oneLine)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}
