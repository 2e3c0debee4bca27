package iam

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// Explanation tells why a call was refused. Its JSON has the form in which
// eksact iam explain tells of calls not yet made, and says who called when.
type Explanation struct {
	AuthorizationID string    `json:"authorizationId"`
	RequestID       string    `json:"requestId"`
	Time            time.Time `json:"time"`
	SourceIP        string    `json:"sourceIp,omitempty"`
	UserAgent       string    `json:"userAgent,omitempty"`
	AccessKeyID     string    `json:"accessKeyId,omitempty"`

	PrincipalARN string `json:"principalArn"` // of the user or role behind it
	Principal    string `json:"principal"`
	Action       string `json:"action"`
	Resource     string `json:"resource"`
	Decision     string `json:"decision"` // "explicitDeny", "implicitDeny"
	Sentence     string `json:"sentence"`
	Layer        string `json:"layer"`
	// DecidedBy is the statement that denied; nil when none allowed.
	DecidedBy *ExplainedStatement `json:"decidedBy,omitempty"`
	Layers    []ExplainedLayer    `json:"layers"`
	// Context are the condition keys that the call had, of those that the policies
	// asked for and of the usual ones.
	Context map[string][]string `json:"context"`
}

// ExplainedLayer is what one layer says.
type ExplainedLayer struct {
	Layer     string               `json:"layer"`
	Level     *int                 `json:"level,omitempty"` // of control policies: 0 is the root's
	Outcome   string               `json:"outcome"`         // "allowed", "explicitDeny", "implicitDeny"
	Delegates bool                 `json:"delegates,omitempty"`
	Matched   []ExplainedStatement `json:"matched"`
	Missed    []ExplainedMiss      `json:"missed"` // the nearest miss first
}

// ExplainedStatement names a statement.
type ExplainedStatement struct {
	Policy string `json:"policy"`
	ARN    string `json:"arn,omitempty"`
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"` // in the policy's Statement, from 0
	Effect string `json:"effect"`
	Line   int    `json:"line,omitempty"` // in the policy's text, from 1
	Column int    `json:"column,omitempty"`
}

// ExplainedMiss is a statement that did not match, and the first of its parts that
// did not.
type ExplainedMiss struct {
	ExplainedStatement
	Miss    string   `json:"miss"`          // "action", "resource", "principal", "condition"
	Element string   `json:"element"`       // as the policy names it: "NotAction", "StringEquals"
	Key     string   `json:"key,omitempty"` // of a condition
	Wanted  []string `json:"wanted"`        // the policy's values
	Got     []string `json:"got"`           // the call's
}

// outcomes as the cases of eksact iam test name them.
const (
	outcomeAllowed  = "allowed"
	outcomeExplicit = "explicitDeny"
	outcomeImplicit = "implicitDeny"
)

// layerNames are the layers as the cases of eksact iam test name them.
var layerNames = map[policy.Layer]string{
	policy.IdentityLayer: "identity", policy.ResourceLayer: "resource", policy.BoundaryLayer: "boundary", policy.SessionLayer: "session",
	policy.TrustLayer: "trust", policy.SCPLayer: "scp", policy.RCPLayer: "rcp", policy.EndpointLayer: "endpoint",
}

// Explain tells why: it decides again, on what was recorded, and looks at every
// statement.
func (d *Denial) Explain() *Explanation {
	e := policy.Explain(&d.applied, &d.request)
	out := &Explanation{
		AuthorizationID: d.ID, RequestID: d.RequestID, Time: d.Time.UTC(), UserAgent: d.Who.UserAgent, AccessKeyID: d.Who.AccessKeyID,
		PrincipalARN: d.Who.PrincipalARN, Principal: d.Who.ARN, Action: d.request.Action, Resource: d.request.Resource,
		Decision: outcomeImplicit, Sentence: d.Decision.Sentence(d.Who.ARN, d.request.Action, d.request.Resource),
		Layer: layerNames[d.Decision.Layer], Layers: []ExplainedLayer{}, Context: d.context(),
	}
	if d.Who.SourceIP.IsValid() {
		out.SourceIP = d.Who.SourceIP.String()
	}
	if d.Decision.Explicit {
		out.Decision = outcomeExplicit
		s := d.statement(d.Decision.Source, d.Decision.Statement)
		out.DecidedBy = &s
	}
	for i := range e.Layers {
		out.Layers = append(out.Layers, d.layer(&e.Layers[i]))
	}
	return out
}

