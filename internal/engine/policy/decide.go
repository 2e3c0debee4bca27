package policy

import "strings"

// Source is a policy that applies, and the name under which a denial shows it.
type Source struct {
	ARN    string // of a managed policy; "" of an inline one
	Policy *Policy
}

// Applied are the policies that apply to a request, by layer.
type Applied struct {
	Identity []Source // of the user and its groups, or of the role
	Boundary *Source  // nil: there is none
	// Session limits what a session may do. Nil: nothing was passed. Not nil but
	// empty: it may do nothing.
	Session []Source
	// Resource is the policy of the resource: a trust policy, a bucket's policy.
	Resource *Source
	// Both says that the resource's policy must match in any case: role trust and
	// KMS key policies.
	Both bool
	// CrossAccount says that resource and caller belong to different accounts:
	// both sides must allow.
	CrossAccount bool
}

// Layer is a kind of policy in a decision.
type Layer uint8

const (
	IdentityLayer Layer = iota
	ResourceLayer
	BoundaryLayer
	SessionLayer
	TrustLayer // a resource layer that denials call by another name
)

// String is the layer as AWS's denials say it.
func (l Layer) String() string {
	switch l {
	case ResourceLayer:
		return "resource-based policy"
	case BoundaryLayer:
		return "permissions boundary"
	case SessionLayer:
		return "session policy"
	case TrustLayer:
		return "role trust policy"
	}
	return "identity-based policy"
}

// Decision is the outcome and what decided it.
type Decision struct {
	Allowed bool
	// Explicit says that a statement denied, rather than none allowed.
	Explicit bool
	// Layer allowed, or denied, or failed to allow.
	Layer Layer
	// Source and Statement (an index of its Document's Statements) name what
	// decided. Source.Policy is nil when nothing matched.
	Source    Source
	Statement int
}

// verdict of a layer.
type verdict struct {
	denied    bool
	grade     grade // unnamed: nothing allows
	source    Source
	statement int
}

// scan evaluates the policies of one layer: a deny ends it, the strongest allow
// is kept.
func scan(v *verdict, sources []Source, r *Request, bounded bool) {
	for i := range sources {
		p := sources[i].Policy
		for j := range p.statements {
			s := &p.statements[j]
			if s.effect == Allow && v.grade == direct {
				continue
			}
			g, ok := s.applies(r, bounded)
			switch {
			case !ok:
			case s.effect == Deny:
				*v = verdict{denied: true, source: sources[i], statement: j}
				return
			case g > v.grade:
				v.grade, v.source, v.statement = g, sources[i], j
			}
		}
	}
}

func (v *verdict) decision(layer Layer, allowed bool) Decision {
	d := Decision{Allowed: allowed, Explicit: v.denied, Layer: layer}
	if allowed || v.denied {
		d.Source, d.Statement = v.source, v.statement
	}
	return d
}

// Decide decides a request.
func Decide(a *Applied, r *Request) Decision {
	var resource, identity, boundary, session verdict
	bounded := a.Boundary != nil
	resourceLayer := ResourceLayer
	if a.Resource != nil {
		if a.Resource.Policy.doc.Kind == Trust {
			resourceLayer = TrustLayer
		}
		one := [1]Source{*a.Resource}
		if scan(&resource, one[:], r, bounded); resource.denied {
			return resource.decision(resourceLayer, false)
		}
	}
	switch r.Caller.Kind {
	case RootCaller:
		if a.Both || a.CrossAccount {
			return resource.decision(resourceLayer, resource.grade != unnamed)
		}
		return Decision{Allowed: true}
	case AnonymousCaller, ServiceCaller, ProviderCaller:
		return resource.decision(resourceLayer, resource.grade == direct)
	}
	if scan(&identity, a.Identity, r, false); identity.denied {
		return identity.decision(IdentityLayer, false)
	}
	if a.Boundary != nil {
		one := [1]Source{*a.Boundary}
		if scan(&boundary, one[:], r, false); boundary.denied {
			return boundary.decision(BoundaryLayer, false)
		}
	}
	if scan(&session, a.Session, r, false); session.denied {
		return session.decision(SessionLayer, false)
	}

	granted := identity.decision(IdentityLayer, true)
	switch {
	case (a.Both || a.CrossAccount) && resource.grade == unnamed:
		return resource.decision(resourceLayer, false)
	case resource.grade == direct && !a.CrossAccount:
		return resource.decision(resourceLayer, true)
	case resource.grade == byEntity && !a.CrossAccount:
		granted = resource.decision(resourceLayer, true)
	case identity.grade == unnamed:
		return identity.decision(IdentityLayer, false)
	}
	if a.Boundary != nil && boundary.grade == unnamed {
		return boundary.decision(BoundaryLayer, false)
	}
	if a.Session != nil && session.grade == unnamed {
		return session.decision(SessionLayer, false)
	}
	return granted
}

// Reason is the end of AWS's sentence about a denial:
//
//	because no identity-based policy allows the iam:CreateRole action
//	with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/P
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (d *Decision) Reason(action string) string {
	name := d.Layer.String()
	if !d.Explicit {
		return "because no " + name + " allows the " + action + " action"
	}
	article := "a "
	if strings.HasPrefix(name, "identity") {
		article = "an "
	}
	text := "with an explicit deny in " + article + name
	if d.Source.ARN != "" {
		text += ": " + d.Source.ARN
	}
	return text
}
