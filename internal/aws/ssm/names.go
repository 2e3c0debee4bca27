package ssm

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// publicPath is where AWS's own parameters are.
const publicPath = "/aws/service/"

const (
	mostLevels = 15
	mostOfName = 1011 // characters, of which an ARN takes some more
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9._/-]+$`)

const nameRule = "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"

// checkName refuses a name that a parameter can't have.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
func checkName(name string) error {
	lower := strings.ToLower(bare(name))
	switch {
	case strings.HasPrefix(lower, "aws"):
		return api.Errorf(http.StatusBadRequest, "AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case strings.HasPrefix(lower, "ssm"):
		return invalid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). %s`, nameRule)
	case !nameForm.MatchString(name), strings.HasSuffix(name, "/"), strings.Contains(name, "//"):
		return invalid(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive). %s`, nameRule)
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case len(name) > mostOfName:
		return invalid("Parameter name: can't be longer than %d characters.", mostOfName)
	case strings.Count(bare(name), "/")+1 > mostLevels:
		return &types.HierarchyLevelLimitExceededException{Message: aws.String("A hierarchy can have a maximum of 15 levels. For more information, see Requirements and constraints for parameter names in the AWS Systems Manager User Guide.")}
	}
	return nil
}

// pathForm are the paths that can be asked for.
var pathForm = regexp.MustCompile(`^/([a-zA-Z0-9._-]+(/[a-zA-Z0-9._-]+)*/?)?$`)

func checkPath(path string) error {
	if pathForm.MatchString(path) {
		return nil
	}
	return invalid(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
}

// under says whether a name is below a path, directly or at all.
func under(name, path string, recursive bool) bool {
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

// plain is a name without its selector. A name has no colon, an ARN five.
func plain(name string) string {
	n, _ := selected(name)
	return n
}

// selected splits NAME:VERSION or NAME:LABEL; the selector keeps its colon.
func selected(name string) (plain, selector string) {
	from := 0
	if strings.HasPrefix(name, "arn:") {
		if from = strings.Index(name, ":parameter/"); from < 0 {
			return name, ""
		}
		from++
	}
	if i := strings.IndexByte(name[from:], ':'); i >= 0 {
		return name[:from+i], name[from+i:]
	}
	return name, ""
}
