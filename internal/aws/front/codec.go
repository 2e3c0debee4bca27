package front

import "net/http"

// Family is a group of protocols that name the same failures alike.
type Family uint8

const (
	Query    Family = iota + 1 // IAM, STS, CloudFormation, ELB, SNS
	EC2                        // EC2's variant of Query
	JSON                       // X-Amz-Target: CloudWatch Logs, SSM, KMS
	RESTJSON                   // EKS
	RESTXML                    // S3, Route 53
	CBOR                       // CloudWatch
)

// Codec is what the front door needs of the wire formats.
type Codec interface {
	// Route finds the operation that a request calls. signed is the service in
	// the scope of its signature, "" without one. The Call is never nil: when
	// the operation is unknown it has none, but can still encode the error
	// that is returned with it, in the protocol the request seems to speak.
	Route(r *http.Request, body []byte, signed string) (Call, error)
}

// Call is one request, routed.
type Call interface {
	Service() string   // ID: "iam", "elasticloadbalancingv2"; "" when unknown
	Signing() string   // its name in credential scopes: "iam", "elasticloadbalancing"
	Operation() string // "CreateRole"; "" when unknown
	Family() Family
	// Unsigned reports whether AWS takes the operation without a signature.
	Unsigned() bool
	// Decode fills in, a pointer to an SDK input struct, and checks it against
	// the constraints of the model.
	Decode(in any) error
	// Encode answers with out, a pointer to an SDK output struct.
	Encode(w http.ResponseWriter, out any, requestID string) error
	// EncodeError answers with an error: a modelled one, an *api.Error or
	// another smithy.APIError.
	EncodeError(w http.ResponseWriter, err error, requestID string)
}
