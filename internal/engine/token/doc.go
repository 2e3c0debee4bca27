// Package token reads and writes the bearer tokens of EKS.
//
// A token is a promise that needs no shared secret with the cluster: it is a
// presigned URL of one AWS call, sts:GetCallerIdentity, in base64.
//
//	k8s-aws-v1.<base64url without padding of
//	  https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity
//	    &Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256
//	    &X-Amz-Credential=ASIA…/20261123/us-west-2/sts/aws4_request
//	    &X-Amz-Date=20261123T190000Z&X-Amz-Expires=60
//	    &X-Amz-SignedHeaders=host;x-k8s-aws-id&X-Amz-Signature=…>
//
// On AWS, aws-iam-authenticator performs the call and believes what STS
// answers. The header x-k8s-aws-id carries the cluster's name; it is signed but
// not in the URL, so the verifier adds its own cluster's name and a token made
// for another cluster has the wrong signature.
//
// [Parse] does everything aws-iam-authenticator does before it makes the call,
// in the same order and with the same texts, and yields a [Request]: the parts
// that the signature covers. Nobody dials the URL's host. Whoever holds the
// secret key verifies the signature over the Request; that is the whole of what
// STS would have done. [New] is the client's side.
//
// Sources: sigs.k8s.io/aws-iam-authenticator, pkg/token; the query variant of
// Signature Version 4 in the IAM user guide.
//
// The package is pure: no I/O, no clock; instants are arguments.
package token
