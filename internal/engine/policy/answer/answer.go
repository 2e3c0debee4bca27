package answer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Outcome of a decision.
type Outcome string

const (
	Allowed      Outcome = "allowed"
	ExplicitDeny Outcome = "explicitDeny"
	ImplicitDeny Outcome = "implicitDeny"
)

// OutcomeOf is what came of a decision, or of a layer.
func OutcomeOf(allowed, explicit bool) Outcome {
	switch {
	case explicit:
		return ExplicitDeny
	case allowed:
		return Allowed
	}
	return ImplicitDeny
}

// LayerNames are the layers by their names in files and output.
func LayerNames() map[string]policy.Layer {
	return map[string]policy.Layer{
		"identity": policy.IdentityLayer, "resource": policy.ResourceLayer, "boundary": policy.BoundaryLayer,
		"session": policy.SessionLayer, "trust": policy.TrustLayer, "scp": policy.SCPLayer, "rcp": policy.RCPLayer,
		"endpoint": policy.EndpointLayer,
	}
}

// LayerName is the name of a layer in files and output.
func LayerName(l policy.Layer) string {
	for name, layer := range LayerNames() {
		if layer == l {
			return name
		}
	}
	return ""
}

// Explanation is a decision and what led to it.
type Explanation struct {
	Principal string  `json:"principal"`
	Action    string  `json:"action"`
	Resource  string  `json:"resource"`
	Decision  Outcome `json:"decision"`
	// Sentence is AWS's, of a refusal.
	Sentence string `json:"sentence,omitempty"`
	// Layer decided; empty when nothing limits the caller, as the account's root.
	Layer string `json:"layer,omitempty"`
	// DecidedBy is the statement that decided; nil when none allowed, or none needed
	// to.
	DecidedBy *Statement `json:"decidedBy,omitempty"`
	// Layers stand in one order: control policies of resources and of accounts, the
	// endpoint, the resource, and the caller's identity, boundary and session.
	Layers []Layer `json:"layers"`
	// Account and StateDir are where policies were read; empty of files.
	Account  string `json:"account,omitempty"`
	StateDir string `json:"stateDir,omitempty"`
	// Warnings are of names that AWS doesn't have, in the request or in policies.
	Warnings []string `json:"warnings,omitempty"`
}

// Layer is what one layer says.
type Layer struct {
	Layer string `json:"layer"`           // as LayerName
	Level *int   `json:"level,omitempty"` // of control policies: 0 is the organization's root
	// Outcome of this layer alone: a layer that limits and says implicitDeny refuses.
	Outcome Outcome `json:"outcome"`
	// Delegates says that a resource's policy allows the whole account, so that the
	// caller's own policies must allow too.
	Delegates bool `json:"delegates,omitempty"`
	// Matched are the statements that apply.
	Matched []Statement `json:"matched"`
	// Missed are the statements that did not match, the nearest miss first.
	Missed []Miss `json:"missed"`
}

// Statement names a statement and where it stands.
type Statement struct {
	Policy string `json:"policy"`
	ARN    string `json:"arn,omitempty"`
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"` // in the policy's Statement, from 0
	Effect string `json:"effect"`
	Place
}

// Place is where something stands in a policy as it was written.
type Place struct {
	File   string `json:"file,omitempty"` // empty when it stands in none
	Line   int    `json:"line,omitempty"` // from 1; 0 when it isn't known
	Column int    `json:"column,omitempty"`
}

