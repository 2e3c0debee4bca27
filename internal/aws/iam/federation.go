package iam

import (
	"maps"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// DecideFederated decides an action on a role for a web identity, which has no
// policies of its own: sts:AssumeRoleWithWebIdentity, sts:TagSession,
// sts:SetSourceIdentity. The role's trust policy must name the provider. Of the
// caller only what it says of the request counts, not whose it is.
func (i *IAM) DecideFederated(who *api.Caller, f *api.Federated, action string, r *Role, given map[string][]string) policy.Decision {
	role := i.index.subject(r.ID)
	if role == nil {
		return policy.Decision{Layer: policy.TrustLayer}
	}
	keys := f.Keys()
	maps.Copy(keys, given)
	anyone := &api.Caller{
		Type: api.Anonymous, ARN: f.Provider, SourceIP: who.SourceIP, UserAgent: who.UserAgent, TLS: who.TLS, RequestID: who.RequestID,
		Region: who.Region, RequestedRegion: who.RequestedRegion, Endpoint: who.Endpoint,
	}
	k := i.borrow(anyone, nil, keys)
	defer i.giveBack(k)
	k.resource = i.roleARN(r)
	k.applied = policy.Applied{Resource: role.trust, Both: true, Endpoint: who.EndpointPolicy()}
	k.request = policy.Request{Caller: policy.Caller{Kind: policy.ProviderCaller, Name: f.Provider}, Action: action, Resource: k.resource, Keys: k}
	d := policy.Decide(&k.applied, &k.request)
	if !d.Allowed {
		i.refuse(k, d)
		who.AuthorizationID = anyone.AuthorizationID
	}
	return d
}
