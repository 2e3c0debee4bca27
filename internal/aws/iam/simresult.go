package iam

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// page decides a page of actions. A marker counts actions: what is asked about them
// may be something else in the next call.
func (s *simulation) page(marker *string, maxItems *int32) (paged[types.EvaluationResult], error) {
	l := newListing(marker, maxItems)
	l.bad = invalidInput("Invalid marker for pagination.")
	return pageOf(l, s.numbered(), always(s.evaluate))
}

// numbered are the actions in the order in which they were named.
func (s *simulation) numbered() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for n, action := range s.actions {
			if !yield(fmt.Sprintf("%09d", n), action) {
				return
			}
		}
	}
}

// evaluate decides one action: on each resource, and on all together.
func (s *simulation) evaluate(action string) types.EvaluationResult {
	out := types.EvaluationResult{
		EvalActionName: &action, EvalDecision: types.PolicyEvaluationDecisionTypeAllowed,
		MatchedStatements: []types.Statement{}, MissingContextValues: []string{},
	}
	name := s.display(action)
	out.EvalResourceName = &name
	for _, resource := range s.resources {
		one := s.decide(action, resource)
		out.EvalDecision = stricter(out.EvalDecision, one.EvalResourceDecision)
		for _, matched := range one.MatchedStatements {
			if !slices.ContainsFunc(out.MatchedStatements, func(m types.Statement) bool { return sameStatement(&m, &matched) }) {
				out.MatchedStatements = append(out.MatchedStatements, matched)
			}
		}
		for _, key := range one.MissingContextValues {
			if !slices.Contains(out.MissingContextValues, key) {
				out.MissingContextValues = append(out.MissingContextValues, key)
			}
		}
		out.PermissionsBoundaryDecisionDetail = both(out.PermissionsBoundaryDecisionDetail, one.PermissionsBoundaryDecisionDetail)
		if one.organized != nil {
			all := *one.organized && (out.OrganizationsDecisionDetail == nil || out.OrganizationsDecisionDetail.AllowedByOrganizations)
			out.OrganizationsDecisionDetail = &types.OrganizationsDecisionDetail{AllowedByOrganizations: all}
		}
		if s.explicit {
			out.EvalDecisionDetails = strictest(out.EvalDecisionDetails, one.EvalDecisionDetails)
			out.ResourceSpecificResults = append(out.ResourceSpecificResults, one.ResourceSpecificResult)
		}
	}
	return out
}

func sameStatement(a, b *types.Statement) bool {
	return *a.SourcePolicyId == *b.SourcePolicyId && *a.StartPosition == *b.StartPosition
}

func both(a, b *types.PermissionsBoundaryDecisionDetail) *types.PermissionsBoundaryDecisionDetail {
	if a == nil || b == nil || !b.AllowedByPermissionsBoundary {
		return b
	}
	return a
}

// strictest joins details by kind of policy; not nil, so that an empty map is shown.
func strictest(all, one map[string]types.PolicyEvaluationDecisionType) map[string]types.PolicyEvaluationDecisionType {
	if all == nil {
		all = map[string]types.PolicyEvaluationDecisionType{}
	}
	for kind, decision := range one {
		if before, ok := all[kind]; ok {
			decision = stricter(before, decision)
		}
		all[kind] = decision
	}
	return all
}

func stricter(a, b types.PolicyEvaluationDecisionType) types.PolicyEvaluationDecisionType {
	for _, d := range []types.PolicyEvaluationDecisionType{types.PolicyEvaluationDecisionTypeExplicitDeny, types.PolicyEvaluationDecisionTypeImplicitDeny} {
		if a == d || b == d {
			return d
		}
	}
	return types.PolicyEvaluationDecisionTypeAllowed
}

// display is what the answer as a whole calls its resource: the one that was named,
// or the form of those that the action has.
func (s *simulation) display(action string) string {
	switch {
	case !s.explicit:
		return "*"
	case len(s.resources) == 1:
		return s.resources[0]
	}
	service, _, _ := strings.Cut(strings.ToLower(action), ":")
	if form, ok := simulatorForms[service]; ok {
		return form
	}
	table, a := actions.Look(action)
	if table == nil || len(a.Resources) == 0 {
		return "*"
	}
	form := table.Resources[a.Resources[0].Type].ARN
	for _, use := range a.Resources {
		if arn := table.Resources[use.Type].ARN; strings.HasPrefix(arn, "arn:${Partition}:s3:::") {
			form = arn // of buckets and objects, rather than of access points
		}
	}
	return strings.NewReplacer("${Partition}", "aws", "${ObjectName}", "${KeyName}").Replace(form)
}

// simulatorForms are the forms that AWS's simulator was seen to show, where they
// are not those of its reference.
var simulatorForms = map[string]string{
	"ec2":    "arn:aws:ec2:${Region}:${Account}:${ResourceType}/${ResourcePath}",
	"iam":    "arn:aws:iam::${Account}:${RelativeId}",
	"kms":    "arn:aws:kms:${Region}:${Account}:${ResourceType}/${Id}",
	"lambda": "arn:aws:lambda:${Region}:${Account}:${ResourceType}:${ResourceId}",
	"sts":    "arn:aws:iam::${Account}:${RelativeId}",
}

