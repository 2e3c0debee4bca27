// Package ec2 is Amazon EC2's API: VPCs with their subnets, route tables, gateways
// and addresses, security groups, instances, and the data that clients ask for
// before they make any of these.
//
// All is records in the store. What stands behind them is a [Ground]: VPCs
// whose blocks don't overlap run on this machine, and after each change of one the ground
// makes the network what [Service.Layout] reads from the records. Other VPCs are records
// only; nothing can be launched in them. RunInstances launches nodes; other interfaces are recorded by
// who has them (PutNetworkInterface). When a call that changes security groups
// returns, packets meet the new rules (Service.Enforce).
//
// A kind of resource is a [family]: finding one, its tags and its condition keys are
// the same code for all. Operations are registered by add, which answers DryRun and
// asks for the permission to tag.
//
// Filters follow https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html:
// all filters must match, any value of one does, * and ? are wildcards. A filter
// that isn't there for a kind of resource is refused by name, never ignored; so are
// parameters whose effect isn't there. Operations that aren't registered are
// unknown to the front door and refused there.
package ec2
