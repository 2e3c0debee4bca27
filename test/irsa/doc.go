// Package irsa tries tokens of service accounts, made by real API servers, on STS: what
// is accepted, and what is refused in which words. And the pod identity webhook, asked
// by a real API server.
//
// It needs root and the Kubernetes components in bin/ (or $EKSACT_PROGRAMS), but no
// node and no running eksact: etcd and two API servers run in namespaces of their own.
package irsa
