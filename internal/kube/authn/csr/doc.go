// Package csr answers a cluster's certificate signing requests as EKS does.
//
//	signer                                 approved by        signed
//	kubernetes.io/kubelet-serving          this package       for that node alone
//	beta.eks.amazonaws.com/app-serving     whoever may        any subject, serving only
//	kubernetes.io/kube-apiserver-client    whoever may        never
//	kubernetes.io/kube-apiserver-client-…  whoever may        never
//	any other                              whoever may        never, here
//
// A kubelet's serving certificate is what keeps `kubectl exec` and `logs` from
// talking to an impostor, so it is given only to the node it names: the
// requester is that node (by its token, hence by its instance's IAM role), the
// common name is the requester's, and every name and address asked for is that
// instance's own. EKS documents the last rule since Kubernetes 1.24: a
// certificate with a name that cannot be verified is not issued. Here the
// request is denied, with the reason as a condition, so that one can read why.
// Approval by hand does not lift the rule: such a request fails.
//
// Client certificates are never issued, as on EKS: they would be logins that no
// IAM policy and no aws-auth can take back. Requests for them stay as they are,
// approved or not.
//
// An application's certificate (app-serving) has the subject and the names that
// the request asks for; whoever approves it answers for them. It must be for
// server authentication and nothing else. That matters: a certificate of the
// cluster's CA that did not say so would be a client certificate too.
//
// All live for a year, or less if less is asked for. Sources: "Secure workloads
// with Kubernetes certificates" in the EKS user guide; "Certificate Signing
// Requests" in the Kubernetes documentation, and its signer
// (pkg/controller/certificates/signer), whose rules for kubelet-serving are
// repeated in [Decide].
//
// The controller manager must run without its own signing and approving
// controllers (certificatesigningrequest-signing-controller and
// -approving-controller), and with its cleaner.
package csr
