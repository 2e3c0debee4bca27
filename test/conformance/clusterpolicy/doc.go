// Package clusterpolicy runs the conformance suite of sigs.k8s.io/network-policy-api,
// as it is, on what eksact makes of ClusterNetworkPolicies: admin and baseline tiers,
// beside NetworkPolicies. The suite's API server is a client of fakes, and where it
// would run agnhost in a pod, the nodes' programs decide, and Explain the same. So it
// takes seconds, needs no cluster and no root, and tries the compiler step by step, for
// one compiler follows all that the suite changes.
//
//	cd test/conformance/clusterpolicy && go test .
//
// All of its features are on, those of the experimental channel too. It is a module of
// its own, for the suite needs much that eksact doesn't.
package clusterpolicy
