// Package vpc is the network: a virtual private cloud made of kernel parts.
//
// One network namespace, the world, is the VPC's router and the edge of the
// Internet. Everything else is a namespace on one veth to it: a node, a
// cluster's control plane (private addresses for the private endpoint, public
// ones for the public endpoint), a machine such as the workshop's terminal. The
// host is on one veth too, eksact0, and stands for "the Internet"; this veth
// with its address and its one route is all of ours that the host sees.
//
//	host ── eksact0 ──┐
//	198.18.0.1        │ 198.18.0.254
//	              ┌───┴───────────────────────────┐
//	              │ world                         │ 198.18.0.2 front door, .5 S3, .53 DNS
//	              │ routes, rules (package nft)   │ 10.0.0.2 resolver, 169.254.169.254
//	              └─┬──────────┬──────────┬───────┘
//	       control plane     node       node
//	       10.0.64.4         10.0.64.5 ── pods 10.0.65.0/27, each a /32 on a veth
//	       198.18.1.0
//
// Further VPCs have blocks of their own on the same router (see Layout): rules keep them
// apart, and each reaches the public range as its own NAT gateways.
//
// Links are routed, without bridge and without ARP: each end knows the other's
// hardware address for good (it is derived from the owner's name), a machine's
// only neighbour is its subnet's router, and world has one route for each
// address. So there is nothing to learn, flood or time out, an address that
// nobody has is refused at once, and source addresses are checked on every link
// (strict rp_filter) as EC2 checks them.
//
// IPv6 is there for instance metadata alone (package ipv6).
//
// World has no default route: nothing leaves the machine. A pod can't open
// connections to the host either; only answers go there.
//
// While a daemon has the network open, the router's rules can't be deleted by others, and
// routes that are come back.
//
// All functions create or adopt: they bring about what they say from whatever
// half-made state they find, and leave alone what is right already, so the
// daemon calls them at each start while traffic flows. The network needs no
// process of its own to go on working.
package vpc
