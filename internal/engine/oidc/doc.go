// Package oidc reads and verifies the ID tokens of OpenID Connect providers, as
// AWS STS takes them for AssumeRoleWithWebIdentity: signed JSON Web Tokens in
// compact form.
//
//	t, err := oidc.Parse(text)              // who says it is whose
//	err = t.Accept(clientIDs, now)          // for us, and in its time?
//	err = t.Verify(keys)                    // said by the issuer?
//
// Until Verify has returned nil, nothing that a Token holds is true. The order lets
// a caller refuse what needs no keys before it fetches any: keys come over the
// network, and tokens from anyone.
//
// Signatures are github.com/go-jose/go-jose's work. What it is lenient about is
// refused here: base64 that has a second spelling, members given twice, at any
// depth, text that isn't UTF-8, critical headers. Algorithms are RSA's and ECDSA's;
// "none" is not one, nor is HMAC, whose key would be the issuer's public key. A key
// in the token's own header (jwk, jku, x5c, x5u) is never used.
//
// Errors are *Error. The package has no clock and no I/O.
//
// # What differs from AWS
//
//   - exp has no leeway; nbf and iat may lie five minutes ahead. AWS documents none.
//   - A token older than the issuer allowed is the issuer's to end, by exp: AWS also
//     refuses tokens issued days ago ("Token too old"), by a limit that isn't known.
//   - A token without kid is taken when one key alone can have signed it.
package oidc