// resourceResult is the decision on one resource.
type resourceResult struct {
	types.ResourceSpecificResult
	organized *bool // what the organization's policies say; nil without any
}

func (s *simulation) decide(action, resource string) resourceResult {
	applied := s.applied
	applied.CrossAccount = applied.Resource != nil && s.accountOf(resource) != s.caller.Account
	applied.Both = applied.Resource != nil && (assumes(action) || strings.HasPrefix(strings.ToLower(action), "kms:"))
	e := policy.Explain(&applied, &policy.Request{Caller: s.caller, Action: action, Resource: resource, Keys: s.keys})
	out := resourceResult{ResourceSpecificResult: types.ResourceSpecificResult{EvalResourceName: &resource, EvalResourceDecision: decisionOf(e.Allowed, e.Explicit)}}
	if len(applied.SCP) > 0 {
		allowed, denied := organized(e)
		if out.organized = &allowed; !allowed {
			out.EvalResourceDecision = decisionOf(false, denied)
			return out // the simulation ends here, whatever the other policies say
		}
	}
	out.MatchedStatements = s.matched(e)
	if out.EvalResourceDecision == types.PolicyEvaluationDecisionTypeImplicitDeny {
		out.MissingContextValues = s.missing()
	}
	for n := range e.Layers {
		l := &e.Layers[n]
		if l.Layer == policy.BoundaryLayer {
			out.PermissionsBoundaryDecisionDetail = &types.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: l.Allows && !l.Denies}
		}
		if kind, ok := layerKinds[l.Layer]; ok && applied.CrossAccount {
			out.EvalDecisionDetails = strictest(out.EvalDecisionDetails, map[string]types.PolicyEvaluationDecisionType{kind: decisionOf(l.Allows && !l.Denies, l.Denies)})
		}
	}
	return out
}

// organized says whether all levels of an organization allow, and whether one denies.
func organized(e *policy.Explanation) (allowed, denied bool) {
	allowed = true
	for n := range e.Layers {
		if l := &e.Layers[n]; l.Layer == policy.SCPLayer {
			allowed, denied = allowed && l.Allows && !l.Denies, denied || l.Denies
		}
	}
	return allowed, denied
}

// accountOf is whose a resource is: as the call says, or its ARN, or else the
// caller's.
func (s *simulation) accountOf(resource string) string {
	if s.owner != "" {
		return s.owner
	}
	if parts := strings.SplitN(resource, ":", 6); len(parts) == 6 && parts[4] != "" {
		return parts[4]
	}
	return s.caller.Account
}

func decisionOf(allowed, explicit bool) types.PolicyEvaluationDecisionType {
	switch {
	case allowed:
		return types.PolicyEvaluationDecisionTypeAllowed
	case explicit:
		return types.PolicyEvaluationDecisionTypeExplicitDeny
	}
	return types.PolicyEvaluationDecisionTypeImplicitDeny
}

// layerKinds are the layers that answers speak of.
var layerKinds = map[policy.Layer]string{
	policy.IdentityLayer: identitySource, policy.ResourceLayer: resourceSource, policy.TrustLayer: resourceSource, policy.BoundaryLayer: boundarySource,
}

// matched are the statements that made the decision: the denies of an explicit
// deny, the allows of the caller's and the resource's policies otherwise.
func (s *simulation) matched(e *policy.Explanation) []types.Statement {
	var list []types.Statement
	for n := range e.Layers {
		l := &e.Layers[n]
		if _, told := layerKinds[l.Layer]; !told || e.Allowed && l.Layer == policy.BoundaryLayer {
			continue
		}
		for m := range l.Statements {
			r := &l.Statements[m]
			if r.Matched() && (e.Allowed && r.Parsed().Effect == policy.Allow || e.Explicit && r.Parsed().Effect == policy.Deny) {
				list = append(list, s.shown(r))
			}
		}
	}
	return list
}

// shown is a statement with its place. It starts where its text's reader stood
// before it: past the list's bracket, past the statement before, or, if the
// element is not a list, past the brace that opens it. It ends past its own brace.
func (s *simulation) shown(r *policy.StatementResult) types.Statement {
	doc, name := r.Source.Policy.Document(), s.names[r.Source.Policy]
	start := doc.Statements[r.Statement].Start
	if r.Statement > 0 {
		start = doc.Statements[r.Statement-1].End
	} else if before := strings.TrimRight(doc.Text[:start], " \t\r\n"); strings.HasSuffix(before, "[") {
		start = len(before)
	} else {
		start++
	}
	return types.Statement{
		SourcePolicyId: &name.id, SourcePolicyType: types.PolicySourceType(name.kind),
		StartPosition: place(doc, start), EndPosition: place(doc, doc.Statements[r.Statement].End),
	}
}

func place(doc *policy.Document, offset int) *types.Position {
	line, column := doc.Position(offset)
	return &types.Position{Line: int32(line), Column: int32(column)}
}
