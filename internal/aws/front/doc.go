// Package front is the AWS front door: an http.Handler that takes any AWS
// client's request for any service and answers as AWS would.
//
// A call passes five stations, in this order:
//
//	route         which service and operation is this? (package wire)
//	authenticate  whose signature is this, and is it good? (engine/sigv4)
//	authorize     may this principal do that to those resources?
//	handle        the service's own function, on the SDK's types
//	record        the call as a CloudTrail event (package cloudtrail)
//
// There is no way around a station. A request without a signature gets no
// further than the second unless its operation is one of the few that AWS takes
// unsigned, because they carry a proof of identity of their own. An operation
// that no service registered is refused by name, also where the API knows it.
//
// The authorizer is asked with the action, the resources and the condition keys
// that follow from the call: tags in its input, what the operation's own function
// says of its parameters, what the service that has a resource says of it. Nothing
// of it is worked out before a policy asks. A test walks all operations of all
// services beside the service authorization reference (engine/actions). The id of a
// refusal is in the answer's header X-Amzn-Authorization-Id.
//
// By which way a call came is known from the address that its connection was made to,
// never from what it says. A VPC endpoint's is answered by its service alone, its policy
// is one of those that are asked, and condition keys and the event name it.
//
// S3's bodies are read after the third station, as streams: they may be larger
// than memory. Signature, hash and checksums are checked as they are read, and a
// body ends well only if all are right (api.Body).
//
// What went wrong is said as each protocol says it: the same bad signature is
// SignatureDoesNotMatch to IAM's clients, InvalidSignatureException to EKS's,
// AuthFailure to EC2's. Package errors here are chosen by Family.
//
// A service in this process makes calls with others' rights through Do, which begins at
// the third station.
//
// Calls that fail authentication are logged (at debug level) but not recorded,
// as in CloudTrail: their sender is unknown, and anyone could fill the trail.
package front
