package policy_test

import (
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
)

const account = "111122223333"

var (
	user = policy.Caller{Kind: policy.UserCaller, Account: account, ID: "AIDAAAAAAAAAAAAAAAAAA", UserID: "AIDAAAAAAAAAAAAAAAAAA",
		ARN: "arn:aws:iam::111122223333:user/bob", Entity: "arn:aws:iam::111122223333:user/bob"}
	role = policy.Caller{Kind: policy.RoleCaller, Account: account, ID: "AROAAAAAAAAAAAAAAAAAA", UserID: "AROAAAAAAAAAAAAAAAAAA:s",
		ARN: "arn:aws:sts::111122223333:assumed-role/r/s", Entity: "arn:aws:iam::111122223333:role/p/r"}
	root = policy.Caller{Kind: policy.RootCaller, Account: account, ID: account, UserID: account,
		ARN: "arn:aws:iam::111122223333:root", Entity: "arn:aws:iam::111122223333:root"}
	ec2 = policy.Caller{Kind: policy.ServiceCaller, Name: "ec2.amazonaws.com"}
)

func TestStatements(t *testing.T) {
	for _, c := range []struct {
		statement, action, resource string
		want                        bool
	}{
		{`"Effect":"Allow","Action":"*","Resource":"*"`, "iam:CreateRole", "arn:x", true},
		{`"Effect":"Allow","Action":"IAM:create*","Resource":"*"`, "iam:CreateRole", "arn:x", true},
		{`"Effect":"Allow","Action":"iam:Get*","Resource":"*"`, "iam:CreateRole", "arn:x", false},
		{`"Effect":"Allow","Action":["s3:*","iam:Create?ole"],"Resource":"*"`, "iam:CreateRole", "arn:x", true},
		{`"Effect":"Allow","NotAction":"iam:*","Resource":"*"`, "iam:CreateRole", "arn:x", false},
		{`"Effect":"Allow","NotAction":"s3:*","Resource":"*"`, "iam:CreateRole", "arn:x", true},
		{`"Effect":"Allow","Action":"s:a","Resource":"arn:aws:s:::b/*"`, "s:a", "arn:aws:s:::b/c/d", true},
		{`"Effect":"Allow","Action":"s:a","Resource":"arn:aws:s:::b/*"`, "s:a", "arn:aws:s:::B/c", false},
		{`"Effect":"Allow","Action":"s:a","Resource":"arn:aws:s:::b/*"`, "s:a", "*", false},
		{`"Effect":"Allow","Action":"s:a","NotResource":"arn:aws:s:::b/*"`, "s:a", "arn:aws:s:::c", true},
		{`"Effect":"Allow","Action":"s:a","NotResource":["arn:aws:s:::b/*","arn:aws:s:::c"]`, "s:a", "arn:aws:s:::c", false},
		{`"Effect":"Allow","Action":"s:*","Resource":"*"},{"Effect":"Deny","Action":"s:a","Resource":"*"`, "s:a", "*", false},
		{`"Effect":"Deny","Action":"s:a","Resource":"arn:aws:s:::x"},{"Effect":"Allow","Action":"s:*","Resource":"*"`, "s:a", "arn:aws:s:::x", false},
		{`"Effect":"Deny","NotAction":"s:a","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"`, "s:a", "*", true},
		{`"Effect":"Deny","NotAction":"s:a","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"`, "s:b", "*", false},
	} {
		got := decide(t, `{"Version":"2012-10-17","Statement":[{`+c.statement+`}]}`, policy.Request{Action: c.action, Resource: c.resource})
		if got != c.want {
			t.Errorf("%s: %s on %s = %v", c.statement, c.action, c.resource, got)
		}
	}
}

