// Package podidentity gives pods AWS identities, as EKS does: by an admission webhook
// that tells the AWS SDKs in a pod's containers where their credentials are.
//
//	API server ── pod, CREATE ──► Handler ── Account: annotations of its service account
//	                                 │       Associated: has it a Pod Identity association?
//	             ◄── JSON patch ── Mutate
//
// Mutate is a pure function. Of the two ways to an identity, Pod Identity wins:
//
//   - A role in the service account's annotations (IRSA): AWS_ROLE_ARN,
//     AWS_WEB_IDENTITY_TOKEN_FILE and the volume aws-iam-token, whose token is for STS.
//   - A Pod Identity association: AWS_CONTAINER_CREDENTIALS_FULL_URI,
//     AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE and the volume eks-pod-identity-token, whose
//     token is for the agent on the node; and the label that EKS sets.
//
// Both come with the region, unless the container has one, and, if asked for, with
// AWS_STS_REGIONAL_ENDPOINTS. What a container sets itself is kept; containers in the
// annotation eks.amazonaws.com/skip-containers are left alone, as are pods with the
// label eks.amazonaws.com/skip-pod-identity-webhook. Rules and names are those of
// github.com/aws/amazon-eks-pod-identity-webhook, which is what EKS runs.
//
// The webhook is registered at 127.0.0.1:23443 of the control plane's namespace, with
// failurePolicy Ignore, as EKS's is. Its socket outlives the daemon.
//
// # What differs from EKS
//
// AWS's names lead to this machine, whose certificates no image trusts. So what is
// changed gets, beside EKS's, the volume eksact-aws-ca with the authority's certificate,
// and AWS_CA_BUNDLE and NODE_EXTRA_CA_CERTS that name it, unless the container has
// set them. It comes from the ConfigMap of that name that Publish keeps in every
// namespace, as Kubernetes keeps kube-root-ca.crt; pods without an identity mount it
// themselves.
//
// # Objects
//
// Objects follows service accounts and pods: a changed annotation, and a pod that is
// gone, are known when their watch event has come, milliseconds later. What is not known
// yet is asked for, and everything is while no watch is open.
package podidentity
