package api

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an AWS error that no service's model names: the common errors
// (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html) and
// those of the front door itself. It is an aws/smithy-go APIError. A modelled
// error is returned as its own SDK type (*types.NoSuchEntityException).
type Error struct {
	Status  int    // HTTP status
	Code    string // as the wire shows it: "AccessDenied"
	Message string
	Members []Member // of S3's error document, beside these
}

// Member is one more element of an error's document.
type Member struct{ Name, Value string }

func (e *Error) Error() string        { return e.Code + ": " + e.Message }
func (e *Error) ErrorCode() string    { return e.Code }
func (e *Error) ErrorMessage() string { return e.Message }

// Errorf makes an Error.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Message is an error's text without its code.
func Message(err error) string {
	var e interface{ ErrorMessage() string }
	if errors.As(err, &e) && e.ErrorMessage() != "" {
		return e.ErrorMessage()
	}
	return err.Error()
}

// Code is the code of an API's error; "" of another.
func Code(err error) string {
	var e interface{ ErrorCode() string }
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// ValidationError is the query services' answer to an input outside its model.
func ValidationError(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "ValidationError", format, args...)
}
