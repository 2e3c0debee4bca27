// Package lb is the load balancers: Network Load Balancers in the kernel's
// packet rules, Classic Load Balancers as a proxy.
//
// A balancer has a DNS name and, in each of its zones' subnets, an interface with
// a private address and, if it faces the Internet, a public one. Each of its
// listeners leads every new connection to a healthy target: of all zones with
// cross-zone load balancing, else of the zone of the address that was called. The
// name resolves to the addresses of zones that have healthy targets.
//
// A Network Load Balancer's connections are translated in the kernel, and live in
// conntrack: the rules need no process. Where clients' addresses are not
// preserved they are those of the interface. A Classic Load Balancer ends
// connections and makes new ones, which only a process can do (package proxy);
// the keeper holds it, so balancers of both kinds answer while the daemon is
// down. A target group with the proxy protocol goes through that process too.
//
// Addresses are drawn, or chosen (Fixed). Who may connect is said by source ranges, or
// by security groups, whose rules are asked for at each write of the listeners. What
// is silent for too long is forgotten by conntrack, and reset when it next sends.
//
// Health is checked from the interface of the target's zone, by connecting (TCP,
// SSL) or by asking for a path (HTTP, HTTPS: any 2xx or 3xx of a Network, 200 of a
// Classic Load Balancer). A target counts with its first success and is taken off
// after a few failures in a row. When no target is healthy all are used ("fail
// open").
//
// A target that is deregistered keeps its connections for a while (connection
// draining, deregistration delay). What Ensure was given is recorded in the
// store, with the targets that drain; Run takes it up again.
package lb
