package iam

import (
	"context"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// keys are a request's condition keys.
type keys map[string][]string

// Values implements policy.Keys.
func (k keys) Values(name string) []string { return k[name] }

// Authorize implements the front door's Authorizer: nil when the caller may do
// the action on every resource, otherwise the error with AWS's sentence.
func (i *IAM) Authorize(_ context.Context, who *api.Caller, action string, resources []string, conditions map[string][]string) error {
	if len(resources) == 0 {
		resources = everything
	}
	applied, ok := i.applied(who)
	for _, resource := range resources {
		if !ok {
			d := policy.Decision{}
			return Denied(who, action, resource, &d)
		}
		r := policy.Request{Caller: callerOf(who), Action: action, Resource: resource, Keys: keys(conditions)}
		if d := policy.Decide(&applied, &r); !d.Allowed {
			return Denied(who, action, resource, &d)
		}
	}
	return nil
}

var everything = []string{"*"}

// Denied is AWS's sentence about a decision.
func Denied(who *api.Caller, action, resource string, d *policy.Decision) error {
	return accessDenied("User: " + who.ARN + " is not authorized to perform: " + action + " on resource: " + resource + " " + d.Reason(action))
}

// applied gathers the policies of the caller. It answers false of a caller that
// is nobody any more.
func (i *IAM) applied(who *api.Caller) (policy.Applied, bool) {
	var a policy.Applied
	switch who.Type {
	case api.Account:
		return a, who.AccountID == i.place.AccountID
	case api.User, api.AssumedRole:
	default:
		return a, false
	}
	s := i.index.subject(who.PrincipalID)
	if s == nil {
		return a, false
	}
	a.Identity, a.Boundary = s.identity, s.boundary
	if who.Session != nil && len(who.Session.Policies)+len(who.Session.PolicyARNs) > 0 {
		a.Session = i.sessionPolicies(who.Session)
	}
	return a, true
}

// sessionPolicies compiles what was passed to AssumeRole; it was checked there.
func (i *IAM) sessionPolicies(s *api.Session) []policy.Source {
	list := []policy.Source{}
	for _, text := range s.Policies {
		list = append(list, policy.Source{Policy: compileStored(policy.Session, text)})
	}
	for _, arn := range s.PolicyARNs {
		list = append(list, policy.Source{ARN: arn, Policy: i.index.managedPolicy(arn)})
	}
	return list
}

func callerOf(who *api.Caller) policy.Caller {
	kinds := map[api.PrincipalType]policy.CallerKind{
		api.Account: policy.RootCaller, api.User: policy.UserCaller, api.AssumedRole: policy.RoleCaller, api.FederatedUser: policy.FederatedCaller,
	}
	return policy.Caller{
		Kind: kinds[who.Type], Account: who.AccountID, ARN: who.ARN, Entity: who.PrincipalARN, ID: who.PrincipalID, UserID: who.UserID,
	}
}

// MayAssume decides sts:AssumeRole: the role's trust policy and the caller's own
// policies together.
func (i *IAM) MayAssume(who *api.Caller, r *Role, conditions map[string][]string) policy.Decision {
	applied, ok := i.applied(who)
	s := i.index.subject(r.ID)
	if !ok || s == nil {
		return policy.Decision{}
	}
	applied.Resource, applied.Both = &policy.Source{Policy: s.trust}, true
	return policy.Decide(&applied, &policy.Request{
		Caller: callerOf(who), Action: "sts:AssumeRole", Resource: i.roleARN(r), Keys: keys(conditions),
	})
}

// Trusts reports whether a role's trust policy lets a service assume it.
func (i *IAM) Trusts(r *Role, service string) bool {
	s := i.index.subject(r.ID)
	if s == nil {
		return false
	}
	d := policy.Decide(&policy.Applied{Resource: &policy.Source{Policy: s.trust}, Both: true}, &policy.Request{
		Caller: policy.Caller{Kind: policy.ServiceCaller, Name: service}, Action: "sts:AssumeRole", Resource: i.roleARN(r),
	})
	return d.Allowed
}

// Assumable implements eks.Roles.
func (i *IAM) Assumable(_ context.Context, roleARN, service string) bool {
	r, ok := i.RoleByARN(roleARN)
	return ok && i.Trusts(&r, service)
}

// CheckPass implements eks.Roles: iam:PassRole of the caller.
func (i *IAM) CheckPass(ctx context.Context, roleARN, service string) error {
	return i.Authorize(ctx, api.CallerFrom(ctx), "iam:PassRole", []string{roleARN}, map[string][]string{"iam:passedtoservice": {service}})
}

// AccessKey returns an access key with its owner.
func (i *IAM) AccessKey(id string) (AccessKey, User, bool) {
	k, ok := i.keys.Get(id)
	if !ok || !k.Active {
		return k, User{}, false
	}
	u, ok := i.users.Get(k.User)
	return k, u, ok && u.ID == k.UserID
}

// RoleByID returns the role of a unique id while it lives.
func (i *IAM) RoleByID(id string) (Role, bool) {
	s := i.index.subject(id)
	if s == nil || s.kind != "role" {
		return Role{}, false
	}
	r, ok := i.RoleByName(s.name)
	return r, ok && r.ID == id
}

// UserARN is a user's ARN.
func (i *IAM) UserARN(u *User) string { return i.userARN(u) }

// UserByID returns the name and ARN of the user of a unique id while it lives.
func (i *IAM) UserByID(id string) (name, arn string, ok bool) {
	s := i.index.subject(id)
	if s == nil || s.kind != "user" {
		return "", "", false
	}
	return s.name, s.arn, true
}