// Policies of the tests below, all about sts:AssumeRole.
const (
	allow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	deny  = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
	other = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"other:*","Resource":"*"}}`
)

func program(t testing.TB, texts ...string) *policy.Program {
	list := []policy.Source{}
	for _, text := range texts {
		list = append(list, policy.Source{Policy: compile(t, policy.Inline, text)})
	}
	return policy.NewProgram(list...)
}

func TestLayers(t *testing.T) {
	for name, c := range map[string]struct {
		applied policy.Applied
		caller  policy.Caller
		want    string
	}{
		"nothing":                {policy.Applied{}, user, "because no identity-based policy allows the s:a action"},
		"identity":               {policy.Applied{Identity: program(t, other, allow)}, user, ""},
		"identity denies":        {policy.Applied{Identity: program(t, allow, deny)}, user, "with an explicit deny in an identity-based policy"},
		"boundary allows":        {policy.Applied{Identity: program(t, allow), Boundary: program(t, allow)}, user, ""},
		"boundary does not":      {policy.Applied{Identity: program(t, allow), Boundary: program(t, other)}, user, "because no permissions boundary allows the s:a action"},
		"boundary grants not":    {policy.Applied{Boundary: program(t, allow)}, user, "because no identity-based policy allows the s:a action"},
		"boundary denies":        {policy.Applied{Identity: program(t, allow), Boundary: program(t, deny)}, user, "with an explicit deny in a permissions boundary"},
		"session allows":         {policy.Applied{Identity: program(t, allow), Session: program(t, other, allow)}, role, ""},
		"session does not":       {policy.Applied{Identity: program(t, allow), Session: program(t, other)}, role, "because no session policy allows the s:a action"},
		"session of nothing":     {policy.Applied{Identity: program(t, allow), Session: program(t)}, role, "because no session policy allows the s:a action"},
		"session grants not":     {policy.Applied{Session: program(t, allow)}, role, "because no identity-based policy allows the s:a action"},
		"session denies":         {policy.Applied{Identity: program(t, allow), Session: program(t, deny)}, role, "with an explicit deny in a session policy"},
		"root":                   {policy.Applied{}, root, ""},
		"anonymous":              {policy.Applied{Identity: program(t, allow)}, policy.Caller{}, "because no identity-based policy allows the s:a action"},
		"explicit deny of limit": {policy.Applied{Boundary: program(t, deny)}, user, "with an explicit deny in a permissions boundary"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.caller.Kind == policy.AnonymousCaller {
				c.want = "because no resource-based policy allows the s:a action"
			}
			d := policy.Decide(&c.applied, &policy.Request{Caller: c.caller, Action: "s:a", Resource: "*"})
			if got := reason(d, "s:a"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func reason(d policy.Decision, action string) string {
	if d.Allowed {
		return ""
	}
	return d.Reason(action)
}

// TestTrust is the table of forms of principal, for the policy that must match
// in any case.
func TestTrust(t *testing.T) {
	const (
		byTrust   = "because no role trust policy allows the sts:AssumeRole action"
		byID      = "because no identity-based policy allows the sts:AssumeRole action"
		bySession = "because no session policy allows the sts:AssumeRole action"
		denied    = "with an explicit deny in a role trust policy"
	)
	allowed := func(p string) string {
		return `{"Effect":"Allow","Principal":` + p + `,"Action":"sts:AssumeRole"}`
	}
	refused := func(p string) string {
		return allowed(`{"AWS":"*"}`) + `,{"Effect":"Deny","Principal":` + p + `,"Action":"sts:AssumeRole"}`
	}
	spared := func(p string) string {
		return allowed(`{"AWS":"*"}`) + `,{"Effect":"Deny","NotPrincipal":` + p + `,"Action":"sts:AssumeRole"}`
	}
	limited := policy.Applied{Session: program(t, other)}
	with := policy.Applied{Identity: program(t, allow)}
	for _, c := range []struct {
		statements string
		caller     policy.Caller
		applied    policy.Applied
		want       string
	}{
		{allowed(`{"AWS":"AIDAAAAAAAAAAAAAAAAAA"}`), user, policy.Applied{}, ""},
		{allowed(`{"AWS":"AIDAAAAAAAAAAAAAAAAAB"}`), user, with, byTrust},
		{allowed(`{"AWS":"111122223333"}`), user, policy.Applied{}, byID},
		{allowed(`{"AWS":"111122223333"}`), user, with, ""},
		{allowed(`{"AWS":"arn:aws:iam::111122223333:root"}`), user, with, ""},
		{allowed(`{"AWS":"444455556666"}`), user, with, byTrust},
		{allowed(`{"AWS":"*"}`), user, policy.Applied{}, ""},
		{allowed(`{"AWS":"*"}`), role, limited, ""},
		{allowed(`{"AWS":"AROAAAAAAAAAAAAAAAAAA"}`), role, policy.Applied{}, ""},
		{allowed(`{"AWS":"AROAAAAAAAAAAAAAAAAAA"}`), role, limited, bySession},
		{allowed(`{"AWS":"AROAAAAAAAAAAAAAAAAAA:s"}`), role, limited, ""},
		{allowed(`{"AWS":"AROAAAAAAAAAAAAAAAAAA:t"}`), role, with, byTrust},
		{allowed(`{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s"}`), role, limited, ""},
		{allowed(`{"AWS":["444455556666","111122223333"]}`), role, with, ""},
		{allowed(`{"Service":"ec2.amazonaws.com"}`), ec2, policy.Applied{}, ""},
		{allowed(`{"Service":"eks.amazonaws.com"}`), ec2, policy.Applied{}, byTrust},
		{allowed(`{"Service":"ec2.amazonaws.com"}`), user, with, byTrust},
		{allowed(`{"AWS":"111122223333"}`), ec2, policy.Applied{}, byTrust},
		{allowed(`{"Federated":"arn:aws:iam::111122223333:oidc-provider/h/p"}`),
			policy.Caller{Kind: policy.ProviderCaller, Name: "arn:aws:iam::111122223333:oidc-provider/h/p"}, policy.Applied{}, ""},
		{refused(`{"AWS":"AROAAAAAAAAAAAAAAAAAA"}`), role, with, denied},
		{refused(`{"AWS":"111122223333"}`), role, with, denied},
		{refused(`{"AWS":"AROAAAAAAAAAAAAAAAAAB"}`), role, with, ""},
		{spared(`{"AWS":["111122223333","AROAAAAAAAAAAAAAAAAAA","arn:aws:sts::111122223333:assumed-role/r/s"]}`), role, with, ""},
		{spared(`{"AWS":["111122223333","AROAAAAAAAAAAAAAAAAAA"]}`), role, with, denied},
		{spared(`{"AWS":["111122223333","AIDAAAAAAAAAAAAAAAAAA"]}`), user, with, ""},
		{spared(`{"AWS":["AIDAAAAAAAAAAAAAAAAAA"]}`), user, with, denied},
		{spared(`{"AWS":["111122223333","AIDAAAAAAAAAAAAAAAAAA"]}`), user,
			policy.Applied{Identity: program(t, allow), Boundary: program(t, allow)}, denied},
		{allowed(`{"AWS":"*"}`), user, policy.Applied{Identity: program(t, deny)}, "with an explicit deny in an identity-based policy"},
	} {
		a := c.applied
		a.Both = true
		a.Resource = policy.NewProgram(policy.Source{Policy: compile(t, policy.Trust, `{"Version":"2012-10-17","Statement":[`+c.statements+`]}`)})
		d := policy.Decide(&a, &policy.Request{Caller: c.caller, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/x"})
		if got := reason(d, "sts:AssumeRole"); got != c.want {
			t.Errorf("%s for %s%s: got %q, want %q", c.statements, c.caller.ARN, c.caller.Name, got, c.want)
		}
	}
}

// TestNamesWhatDecided wants the policy and the statement in the decision.
func TestNamesWhatDecided(t *testing.T) {
	p := compile(t, policy.Managed, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Sid":"No","Effect":"Deny","Action":"s:a","Resource":"*"}]}`)
	a := &policy.Applied{Identity: policy.NewProgram(policy.Source{ARN: "arn:aws:iam::111122223333:policy/P", Policy: p})}
	d := policy.Decide(a, &policy.Request{Caller: user, Action: "s:a", Resource: "*"})
	if want := "with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/P"; reason(d, "s:a") != want {
		t.Errorf("reason %q", reason(d, "s:a"))
	}
	if s := d.Source.Policy.Document().Statements[d.Statement]; s.Sid != "No" {
		t.Errorf("decided by %v", s)
	}
	d = policy.Decide(a, &policy.Request{Caller: user, Action: "s:b", Resource: "*"})
	if !d.Allowed || d.Statement != 0 || d.Source.Policy != p {
		t.Errorf("%+v", d)
	}
}

// TestNoAllocation wants the plain cases to allocate nothing.
func TestNoAllocation(t *testing.T) {
	a := &policy.Applied{Identity: program(t, deniesOthers, allow), Boundary: program(t, allow)}
	r := &policy.Request{Caller: user, Action: "iam:CreateRole", Resource: "arn:aws:iam::111122223333:role/x"}
	if n := testing.AllocsPerRun(100, func() {
		if d := policy.Decide(a, r); !d.Allowed {
			t.Fatal(d)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const deniesOthers = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["s3:Delete*","ec2:*"],"Resource":"arn:aws:s3:::x/*"}}`
