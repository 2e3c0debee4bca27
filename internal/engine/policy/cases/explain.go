package cases

import (
	"cmp"
	"slices"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Explanation is a decision and what led to it, for people and as JSON.
type Explanation struct {
	Principal string  `json:"principal"`
	Action    string  `json:"action"`
	Resource  string  `json:"resource"`
	Decision  Outcome `json:"decision"`
	// Sentence is AWS's, of a refusal.
	Sentence string `json:"sentence,omitempty"`
	// Layer decided; empty when nothing limits the caller, as the account's root.
	Layer     string        `json:"layer,omitempty"`
	DecidedBy *Statement    `json:"decidedBy,omitempty"`
	Layers    []LayerAnswer `json:"layers"`
}

// LayerAnswer is what one layer says.
type LayerAnswer struct {
	Layer string `json:"layer"`
	Level *int   `json:"level,omitempty"` // of control policies: 0 is the organization's root
	// Outcome of this layer alone: a layer that limits and says implicitDeny refuses.
	Outcome Outcome `json:"outcome"`
	// Delegates says that a resource's policy allows the whole account, so that the
	// caller's own policies must allow too.
	Delegates bool `json:"delegates,omitempty"`
	// Matched are the statements that apply, those that deny first.
	Matched []Statement `json:"matched"`
	// Missed are the statements that did not match, the nearest miss first.
	Missed []Missed `json:"missed"`
}

// Statement names a statement and where it stands.
type Statement struct {
	Policy string `json:"policy"`
	ARN    string `json:"arn,omitempty"`
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"` // in the policy's Statement, from 0
	Effect string `json:"effect"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Missed is a statement that did not match, and the first of its parts that did
// not: action, resource, principal or condition.
type Missed struct {
	Statement
	Miss string `json:"miss"`
	// Element is the part's name in the policy: NotAction, StringEquals, …
	Element string `json:"element"`
	// Key, Wanted and Got are a condition's: its key, the policy's values and the
	// request's. Of the other parts Wanted are the values of the element.
	Key    string   `json:"key,omitempty"`
	Wanted []string `json:"wanted"`
	Got    []string `json:"got"`
}

// Explain decides the request and tells why.
func (q *Question) Explain() *Explanation {
	e := policy.Explain(q.Applied(), q.Request())
	out := &Explanation{
		Principal: q.Principal.sayer(), Action: q.Action, Resource: q.Resource,
		Decision: outcomeOf(&e.Decision), Layers: []LayerAnswer{},
	}
	if !e.Allowed {
		out.Sentence = q.Sentence(&e.Decision)
	}
	if e.Source.Policy != nil || !e.Allowed {
		out.Layer = LayerName(e.Layer)
	}
	if p := q.Layers.Find(e.Source); p != nil {
		s := p.named(e.Statement)
		out.DecidedBy = &s
	}
	for i := range e.Layers {
		out.Layers = append(out.Layers, q.layer(&e.Layers[i]))
	}
	if q.resource() == nil && e.Layer == policy.ResourceLayer && !e.Allowed {
		// A policy that must allow isn't there at all.
		out.Layers = append(out.Layers, LayerAnswer{Layer: LayerName(e.Layer), Outcome: ImplicitDeny, Matched: []Statement{}, Missed: []Missed{}})
	}
	return out
}

func (q *Question) layer(r *policy.LayerResult) LayerAnswer {
	out := LayerAnswer{Layer: LayerName(r.Layer), Outcome: ImplicitDeny, Delegates: r.Delegates, Matched: []Statement{}, Missed: []Missed{}}
	switch {
	case r.Denies:
		out.Outcome = ExplicitDeny
	case r.Allows:
		out.Outcome = Allowed
	}
	if r.Layer == policy.SCPLayer || r.Layer == policy.RCPLayer {
		out.Level = &r.Level
	}
	misses := slices.Clone(r.Statements)
	slices.SortStableFunc(misses, func(a, b policy.StatementResult) int { return cmp.Compare(b.Miss, a.Miss) })
	for i := range misses {
		s := &misses[i]
		p := q.Layers.Find(s.Source)
		switch {
		case p == nil:
		case s.Matched():
			out.Matched = append(out.Matched, p.named(s.Statement))
		default:
			out.Missed = append(out.Missed, q.missed(p, s))
		}
	}
	slices.SortStableFunc(out.Matched, func(a, b Statement) int { return -cmp.Compare(a.Effect, b.Effect) }) // Deny, Allow
	return out
}

// named describes a statement by its index.
func (p *Policy) named(index int) Statement {
	s := &p.Document.Statements[index]
	out := Statement{Policy: p.Name, ARN: p.Source.ARN, Sid: s.Sid, Index: index, Effect: s.Effect.String()}
	out.File, out.Line, out.Column = p.Place(s.Start)
	return out
}

func (q *Question) missed(p *Policy, r *policy.StatementResult) Missed {
	s := r.Parsed()
	out := Missed{Statement: p.named(r.Statement), Wanted: []string{}, Got: []string{}}
	element := func(name string, not bool) {
		out.Miss = name
		out.Element = map[string]string{"action": "Action", "resource": "Resource", "principal": "Principal"}[name]
		if not {
			out.Element = "Not" + out.Element
		}
	}
	switch r.Miss {
	case policy.ActionMiss:
		element("action", s.NotAction)
		out.Wanted, out.Got = values(s.Actions), []string{q.Action}
	case policy.ResourceMiss:
		element("resource", s.NotResource)
		out.Wanted, out.Got = values(s.Resources), []string{q.Resource}
	case policy.PrincipalMiss:
		element("principal", s.NotPrincipal)
		for _, v := range s.Principals {
			out.Wanted = append(out.Wanted, v.Value)
		}
		out.Got = []string{q.Principal.sayer()}
	case policy.ConditionMiss:
		c := &s.Conditions[r.Condition]
		out.Miss, out.Element, out.Key, out.Wanted = "condition", c.Operator.Name, c.Key, values(c.Values)
		out.File, out.Line, out.Column = p.Place(c.Span.Start)
		out.Got = append(out.Got, q.keys().get(c.Key)...)
	}
	return out
}

func values(list []policy.Text) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Value
	}
	return out
}
