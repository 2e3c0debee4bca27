// Package eksauth is Amazon EKS Auth: its one operation gives the agent on a node the
// credentials of a pod, for the token of the pod's service account.
//
//	agent on a node ── token, signed by the node's role ──► AssumeRoleForPodIdentity
//	    made by the cluster, for pods.eks.amazonaws.com, in its time?   engine/oidc
//	    which role has the service account?                            eks associations
//	    are pod and service account still those?                       the cluster's objects, followed
//	    does the role trust EKS, with these tags?                      sts
//
// What needs no keys is checked first, and nothing is told of associations without a
// good token.
//
// # What differs from AWS
//
//   - Texts of refusals are ours, save those for a role that can't be assumed and a
//     cluster that isn't there.
//   - A name for the session that would be longer than 64 characters loses the end of
//     the pod's name.
//   - aws:SourceArn is absent when the role's trust is asked. On AWS a condition on an
//     association's ARN was seen not to hold either.
package eksauth
