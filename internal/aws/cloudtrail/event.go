package cloudtrail

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
)

// Event is one call, as the front door saw it.
type Event struct {
	Time    time.Time // when the call arrived
	Caller  *api.Caller
	Account string // of the resources: the recipient's, twelve digits
	Service string // prefix of the service's IAM actions: "iam"
	Name    string // operation: "CreateRole"
	Region  string

	// Input and Output are the SDK's structs. They are read later, on another
	// goroutine, and must not change. Output is recorded of writes only.
	Input, Output any

	// Data says that it is a call on what a resource holds: a data event.
	Data bool

	ErrorCode, ErrorMessage string // "" when the call succeeded

	Host    string // of the Host header
	TLS     uint16 // crypto/tls version; 0 for plain HTTP
	Cipher  uint16 // crypto/tls cipher suite
	EventID string // made up when empty
}

// Source is the eventSource of a service: its endpoint's name.
func Source(service string) string {
	if service == "cloudwatch" {
		return "monitoring.amazonaws.com"
	}
	return service + ".amazonaws.com"
}

// readers are the operations, besides those named Get…, List… and the like,
// that CloudTrail marks readOnly.
var readers = map[string]bool{
	"AssumeRole": true, "AssumeRoleWithSAML": true, "AssumeRoleWithWebIdentity": true,
	"AssumeRoot": true, "AssumeRoleForPodIdentity": true, "DecodeAuthorizationMessage": true,
	"SimulateCustomPolicy": true, "SimulatePrincipalPolicy": true,
	"GenerateCredentialReport": true, "ValidateTemplate": true, "EstimateTemplateCost": true,
	"StartQuery": true, "FilterLogEvents": true, "TestMetricFilter": true, "HeadBucket": true,
}

// ReadOnly reports whether an operation changes nothing.
func ReadOnly(operation string) bool {
	for _, prefix := range [...]string{"Get", "List", "Describe", "Lookup", "Search", "BatchGet"} {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return readers[operation]
}

// region is where CloudTrail says a call happened: the calls of global services
// are in us-east-1, whichever region was signed for.
func (e *Event) region() string {
	switch e.Service {
	case "iam", "route53", "cloudfront", "organizations":
		return "us-east-1"
	}
	return e.Region
}

func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	}
	return "TLSv1.1"
}
