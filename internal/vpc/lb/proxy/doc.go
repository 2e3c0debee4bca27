// Package proxy is the part of load balancers that packet rules can't do: it ends
// clients' connections and makes its own to targets. Classic Load Balancers are
// such proxies, and so is a target group with the proxy protocol.
//
// The router's rules lead connections to all such listeners to one socket; whom
// the client called is what the kernel remembers of the connection
// (SO_ORIGINAL_DST). So listeners come and go without sockets, and while the
// process restarts the kernel queues who calls.
//
// Connections to targets come from the load balancer's own address in the VPC, as
// on AWS: with TCP the target learns the client's address by the proxy protocol
// only, with HTTP by X-Forwarded-For. Bytes of TCP connections are spliced from
// socket to socket in the kernel.
//
// The process knows nothing of health: Apply says which targets receive new
// connections, which only keep those they have, and until when.
package proxy
