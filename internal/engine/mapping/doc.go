// Package mapping decides who an AWS principal is to Kubernetes: a username and
// groups.
//
// Whom EKS asks depends on the cluster's authentication mode ([Mode]):
//
//	CONFIG_MAP           the creator, then aws-auth
//	API_AND_CONFIG_MAP   access entries, then aws-auth
//	API                  access entries
//
// The principal that created a cluster of mode CONFIG_MAP ([Creator]) is always
// kubernetes-admin in system:masters, in no ConfigMap, so nobody can lock the owner
// out or take the name away; in the other modes it has an access entry like others.
// Each, and the ConfigMap kube-system/aws-auth ([ConfigMap]), is an [Identifier].
// Who has an access entry ([AccessEntry]) is never looked for in aws-auth.
//
// An access entry belongs to a principal's unique id: a role made again under its old
// name is another. The creator and the principals in aws-auth are known by their
// canonical ARN: of a role session,
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
