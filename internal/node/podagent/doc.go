// Package podagent is the EKS Pod Identity agent of a node: it gives pods the
// credentials of their roles.
//
//	pod ── GET http://169.254.170.23/v1/credentials ──► agent
//	       Authorization: the pod's token                 │ signed by the node's role
//	                                                      ▼
//	                              eks-auth:AssumeRoleForPodIdentity
//
// It is a process of the node, on a link-local address that only the node and its pods
// reach, and acts as the node's role, whose policies must allow it. Credentials are kept
// by their token: three hours after they were fetched they are fetched anew, and while
// that fails for a reason that may pass, the old ones are given as long as they last.
//
// Paths, answers and refusals are those of github.com/aws/eks-pod-identity-agent, which
// is what EKS runs. Its health and metrics ports are not here, and it runs beside the kubelet, not as a DaemonSet.
package podagent
