// Package elb shows the account's load balancers: the read calls of Elastic Load
// Balancing, version 2 for Network and 2012-06-01 for Classic Load Balancers, with
// their listeners, target groups, attributes, the health of targets, and tags,
// which can be changed.
//
// No load balancer is created through these APIs. The controller that serves
// Services of type LoadBalancer puts what it has built (Put), says how the targets
// fare (SetTargets, SetInstances) and takes it away again (Delete). Every other
// operation is unknown to the front door and refused there.
package elb
