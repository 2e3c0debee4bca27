// Package sts is the AWS Security Token Service: who am I, and temporary
// credentials.
//
// A session token is the session: sealed with a key that only the store knows,
// it carries whose it is and until when, and the policies, tags and source
// identity that were passed. Nothing is written when a role is assumed, save
// which MFA code was used, and a restart forgets nobody. The access key id and the secret are derived from the
// token, so neither can be used with another. What a token says is checked against
// IAM at each use: a role that was deleted has no sessions, nor has a role made
// again under its name, for its unique id differs; a managed session policy is its
// default version.
//
// AssumeRole decides by itself, for its decision is the trust policy's and the
// caller's own policies' together (iam.DecideAssume). Tags and a source identity
// are actions of their own, sts:TagSession and sts:SetSourceIdentity; both are
// asked for as well when they are inherited from the calling session.
//
// AssumeRoleWithWebIdentity takes a token of an OIDC provider instead of a signature:
// package engine/oidc reads and verifies it, package idp has the issuer's keys, IAM
// the provider's client ids and the trust policy's decision (iam.DecideFederated).
// What needs no keys is checked before any are fetched.
//
// GetFederationToken's credentials are their own kind of caller: they have what both
// the user's policies and the passed ones allow, and get no other credentials.
//
// EC2's refusals end in an encoded message, which is sealed as tokens are, under
// another name; DecodeAuthorizationMessage opens it.
//
// # What differs from AWS
//
//   - The packed size of policies and tags is by a measure of our own, for AWS's is
//     secret; SessionTokenUtilization is left out.
//   - Web identities are those of OIDC providers that IAM has: AWS's built-in providers
//     (Google, Facebook, Amazon, Cognito) need one too, and OAuth access tokens are not
//     taken. Of a token's claims aud, sub, amr and, with azp, oaud are condition keys.
//     They are in the session that is made, too.
//   - RootSession gives the machine's owner the account's root user for an hour; on AWS
//     root signs in with a mailbox and a password.
//   - A session that was made without an MFA code has none, whatever the session had
//     that made it.
//   - Encoded messages don't expire.
//   - Provided contexts are refused by name.
//   - Some texts are ours, AWS's being unknown: a managed session policy that isn't
//     there, too many of them, tag keys that begin with aws:, a token's bad signature
//     or time, claims of the wrong form, an issuer that can't be reached, a message
//     that can't be decoded, an access key id that isn't one.
//   - AssumeRoleWithSAML, AssumeRoot, GetDelegatedAccessToken and GetWebIdentityToken
//     are refused by name.
package sts
