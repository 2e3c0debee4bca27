// Package manifest reads what policies see of a cluster out of its manifests, so that
// flows can be explained and tested before anything runs.
//
//	var set manifest.Set
//	err := set.Add("shop.yaml", text) // YAML documents or JSON, lists too
//	from, err := set.Ends("deployment/web", "shop")
//
// Pods count, and the pod templates of workloads: a Deployment stands for its pods.
// Addresses are those of a pod's status; of a pod that has none it is known only that
// it is in PodCIDR, and a rule about a part of that range leaves a flow unsure.
//
// NetworkPolicies are read strictly: a field that isn't one is an error, for a
// misspelt podSelector would select everything. What the API server would refuse is
// an error too. Policies of other makers are named in Notes, and not looked at.
package manifest
