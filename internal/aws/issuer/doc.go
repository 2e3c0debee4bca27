// Package issuer serves what clusters publish as OpenID Connect issuers: who they
// are, and the keys of their service account tokens. On EKS that is
//
//	https://oidc.eks.REGION.amazonaws.com/id/ID/.well-known/openid-configuration
//	https://oidc.eks.REGION.amazonaws.com/id/ID/keys
//
// open to everyone, without a signature: whoever is to trust a cluster's tokens reads
// it there. STS on this machine doesn't need to, it has the keys in process (idp.Local).
//
// # What differs from EKS
//
//   - A key's id is the one that Kubernetes gives it, not 40 hexadecimal digits.
//   - What an unknown issuer is answered is not known to be EKS's text.
package issuer
