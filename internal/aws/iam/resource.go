package iam

import (
	"errors"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// AuthorizeOn is Authorize for one resource that may have a policy of its own,
// nil without: both sides are asked, and anonymous callers too.
func (i *IAM) AuthorizeOn(who *api.Caller, action, resource string, own *policy.Program, given map[string][]string) error {
	if who.Type == api.Anonymous {
		return i.authorizeAnyone(who, action, resource, own, given)
	}
	return i.authorize(who, action, []string{resource}, own, given, nil)
}

// authorizeAnyone decides for anonymous callers, of whom only the resource's policy
// can speak. Of their refusals no record is kept: anyone could push the others out.
func (i *IAM) authorizeAnyone(who *api.Caller, action, resource string, own *policy.Program, given map[string][]string) error {
	k := i.borrow(who, nil, given)
	defer i.giveBack(k)
	k.applied.Resource, k.applied.Endpoint, k.resource = own, who.EndpointPolicy(), resource
	k.request = policy.Request{Caller: callerOf(who), Action: action, Resource: resource, Keys: k}
	if d := policy.Decide(&k.applied, &k.request); !d.Allowed {
		return &Denied{Sentence: "Access Denied", Decision: d}
	}
	return nil
}

// ErrNoPrincipal is a principal that isn't there.
var ErrNoPrincipal = errors.New("invalid principal in policy")

// StoredPolicy is a resource's policy as it is to be kept: unique ids stand for
// the users and roles that it names, so that whoever has the name later is
// another. The error is ErrNoPrincipal.
func (i *IAM) StoredPolicy(doc *policy.Document) (string, error) {
	return rewritten(doc, func(p policy.Principal) (string, error) {
		stored, ok := i.principalID(p.Value)
		if !ok {
			return "", ErrNoPrincipal
		}
		return stored, nil
	})
}

// ShownPolicy is a policy that StoredPolicy made as answers have it.
func (i *IAM) ShownPolicy(doc *policy.Document) string {
	text, _ := rewritten(doc, func(p policy.Principal) (string, error) { return i.shownPrincipal(p.Value), nil })
	return text
}

// shownPrincipal is the ARN of a stored principal, or its id if it is gone.
func (i *IAM) shownPrincipal(value string) string {
	id, session, _ := strings.Cut(value, ":")
	s := i.index.subject(id)
	switch {
	case s == nil:
		return value
	case session != "":
		return "arn:" + i.place.Partition + ":sts::" + i.place.AccountID + ":assumed-role/" + s.name + "/" + session
	}
	return s.arn
}
