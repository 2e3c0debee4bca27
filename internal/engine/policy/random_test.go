package policy_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// random makes policies and requests out of small vocabularies, so that they meet
// often. The same seed makes the same.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 20260101))} }

func (r random) chance(percent int) bool { return r.IntN(100) < percent }

func (r random) of(list ...string) string { return list[r.IntN(len(list))] }

// some is one to most of the list.
func (r random) some(most int, list ...string) []string {
	out := make([]string, 1+r.IntN(most))
	for i := range out {
		out[i] = r.of(list...)
	}
	return out
}

const (
	randA = "111122223333"
	randB = "444455556666"
)

func (r random) action() string {
	return r.of("s:Get", "s:GetAll", "s:Put", "s:List", "t:Do", "sts:AssumeRole", "s:get")
}

func (r random) actionPattern() string {
	return r.of("*", "*", "*", "s:*", "s:*", "s:G*", "S:GET", "s:?et", "t:*", "s:Put", "s:List", "*:Do", "s:*t*l", "sts:AssumeRole", "sts:*")
}

// composed is an ARN of few pieces, so that patterns and texts of several lengths
// share beginnings, endings and middles.
func (r random) composed(pieces ...string) string {
	var b strings.Builder
	b.WriteString(r.of("arn:aws:s:::", "arn:aws:s:::", "arn:aws:s:eu:111122223333:"))
	for range 1 + r.IntN(6) {
		b.WriteString(r.of(pieces...))
	}
	return b.String()
}

func (r random) resource() string {
	if r.chance(40) {
		return r.composed("b", "bob", "logs", "/", "/", "x", "2026", "é", ":")
	}
	return r.of("*", "arn:aws:s:::b/x", "arn:aws:s:::b/bob", "arn:aws:s:::b/bob/y", "arn:aws:s:::c", "arn:aws:s:eu:111122223333:q:r", "arn:aws:s:::b/é")
}

func (r random) resourcePattern() string {
	if r.chance(40) {
		return r.composed("b", "bob", "logs", "/", "*", "*", "?", "x", "2026", "é", "${aws:username}", ":")
	}
	return r.of("*", "*", "*", "*", "*", "arn:aws:s:::b/*", "arn:aws:s:::b/?", "arn:aws:s:::b/${aws:username}", "arn:aws:s:::b/${aws:username}/*", "arn:aws:s:::*b*",
		"arn:aws:s:::b/${aws:l, 'x'}", "arn:aws:s:*:111122223333:*", "arn:aws:s:::c", "arn:aws:s:::b/${*}", "arn:aws:s:::${aws:k}*")
}

// principal is an entry of a Principal element.
func (r random) principal() (kind, value string) {
	switch r.IntN(12) {
	case 0:
		return "Service", r.of("ec2.amazonaws.com", "eks.amazonaws.com")
	case 1:
		return "Federated", r.of("arn:aws:iam::111122223333:oidc-provider/h", "accounts.google.com")
	}
	return "AWS", r.of("*", randA, randB, "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/bob", "arn:aws:iam::111122223333:user/eve",
		"AIDAAAAAAAAAAAAAAAAAA", "AROAAAAAAAAAAAAAAAAAA", "arn:aws:iam::111122223333:role/r", "arn:aws:iam::111122223333:role/aws-service-role/x/r",
		"arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:sts::111122223333:assumed-role/r/t", "arn:aws:sts::111122223333:federated-user/fred")
}

func (r random) principals() any {
	if r.chance(15) {
		return "*"
	}
	out := map[string][]string{}
	for range 1 + r.IntN(4) {
		kind, value := r.principal()
		out[kind] = append(out[kind], value)
	}
	return out
}

