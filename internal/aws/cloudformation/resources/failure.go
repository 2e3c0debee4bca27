package resources

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
)

// Failed is a refused call.
type Failed struct {
	Service string // ID of the wire table
	Err     error
}

func (f *Failed) Error() string { return f.Err.Error() }
func (f *Failed) Unwrap() error { return f.Err }

// Unmade is a call that reached no service: there is nobody to make it as.
type Unmade struct{ Err error }

func (u *Unmade) Error() string { return api.Message(u.Err) }

// names are the services as the SDK of the handlers calls them.
var names = map[string]string{
	"iam": "Iam", "s3": "S3", "eks": "Eks", "ec2": "Ec2", "cloudwatchlogs": "CloudWatchLogs", "cloudwatch": "CloudWatch", "route53": "Route53", "ssm": "Ssm", "sns": "Sns", "ecr": "Ecr",
}

// Reason words a failure as a resource's event does. ID names the call that failed,
// token the change.
func Reason(err error, id, token string) string {
	var f *Failed
	var unmade *Unmade
	if !errors.As(err, &f) || errors.As(err, &unmade) {
		return err.Error()
	}
	status, handler := classify(api.Code(f.Err))
	var plain *api.Error
	if errors.As(f.Err, &plain) {
		status = plain.Status
	}
	return fmt.Sprintf(`Resource handler returned message: "%s (Service: %s, Status Code: %d, Request ID: %s) (SDK Attempt Count: 1)" (RequestToken: %s, HandlerErrorCode: %s)`,
		api.Message(f.Err), names[f.Service], status, id, token, handler)
}

// classify says which status a code has, where the error does not say it, and what the
// handlers' contract calls it.
// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
func classify(code string) (status int, handler string) {
	switch {
	case strings.Contains(code, "AccessDenied"), code == "UnauthorizedOperation", code == "AuthorizationError":
		return http.StatusForbidden, "AccessDenied"
	case strings.Contains(code, "AlreadyExists"), code == "BucketAlreadyOwnedByYou", strings.Contains(code, "Duplicate"):
		return http.StatusConflict, "AlreadyExists"
	case strings.Contains(code, "NotFound"), strings.HasPrefix(code, "NoSuch"):
		return http.StatusNotFound, "NotFound"
	case strings.Contains(code, "Conflict"), strings.Contains(code, "InUse"), code == "DependencyViolation", code == "BucketNotEmpty":
		return http.StatusConflict, "ResourceConflict"
	case strings.Contains(code, "Limit"):
		return http.StatusBadRequest, "ServiceLimitExceeded"
	case strings.Contains(code, "Internal"), strings.Contains(code, "Unavailable"):
		return http.StatusInternalServerError, "ServiceInternalError"
	case strings.Contains(code, "Expired"), strings.Contains(code, "InvalidClientTokenId"):
		return http.StatusForbidden, "InvalidCredentials"
	}
	return http.StatusBadRequest, "InvalidRequest"
}
