package sigv4

import "time"

// Algorithm is the only one verified. AWS4-ECDSA-P256-SHA256 (SigV4A, for
// multi-region endpoints) is refused.
const Algorithm = "AWS4-HMAC-SHA256"

// TimeFormat is the form of X-Amz-Date and of the text that is signed.
const TimeFormat = "20060102T150405Z"

// Values of x-amz-content-sha256 that stand for something else than the hash
// of the whole body.
const (
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	streamingPrefix = "STREAMING-"
)

// Request is what of an HTTP request a signature covers, as it arrived.
type Request struct {
	Method string
	Path   string // escaped, as on the request line; "" means "/"
	Query  string // raw, without "?"
	Host   string // of the Host header or :authority, with its port
	// Header has keys in net/http's canonical form (X-Amz-Date).
	Header map[string][]string
	// ContentLength stands in for a signed content-length that Header lacks;
	// negative when unknown.
	ContentLength int64
	// BodySHA256 is the hash of the body as received.
	BodySHA256 [32]byte
	// BodyLater says that the body was not read yet: what the request declares of
	// its hash is taken, and is for the caller to check at the body's end.
	BodyLater bool
}

// Signature is what a request claims about itself; nothing of it is proven
// before Verify.
type Signature struct {
	AccessKeyID  string
	Date         string // of the scope: 20060102
	Region       string // of the scope
	Service      string // of the scope
	SessionToken string // "" with long-term credentials

	SignedHeaders string    // as sent: "host;x-amz-date"
	Hex           string    // 64 hexadecimal digits
	Time          time.Time // when it was signed, UTC
	Timestamp     string    // the same, in TimeFormat
	Payload       string    // x-amz-content-sha256 as sent; "" when absent

	Presigned bool
	// Expires is the X-Amz-Expires of a presigned request; -1 s when absent or
	// not a number.
	Expires time.Duration
}

// Rules are what differs between services.
type Rules struct {
	// Skew is how far a header-form signature may lie from now, either way;
	// also how far a presigned one may lie in the future.
	Skew time.Duration
	// PresignWindow is how long a presigned request is good for. Zero heeds
	// the X-Amz-Expires of the request instead.
	PresignWindow time.Duration
	// PlainPath takes the path as it is, encoded once and never normalised.
	PlainPath bool
	// UnsignedPayload accepts UNSIGNED-PAYLOAD and the STREAMING-… names.
	UnsignedPayload bool
}

// RulesFor returns the rules of a service, named as in the credential scope.
//
// Five minutes of skew is what the services' own texts say ("- 5 min."); S3
// documents fifteen. Presigned calls of services other than S3 live fifteen
// minutes whatever X-Amz-Expires says (aws-sdk-go issue 2167, and the comment
// on presigned tokens in aws-iam-authenticator).
func RulesFor(service string) Rules {
	switch service {
	case "s3", "s3express", "s3-outposts", "s3-object-lambda":
		return Rules{Skew: 15 * time.Minute, PlainPath: true, UnsignedPayload: true}
	}
	return Rules{Skew: 5 * time.Minute, PresignWindow: 15 * time.Minute}
}
