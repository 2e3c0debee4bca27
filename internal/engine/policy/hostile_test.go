package policy

import (
	"fmt"
	"strings"
	"testing"
)

// hostileCase is policies and a request made to be slow.
type hostileCase struct {
	name             string
	statements       int
	statement        func(n int) string
	action, resource string
}

func allow(action, resource, rest string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + rest + `}`
}

// hostileCases all end in an implicit deny, so that nothing ends early.
func hostileCases() []hostileCase {
	const many = 5000
	a := func(n int) string { return strings.Repeat("a", n) }
	s3 := func(format string) func(int) string {
		return func(n int) string { return allow("s3:Get*", fmt.Sprintf("arn:aws:s3:::"+format, n), "") }
	}
	pattern := func(text string) func(int) string {
		return func(int) string { return allow("s3:Get*", "arn:aws:s3:::"+text, "") }
	}
	const denied = `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`
	return []hostileCase{
		{"same resource, other conditions", many, func(n int) string {
			return allow("s3:Get*", "arn:aws:s3:::b/*", fmt.Sprintf(`,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"t-%d"}}`, n))
		}, "s3:GetObject", "arn:aws:s3:::b/k"},
		{"starred", many, s3("*-%d/*"), "s3:GetObject", "arn:aws:s3:::x-99999/k"},
		{"starred, short literals", many, s3("*%03d"), "s3:GetObject", "arn:aws:s3:::b/k"},
		{"starred, one gram", many, s3("*aaaaaaaa*b%d*"), "s3:GetObject", "arn:aws:s3:::" + a(10_000)},
		{"starred, a gram again and again", many, s3("*x%07d*y"), "s3:GetObject", "arn:aws:s3:::" + strings.Repeat("x0000042", 1250)},
		{"variables", many, s3("${aws:username}-%d/*"), "s3:GetObject", "arn:aws:s3:::bob-x/k"},
		{"unknown action", many, s3("b-%d/*"), "other:GetObject", "arn:aws:s3:::b-x/k"},
		{"each the beginning of another", many, func(n int) string {
			return allow("s3:Get*", "arn:aws:s3:::"+a(n%2000)+"*", denied)
		}, "s3:GetObject", "arn:aws:s3:::" + a(10_000)},
		{"any service", 500, func(n int) string { return allow("*:Get*", fmt.Sprintf("arn:aws:s3:::b-%d/*", n), "") }, "s3:GetObject", "arn:aws:s3:::b-x/k"},
		{"2 kB of stars", 1, pattern(strings.Repeat("*a", 1000) + "*b"), "s3:GetObject", "arn:aws:s3:::" + a(10_000)},
		{"2 kB of single wildcards", 1, pattern("*" + strings.Repeat("?a", 1000) + "b*"), "s3:GetObject", "arn:aws:s3:::" + a(10_000)},
		{"2 kB of text", 1, pattern("*" + a(2000) + "b*"), "s3:GetObject", "arn:aws:s3:::" + a(10_000)},
	}
}

func (c *hostileCase) make(t testing.TB) (*Applied, *Request) {
	p := repeated(t, 1, c.statements, func(_, n int) string { return c.statement(n) })
	return &Applied{Identity: p}, &Request{Caller: Caller{Kind: UserCaller}, Action: c.action, Resource: c.resource, Keys: benchKeys{}}
}

func TestHostile(t *testing.T) {
	for _, c := range hostileCases() {
		a, r := c.make(t)
		if d := Decide(a, r); d.Allowed || d.Explicit {
			t.Errorf("%s: %+v", c.name, d)
		}
		if n := testing.AllocsPerRun(1, func() { Decide(a, r) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	for _, c := range hostileCases() {
		b.Run(c.name, func(b *testing.B) {
			a, r := c.make(b)
			for b.Loop() {
				Decide(a, r)
			}
		})
	}
}
