package cases

import (
	"fmt"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// ResourceKind is what the policy of a resource is, as far as rules differ.
type ResourceKind uint8

const (
	PlainResource ResourceKind = iota
	RoleTrust                  // must allow in any case, and is asked by sts alone
	KeyPolicy                  // must allow in any case, and is asked by kms alone
)

// Layers are the policies that apply to a request. Nil: there is no such layer.
// Empty but not nil, of Session: one that allows nothing.
type Layers struct {
	Identity []*Policy
	Boundary *Policy
	Session  []*Policy
	SCP, RCP [][]*Policy // from the organization's root down to the account
	Resource *Policy
	Kind     ResourceKind
	Endpoint *Policy
}

// Question is one request to decide, with all that decides it.
type Question struct {
	Principal *Principal
	Action    string // "s3:GetObject"
	Resource  string // an ARN, or "*"
	Owner     string // the resource's account; "": by its ARN, or else the principal's
	Context   Context
	Layers    Layers
}

// Check says what is wrong with the form of the request.
func (q *Question) Check() error {
	switch {
	case q.Principal == nil:
		return fmt.Errorf("no principal is given")
	case q.Action == "":
		return fmt.Errorf("no action is given")
	case !isAction(q.Action):
		return fmt.Errorf("action %q is not one action: say SERVICE:Action, such as s3:GetObject", q.Action)
	case q.Resource == "":
		return fmt.Errorf(`no resource is given; it is "*" for actions without one`)
	case q.Resource != "*" && (!strings.HasPrefix(q.Resource, "arn:") || strings.Count(q.Resource, ":") < 5):
		return fmt.Errorf(`resource %q is not an ARN, nor "*"`, q.Resource)
	case q.Owner != "" && !isAccount(q.Owner):
		return fmt.Errorf("owner %q is not an account of twelve digits", q.Owner)
	}
	return nil
}

// isAction recognises the form of one action, SERVICE:Action.
func isAction(s string) bool {
	vendor, name, ok := strings.Cut(s, ":")
	return ok && vendor != "" && name != "" && !strings.ContainsAny(s, "*? ") && !strings.Contains(name, ":")
}

func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// owner is the account of the resource.
func (q *Question) owner() string {
	if q.Owner != "" {
		return q.Owner
	}
	if parts := strings.SplitN(q.Resource, ":", 6); len(parts) == 6 && isAccount(parts[4]) {
		return parts[4]
	}
	return q.Principal.Caller.Account
}

// both says whether the resource's policy must allow in any case: it is that of
// the role to be assumed, or of the key to be used.
func (q *Question) both() bool {
	if q.Layers.Kind != PlainResource && q.resource() != nil {
		return true
	}
	service, _, _ := strings.Cut(strings.ToLower(q.Action), ":")
	parts := strings.SplitN(q.Resource, ":", 6)
	if len(parts) != 6 {
		return false
	}
	switch service {
	case "sts":
		return parts[2] == "iam" && strings.HasPrefix(parts[5], "role/")
	case "kms":
		return parts[2] == "kms" && strings.HasPrefix(parts[5], "key/")
	}
	return false
}

// resource is the resource's policy, if the action asks it: a role's trust policy
// is about sts actions alone, a key's about those of kms.
func (q *Question) resource() *Policy {
	service, _, _ := strings.Cut(strings.ToLower(q.Action), ":")
	if q.Layers.Kind == RoleTrust && service != "sts" || q.Layers.Kind == KeyPolicy && service != "kms" {
		return nil
	}
	return q.Layers.Resource
}

// keys are the condition keys of the request: those given, over those that
// follow from principal and resource.
func (q *Question) keys() Context {
	base := Context{}
	if owner := q.owner(); owner != "" {
		base.set("aws:ResourceAccount", owner)
	}
	base.set("aws:ViaAWSService", "false")
	return q.Context.over(q.Principal.Keys.over(base))
}

// Request is the question in the engine's terms.
func (q *Question) Request() *policy.Request {
	return &policy.Request{Caller: q.Principal.Caller, Action: q.Action, Resource: q.Resource, Keys: q.keys()}
}

// Applied are the policies in the engine's terms.
func (q *Question) Applied() *policy.Applied {
	l := &q.Layers
	a := &policy.Applied{
		Identity: program(l.Identity), Session: program(l.Session),
		Boundary: alone(l.Boundary), Resource: alone(q.resource()), Endpoint: alone(l.Endpoint),
		SCP: levels(l.SCP), RCP: levels(l.RCP),
		Both: q.both(),
	}
	if account := q.Principal.Caller.Account; account != "" {
		a.CrossAccount = q.owner() != account
	}
	return a
}

// program keeps nil apart from empty.
func program(list []*Policy) *policy.Program {
	if list == nil {
		return nil
	}
	sources := make([]policy.Source, len(list))
	for i, p := range list {
		sources[i] = p.Source
	}
	return policy.NewProgram(sources...)
}

func alone(p *Policy) *policy.Program {
	if p == nil {
		return nil
	}
	return policy.NewProgram(p.Source)
}

func levels(list [][]*Policy) []*policy.Program {
	var out []*policy.Program
	for _, level := range list {
		out = append(out, program(level))
	}
	return out
}

// policies calls fn for each policy of all layers.
func (l *Layers) policies(fn func(*Policy)) {
	groups := [][]*Policy{l.Identity, {l.Boundary}, l.Session, {l.Resource}, {l.Endpoint}}
	groups = append(append(groups, l.SCP...), l.RCP...)
	for _, g := range groups {
		for _, p := range g {
			if p != nil {
				fn(p)
			}
		}
	}
}

// Find returns the policy that a decision names.
func (l *Layers) Find(source policy.Source) *Policy {
	var found *Policy
	l.policies(func(p *Policy) {
		if found == nil && source.Policy != nil && p.Source.Policy == source.Policy && p.Source.ARN == source.ARN {
			found = p
		}
	})
	return found
}
