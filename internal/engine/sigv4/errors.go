package sigv4

// Kind says what is wrong with a signature; a front door turns it into the
// error code of the protocol at hand.
type Kind int

const (
	// Missing: the request carries no signature at all.
	Missing Kind = iota + 1
	// Incomplete: there is one, but it cannot be read.
	Incomplete
	// BadScope: its scope names another date, region, service or ending.
	BadScope
	// Expired: it is older than its window.
	Expired
	// NotYet: it lies in the future, beyond the allowed skew.
	NotYet
	// Mismatch: it is not the signature of this request with this secret.
	Mismatch
	// UnsignedHeaders: headers that change a request's meaning are not covered.
	UnsignedHeaders
	// BadPayload: the hash of the body that the client declared is not that of
	// the body, or is of a form that the service does not take.
	BadPayload
	// BadExpires: a presigned URL's X-Amz-Expires is not 1 to 604800 seconds
	// (services that heed it: S3).
	BadExpires
)

func (k Kind) String() string {
	switch k {
	case Missing:
		return "missing"
	case Incomplete:
		return "incomplete"
	case BadScope:
		return "bad scope"
	case Expired:
		return "expired"
	case NotYet:
		return "not yet"
	case Mismatch:
		return "mismatch"
	case UnsignedHeaders:
		return "unsigned headers"
	case BadPayload:
		return "bad payload"
	case BadExpires:
		return "bad expires"
	}
	return "unknown"
}

// Error is a refusal. Message is the text AWS shows; it never holds the secret
// nor the right signature.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return "signature: " + e.Kind.String() + ": " + e.Message }

func refuse(kind Kind, message string) *Error { return &Error{Kind: kind, Message: message} }

// The texts AWS uses. Those of Expired and NotYet are as seen in the wild with
// "5 min." since 2015 ("15 min." before, and for presigned URLs).
const (
	textMissing  = "Request is missing Authentication Token"
	textMismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textHost     = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
	textTwoForms = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
	textPayload  = "The provided 'x-amz-content-sha256' header does not match what was computed."
	textExpires  = "X-Amz-Expires must be a number between 1 and 604800 seconds"
)
