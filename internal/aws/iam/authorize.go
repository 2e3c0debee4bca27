package iam

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// Denied is a refusal: AWS's sentence, and the decision behind it. It has no
// error code of its own, for each protocol has another.
type Denied struct {
	Sentence string
	Decision policy.Decision
	// Message is the decision with its circumstances, as JSON, for refusals that are
	// sent with an encoded message: EC2's. Nil of all others.
	Message []byte
}

func (d *Denied) Error() string { return d.Sentence }

// everything is what a call that names no resource touches.
var everything = []string{"*"}

// AuthorizeCall implements the front door's Authorizer: nil when the caller may do
// the action on every resource, otherwise a *Denied. Keys answers for the
// condition keys that follow from the call and for the resources' own policies; the
// keys of the caller are known here.
func (i *IAM) AuthorizeCall(_ context.Context, who *api.Caller, action string, resources []string, keys api.Keys) error {
	return i.authorize(who, action, resources, nil, nil, keys)
}

// Authorize is AuthorizeCall for what a service asks by itself. Given are condition
// keys, in any spelling.
func (i *IAM) Authorize(_ context.Context, who *api.Caller, action string, resources []string, given map[string][]string) error {
	return i.authorize(who, action, resources, nil, given, nil)
}

// authorize decides for all of these. Own is the resources' own policy, nil without.
func (i *IAM) authorize(who *api.Caller, action string, resources []string, own *policy.Program, given map[string][]string, keys api.Keys) error {
	if len(resources) == 0 {
		resources = everything
	}
	if err := limitedSession(who, action); err != nil {
		i.Refuse(who, action, resources[0], err.Error(), "credentials of GetSessionToken without MFA, and those of GetFederationToken, can't make this call, whatever policies say")
		return err
	}
	i.noteUse(who, action)
	k := i.borrow(who, nil, given)
	defer i.giveBack(k)
	var ok bool
	k.call = keys
	k.applied, k.s, ok = i.applied(who)
	k.applied.Resource, k.applied.Endpoint = own, who.EndpointPolicy()
	k.request = policy.Request{Caller: callerOf(who), Action: action, Keys: k}
	for _, resource := range resources {
		k.request.Resource, k.resource = resource, resource
		if keys != nil {
			k.applied.Resource = keys.Policy(resource)
		}
		if !ok {
			return i.denied(k, policy.Decision{})
		}
		if d := policy.Decide(&k.applied, &k.request); !d.Allowed {
			return i.denied(k, d)
		}
	}
	return nil
}

// limitedSession refuses what credentials of GetSessionToken can't do without MFA:
// calls to IAM, and to STS save AssumeRole and GetCallerIdentity; and those of
// GetFederationToken in no case, nor AssumeRole.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
func limitedSession(who *api.Caller, action string) error {
	federated := who.Type == api.FederatedUser
	if who.Session == nil || who.Type == api.AssumedRole || who.Session.SignedIn || who.Session.MFA && !federated {
		return nil
	}
	open := action == "iam:PassRole" || action == "sts:GetCallerIdentity" || action == "sts:AssumeRole" && !federated
	if !open && (strings.HasPrefix(action, "iam:") || strings.HasPrefix(action, "sts:")) {
		return api.Errorf(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid")
	}
	return nil
}

// denied makes AWS's sentence about a decision, and keeps a record of it.
func (i *IAM) denied(k *conditions, d policy.Decision) *Denied {
	i.refuse(k, d)
	r := &k.request
	sentence := d.Sentence(k.who.ARN, spokenAction(r.Action), spoken(r.Action, r.Resource))
	if r.Action == "s3:ListAllMyBuckets" {
		sentence = strings.Replace(sentence, ` on resource: "*"`, "", 1) // S3 names none where there is none
	}
	return &Denied{Sentence: sentence, Decision: d, Message: k.failureMessage(d)}
}

// spokenAction is how refusals say an action: SNS writes its own name in capitals.
func spokenAction(action string) string {
	if name, ok := strings.CutPrefix(action, "sns:"); ok {
		return "SNS:" + name
	}
	return action
}

// spoken is how refusals say a resource: IAM's own reading calls name an entity
// by its kind and name ("role R", "instance profile P", "policy ARN"), all others
// by its ARN, S3 in quotes.
func spoken(action, resource string) string {
	if strings.HasPrefix(action, "s3:") {
		return `"` + resource + `"`
	}
	operation, ok := strings.CutPrefix(action, "iam:")
	if !ok || !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "List") {
		return resource
	}
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 {
		return resource
	}
	kind, path, _ := strings.Cut(parts[5], "/")
	name := lastOf(path)
	switch {
	case operation == "ListPolicies":
		return "policy path /" + path
	case name == "", kind == "oidc-provider":
		return resource // a list by path, or what has no name
	case kind == "policy":
		return "policy " + resource
	case kind == "instance-profile":
		return "instance profile " + name
	}
	return kind + " " + name
}

