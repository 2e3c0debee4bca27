// Package ipv6 is what the network has of IPv6.
//
// The VPC is IPv4. Two things in it have an IPv6 form: instance metadata, at
// fd00:ec2::254, and the Pod Identity agent, at fd00:ec2::23 of each node. So that nodes
// and pods can ask them so, each of their addresses has a second one, of a prefix of RFC 4193 with the IPv4 address in its last 32 bits:
//
//	10.0.65.3  fd65:6b73:6163::a00:4103
//
// It leads to these two and nowhere else (package nft, Metadata6), is in
// no answer of EC2's and none of Kubernetes', and belongs to who has the IPv4
// address: what restricts that one restricts this too.
package ipv6