// Miss is a statement that did not match, and the first of its parts that did not:
// action, resource, principal or condition. Its place is the condition's, of one.
type Miss struct {
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

// Namer says what people call a policy, and where an offset of its text stands.
type Namer func(source policy.Source, offset int) (name string, at Place)

// Of puts an explanation of the request into words. Who is the caller as sentences
// say it.
func Of(e *policy.Explanation, r *policy.Request, who string, name Namer) *Explanation {
	t := teller{r, who, name}
	out := &Explanation{
		Principal: who, Action: r.Action, Resource: r.Resource, Decision: OutcomeOf(e.Allowed, e.Explicit), Layers: []Layer{},
	}
	if !e.Allowed {
		out.Sentence = e.Sentence(who, r.Action, r.Resource)
	}
	if e.Source.Policy != nil || !e.Allowed {
		out.Layer = LayerName(e.Layer)
	}
	if e.Source.Policy != nil {
		s := t.statement(e.Source, e.Statement)
		out.DecidedBy = &s
	}
	layers := e.Layers
	if e.Layer == policy.ResourceLayer && !e.Allowed && !slices.ContainsFunc(layers, isResource) {
		// A policy that must allow isn't there at all: it is asked before those of the
		// caller, which come last.
		own := slices.IndexFunc(layers, isOwn)
		if own < 0 {
			own = len(layers)
		}
		layers = slices.Insert(slices.Clone(layers), own, policy.LayerResult{Layer: e.Layer})
	}
	for i := range layers {
		out.Layers = append(out.Layers, t.layer(&layers[i]))
	}
	return out
}

func isResource(l policy.LayerResult) bool { return l.Layer == policy.ResourceLayer }

func isOwn(l policy.LayerResult) bool {
	return l.Layer == policy.IdentityLayer || l.Layer == policy.BoundaryLayer || l.Layer == policy.SessionLayer
}

// DeniesFirst sorts the statements that match, which are in the order of their
// policies.
func (e *Explanation) DeniesFirst() {
	for i := range e.Layers {
		slices.SortStableFunc(e.Layers[i].Matched, func(a, b Statement) int { return -cmp.Compare(a.Effect, b.Effect) }) // Deny, Allow
	}
}

// teller tells of the statements that a request met.
type teller struct {
	*policy.Request
	who  string
	name Namer
}

func (t *teller) layer(r *policy.LayerResult) Layer {
	out := Layer{
		Layer: LayerName(r.Layer), Outcome: OutcomeOf(r.Allows, r.Denies), Delegates: r.Delegates, Matched: []Statement{}, Missed: []Miss{},
	}
	if r.Layer == policy.SCPLayer || r.Layer == policy.RCPLayer {
		out.Level = &r.Level
	}
	nearest := slices.Clone(r.Statements)
	slices.SortStableFunc(nearest, func(a, b policy.StatementResult) int { return cmp.Compare(b.Miss, a.Miss) })
	for i := range nearest {
		if s := &nearest[i]; s.Matched() {
			out.Matched = append(out.Matched, t.statement(s.Source, s.Statement))
		} else {
			out.Missed = append(out.Missed, t.missed(s))
		}
	}
	return out
}

// statement describes a statement by its index.
func (t *teller) statement(source policy.Source, index int) Statement {
	s := &source.Policy.Document().Statements[index]
	name, at := t.name(source, s.Start)
	return Statement{Policy: name, ARN: source.ARN, Sid: s.Sid, Index: index, Effect: s.Effect.String(), Place: at}
}

func (t *teller) missed(r *policy.StatementResult) Miss {
	s := r.Parsed()
	out := Miss{Statement: t.statement(r.Source, r.Statement), Wanted: []string{}, Got: []string{}}
	part := func(miss, element string, not bool, wanted []policy.Text, got string) {
		if not {
			element = "Not" + element
		}
		out.Miss, out.Element, out.Wanted, out.Got = miss, element, values(wanted), []string{got}
	}
	switch r.Miss {
	case policy.ActionMiss:
		part("action", "Action", s.NotAction, s.Actions, t.Action)
	case policy.ResourceMiss:
		part("resource", "Resource", s.NotResource, s.Resources, t.Resource)
	case policy.PrincipalMiss:
		part("principal", "Principal", s.NotPrincipal, nil, t.who)
		for _, p := range s.Principals {
			out.Wanted = append(out.Wanted, p.Value)
		}
	case policy.ConditionMiss:
		c := &s.Conditions[r.Condition]
		out.Miss, out.Element, out.Key, out.Wanted = "condition", c.Operator.Name, c.Key, values(c.Values)
		_, out.Place = t.name(r.Source, c.Span.Start)
		if t.Keys != nil {
			got := t.Keys.Values(strings.ToLower(c.Key))
			for n := range got.Len() {
				out.Got = append(out.Got, got.At(n))
			}
		}
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
