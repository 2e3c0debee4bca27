// Package sigv4 verifies AWS Signature Version 4: it answers whether a request
// was made by the holder of a secret key, and has not been changed since.
//
// A client turns its request into a canonical text (method, path, query,
// signed headers, hash of the body), hashes it, and signs that hash with a key
// derived from its secret, a date, a region and a service. The verifier writes
// the same text from what arrived and compares. All of the difficulty is in
// "the same text": the rules for escaping, sorting and folding are those of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html,
// checked here against AWS's own test vectors and against its SDK's signer.
//
// A signature arrives in one of two forms: in the Authorization header, or
// "presigned", in X-Amz-* parameters of the query. Verification has two steps,
// because the secret must be looked up in between:
//
//	sig, err := sigv4.Parse(&req)                      // what does it claim?
//	secret := lookUp(sig.AccessKeyID, sig.SessionToken)
//	err = verifier.Verify(&req, sig, secret, rules, now) // is it true?
//
// The package is pure: requests are values, the time is an argument, and the
// cache of derived keys belongs to a Verifier. Errors are *Error, whose Kind
// lets a front door answer with the code of each service's protocol and whose
// text is AWS's own.
package sigv4
