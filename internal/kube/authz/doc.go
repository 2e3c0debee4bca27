// Package authz is EKS's authorizer: the webhook that a cluster's API server asks,
// after its own RBAC, whether access policies allow what a principal with an access
// entry wants.
//
//	API server ── SubjectAccessReview ──► Handler
//	                                        │ who            the principal's unique id
//	                                        │ Find           its access policies
//	                                        │ accesspolicy   allowed by one?
//	             ◄── allowed, or no opinion ─┘
//
// It only ever allows, or has no opinion. The principal is known by its unique id as
// the token webhook (package authn) stated it, in uid and in an extra field. Whoever is
// impersonated by name has neither, so that access policies do not count for
// impersonated users, as on EKS
// (https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html).
//
// Aggregated APIs are told who calls by HTTP headers, and ask with what is left of it:
// the field's name is in lower case, and the uid is missing unless the API server is set
// to send it and their library to read it. So the field alone will do. Nobody states it
// freely: it takes the right to impersonate userextras of that name, which is the right
// to be any principal.
//
// The reason of what is allowed is EKS's, as audit events of EKS clusters show it
// (annotation authorization.k8s.io/reason):
//
//	EKS Access Policy: allowed by ClusterRoleBinding "PRINCIPAL-ARN+POLICY-ARN" of
//	ClusterRole "POLICY-ARN" to User "AROA…"
//
// What is not allowed has no reason, so that refusals read as RBAC's.
package authz
