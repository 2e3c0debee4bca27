// Package eks is Amazon EKS's API for clusters, their node groups, add-ons and access
// entries: create, describe, list, update, tag and delete them. Behaviour and error texts are EKS's own, from its API
// reference and from what it was seen to answer.
//
// A handler validates, writes the cluster's record and answers at once, as EKS
// does. What must happen then is done by Run: one goroutine per cluster looks at
// the record and moves it on.
//
//	CREATING  → Runtime.Start → ACTIVE, or FAILED with a health issue
//	ACTIVE    → Runtime.Start once in the life of the daemon, again until it works
//	UPDATING  → the update that is in progress is carried out → ACTIVE
//	DELETING  → Runtime.Stop → the record is gone
//
// Access entries need nobody to carry them out: they count, by Holder, as soon as they
// are recorded.
//
// Once a cluster serves, the same goroutine sets up, changes and removes its add-ons,
// one after another.
//
// A node group has a goroutine of its own, which makes its parts by calls of IAM, EC2 and
// Auto Scaling as EKS's service-linked role, and drains nodes that are to end.
//
// The record is the only state: a daemon that starts again goes on where the
// last one stopped.
//
// What a cluster is made of (Kubernetes), who may be passed as its role (IAM) and
// where it lies (EC2) are other packages' business, stated here as the interfaces
// Runtime, Roles and Network.
//
// # What differs from EKS
//
//   - What isn't there is refused by its name: customer keys, Auto Mode, IPv6,
//     Outposts, hybrid nodes, zonal shift, scaling tiers, control plane settings, and clusters
//     without the default add-ons.
//   - Add-ons are vpc-cni, coredns, kube-proxy, metrics-server and eks-pod-identity-agent, each in one
//     version. What can be
//     set of them is what DescribeAddonConfiguration shows; EKS's other values are
//     refused as values are that its schema does not know. An add-on is ACTIVE once
//     its objects are applied: DEGRADED is never seen.
//   - upgradePolicy is recorded and shown, but no cluster is ever upgraded unasked.
//   - DescribeClusterVersions always lists version 1.14, as unsupported, because
//     eksctl refuses a manifest of a version that isn't listed, and the workshop's
//     says 1.14. CreateCluster refuses it.
package eks
