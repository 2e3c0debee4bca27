package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// maker makes policies of few actions, resources and keys, so that they meet.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) some(of ...string) string {
	list := make([]string, 1+m.IntN(3))
	for i := range list {
		list[i] = `"` + m.one(of...) + `"`
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (m maker) statement(resourceBased bool) string {
	s := `"Effect":"` + m.one("Allow", "Allow", "Deny") + `","` + m.one("Action", "Action", "Action", "NotAction") + `":` +
		m.some("*", "s3:*", "s3:Get*", "s3:GetObject", "S3:getobject", "s3:*Object*", "s3:?utObject", "iam:*", "iam:List*", "ec2:RunInstances", "other:*", "other:Do", "*:*", "*:Get*", "*:*Object") +
		`,"` + m.one("Resource", "Resource", "Resource", "NotResource") + `":` +
		m.some("*", "arn:aws:s3:::*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::b?/*", "arn:aws:s3:::${aws:username}/*", "arn:*:k", "*", "arn:aws:s3:::b/*/x*y", "arn:aws:s3:::${aws:missing}", "arn:aws:s3:::bucket", "arn:aws:s3:::bu")
	if resourceBased {
		s += `,"` + m.one("Principal", "Principal", "Principal") + `":` + m.one(`"*"`, `{"AWS":"111122223333"}`, `{"AWS":"AIDAAAAAAAAAAAAAAAAAA"}`, `{"AWS":["444455556666","arn:aws:iam::111122223333:role/r"]}`)
	}
	if m.IntN(3) == 0 {
		s += `,"Condition":{"` + m.one("StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists", "ForAllValues:StringEquals") + `":{"` +
			m.one("aws:username", "aws:PrincipalTag/team", "aws:TagKeys") + `":` + m.some("b", "bucket", "${aws:username}", "x*") + `}}`
	}
	return "{" + s + "}"
}

func (m maker) program(kind Kind) *Program {
	list := make([]Source, m.IntN(4))
	for i := range list {
		statements := make([]string, 1+m.IntN(30))
		for j := range statements {
			statements[j] = m.statement(kind == Resource)
		}
		doc, err := Parse(kind, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
		if err != nil {
			panic(err)
		}
		list[i] = Source{Policy: Compile(doc)}
	}
	return NewProgram(list...)
}

type fixed map[string][]string

func (f fixed) Values(key string) Values { return Many(f[key]) }

func (m maker) request() *Request {
	keys := fixed{}
	if m.IntN(2) == 0 {
		keys["aws:username"] = []string{m.one("b", "bucket", "*")}
	}
	if m.IntN(2) == 0 {
		keys["aws:tagkeys"] = []string{m.one("b", "x"), m.one("b", "xy")}
	}
	return &Request{
		Caller:   Caller{Kind: UserCaller, Account: "111122223333", ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: "AIDAAAAAAAAAAAAAAAAAA", ARN: "arn:aws:iam::111122223333:user/b"},
		Action:   m.one("s3:GetObject", "s3:getobject", "s3:PutObject", "s3:ListBucket", "iam:ListRoles", "iam:CreateRole", "ec2:RunInstances", "ec2:DescribeInstances", "other:Do", "other:Else", "s3:NoSuchAction"),
		Resource: m.one("*", "arn:aws:s3:::b/k", "arn:aws:s3:::b", "arn:aws:s3:::bc/x", "arn:aws:s3:::b/x/xzy", "arn:aws:s3:::bucket", "arn:aws:s3:::bucket/b", "arn:aws:s3:::*/x", "arn::k", ""),
		Keys:     keys,
	}
}

// TestProgramsFindAllThatMatches compares with asking every statement.
func TestProgramsFindAllThatMatches(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	decided := map[bool]int{}
	for range 1000 {
		p := m.program([]Kind{Inline, Resource}[m.IntN(2)])
		for range 10 {
			var q query
			q.ask(m.request())
			var got, want verdict
			p.evaluate(&got, &q, false)
			p.evaluateAll(&want, &q, false)
			if got.denied != want.denied || !got.denied && got.grade != want.grade {
				t.Fatalf("%s on %s with %v: %+v, every statement asked %+v:\n%s", q.Action, q.Resource, q.Keys, got, want, written(p))
			}
			decided[got.denied || got.grade > unnamed]++
		}
	}
	if decided[true] < 1000 || decided[false] < 1000 {
		t.Errorf("the cases are one-sided: %v", decided)
	}
}

func written(p *Program) string {
	var b strings.Builder
	for _, s := range p.sources {
		b.WriteString(s.Policy.doc.Text + "\n")
	}
	return b.String()
}

// Programs of the benchmarks and the test below.
func repeated(t testing.TB, policies, statements int, statement func(policy, n int) string) *Program {
	list := make([]Source, policies)
	for i := range list {
		texts := make([]string, statements)
		for j := range texts {
			texts[j] = statement(i, j)
		}
		doc, err := Parse(Inline, `{"Version":"2012-10-17","Statement":[`+strings.Join(texts, ",")+`]}`)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = Source{Policy: Compile(doc)}
	}
	return NewProgram(list...)
}

// wild is a statement with wildcards and two conditions.
func wild(i, j int) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":["arn:aws:s3:::bucket-%d-%d/*","arn:aws:s3:::*-%d-%d/a/*/z"],
		"Condition":{"StringLike":{"aws:PrincipalTag/team":"team-*"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.168.0.0/16"]}}}`, i, j, i, j)
}

type benchKeys struct{}

func (benchKeys) Values(key string) Values {
	switch key {
	case "aws:principaltag/team":
		return One("team-blue")
	case "aws:sourceip":
		return One("192.168.1.7")
	case "aws:username":
		return One("bob")
	case "aws:currenttime":
		return One("2026-11-26T10:00:00Z")
	case "s3:max-keys":
		return One("100")
	case "aws:principalarn":
		return One("arn:aws:iam::111122223333:user/bob")
	case "aws:securetransport":
		return One("true")
	}
	return Values{}
}

type decideCase struct {
	name             string
	program          func(testing.TB) *Program
	action, resource string
	allowed          bool
}

func decideCases() []decideCase {
	ten := func(t testing.TB) *Program { return repeated(t, 10, 20, wild) }
	return []decideCase{
		{"1", func(t testing.TB) *Program {
			return repeated(t, 1, 1, func(int, int) string {
				return `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`
			})
		}, "s3:GetObject", "arn:aws:s3:::b/k", true},
		{"10x20/last", ten, "s3:GetObject", "arn:aws:s3:::bucket-9-19/k", true},
		{"10x20/implicit", ten, "s3:GetObject", "arn:aws:s3:::bucket-9-99/k", false},
		{"10x20/uncovered", ten, "s3:PutObject", "arn:aws:s3:::bucket-9-19/k", false},
		{"10x20/otherService", ten, "iam:CreateRole", "arn:aws:iam::111122223333:role/r", false},
		{"5000/oneService", func(t testing.TB) *Program { return repeated(t, 50, 100, wild) }, "s3:GetObject", "arn:aws:s3:::bucket-49-99/k", true},
		{"5000/starred", func(t testing.TB) *Program {
			return repeated(t, 50, 100, func(i, j int) string {
				return fmt.Sprintf(`{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::*-%d-%d/*"}`, i, j)
			})
		}, "s3:GetObject", "arn:aws:s3:::bucket-49-99/k", true},
		{"variables", func(t testing.TB) *Program {
			return repeated(t, 1, 1, func(int, int) string {
				return `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*","Condition":{"StringEquals":{"aws:username":"${aws:username}"}}}`
			})
		}, "s3:GetObject", "arn:aws:s3:::home/bob/k", true},
		{"operators", func(t testing.TB) *Program {
			return repeated(t, 1, 1, func(int, int) string {
				return `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"},"NumericLessThan":{"s3:max-keys":"100.5"},
					"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"},"Bool":{"aws:SecureTransport":"true"},"Null":{"aws:TokenIssueTime":"true"}}}`
			})
		}, "s3:GetObject", "arn:aws:s3:::home/bob/k", true},
		{"20stars", func(t testing.TB) *Program {
			return repeated(t, 1, 1, func(int, int) string {
				return `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::` + strings.Repeat("*a", 20) + `*b"}`
			})
		}, "s3:GetObject", "arn:aws:s3:::" + strings.Repeat("a", 60), false},
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	for _, c := range decideCases() {
		a := &Applied{Identity: c.program(t)}
		r := &Request{Caller: Caller{Kind: UserCaller}, Action: c.action, Resource: c.resource, Keys: benchKeys{}}
		if d := Decide(a, r); d.Allowed != c.allowed {
			t.Errorf("%s: allowed %v", c.name, d.Allowed)
		}
		if n := testing.AllocsPerRun(100, func() { Decide(a, r) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range decideCases() {
		b.Run(c.name, func(b *testing.B) {
			a := &Applied{Identity: c.program(b)}
			r := &Request{Caller: Caller{Kind: UserCaller}, Action: c.action, Resource: c.resource, Keys: benchKeys{}}
			b.ReportAllocs()
			for b.Loop() {
				Decide(a, r)
			}
		})
	}
}

// BenchmarkCompile is the cost of one statement, from its parse tree, and of its
// place in a program.
func BenchmarkCompile(b *testing.B) {
	var texts []string
	for j := range 100 {
		texts = append(texts, wild(0, j))
	}
	doc, err := Parse(Inline, `{"Version":"2012-10-17","Statement":[`+strings.Join(texts, ",")+`]}`)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("statement", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewProgram(Source{Policy: Compile(doc)})
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(doc.Statements)), "µs/statement")
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			Parse(Inline, doc.Text)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(doc.Statements)), "µs/statement")
	})
}
