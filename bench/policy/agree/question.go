package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

const (
	account = "111122223333"
	other   = "999999999999"
	userARN = "arn:aws:iam::111122223333:user/bob"
	roleARN = "arn:aws:iam::111122223333:role/r"
	rootARN = "arn:aws:iam::111122223333:root"
	session = "arn:aws:sts::111122223333:assumed-role/r/s"
)

// maker makes random questions of few words, so that policies and requests meet.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }
func (m maker) odds(n int) bool         { return m.IntN(n) == 0 }

func (m maker) list(of ...string) string {
	list := make([]string, 1+m.IntN(2))
	for i := range list {
		list[i] = `"` + m.one(of...) + `"`
	}
	return "[" + strings.Join(list, ",") + "]"
}

// question is one request, in both evaluators' forms.
type question struct {
	applied    policy.Applied
	request    policy.Request
	simulation map[string]any
}

func (m maker) question() *question {
	q := &question{simulation: map[string]any{}}
	q.request.Caller = m.caller()
	keys := m.keys(q.request.Caller)
	q.request.Action, q.request.Resource = m.one("s3:GetObject", "s3:PutObject"), m.one("arn:aws:s3:::bkt/k", "arn:aws:s3:::bkt/x/xzy", "arn:aws:s3:::bob/k", "arn:aws:s3:::bkz/k")
	q.request.Keys = keys
	owner := m.one(account, account, other)
	q.applied.CrossAccount = owner != account
	q.simulation["request"] = map[string]any{
		"principal": q.request.Caller.ARN, "action": q.request.Action, "contextVariables": keys.variables(),
		"resource": map[string]any{"resource": q.request.Resource, "accountId": owner},
	}
	m.callersPolicies(q)
	m.controlPolicies(q)
	if m.odds(2) {
		text := m.policy(ofResource)
		q.applied.Resource, q.simulation["resourcePolicy"] = program(policy.Resource, text), json.RawMessage(text)
	}
	if m.odds(6) {
		text := m.policy(ofEndpoint)
		q.applied.Endpoint, q.simulation["vpcEndpointPolicies"] = program(policy.Resource, text), []any{named(text)}
	}
	return q
}

func (m maker) caller() policy.Caller {
	switch m.IntN(4) {
	case 0:
		return policy.Caller{Kind: policy.UserCaller, Account: account, ARN: userARN, Entity: userARN, ID: "AIDAX", UserID: "AIDAX"}
	case 1:
		return policy.Caller{Kind: policy.RootCaller, Account: account, ARN: rootARN, Entity: rootARN, ID: account, UserID: account}
	}
	return policy.Caller{Kind: policy.RoleCaller, Account: account, ARN: session, Entity: roleARN, ID: "AROAX", UserID: "AROAX:s"}
}

// callersPolicies are the identity side. Root's is said to iam-simulate as a
// policy.
func (m maker) callersPolicies(q *question) {
	identity := []any{}
	if q.request.Caller.Kind == policy.RootCaller {
		q.simulation["identityPolicies"] = append(identity, named(everything))
		return
	}
	var texts []string
	for range m.IntN(3) {
		texts = append(texts, m.policy(ofIdentity))
		identity = append(identity, named(texts[len(texts)-1]))
	}
	q.applied.Identity, q.simulation["identityPolicies"] = program(policy.Inline, texts...), identity
	if m.odds(3) {
		text := m.policy(ofIdentity)
		q.applied.Boundary, q.simulation["permissionBoundaryPolicies"] = program(policy.Inline, text), []any{named(text)}
	}
	if q.request.Caller.Kind == policy.RoleCaller && m.odds(2) {
		text := m.policy(ofIdentity)
		q.applied.Session, q.simulation["sessionPolicy"] = program(policy.Session, text), json.RawMessage(text)
	}
}

const (
	everything      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	everythingToAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
)

func (m maker) controlPolicies(q *question) {
	scps, rcps := []any{}, []any{}
	if m.odds(4) {
		for range 2 {
			text := everything
			if m.odds(2) {
				text = m.policy(ofOrganization)
			}
			q.applied.SCP, scps = append(q.applied.SCP, program(policy.Inline, text)), append(scps, level(text))
		}
	}
	if m.odds(4) {
		// iam-simulate adds the policy that every level has.
		text := m.policy(ofResources)
		q.applied.RCP, rcps = append(q.applied.RCP, program(policy.Resource, everythingToAll, text)), append(rcps, level(text))
	}
	q.simulation["serviceControlPolicies"], q.simulation["resourceControlPolicies"] = scps, rcps
}

func named(text string) any { return map[string]any{"name": "p", "policy": json.RawMessage(text)} }

func level(text string) any {
	return map[string]any{"orgIdentifier": "ou", "policies": []any{named(text)}}
}

func program(kind policy.Kind, texts ...string) *policy.Program {
	var list []policy.Source
	for _, text := range texts {
		doc, err := policy.Parse(kind, text)
		if err != nil {
			panic(fmt.Sprintf("%v: %s", err, text)) // ours, made above
		}
		list = append(list, policy.Source{Policy: policy.Compile(doc)})
	}
	return policy.NewProgram(list...)
}

// context are the condition keys of a request.
type context map[string][]string

// Values implements policy.Keys.
func (c context) Values(name string) policy.Values {
	for key, v := range c {
		if strings.EqualFold(key, name) {
			return policy.Many(v)
		}
	}
	return policy.Values{}
}

func (m maker) keys(who policy.Caller) context {
	c := context{"aws:CurrentTime": {"2026-06-01T00:00:00Z"}}
	if who.Kind == policy.UserCaller {
		c["aws:username"] = []string{"bob"}
	}
	for _, key := range []struct {
		name   string
		values []string
	}{
		{"aws:PrincipalTag/team", []string{m.one("a", "A", "b", "bkt")}},
		{"aws:PrincipalOrgID", []string{"o-1"}},
		{"aws:SourceIp", []string{m.one("10.1.2.3", "192.168.4.4", "8.8.8.8")}},
		{"aws:MultiFactorAuthAge", []string{m.one("9.5", "10", "100")}},
		{tagKeys, []string{m.one("a", "b"), m.one("b", "c")}[:1+m.IntN(2)]},
	} {
		if m.odds(2) {
			c[key.name] = key.values
		}
	}
	return c
}

const tagKeys = "aws:TagKeys"

// variables is the context as iam-simulate takes it: lists of keys with many
// values alone.
func (c context) variables() map[string]any {
	out := map[string]any{}
	for key, v := range c {
		if out[key] = v; key != tagKeys {
			out[key] = v[0]
		}
	}
	return out
}
