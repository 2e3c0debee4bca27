// Package secgroup makes packet rules of EC2's security groups, and says which rule
// of which group lets a packet through.
//
// What may pass follows from three lists: groups with rules, prefix lists, and
// interfaces with addresses and groups. A packet that begins a flow is looked at
// where it leaves its source's interface and where it enters its destination's:
//
//   - a rule of any of the interface's groups that matches lets it pass; rules only
//     allow, their order means nothing;
//   - what no rule lets pass is dropped;
//   - a rule that names a group means all addresses of all interfaces in it, those
//     of their prefixes too;
//   - an address that no interface has is not looked at, and a few addresses may be
//     reached whatever the rules say: the resolver, instance metadata, the subnets'
//     routers.
//
// Answers pass: a known flow is not looked at again. AWS says the same, and
// that taking a rule away need not end a flow that it let begin:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
//
// What passes from one of an interface's addresses to another never leaves it.
//
// Compile makes a ruleset.Program: one chain for each distinct set of groups and
// direction, one set for each group or list that rules name. Explain decides by the
// lists themselves; tests hold the two against each other.
package secgroup
