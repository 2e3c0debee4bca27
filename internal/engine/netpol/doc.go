// Package netpol turns NetworkPolicies and ClusterNetworkPolicies into what the
// nodes enforce, and tells of a flow which rule decides it.
//
// A Compiler is told of namespaces, pods and policies as they come, and says what
// changes on each node:
//
//	c := netpol.New()
//	c.SetNamespace(netpol.NamespaceOf(ns))
//	c.SetPod(netpol.PodOf(pod))
//	c.SetPolicy(netpol.FromNetworkPolicy(np))
//	change := c.Flush() // change.Nodes["node-1"] is a ruleset.Delta
//
// How it is made so that neither packets nor pods wait for the number of policies:
//
//   - A group is what one pair of selectors picks. Policies that say the same share it.
//     Groups are found by a label that their pods must have, so a new pod costs what
//     matches it.
//   - Pods that the same policies select share a profile, and with it their chains.
//   - All rules of a pod's policies with the same ports become one: their peers are
//     joined into one set, exact ports are looked up in a map. A packet meets a few
//     rules, however many policies there are.
//   - What is joined for one port is a piece that profiles share: a policy more or less
//     makes the ports anew that it speaks of, not a pod's thousand others.
//   - Chains and sets are named by a hash of what they mean, so that a compiler that
//     starts anew finds what an earlier one wrote.
//
// Explain decides from the policies themselves, slowly and without the compiler:
// it is the second opinion that tests hold the compiler to, and names the rule.
//
// The tiers are those of the network policy API: Admin by priority, then
// NetworkPolicies, where a pod that one selects gets a final answer, then Baseline,
// then everything passes.
//
// The package is pure: no clock, no I/O. A Compiler isn't safe for concurrent use.
package netpol