// applied gathers the policies of the caller. It answers false of a caller that
// is nobody, or nobody any more.
func (i *IAM) applied(who *api.Caller) (a policy.Applied, s *subject, ok bool) {
	switch who.Type {
	case api.Account:
		return a, nil, who.AccountID == i.place.AccountID
	case api.FederatedUser:
		if who.PrincipalID == i.place.AccountID { // root's: limited by what was passed alone
			a.Identity, a.Session = everythingAllowed(), i.passed(who.Session)
			return a, nil, who.AccountID == i.place.AccountID && who.Session != nil
		}
	case api.User, api.AssumedRole:
	default:
		return a, nil, false
	}
	if s = i.index.subject(who.PrincipalID); s == nil {
		return a, nil, false
	}
	a.Identity, a.Boundary = s.identity, s.boundary
	a.Session = i.passed(who.Session)
	return a, s, true
}

// passed are the policies that were passed when the session was made, which was
// when they were checked; nil if there are none.
func (i *IAM) passed(s *api.Session) *policy.Program {
	if s == nil || len(s.Policies)+len(s.PolicyARNs) == 0 {
		return nil
	}
	list := make([]policy.Source, 0, len(s.Policies)+len(s.PolicyARNs))
	for _, text := range s.Policies {
		list = append(list, policy.Source{Policy: i.sessions.compiled(text)})
	}
	for _, arn := range s.PolicyARNs {
		list = append(list, policy.Source{ARN: arn, Policy: i.index.managedPolicy(arn)})
	}
	return i.sessions.joined(list)
}

// everythingAllowed are the rights of root, as a policy that others can limit.
var everythingAllowed = sync.OnceValue(func() *policy.Program {
	return policy.NewProgram(policy.Source{Policy: compileStored(policy.Inline, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)})
})

func callerOf(who *api.Caller) policy.Caller {
	c := policy.Caller{Account: who.AccountID, ARN: who.ARN, Entity: who.PrincipalARN, ID: who.PrincipalID, UserID: who.UserID}
	switch who.Type {
	case api.Account:
		c.Kind = policy.RootCaller
	case api.User:
		c.Kind = policy.UserCaller
	case api.AssumedRole:
		c.Kind = policy.RoleCaller
	case api.FederatedUser:
		c.Kind = policy.FederatedCaller
	}
	return c
}

// asAccessDenied gives a refusal the code that it has in IAM's protocol.
func asAccessDenied(err error) error {
	if d, ok := err.(*Denied); ok {
		return accessDenied(d.Sentence)
	}
	return err
}

// DecideAssume decides an action on a role that its trust policy and the
// caller's own policies allow together: sts:AssumeRole, sts:TagSession,
// sts:SetSourceIdentity.
func (i *IAM) DecideAssume(who *api.Caller, action string, r *Role, given map[string][]string) policy.Decision {
	i.noteUse(who, action)
	applied, s, ok := i.applied(who)
	role := i.index.subject(r.ID)
	if !ok || role == nil {
		return policy.Decision{Layer: policy.TrustLayer}
	}
	k := i.borrow(who, s, given)
	defer i.giveBack(k)
	k.resource = i.roleARN(r)
	k.applied = applied
	k.applied.Resource, k.applied.Both, k.applied.Endpoint = role.trust, true, who.EndpointPolicy()
	k.request = policy.Request{Caller: callerOf(who), Action: action, Resource: k.resource, Keys: k}
	d := policy.Decide(&k.applied, &k.request)
	if !d.Allowed {
		i.refuse(k, d)
	}
	return d
}

// Trusts says whether a role's trust policy lets a service assume it.
func (i *IAM) Trusts(r *Role, service string) bool {
	s := i.index.subject(r.ID)
	if s == nil {
		return false
	}
	return i.AdmitsService(service, "sts:AssumeRole", i.roleARN(r), s.trust, nil)
}

// Assumable says whether the role exists and lets the service assume it.
func (i *IAM) Assumable(_ context.Context, roleARN, service string) bool {
	r, ok := i.RoleByARN(roleARN)
	return ok && i.Trusts(&r, service)
}

// CheckPass decides iam:PassRole for ctx's caller, with iam:PassedToService as
// the service. The refusal is worded as the JSON services do.
func (i *IAM) CheckPass(ctx context.Context, roleARN, service string) error {
	err := i.mayPass(ctx, roleARN, service)
	if d, ok := err.(*Denied); ok {
		return api.Errorf(http.StatusForbidden, "AccessDeniedException", "%s", d.Sentence)
	}
	return err
}

func (i *IAM) mayPass(ctx context.Context, roleARN, service string) error {
	return i.Authorize(ctx, api.CallerFrom(ctx), "iam:PassRole", []string{roleARN}, map[string][]string{"iam:PassedToService": {service}})
}
