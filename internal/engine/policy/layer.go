package policy

import "strings"

// Applied are the policies that apply to a request, by layer.
type Applied struct {
	Identity *Program // of the user and its groups, or of the role
	Boundary *Program // nil: there is none
	// Session limits what a session may do. Nil: nothing was passed, which leaves a
	// role's session the role's rights, and a federated user's none. Not nil but
	// empty: it may do nothing.
	Session *Program
	// Resource is the policy of the resource: a trust policy, a bucket's policy.
	Resource *Program
	// Endpoint is the policy of the VPC endpoint that the request came through; nil
	// of none.
	Endpoint *Program
	// SCP and RCP are the service and resource control policies of an organization,
	// of the caller's account and of the resource's: one Program a level, from the
	// root over the units to the account. Each level must allow.
	SCP, RCP []*Program
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
	SCPLayer
	RCPLayer
	EndpointLayer
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
	case SCPLayer:
		return "service control policy"
	case RCPLayer:
		return "resource control policy"
	case EndpointLayer:
		return "VPC endpoint policy"
	}
	return "identity-based policy"
}

// resourceLayer is the layer that the resource's policy is.
func (a *Applied) resourceLayer() Layer {
	if a.Resource != nil && len(a.Resource.sources) > 0 && a.Resource.sources[0].Policy.doc.Kind == Trust {
		return TrustLayer
	}
	return ResourceLayer
}

// linked says whether the caller is a session of a service-linked role, which no
// control policy restricts.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
func (c *Caller) linked() bool {
	return c.Kind == RoleCaller && strings.Contains(c.Entity, ":role/aws-service-role/")
}

// serviceControlled says whether SCPs restrict the caller: the principals of an
// account, its root among them.
func (c *Caller) serviceControlled() bool {
	switch c.Kind {
	case AnonymousCaller, ServiceCaller, ProviderCaller:
		return false
	}
	return !c.linked()
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
	if d.Layer == IdentityLayer {
		article = "an "
	}
	text := "with an explicit deny in " + article + name
	if d.Source.ARN != "" {
		text += ": " + d.Source.ARN
	}
	return text
}

// Sentence is AWS's whole sentence about a denial. Caller is an ARN, and resource
// what the service at hand calls it by.
func (d *Decision) Sentence(caller, action, resource string) string {
	return "User: " + caller + " is not authorized to perform: " + action + " on resource: " + resource + " " + d.Reason(action)
}
