package wire

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/eksact/eksact/internal/aws/api"
)

// Errors of the protocols themselves
// (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and
// what the services are seen to answer).

func errorf(status int, code, format string, args ...any) *api.Error {
	return api.Errorf(status, code, format, args...)
}

var errMalformedQuery = errorf(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error")

// malformed is a form that does not fit the operation's input.
func malformed(format string, args ...any) error {
	return errorf(http.StatusBadRequest, "MalformedInput", format, args...)
}

// serialization is a JSON or CBOR body that does not fit.
func serialization(format string, args ...any) error {
	return errorf(http.StatusBadRequest, "SerializationException", format, args...)
}

// malformedXML is an XML body that does not fit; S3 has words of its own.
func (c *Call) malformedXML(format string, args ...any) error {
	if c.Service != nil && c.Service.id == "s3" {
		return errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return malformed(format, args...)
}

// unknownOperation says in the call's protocol that there is no such operation.
func (c *Call) unknownOperation(name, version string) error {
	switch c.proto {
	case queryProtocol:
		if name == "" {
			return errorf(http.StatusBadRequest, "MissingAction", "The request is missing an action or a required parameter")
		}
		return errorf(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", clip(name), clip(orElse(version, "NO_VERSION_SPECIFIED")))
	case ec2Protocol:
		if name == "" {
			return errorf(http.StatusBadRequest, "MissingAction", "The request is missing an action or a required parameter")
		}
		return errorf(http.StatusBadRequest, "InvalidAction", "The action %s is not valid for this web service.", clip(name))
	case restJSON:
		return errorf(http.StatusNotFound, "UnknownOperationException", "Unknown operation")
	case restXML:
		if c.Service != nil && c.Service.id == s3ID {
			return errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		}
		return errorf(http.StatusNotFound, "UnknownOperationException", "Unknown operation")
	case cborRPC: // in it the operation is part of the path
		return errorf(http.StatusNotFound, "UnknownOperationException", "The operation %s is not known", clip(name))
	default:
		return errorf(http.StatusBadRequest, "UnknownOperationException", "The operation %s is not known", clip(name))
	}
}

// apiError is what every error with an AWS code offers: *api.Error and the
// SDK's modelled errors.
type apiError interface {
	error
	ErrorCode() string
	ErrorMessage() string
}

// said is an error as the wire says it.
type said struct {
	status        int
	code, message string
	fault         bool // the service's own
	shape         *shape
	value         any // the modelled error's struct, or nil
	members       []api.Member
}

// say finds status, code and message of an error. What carries no AWS code is
// an internal failure, whose text stays here.
func (c *Call) say(err error) said {
	var own *api.Error
	if errors.As(err, &own) {
		status := statusOf(own.Status)
		return said{status: status, code: own.Code, message: own.Message, fault: status >= 500, members: own.Members}
	}
	var e apiError
	if errors.As(err, &e) && c.Service != nil {
		if sh := c.Service.errorShape(e.ErrorCode()); sh != nil {
			return said{status: sh.status, code: orElse(sh.code, sh.name), message: e.ErrorMessage(), fault: sh.fault || sh.status >= 500, shape: sh, value: e}
		}
	}
	code := "InternalFailure"
	if c.proto == ec2Protocol || c.Service != nil && c.Service.id == "s3" {
		code = "InternalError"
	}
	return said{status: http.StatusInternalServerError, code: code, message: "The request processing has failed because of an unknown error, exception or failure.", fault: true}
}

var errNoOperation = fmt.Errorf("wire: the call has no operation")
