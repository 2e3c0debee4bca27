// Package elb is Elastic Load Balancing: version 2 of its API for Network, and
// 2012-06-01 for Classic Load Balancers.
//
// Load balancers of Kubernetes Services are put here by the controller that serves
// them (Put), which says how their targets fare (SetTargets, SetInstances) and
// takes them away again (Delete); calls show them and change their tags, nothing
// else. Network Load Balancers, their listeners and target groups can also be made
// by calls, over the same Network. What is not offered (Application Load Balancers,
// TLS, addresses of one's own) is refused by name, other operations are unknown to
// the front door.
package elb
