// Package lb is the load balancers: Network Load Balancers in the kernel's
// packet rules.
//
// A balancer has a DNS name and one address, public or (scheme internal) of a
// private subnet. Each of its ports leads every new connection to one of its
// healthy targets' node ports, drawn at random; the address translation of a
// connection lives in conntrack, so a target that is taken off keeps the
// connections it has. The rules need no process: balancers answer while the
// daemon is down.
//
// Health is checked from the VPC's router, by connecting (TCP) or by asking for
// a path (HTTP, any 2xx or 3xx). A target counts with its first success and is
// taken off after a few failures in a row. When no target is healthy all are
// used, as AWS does ("fail open").
//
// What Ensure was given is recorded in the store; Run takes it up again.
package lb
