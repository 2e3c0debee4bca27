// Package authn is EKS's token authentication: the webhook that a cluster's API
// server asks who a bearer token belongs to.
//
//	API server ── TokenReview ──► Handler
//	                                │ engine/token    well-formed, fresh, for STS?
//	                                │ Credentials     whose access key, what secret?
//	                                │ engine/sigv4    signed with it, for this cluster?
//	                                │ Sources         creator, access entries, aws-auth: which user?
//	             ◄── status ────────┘
//
// On EKS this is aws-iam-authenticator, which sends the token's presigned URL to
// STS and believes the answer. Here STS is in the same process, so the signature
// is verified where it arrives and no URL taken from a token is ever dialled.
// What the webhook answers, and what it writes to its log (EKS's "authenticator"
// log type), is what aws-iam-authenticator does, to the byte where it matters:
//
//   - A refusal is HTTP 403 with an unauthenticated TokenReview. To the API
//     server that is an error, and errors it does not cache, so that a mapping
//     added a moment later holds at once.
//   - An outage on our side (credentials that cannot be looked up, aws-auth not
//     yet read) is HTTP 500, which the API server tries again; it is never
//     passed off as a refusal.
//
// Which sources count is the cluster's authentication mode's to say: see [Modes].
// Access entries are looked up as they are at the time, so that a change is in force
// when the call that made it returns.
//
// The ConfigMap aws-auth is followed by [AWSAuth]. A change is in force when its
// watch event arrives, milliseconds after the write, save for what the API
// server itself caches (--authentication-token-webhook-cache-ttl).
//
// Package csr, below, signs certificate requests; package authz, beside, is the
// authorizer served on the same socket.
package authn