func (d *Denial) layer(r *policy.LayerResult) ExplainedLayer {
	out := ExplainedLayer{
		Layer: layerNames[r.Layer], Outcome: outcomeImplicit, Delegates: r.Delegates, Matched: []ExplainedStatement{}, Missed: []ExplainedMiss{},
	}
	switch {
	case r.Denies:
		out.Outcome = outcomeExplicit
	case r.Allows:
		out.Outcome = outcomeAllowed
	}
	if r.Layer == policy.SCPLayer || r.Layer == policy.RCPLayer {
		out.Level = &r.Level
	}
	nearest := slices.Clone(r.Statements)
	slices.SortStableFunc(nearest, func(a, b policy.StatementResult) int { return cmp.Compare(b.Miss, a.Miss) })
	for i := range nearest {
		if s := &nearest[i]; s.Matched() {
			out.Matched = append(out.Matched, d.statement(s.Source, s.Statement))
		} else {
			out.Missed = append(out.Missed, d.missed(s))
		}
	}
	return out
}

func (d *Denial) statement(source policy.Source, index int) ExplainedStatement {
	doc := source.Policy.Document()
	s := &doc.Statements[index]
	out := ExplainedStatement{Policy: d.name(source), ARN: source.ARN, Sid: s.Sid, Index: index, Effect: s.Effect.String()}
	if doc.Text != "" {
		out.Line, out.Column = doc.Position(s.Start)
	}
	return out
}

// name is what people call a policy.
func (d *Denial) name(source policy.Source) string {
	if source.ARN != "" {
		return lastOf(source.ARN)
	}
	if name := d.names[source.Policy]; name != "" {
		return name
	}
	switch source.Policy.Document().Kind {
	case policy.Trust:
		return "the trust policy of " + d.request.Resource
	case policy.Session:
		return "the session policy"
	case policy.Resource:
		return "the policy of " + d.request.Resource
	}
	return "an inline policy"
}

func (d *Denial) missed(r *policy.StatementResult) ExplainedMiss {
	s := r.Parsed()
	out := ExplainedMiss{ExplainedStatement: d.statement(r.Source, r.Statement), Wanted: []string{}, Got: []string{}}
	part := func(miss, element string, not bool, wanted []policy.Text, got string) {
		if not {
			element = "Not" + element
		}
		out.Miss, out.Element, out.Got = miss, element, []string{got}
		for _, w := range wanted {
			out.Wanted = append(out.Wanted, w.Value)
		}
	}
	switch r.Miss {
	case policy.ActionMiss:
		part("action", "Action", s.NotAction, s.Actions, d.request.Action)
	case policy.ResourceMiss:
		part("resource", "Resource", s.NotResource, s.Resources, d.request.Resource)
	case policy.PrincipalMiss:
		part("principal", "Principal", s.NotPrincipal, nil, d.Who.ARN)
		for _, p := range s.Principals {
			out.Wanted = append(out.Wanted, p.Value)
		}
	case policy.ConditionMiss:
		c := &s.Conditions[r.Condition]
		part("condition", c.Operator.Name, false, c.Values, "")
		out.Key, out.Got = c.Key, append([]string{}, d.keys[strings.ToLower(c.Key)]...)
	}
	return out
}

// context are the recorded keys, spelled as AWS's reference spells them.
func (d *Denial) context() map[string][]string {
	out := map[string][]string{}
	table, _ := actions.Look(d.request.Action)
	for _, name := range slices.Sorted(maps.Keys(d.keys)) {
		key, known := actions.GlobalKey(name)
		if !known && table != nil {
			key, known = table.Key(name)
		}
		spelled := name
		if known {
			fixed, _, _ := strings.Cut(key.Name, "${")
			spelled = fixed + name[len(fixed):]
		}
		out[spelled] = d.keys[name]
	}
	return out
}