func (r random) caller() policy.Caller {
	switch r.IntN(9) {
	case 0:
		return policy.Caller{}
	case 1:
		return policy.Caller{Kind: policy.RootCaller, Account: randA, ID: randA, UserID: randA, ARN: "arn:aws:iam::111122223333:root", Entity: "arn:aws:iam::111122223333:root"}
	case 2:
		return policy.Caller{Kind: policy.ServiceCaller, Name: "ec2.amazonaws.com"}
	case 3:
		return policy.Caller{Kind: policy.ProviderCaller, Name: r.of("arn:aws:iam::111122223333:oidc-provider/h", "accounts.google.com")}
	case 4, 5:
		name := r.of("r", "aws-service-role/x/r")
		return policy.Caller{Kind: policy.RoleCaller, Account: randA, ID: "AROAAAAAAAAAAAAAAAAAA", UserID: "AROAAAAAAAAAAAAAAAAAA:s",
			ARN: "arn:aws:sts::111122223333:assumed-role/r/s", Entity: "arn:aws:iam::111122223333:role/" + name}
	case 6:
		return policy.Caller{Kind: policy.FederatedCaller, Account: randA, ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: randA + ":fred",
			ARN: "arn:aws:sts::111122223333:federated-user/fred", Entity: "arn:aws:iam::111122223333:user/bob"}
	}
	return policy.Caller{Kind: policy.UserCaller, Account: randA, ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: "AIDAAAAAAAAAAAAAAAAAA",
		ARN: "arn:aws:iam::111122223333:user/bob", Entity: "arn:aws:iam::111122223333:user/bob"}
}

// Values of one kind are compared with operators of all kinds, too.
var randValues = []string{"a", "A", "ab", "b", "", "bob", "b*", "é", "10", "10.0", "9", "-1", "2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z",
	"1577836800", "true", "True", "false", "QUI=", "10.0.0.1", "10.1.2.3", "11.0.0.1", "2001:db8::1", "arn:aws:s3:::b", "arn:aws:s3:::b:c", "arn:aws:s3:r:1:b"}

