package token

import (
	"encoding/json"
	"fmt"
)

// Reason says which rule a token broke. It is an error, so that callers write
// errors.Is(err, token.Expired).
type Reason string

// The reasons, in the order in which [Parse] looks for them.
const (
	TooLarge   Reason = "token is too large"
	Prefix     Reason = "token lacks the k8s-aws-v1. prefix"
	Encoding   Reason = "token is not base64url"
	URL        Reason = "token holds no URL"
	Scheme     Reason = "scheme is not allowed"
	Host       Reason = "host is no STS endpoint"
	Path       Reason = "path is not /"
	Query      Reason = "query cannot be read"
	Duplicate  Reason = "a query parameter appears twice"
	Parameter  Reason = "a query parameter is not allowed"
	Multiple   Reason = "a query parameter has several values"
	Action     Reason = "action is not GetCallerIdentity"
	Unsigned   Reason = "the cluster's name is not signed"
	Expires    Reason = "X-Amz-Expires is out of range"
	Date       Reason = "X-Amz-Date cannot be read"
	Expired    Reason = "token is expired"
	Credential Reason = "X-Amz-Credential cannot be read"
	Future     Reason = "token is from the future"
	// Rejected is the one that Parse never gives: its caller does, through
	// [FromSTS], when the signature or the credentials are wrong.
	Rejected Reason = "STS rejects the call"
)

// Error is the reason itself as text.
func (r Reason) Error() string { return string(r) }

// Error is a token refused before its signature was looked at.
type Error struct {
	Reason Reason
	text   string
}

// Error is what aws-iam-authenticator writes to its log on the same token.
func (e *Error) Error() string { return e.text }

// Unwrap makes errors.Is find the Reason.
func (e *Error) Unwrap() error { return e.Reason }

// malformed is upstream's FormatError.
func malformed(reason Reason, detail string) error {
	return &Error{Reason: reason, text: "input token was not properly formatted: " + detail}
}

// FromSTS is a refusal that on AWS comes from STS rather than from
// aws-iam-authenticator, worded as the latter passes it on: the region of the
// endpoint, the HTTP status, and STS's error code and message.
func FromSTS(reason Reason, region string, status int, code, message string) error {
	body, err := json.Marshal(map[string]any{"Error": map[string]string{
		"Code": code, "Message": message, "Type": "Sender",
	}})
	if err != nil { // strings always encode
		body = []byte(code)
	}
	return &Error{Reason: reason, text: fmt.Sprintf(
		"sts getCallerIdentity failed: error from AWS (expected 200, got %d) on %s endpoint. Body: %s", status, region, body)}
}
