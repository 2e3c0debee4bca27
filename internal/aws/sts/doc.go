// Package sts is the AWS Security Token Service: who am I, and temporary
// credentials.
//
// A session token is the session: sealed with a key that only the store knows,
// it carries whose it is and until when, and the policies, tags and source
// identity that were passed. Nothing is written when a role is assumed, and a
// restart forgets nobody. The access key id and the secret are derived from the
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
// # What differs from AWS
//
//   - The packed size of policies and tags is by a measure of our own, for AWS's is
//     secret; SessionTokenUtilization is left out.
//   - There are no MFA devices: any serial number is refused as one that isn't the
//     user's. Provided contexts are refused by name.
//   - Some texts are ours, AWS's being unknown: a managed session policy that isn't
//     there, too many of them, tag keys that begin with aws:.
//   - What is missing (federation tokens, web identities and SAML, decoding of
//     refusals, AssumeRoot) is not registered and is refused by name.
package sts
