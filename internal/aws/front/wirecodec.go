package front

import (
	"io"
	"net/http"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/front/wire"
)

// Wire is the Codec over package wire.
func Wire(codec *wire.Codec) Codec { return wireCodec{codec} }

type wireCodec struct{ *wire.Codec }

// Validate implements validator.
func (c wireCodec) Validate(service, operation string, in any) error {
	s := c.Service(service)
	if s == nil || service == "s3" {
		return nil // as Decode does
	}
	return s.Validate(operation, in)
}

func (c wireCodec) Route(r *http.Request, body []byte, signed string) (Call, error) {
	call, err := c.Codec.Route(r, body, signed)
	return wireCall{call, r}, err
}

// wireCall says what the front asks in terms of a *wire.Call.
type wireCall struct {
	call *wire.Call
	r    *http.Request
}

func (c wireCall) Service() string {
	if c.call.Service == nil {
		return ""
	}
	return c.call.Service.ID()
}

func (c wireCall) Operation() string {
	if c.call.Operation == nil {
		return ""
	}
	return c.call.Operation.Name
}

func (c wireCall) Signing() string { return signingName(c.Service()) }

// signingName differs from the ID where the SDK's folder is named otherwise than
// the service's endpoint.
func signingName(id string) string {
	switch id {
	case "elasticloadbalancingv2":
		return "elasticloadbalancing"
	case "cloudwatchlogs":
		return "logs"
	case "cloudwatch":
		return "monitoring"
	case "eksauth":
		return "eks-auth"
	case "iamtoolbox":
		return "iam-toolbox"
	default:
		return id
	}
}

// Family is that of the protocol the request speaks, or seems to.
func (c wireCall) Family() Family {
	if c.r.Header.Get("X-Amz-Target") != "" {
		return JSON
	}
	if strings.HasPrefix(c.r.URL.Path, "/service/") && c.r.Header.Get("Smithy-Protocol") != "" {
		return CBOR
	}
	return familyOf(c.Service())
}

// familyOf is that of a service's protocol.
func familyOf(id string) Family {
	switch id {
	case "ec2":
		return EC2
	case "eks", "eksauth", "iamtoolbox":
		return RESTJSON
	case "s3", "route53":
		return RESTXML
	case "cloudwatchlogs", "cloudtrail", "ssm", "kms", "ecr":
		return JSON
	}
	return Query
}

func (c wireCall) Unsigned() bool { return c.call.Operation != nil && c.call.Operation.Unsigned }

// Streams, SetBody and SetStream make it a lateCall.
func (c wireCall) Streams() bool       { return c.call.Streams() }
func (c wireCall) SetBody(body []byte) { c.call.SetBody(body) }

func (c wireCall) SetStream(body io.ReadCloser) { c.call.SetStream(body) }

func (c wireCall) Decode(in any) error {
	if err := c.call.Decode(in); err != nil {
		return err
	}
	if c.Service() == "s3" {
		return nil // whose words for what its model forbids are its own
	}
	if v, ok := any(c.call).(interface{ Validate(any) error }); ok {
		return v.Validate(in)
	}
	return nil
}

func (c wireCall) Encode(w http.ResponseWriter, out any, requestID string) error {
	if events, ok := out.(*api.Events); ok {
		return c.call.Events(c.r.Context(), w, events, requestID)
	}
	return c.call.Encode(w, out, requestID)
}

func (c wireCall) EncodeError(w http.ResponseWriter, err error, requestID string) {
	c.call.Fail(w, err, requestID)
}
