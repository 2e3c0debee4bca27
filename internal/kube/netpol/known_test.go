package netpol

import (
	"testing"

	"github.com/eksact/eksact/internal/engine/netpol"
)

func TestKnownLacks(t *testing.T) {
	name := func(n string) netpol.PodName { return netpol.PodName{Namespace: "default", Name: n} }
	for what, tc := range map[string]struct {
		known  known
		server snapshot
		want   string
	}{
		"all is known":                    {known{name("a"): 5}, snapshot{9, known{name("a"): 5}}, ""},
		"a newer state is known":          {known{name("a"): 12}, snapshot{9, known{name("a"): 5}}, ""},
		"an older state is known":         {known{name("a"): 4}, snapshot{9, known{name("a"): 5}}, "default/a"},
		"not known at all":                {nil, snapshot{9, known{name("a"): 5}}, "default/a"},
		"gone, and still known":           {known{name("a"): 5}, snapshot{9, nil}, "default/a, which is gone"},
		"made after the list":             {known{name("a"): 10}, snapshot{9, nil}, ""},
		"a kind that isn't served":        {nil, snapshot{}, ""},
		"one of two is gone":              {known{name("a"): 5, name("b"): 6}, snapshot{9, known{name("a"): 5}}, "default/b, which is gone"},
		"gone and made again, not yet so": {known{name("a"): 5}, snapshot{9, known{name("a"): 8}}, "default/a"},
	} {
		if got, lacks := tc.known.lacks(tc.server); got != tc.want || lacks != (tc.want != "") {
			t.Errorf("%s: %q, %v, want %q", what, got, lacks, tc.want)
		}
	}
}
