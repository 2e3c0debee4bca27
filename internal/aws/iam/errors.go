package iam

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// The texts are IAM's own. Each constructor is named by the error's code.

func noSuchEntity(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &types.NoSuchEntityException{Message: &text}
}

// noSuch says that the role, user or group of that name isn't there.
func noSuch(noun, name string) error {
	return noSuchEntity("The %s with name %s cannot be found.", noun, name)
}

func alreadyExists(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &types.EntityAlreadyExistsException{Message: &text}
}

func deleteConflict(what string) error {
	text := "Cannot delete entity, must " + what + " first."
	return &types.DeleteConflictException{Message: &text}
}

func limitExceeded(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &types.LimitExceededException{Message: &text}
}

func invalidInput(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &types.InvalidInputException{Message: &text}
}

func validation(format string, args ...any) error { return api.ValidationError(format, args...) }

func unmodifiable(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &types.UnmodifiableEntityException{Message: &text}
}

// notAttachable refuses what only service-linked roles have.
func notAttachable(noun string) error {
	text := "Cannot attach a Service Role Policy to a Customer " + capital(noun) + "."
	return &types.PolicyNotAttachableException{Message: &text}
}

// full refuses one more of what there are n of.
func full(n int, what string, quota int) error {
	if n < quota {
		return nil
	}
	return limitExceeded("Cannot exceed quota for %s: %d", what, quota)
}

func capital(noun string) string { return strings.ToUpper(noun[:1]) + noun[1:] }

// malformed turns a parser's error into IAM's.
func malformed(err error) error {
	var e *policy.Error
	if !errors.As(err, &e) {
		return err
	}
	return &types.MalformedPolicyDocumentException{Message: &e.Message}
}

func accessDenied(sentence string) error {
	return api.Errorf(http.StatusForbidden, "AccessDenied", "%s", sentence)
}
