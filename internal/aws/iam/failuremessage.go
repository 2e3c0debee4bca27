package iam

import (
	"encoding/json"
	"strings"

	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// failureMessage is what sts:DecodeAuthorizationMessage tells of a refusal by EC2:
// the decision, the statements that matched, and the call as policies saw it.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
type failureMessage struct {
	Allowed  bool                    `json:"allowed"`
	Explicit bool                    `json:"explicitDeny"`
	Matched  items[matchedStatement] `json:"matchedStatements"`
	Failures items[struct{}]         `json:"failures"`
	Context  failureContext          `json:"context"`
}

type items[T any] struct {
	Items []T `json:"items"`
}

type failureValue struct {
	Value string `json:"value"`
}

type failureKey struct {
	Key    string              `json:"key"`
	Values items[failureValue] `json:"values"`
}

type matchedStatement struct {
	ID         string              `json:"statementId"`
	Effect     string              `json:"effect"`
	Principals items[failureValue] `json:"principals"`
	Groups     items[failureValue] `json:"principalGroups"`
	Actions    items[failureValue] `json:"actions"`
	Resources  items[failureValue] `json:"resources"`
	Conditions items[failureKey]   `json:"conditions"`
}

type failureContext struct {
	Principal struct {
		ID   string `json:"id"`
		Name string `json:"name,omitempty"`
		ARN  string `json:"arn"`
	} `json:"principal"`
	Action     string            `json:"action"`
	Resource   string            `json:"resource"`
	Conditions items[failureKey] `json:"conditions"`
}

// failureMessage makes the message of a refusal by EC2, nil of any other.
func (k *conditions) failureMessage(d policy.Decision) []byte {
	r := &k.request
	if !strings.HasPrefix(r.Action, "ec2:") {
		return nil
	}
	m := failureMessage{Explicit: d.Explicit, Failures: items[struct{}]{Items: []struct{}{}}, Matched: items[matchedStatement]{Items: []matchedStatement{}}}
	if d.Explicit && d.Source.Policy != nil {
		s := &d.Source.Policy.Document().Statements[d.Statement]
		m.Matched.Items = append(m.Matched.Items, matched(s, k.who.UserID))
	}
	c := &m.Context
	c.Principal.ID, c.Principal.ARN, c.Action, c.Resource = k.who.UserID, k.who.ARN, r.Action, r.Resource
	if k.who.Session == nil {
		c.Principal.Name = k.who.Name
	}
	c.Conditions.Items = append(ofARN(r.Resource), k.listed()...)
	text, err := json.Marshal(&m)
	if err != nil {
		return nil // nothing in it can't be told as JSON
	}
	return text
}

func matched(s *policy.Statement, principal string) matchedStatement {
	out := matchedStatement{
		ID: s.Sid, Effect: strings.ToUpper(s.Effect.String()), Principals: valuesOf(principal), Groups: valuesOf(),
		Actions: textsOf(s.Actions), Resources: textsOf(s.Resources), Conditions: items[failureKey]{Items: []failureKey{}},
	}
	for _, c := range s.Conditions {
		out.Conditions.Items = append(out.Conditions.Items, failureKey{c.Key, textsOf(c.Values)})
	}
	return out
}

func valuesOf(list ...string) items[failureValue] {
	out := items[failureValue]{Items: make([]failureValue, len(list))}
	for i, v := range list {
		out.Items[i].Value = v
	}
	return out
}

func textsOf(list []policy.Text) items[failureValue] {
	out := items[failureValue]{Items: make([]failureValue, len(list))}
	for i := range list {
		out.Items[i].Value = list[i].Value
	}
	return out
}

// ofARN are the keys that AWS makes of the resource's name.
func ofARN(resource string) (list []failureKey) {
	add := func(key, value string) { list = append(list, failureKey{key, valuesOf(value)}) }
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 {
		return nil
	}
	kind, id, _ := strings.Cut(parts[5], "/")
	for _, k := range [][2]string{
		{"aws:Region", parts[3]}, {"aws:Service", parts[2]}, {"aws:Resource", parts[5]}, {"aws:Type", kind},
		{"aws:Account", parts[4]}, {"aws:ARN", resource}, {"aws:ID", id},
	} {
		if k[1] != "" {
			add(k[0], k[1])
		}
	}
	return list
}

// listed are the keys that the service authorization reference lists for the action
// and its resource, as far as the call has them.
func (k *conditions) listed() (list []failureKey) {
	table, action := actions.Look(k.request.Action)
	if action == nil {
		return nil
	}
	seen := map[string]bool{}
	add := func(name string) {
		if seen[name] || strings.Contains(name, "${") {
			return
		}
		seen[name] = true
		if v := k.Values(strings.ToLower(name)); v.Len() > 0 {
			key := failureKey{Key: name}
			for n := range v.Len() {
				key.Values.Items = append(key.Values.Items, failureValue{v.At(n)})
			}
			list = append(list, key)
		}
	}
	for _, n := range action.Keys {
		add(table.Keys[n].Name)
	}
	for _, use := range action.Resources {
		if t := &table.Resources[use.Type]; t.Matches(k.request.Resource) {
			for _, n := range t.Keys {
				add(table.Keys[n].Name)
			}
		}
	}
	tags := k.Values("aws:tagkeys")
	for n := range tags.Len() {
		add("aws:RequestTag/" + tags.At(n))
	}
	return list
}
