// Package autoscaling is Amazon EC2 Auto Scaling's API: groups of instances that are
// launched of a launch template, spread over subnets, replaced when they end and taken
// away when they are too many.
//
// A handler writes the group's record and answers at once. Run does the rest: one
// goroutine per group compares what is there with what is wanted, and takes one step
// after another until they agree.
//
//	missing    → RunInstances → Pending → (Pending:Wait) → InService
//	unhealthy  → Terminating, and a new one
//	too many   → Terminating → (Terminating:Wait) → TerminateInstances → gone
//
// Calls of EC2 are made through the front door, as the group's service-linked role:
// policies decide and the trail has them. The record is the only state; a launch that a
// crash cut off from its record is found by its tag.
//
// # What differs from AWS
//
//   - What isn't there is refused by name, a parameter as an operation: launch
//     configurations, load balancers and target groups, scaling policies, scheduled
//     actions, warm pools, instance refresh, standby, spot, instance requirements,
//     weights, notifications, zonal shift.
//   - Instances are healthy while EC2 runs them, which is known at once and not after
//     minutes. Zones are not rebalanced once there is a difference.
package autoscaling
