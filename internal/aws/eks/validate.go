package eks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"

	"github.com/eksact/eksact/internal/aws/api"
)

// namePattern and maxName are the model's (ClusterName).
var namePattern = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9\-_]*$`)

const maxName = 100

// checkName checks a cluster's name; parameter is what the request calls it.
func checkName(parameter, name string) error {
	switch {
	case name == "":
		return invalidParameter("", "The parameter %s is required.", parameter)
	case len(name) > maxName:
		return invalidParameter("", "The parameter %s can't be longer than %d characters.", parameter, maxName)
	case !namePattern.MatchString(name):
		return invalidParameter("", `The parameter %s contains invalid characters. It should conform to the regular expression "^[0-9A-Za-z][A-Za-z0-9-_]*"In other words, it should start with a number or letter, and can contain numbers, letters, dashes, and underscores.`, parameter)
	}
	return nil
}

// ValidName reports whether a cluster can have this name.
func ValidName(name string) bool { return checkName("name", name) == nil }

// The limits of tags are the model's (TagMap, TagKey, TagValue).
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

const (
	tooManyTags = "A resource can't have more than 50 tags."
	reservedTag = "Tag keys that begin with aws: are reserved: "
)

func checkTags(name string, tags map[string]string) error {
	if why := tagFault(tags); why != "" {
		return invalidParameter(name, "%s", why)
	}
	return nil
}

// tagFault says what is wrong with tags, or "".
func tagFault(tags map[string]string) string {
	if len(tags) > maxTags {
		return tooManyTags
	}
	for k, v := range tags {
		switch {
		case k == "" || len([]rune(k)) > maxTagKey:
			return "A tag key must have between 1 and 128 characters."
		case len([]rune(v)) > maxTagValue:
			return "A tag value can't be longer than 256 characters."
		case api.ReservedTag(k):
			return reservedTag + k
		}
	}
	return ""
}

// digestOf tells requests apart by their parameters.
func digestOf(request any) string {
	data, err := json.Marshal(request)
	if err != nil { // inputs are plain data
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// ec2Fault ends a message as EKS does where EC2 refused a part of a request.
func ec2Fault(caller *api.Caller, code string) string {
	return "(Service: AmazonEC2; Status Code: 400; Error Code: " + code + "; Request ID: " + caller.RequestID + "; Proxy: null)"
}
