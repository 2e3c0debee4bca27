package iamtoolbox

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/engine/policy/answer"
)

// Denials are the refusals that are known.
type Denials interface {
	Denial(id string) (*iam.Denial, bool)
}

// Service answers the API.
type Service struct{ denials Denials }

// New makes the service.
func New(d Denials) *Service { return &Service{d} }

// Service lists the operations for the front door. Their actions are IAM's.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "iamtoolbox", Action: "iam"}
	api.Add(svc, "GetRequestAuthorizationDetails", s.GetRequestAuthorizationDetails, nil)
	return svc
}

// types are the layers as the API names them.
var types = map[string]PolicyType{
	"identity": IdentityBased, "resource": ResourceBased, "trust": ResourceBased, "boundary": Boundary, "session": Session,
	"scp": ServiceControl, "rcp": ResourceControl, "endpoint": Endpoint,
}

// GetRequestAuthorizationDetails tells why a call was refused.
// https://docs.aws.amazon.com/iam-toolbox/latest/APIReference/API_GetRequestAuthorizationDetails.html
func (s *Service) GetRequestAuthorizationDetails(ctx context.Context, in *GetRequestAuthorizationDetailsInput) (*GetRequestAuthorizationDetailsOutput, error) {
	if aws.ToString(in.NextToken) != "" {
		return nil, api.Errorf(http.StatusBadRequest, "ValidationException", "The next token is not valid: there is one page.")
	}
	id := aws.ToString(in.AuthorizationId)
	d, ok := s.denials.Denial(id)
	if !ok || d.ID != id || d.Who.AccountID != api.CallerFrom(ctx).AccountID {
		return nil, api.Errorf(http.StatusNotFound, "ResourceNotFoundException",
			"The requested authorization details do not exist in this region or have expired. Verify that the authorization ID from the access denied error message is correct and the call is made in the region where the denial occurred.")
	}
	e := d.Explain()
	out := &GetRequestAuthorizationDetailsOutput{RequestContext: map[string][]string{}, Policies: []PolicyInfo{}}
	one := Evaluation{
		Action: &e.Action, Resource: &e.Resource, Context: map[string][]string{}, EvaluatedEffect: ImplicitDeny, MatchedPolicies: []MatchedPolicy{},
	}
	if d.Decision.Explicit {
		one.EvaluatedEffect = ExplicitDeny
	}
	for key, values := range e.Context {
		if ofEvaluation(key) {
			one.Context[key] = values
		} else {
			out.RequestContext[key] = values
		}
	}
	c := collector{of: e, uris: map[string]*string{}, out: out, one: &one}
	for i := range e.Layers {
		c.layer(&e.Layers[i])
	}
	out.Evaluations = []Evaluation{one}
	return out, nil
}

// ofEvaluation says whether a key depends on the action or its resource.
func ofEvaluation(key string) bool {
	return !strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "aws:Resource")
}

// collector gathers the policies of an explanation, each once.
type collector struct {
	of   *iam.Explanation
	uris map[string]*string // by layer and policy
	out  *GetRequestAuthorizationDetailsOutput
	one  *Evaluation
}

func (c *collector) layer(l *answer.Layer) {
	for i := range l.Missed {
		c.uri(l, &l.Missed[i].Statement)
	}
	matched := map[*string]int{}
	for i := range l.Matched {
		s := &l.Matched[i]
		uri := c.uri(l, s)
		at, ok := matched[uri]
		if !ok {
			at = len(c.one.MatchedPolicies)
			matched[uri] = at
			c.one.MatchedPolicies = append(c.one.MatchedPolicies, MatchedPolicy{Uri: uri})
		}
		statement := MatchedStatement{EvaluatedEffect: Allow}
		if s.Effect == "Deny" {
			statement.EvaluatedEffect = ExplicitDeny
		}
		if s.Sid != "" {
			statement.Sid = &s.Sid
		}
		p := &c.one.MatchedPolicies[at]
		p.MatchedStatements = append(p.MatchedStatements, statement)
	}
}

// uri names the policy of a statement, and lists the policy the first time.
func (c *collector) uri(l *answer.Layer, s *answer.Statement) *string {
	key := l.Layer + " " + s.ARN + " " + s.Policy
	if uri, ok := c.uris[key]; ok {
		return uri
	}
	uri := &s.ARN
	if s.ARN == "" {
		uri = aws.String("inline-" + strconv.Itoa(len(c.uris)+1))
	}
	c.uris[key] = uri
	has := c.of.PrincipalARN
	if types[l.Layer] == ResourceBased {
		has = c.of.Resource
	}
	c.out.Policies = append(c.out.Policies, PolicyInfo{
		Type: types[l.Layer], Inline: aws.Bool(s.ARN == ""), Uri: uri, AttachedTo: []AttachedTo{{Arn: &has}},
	})
	return uri
}
