// Package pki makes and keeps the certificates and keys of one cluster.
//
// There are three certificate authorities, and what each may vouch for is the
// whole design:
//
//   - the cluster's CA ("kubernetes"): the API server to its callers, the API
//     server's clients by certificate (controller manager, scheduler, the daemon
//     itself) and, by signing requests, the kubelets' serving certificates. It is
//     the one in every kubeconfig.
//   - the front proxy's CA: only the API server when it hands a request on to an
//     aggregated API. Whoever holds a certificate of it may claim any user name,
//     so nothing else is ever signed by it.
//   - the loopback CA: the servers inside the control plane's own network
//     namespace (the webhooks, the controller manager's and the scheduler's
//     health ports) and the API server as their caller. Were these signed by the
//     cluster's CA, a node, which holds a serving certificate of that CA, could
//     pass for the webhook that says who is who.
//
// Service account tokens are signed with an RSA key (RS256), as on EKS:
// consumers of an OpenID Connect issuer may count on no other algorithm. The key
// changes every seven days, as EKS's does; keys overlap: of those that signed before,
// the public halves stay, for the API server to accept and for the issuer to publish.
// Everything else is ECDSA on P-256.
//
// On disk each identity is one PEM file, key and certificate together, written
// whole and renamed into place with mode 0600: no crash can leave a certificate
// beside another's key. Authorities also have a .crt file without the key, to be
// named in configurations.
//
// Ensure is idempotent: it makes what is missing, renews what nears its end and
// reissues what no longer says what it should (the endpoint's addresses changed),
// and leaves the rest as it is. The components reload files that changed.
package pki
