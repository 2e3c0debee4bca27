// Package secgroups tests security groups on a real cluster: rules are revoked and
// authorized by the AWS CLI, and packets stop and go; a Service's load balancer adds
// its own; pods have groups by SecurityGroupPolicy. See package lab.
package secgroups
