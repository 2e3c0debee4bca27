// Package elb shows the account's load balancers: the read calls of Elastic Load
// Balancing (version 2) for load balancers, listeners, target groups, the health
// of targets, and tags.
//
// Nothing is created through this API. The controller that serves Services of
// type LoadBalancer puts what it has built (Put), says how the targets fare
// (SetTargets) and takes it away again (Delete). Every other operation is unknown
// to the front door and refused there.
package elb
