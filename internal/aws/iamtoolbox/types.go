package iamtoolbox

// GetRequestAuthorizationDetailsInput asks about a refusal.
type GetRequestAuthorizationDetailsInput struct {
	AuthorizationId *string
	NextToken       *string
}

// GetRequestAuthorizationDetailsOutput tells about it.
type GetRequestAuthorizationDetailsOutput struct {
	RequestContext map[string][]string // condition keys of the request
	Evaluations    []Evaluation
	Policies       []PolicyInfo // that were evaluated
	NextToken      *string
}

// Evaluation is one action on one resource.
type Evaluation struct {
	Action          *string
	Resource        *string
	Context         map[string][]string // beside the request's
	EvaluatedEffect Effect
	MatchedPolicies []MatchedPolicy
}

// Effect is the outcome of an evaluation, or of a statement.
type Effect string

const (
	Allow        Effect = "ALLOW"
	ExplicitDeny Effect = "EXPLICIT_DENY"
	ImplicitDeny Effect = "IMPLICIT_DENY"
)

// MatchedPolicy is a policy with statements that matched.
type MatchedPolicy struct {
	Uri               *string // of one of Policies
	MatchedStatements []MatchedStatement
}

// MatchedStatement is one of them.
type MatchedStatement struct {
	Sid             *string
	EvaluatedEffect Effect
}

// PolicyInfo is a policy that was evaluated.
type PolicyInfo struct {
	Type       PolicyType
	Inline     *bool
	Uri        *string // the ARN of a managed policy; else whatever tells it apart
	AttachedTo []AttachedTo
}

// AttachedTo is what has the policy: a principal, or a resource.
type AttachedTo struct{ Arn *string }

// PolicyType is a layer.
type PolicyType string

const (
	IdentityBased   PolicyType = "IDENTITY_BASED_POLICY"
	ResourceBased   PolicyType = "RESOURCE_BASED_POLICY"
	Boundary        PolicyType = "PERMISSIONS_BOUNDARY"
	Session         PolicyType = "SESSION_POLICY"
	ServiceControl  PolicyType = "SERVICE_CONTROL_POLICY"
	ResourceControl PolicyType = "RESOURCE_CONTROL_POLICY"
	Endpoint        PolicyType = "VPC_ENDPOINT_POLICY"
)
