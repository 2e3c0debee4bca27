// Package mapping decides who an AWS principal is to Kubernetes: a username and
// groups.
//
// EKS asks, in this order, whether the caller is the principal that created
// the cluster ([Creator]: always kubernetes-admin in system:masters, in no
// ConfigMap, so nobody can lock the owner out or take the name away), and what
// the ConfigMap kube-system/aws-auth says ([ConfigMap]). Each is an
// [Identifier]; access entries will be one more, between the two.
//
// What a principal is compared by is its canonical ARN: of a role session,
// arn:aws:sts::A:assumed-role/ROLE/SESSION, that is arn:aws:iam::A:role/ROLE.
// The session's ARN does not tell the role's path, so an aws-auth entry with a
// path in rolearn can never match.
//
// The rules are those of sigs.k8s.io/aws-iam-authenticator (pkg/mapper/configmap
// and pkg/server), which the tests run side by side with this package. Where
// this one differs it is stricter, and says so at the place.
//
// The package is pure: data in, identities out.
package mapping
