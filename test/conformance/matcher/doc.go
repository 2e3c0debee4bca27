// Package matcher holds what eksact makes of NetworkPolicies to what cyclonus
// (github.com/mattfenwick/cyclonus, whose cases the conformance suite runs) makes of
// them: random clusters and policies, every pair of ends on many ports, three answers:
// cyclonus' matcher's, Explain's, and what the nodes' programs decide. It is a module
// of its own, for cyclonus needs much that eksact doesn't.
//
//	cd test/conformance/matcher && go test . -rapid.checks=5000
//
// # Known differences
//
// Two, both cyclonus' (TestKnownDifferences holds them to Kubernetes' own library, and
// the random policies step around them):
//
//   - NotIn picks what lacks the label, in Kubernetes; cyclonus' matcher says no.
//   - matchLabels with an empty value picks what has the label with that value alone;
//     cyclonus' matcher takes a missing label for it.
//
// What isn't asked, for cyclonus' matcher has no answer, or another one on purpose:
//
//   - A pod to itself: eksact lets it pass, as Kubernetes demands; cyclonus' matcher
//     asks the policies, and its probes can leave such pairs out.
//   - Policies that the API server refuses, and absent policyTypes, which it sets:
//     cyclonus panics.
//   - Pods in their node's network, pods that are finished, ClusterNetworkPolicies:
//     cyclonus doesn't know them.
//   - Two names for one port of a pod: cyclonus' traffic has one.
package matcher
