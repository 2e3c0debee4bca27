// Package imds is the instance metadata service, versions 1 and 2.
//
// It stands where AWS's stands: outside the instance, at 169.254.169.254, which
// is an address of the VPC's router. Whose metadata is asked for is known from
// the packet's source address (the router checks those on each link): a node's
// own, or one of its pods'. So one socket in the world's namespace serves all
// instances, and the hop limit works as it does on EC2: the answer to a token
// request leaves the router with that TTL, so with a limit of 1 the node itself
// gets its tokens, and a pod, one hop behind it, does not.
//
// The service's IPv6 address, fd00:ec2::254, leads to the same, for instances that
// have it enabled; who asks is then known from an address of package ipv6's.
//
// Everything but the token request needs a token (IMDSv2), unless the instance
// makes them optional. A token is good for the instance that asked for it. A
// token request that went through a proxy (X-Forwarded-For) is refused. Which
// version was asked is in the role's credentials (ec2:RoleDelivery).
//
// Identity documents are signed by a key of ours (Signer), in all of AWS's forms.
//
// Source of paths and rules: Amazon EC2 User Guide, "Instance metadata and user
// data". What it lists and is not here answers 404, as an instance without that
// feature does.
package imds
