// Package accesspolicy decides what EKS's access policies allow: the sets of
// Kubernetes permissions that AssociateAccessPolicy gives to an access entry.
//
//	Grant{Policy, Namespaces} … ──Compile──► Set ──Allows(Request)──► which grant, or none
//
// A policy is a list of rules, as a Kubernetes ClusterRole is, and a rule matches a
// request as RBAC's does (k8s.io/kubernetes/pkg/apis/rbac/v1, evaluation_helpers.go).
// Policies only allow: what none of a principal's allows is left to others.
//
// A grant for the whole cluster works as a ClusterRoleBinding. One for namespaces
// works as a RoleBinding in each: it gives no cluster-wide objects, no lists across
// namespaces and no paths that are no resources. Namespaces may be patterns, in which
// * stands for any characters ("dev-*").
//
// The rules are AWS's, from "Review access policy permissions" in the EKS user guide
// (https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html);
// policies.go names another source where that page has no table. Policies whose rules
// AWS does not publish are in Unpublished and can't be granted.
//
// The package is pure: requests in, decisions out. A decision allocates nothing.
package accesspolicy
