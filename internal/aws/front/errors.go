package front

import (
	"errors"
	"net/http"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/sigv4"
)

// What Credentials.Resolve may find wrong with what a request claims.
var (
	ErrUnknownKey   = errors.New("no such access key, or it is inactive")
	ErrBadToken     = errors.New("the session token is not one of ours, or not of this access key")
	ErrExpiredToken = errors.New("the session token has expired")
)

// fault is a failure that each family of protocols names in its own way.
type fault int

const (
	missingSignature fault = iota
	incompleteSignature
	badScope
	expiredSignature
	badSignature
	unsignedHeaders
	badPayload
	badExpires
	unknownKey
	badToken
	expiredToken
	denied
)

// saying is how a family says a fault. An empty message means the detail at
// hand, such as sigv4's text.
type saying struct {
	status        int
	code, message string
}

const (
	textBadKey      = "The security token included in the request is invalid."
	textExpired     = "The security token included in the request is expired"
	textMissingJSON = "Missing Authentication Token"
	textEC2         = "AWS was not able to validate the provided access credentials"
	textEC2Expired  = "Request has expired."
)

// sayings, by family and fault. Sources: the common errors of each service's
// API reference; the texts as SDK users report them.
var sayings = [...]map[fault]saying{
	Query: {
		missingSignature:    {http.StatusForbidden, "MissingAuthenticationToken", ""},
		incompleteSignature: {http.StatusBadRequest, "IncompleteSignature", ""},
		badScope:            {http.StatusForbidden, "SignatureDoesNotMatch", ""},
		expiredSignature:    {http.StatusForbidden, "SignatureDoesNotMatch", ""},
		badSignature:        {http.StatusForbidden, "SignatureDoesNotMatch", ""},
		unsignedHeaders:     {http.StatusForbidden, "SignatureDoesNotMatch", ""},
		badPayload:          {http.StatusForbidden, "SignatureDoesNotMatch", ""},
		unknownKey:          {http.StatusForbidden, "InvalidClientTokenId", textBadKey},
		badToken:            {http.StatusForbidden, "InvalidClientTokenId", textBadKey},
		expiredToken:        {http.StatusForbidden, "ExpiredToken", textExpired},
		denied:              {http.StatusForbidden, "AccessDenied", ""},
	},
	EC2: {
		missingSignature:    {http.StatusBadRequest, "MissingAuthenticationToken", ""},
		incompleteSignature: {http.StatusUnauthorized, "AuthFailure", ""},
		badScope:            {http.StatusUnauthorized, "AuthFailure", ""},
		expiredSignature:    {http.StatusBadRequest, "RequestExpired", textEC2Expired},
		badSignature:        {http.StatusUnauthorized, "AuthFailure", textEC2},
		unsignedHeaders:     {http.StatusUnauthorized, "AuthFailure", textEC2},
		badPayload:          {http.StatusUnauthorized, "AuthFailure", textEC2},
		unknownKey:          {http.StatusUnauthorized, "AuthFailure", textEC2},
		badToken:            {http.StatusUnauthorized, "AuthFailure", textEC2},
		expiredToken:        {http.StatusBadRequest, "RequestExpired", textEC2Expired},
		denied:              {http.StatusForbidden, "UnauthorizedOperation", ""},
	},
	JSON:     jsonSayings(http.StatusBadRequest),
	RESTJSON: jsonSayings(http.StatusForbidden),
	CBOR:     jsonSayings(http.StatusForbidden),
	RESTXML: {
		missingSignature:    {http.StatusForbidden, "AccessDenied", "Access Denied"},
		incompleteSignature: {http.StatusBadRequest, "AuthorizationHeaderMalformed", ""},
		badScope:            {http.StatusBadRequest, "AuthorizationHeaderMalformed", ""},
		expiredSignature:    {http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
		badSignature:        {http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
		unsignedHeaders:     {http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed"},
		badPayload:          {http.StatusBadRequest, "XAmzContentSHA256Mismatch", ""},
		badExpires:          {http.StatusBadRequest, "AuthorizationQueryParametersError", ""},
		unknownKey:          {http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
		badToken:            {http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid."},
		expiredToken:        {http.StatusBadRequest, "ExpiredToken", "The provided token has expired."},
		denied:              {http.StatusForbidden, "AccessDenied", ""},
	},
}

func jsonSayings(status int) map[fault]saying {
	return map[fault]saying{
		missingSignature:    {status, "MissingAuthenticationTokenException", textMissingJSON},
		incompleteSignature: {status, "IncompleteSignatureException", ""},
		badScope:            {status, "InvalidSignatureException", ""},
		expiredSignature:    {status, "InvalidSignatureException", ""},
		badSignature:        {status, "InvalidSignatureException", ""},
		unsignedHeaders:     {status, "InvalidSignatureException", ""},
		badPayload:          {status, "InvalidSignatureException", ""},
		unknownKey:          {status, "UnrecognizedClientException", textBadKey},
		badToken:            {status, "UnrecognizedClientException", textBadKey},
		expiredToken:        {status, "ExpiredTokenException", textExpired},
		denied:              {status, "AccessDeniedException", ""},
	}
}

// say makes the error for a fault in a family, with detail where the family
// has no text of its own.
func say(family Family, f fault, detail string) *api.Error {
	if int(family) >= len(sayings) || sayings[family] == nil {
		family = Query
	}
	s, ok := sayings[family][f]
	if !ok {
		s = sayings[family][badSignature]
	}
	if s.message == "" {
		s.message = detail
	}
	return &api.Error{Status: s.status, Code: s.code, Message: s.message}
}

// signatureError says what sigv4 found wrong.
func signatureError(family Family, presigned bool, err error) *api.Error {
	var e *sigv4.Error
	if !errors.As(err, &e) {
		return say(family, badSignature, err.Error())
	}
	f := badSignature
	switch e.Kind {
	case sigv4.Missing:
		f = missingSignature
	case sigv4.Incomplete:
		f = incompleteSignature
	case sigv4.BadScope:
		f = badScope
	case sigv4.Expired, sigv4.NotYet:
		f = expiredSignature
		if family == RESTXML && presigned {
			f = denied // S3 says AccessDenied: Request has expired
		}
	case sigv4.UnsignedHeaders:
		f = unsignedHeaders
	case sigv4.BadPayload:
		f = badPayload
	case sigv4.BadExpires:
		f = badExpires
	}
	if family == RESTXML && presigned && (f == incompleteSignature || f == badScope) {
		f = badExpires // S3 says AuthorizationQueryParametersError of all parameters
	}
	return say(family, f, e.Message)
}

// credentialsError says what Resolve found wrong.
func credentialsError(family Family, err error) *api.Error {
	switch {
	case errors.Is(err, ErrUnknownKey):
		return say(family, unknownKey, "")
	case errors.Is(err, ErrBadToken):
		return say(family, badToken, "")
	case errors.Is(err, ErrExpiredToken):
		return say(family, expiredToken, "")
	}
	return internal(family)
}

// refusal says an Authorizer's refusal; EC2's with an encoded message of what
// decided it.
func (f *Front) refusal(family Family, err error) *api.Error {
	sentence := err.Error()
	if family == EC2 && f.Messages != nil {
		if encoded := f.Messages.SealMessage(err); encoded != "" {
			sentence += ". Encoded authorization failure message: " + encoded
		}
	}
	return deniedError(family, sentence)
}

// deniedError says an Authorizer's refusal.
func deniedError(family Family, sentence string) *api.Error {
	if family == EC2 {
		sentence = "You are not authorized to perform this operation. " + sentence
	}
	return say(family, denied, sentence)
}

// unknownOperation is the answer to an operation that the API knows and no
// service here offers.
func unknownOperation(c Call) *api.Error {
	switch c.Family() {
	case Query:
		return api.Errorf(http.StatusBadRequest, "InvalidAction", "Could not find operation %s of %s: it is not offered here.", c.Operation(), c.Service())
	case EC2:
		return api.Errorf(http.StatusBadRequest, "InvalidAction", "The action %s is not valid for this web service.", c.Operation())
	case RESTXML:
		return api.Errorf(http.StatusNotImplemented, "NotImplemented", "The operation %s of %s is not offered here.", c.Operation(), c.Service())
	case RESTJSON, CBOR:
		return api.Errorf(http.StatusNotFound, "UnknownOperationException", "The operation %s of %s is not offered here.", c.Operation(), c.Service())
	}
	return api.Errorf(http.StatusBadRequest, "UnknownOperationException", "The operation %s of %s is not offered here.", c.Operation(), c.Service())
}

// internal is the answer when the fault is ours.
func internal(family Family) *api.Error {
	code := "InternalFailure"
	switch family {
	case EC2, RESTXML:
		code = "InternalError"
	}
	return api.Errorf(http.StatusInternalServerError, code, "The request processing has failed because of an unknown error, exception or failure.")
}

// unrecorded is the answer while calls cannot be recorded.
func unrecorded(err error) *api.Error {
	return api.Errorf(http.StatusServiceUnavailable, "ServiceUnavailable", "Calls cannot be recorded at the moment, so none is handled: %v", err)
}

// tooLarge is the answer to a body over the limit.
func tooLarge(family Family, limit int) *api.Error {
	code := "RequestEntityTooLarge"
	switch family {
	case RESTXML:
		code = "EntityTooLarge"
	case JSON, RESTJSON, CBOR:
		code = "RequestEntityTooLargeException"
	}
	return api.Errorf(http.StatusRequestEntityTooLarge, code, "The request body is larger than %d bytes.", limit)
}
