package iam

import (
	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// AdmitsService says whether a resource's policy lets an AWS service act on it, by
// its principal's name, on behalf of this account. Given are the condition keys
// that the service's request has beside those of every service's.
func (i *IAM) AdmitsService(service, action, resource string, p *policy.Program, given map[string][]string) bool {
	keys := map[string][]string{
		"aws:PrincipalIsAWSService": {"true"}, "aws:PrincipalServiceName": {service}, "aws:SourceAccount": {i.place.AccountID},
	}
	for name, v := range given {
		keys[name] = v
	}
	k := i.borrow(&api.Caller{}, nil, keys)
	defer i.giveBack(k)
	k.resource = resource
	return policy.Decide(&policy.Applied{Resource: p, Both: true}, &policy.Request{
		Caller: policy.Caller{Kind: policy.ServiceCaller, Name: service}, Action: action, Resource: resource, Keys: k,
	}).Allowed
}
