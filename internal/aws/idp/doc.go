// Package idp knows the keys of identity providers' issuers, which web identity
// tokens are verified with: those of issuers on this machine in process, those of
// all others over HTTPS, by OpenID Connect's discovery.
//
// Tokens come from anyone, so anyone may cause a fetch, though only from an issuer
// that an administrator has registered as a provider. What follows from that:
//
//   - https on port 443 alone, five seconds and 1 MiB for each document, redirects
//     within the host, no proxy, no cookies, nothing of the answer told to the caller.
//   - Addresses are checked where the connection is made, after names are resolved:
//     not loopback, link-local (metadata services) or multicast, nor any of this
//     machine's own. So no name leads to the daemon's own sockets. Addresses of private
//     networks are let through: an issuer there is what a registered name may mean.
//   - Keys are remembered for ten minutes and failures for ten seconds; a token that
//     names an unknown key makes them newer at most every thirty seconds; callers of
//     one issuer wait for one fetch.
//
// A server's certificate is good if this machine's roots say so. Only if they don't,
// a thumbprint of the provider must match a certificate of the chain, and the server's
// must be signed by that one, for its name.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
//
// # What differs from AWS
//
//   - The thumbprint of a new provider is read for it only from a server whose
//     certificate this machine trusts already; any other must be given.
//   - How long AWS remembers keys is not known.
package idp