func (r random) condition() (operator string, values []string) {
	test := r.of("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
		"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotLike", "ArnNotEquals", "Null")
	switch {
	case test == "Null":
		return test, r.some(2, "true", "false")
	case strings.HasPrefix(test, "Date"):
		values = r.some(2, "2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "1577836800", "2019-06-01T00:00:00Z")
	case strings.Contains(test, "Ip"):
		values = r.some(2, "10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0", "a")
	case strings.HasPrefix(test, "Arn"):
		values = r.some(2, "arn:aws:s3:::b", "arn:aws:s3:*:*:b*", "*", "arn:aws:s3:::${aws:l}", "arn:aws:s3:::?", "arn:aws:*", "a")
	case strings.HasPrefix(test, "String"):
		values = r.some(3, append([]string{"*", "a*", "?", "*b", "${aws:username}", "${aws:l}", "${aws:l, 'a'}", "${aws:m}*", "a${*}", "b${*}", "${$}", "${", "${aws:username"}, randValues...)...)
	default:
		values = r.some(2, randValues...)
	}
	if r.chance(4) {
		values = []string{}
	}
	if r.chance(20) {
		test += "IfExists"
	}
	return r.of("", "", "", "ForAllValues:", "ForAnyValue:") + test, values
}

func (r random) key() string {
	return r.of("aws:K", "aws:k", "aws:l", "aws:m", "aws:username", "aws:absent")
}

func (r random) keys() keys {
	k := keys{}
	for _, name := range []string{"aws:k", "aws:l", "aws:m"} {
		switch r.IntN(4) {
		case 0:
		case 1:
			k[name] = r.some(3, randValues...)
		default:
			k[name] = r.some(1, randValues...)
		}
	}
	if r.chance(70) {
		k["aws:username"] = []string{r.of("bob", "b*", "é")}
	}
	return k
}

// statement makes a statement for a kind of document, as JSON.
func (r random) statement(kind policy.Kind, effect string) map[string]any {
	s := map[string]any{"Effect": effect}
	switch {
	case kind == policy.Trust:
		s["Action"] = r.some(2, "sts:AssumeRole", "sts:*", "sts:TagSession", "sts:Assume*")
	case r.chance(15):
		s["NotAction"] = r.some(2, "s:*", "t:*", "s:Get", "sts:*")
	default:
		s["Action"] = r.some(2, r.actionPattern(), r.actionPattern())
	}
	switch {
	case kind == policy.Trust:
	case r.chance(15):
		s["NotResource"] = r.some(2, r.resourcePattern(), r.resourcePattern())
	default:
		s["Resource"] = r.some(2, r.resourcePattern(), r.resourcePattern())
	}
	if kind == policy.Trust || kind == policy.Resource {
		element := "Principal"
		if effect == "Deny" && r.chance(30) {
			element = "NotPrincipal"
		}
		p := r.principals()
		if p == "*" && kind == policy.Trust {
			p = map[string][]string{"AWS": {"*"}}
		}
		s[element] = p
	}
	if r.chance(30) {
		c := map[string]map[string]any{}
		for range 1 + r.IntN(2) {
			operator, values := r.condition()
			c[operator] = map[string]any{r.key(): values}
		}
		s["Condition"] = c
	}
	return s
}

func (r random) document(kind policy.Kind, statements ...map[string]any) string {
	doc := map[string]any{"Statement": statements}
	if !r.chance(10) {
		doc["Version"] = policy.Version2012
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// source is a policy of a few statements, mostly of the effect.
func (r random) source(kind policy.Kind) policy.Source {
	var list []map[string]any
	for range 1 + r.IntN(3) {
		effect := "Allow"
		if r.chance(15) {
			effect = "Deny"
		}
		list = append(list, r.statement(kind, effect))
	}
	return r.compiled(kind, list...)
}

// single is a policy of one statement.
func (r random) single(kind policy.Kind, effect string) policy.Source {
	return r.compiled(kind, r.statement(kind, effect))
}

func (r random) compiled(kind policy.Kind, list ...map[string]any) policy.Source {
	text := r.document(kind, list...)
	doc, err := policy.Parse(kind, text)
	if err != nil {
		panic("random policy refused: " + text + ": " + err.Error())
	}
	return policy.Source{Policy: policy.Compile(doc)}
}

func (r random) program(kind policy.Kind, most int) *policy.Program {
	n := r.IntN(most + 1)
	if r.chance(5) {
		n += r.IntN(30)
	}
	list := make([]policy.Source, n)
	for i := range list {
		list[i] = r.source(kind)
	}
	return policy.NewProgram(list...)
}

func (r random) levels(kind policy.Kind) (list []*policy.Program) {
	all := policy.Source{}
	if doc, err := policy.Parse(kind, map[policy.Kind]string{
		policy.Inline:   `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		policy.Resource: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`,
	}[kind]); err == nil {
		all.Policy = policy.Compile(doc)
	}
	for range r.IntN(3) {
		if sources := r.program(kind, 2).Sources(); r.chance(70) {
			list = append(list, policy.NewProgram(append(sources, all)...))
		} else {
			list = append(list, policy.NewProgram(sources...))
		}
	}
	return list
}

// applied are the policies of all layers, each there or not.
func (r random) applied() *policy.Applied {
	a := &policy.Applied{Identity: r.program(policy.Inline, 3), CrossAccount: r.chance(25)}
	if r.chance(25) {
		a.Boundary = r.program(policy.Inline, 2)
	}
	if r.chance(25) {
		a.Session = r.program(policy.Session, 2)
	}
	switch r.IntN(4) {
	case 0:
		a.Resource = policy.NewProgram(r.source(policy.Trust))
		a.Both = true
	case 1, 2:
		a.Resource = policy.NewProgram(r.source(policy.Resource))
		a.Both = r.chance(20)
	}
	if r.chance(15) {
		a.Endpoint = policy.NewProgram(r.source(policy.Resource))
	}
	if r.chance(20) {
		a.SCP = r.levels(policy.Inline)
	}
	if r.chance(20) {
		a.RCP = r.levels(policy.Resource)
	}
	return a
}

func (r random) request() *refRequest {
	k := r.keys()
	return &refRequest{policy.Request{Caller: r.caller(), Action: r.action(), Resource: r.resource(), Keys: k}, k}
}

// list are the values of a key, whatever its case of letters.
func (k keys) list(name string) []string {
	for n, v := range k {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return nil
}
