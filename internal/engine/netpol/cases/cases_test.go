package cases_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/netpol/cases"
)

func TestErrors(t *testing.T) {
	const whole = "cases:\n- {from: a, to: b, port: 1, expect: denied}\n"
	for _, tc := range []struct{ text, want string }{
		{"", "f: the file is empty"},
		{"cases: []", "f: the file has no cases"},
		{"cases: {", "f:1: "},
		{"more: x\n" + whole, "f:1: field more not found"},
		{"cases: [1]", "f:1: a case is a mapping"},
		{"cases:\n- {from: a, to: b, port: 1, expect: denied, of: x}", `f:2: a case has no field "of"; there are name, from, to`},
		{"cases:\n- {to: b, port: 1, expect: denied}", "f:2: the case has no from"},
		{"cases:\n- {from: [], to: b, port: 1, expect: denied}", "f:2: the case has no from"},
		{"cases:\n- {from: a, to: b, expect: denied}", "f:2: the case has no port"},
		{"cases:\n- {from: a, to: b, port: 1}", `f:2: expect is allowed or denied, not ""`},
		{"cases:\n- {from: a, to: b, port: 70000, expect: denied}", `f:2: port "70000" is no number`},
		{"cases:\n- {from: a, to: {b: c}, port: 1, expect: denied}", "f:2: a word or a list of words is expected here"},
		{"podCIDR: x\n" + whole, `f: podCIDR "x" is no CIDR`},
		{whole + "---\n" + whole, "f: it has a second document"},
		{"cases:\n- {from: &l [" + strings.Repeat("a, ", 400) + "], to: *l, port: 1, expect: denied}", "f:2: more than 100000 flows"},
	} {
		_, err := cases.Parse("f", tc.text)
		var fault *cases.Error
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%.60q: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// FuzzParse wants of every file: no panic, and cases that say something.
func FuzzParse(f *testing.F) {
	f.Add("manifests: [a]\nnamespace: x\npodCIDR: 10.0.0.0/8\ncases:\n- {name: n, from: a, to: [b, c], port: [1, x/UDP], expect: allowed, policy: p, known: k}")
	f.Add("cases: &c [{from: *c, to: *c}]")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		file, err := cases.Parse("f", text)
		if err != nil {
			return
		}
		for _, c := range file.Cases {
			if len(c.From)*len(c.To)*len(c.Ports) == 0 || c.Name == "" || c.Expect == "" {
				t.Errorf("%+v", c)
			}
		}
	})
}
