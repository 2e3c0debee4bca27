package access

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// apiVersions are the services whose endpoint rules are written for botocore
// without AWS_ENDPOINT_URL: those the front door answers for. botocore looks for
// the newest API version that it has a model of; the folder's date must be that
// one.
var apiVersions = map[string]string{
	"sts": "2011-06-15", "iam": "2010-05-08", "eks": "2017-11-01", "ec2": "2016-11-15", "elbv2": "2015-12-01", "elb": "2012-06-01", "logs": "2014-03-28",
	"s3": "2006-03-01", "route53": "2013-04-01", "cloudtrail": "2013-11-01", "cloudformation": "2010-05-15",
	"cloudwatch": "2010-08-01", "sns": "2010-03-31", "ssm": "2014-11-06", "autoscaling": "2011-01-01", "ecr": "2015-09-21",
}

// writeEndpointRules makes a folder for AWS_DATA_PATH in which every service's
// endpoint is ours. See botocore's loaders and the endpoint rule set schema.
func (a *answer) writeEndpointRules() (string, error) {
	root := filepath.Join(a.config.StateDir, "botocore")
	for service, version := range apiVersions {
		rules := endpointRules(a.config.SecureURL())
		if service == "s3" {
			rules = bucketRules(a.config.SecureURL())
		}
		data, err := json.MarshalIndent(rules, "", "  ")
		if err != nil {
			return "", err
		}
		dir := filepath.Join(root, service, version)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		if err := renameio.WriteFile(filepath.Join(dir, "endpoint-rule-set-1.json"), data, 0o644); err != nil {
			return "", err
		}
	}
	return root, nil
}

type object = map[string]any

// parameters are what rules may ask.
var parameters = object{
	"Region":            object{"builtIn": "AWS::Region", "required": false, "type": "String", "documentation": "region"},
	"UseDualStack":      object{"builtIn": "AWS::UseDualStack", "required": true, "default": false, "type": "Boolean", "documentation": "dual stack"},
	"UseFIPS":           object{"builtIn": "AWS::UseFIPS", "required": true, "default": false, "type": "Boolean", "documentation": "FIPS"},
	"Endpoint":          object{"builtIn": "SDK::Endpoint", "required": false, "type": "String", "documentation": "endpoint"},
	"UseGlobalEndpoint": object{"builtIn": "AWS::STS::UseGlobalEndpoint", "required": true, "default": false, "type": "Boolean", "documentation": "global STS"},
}

// rule sends to an endpoint what has the parameters.
func rule(url any, parameters ...string) object {
	conditions := []any{}
	for _, p := range parameters {
		conditions = append(conditions, object{"fn": "isSet", "argv": []any{object{"ref": p}}})
	}
	return object{"type": "endpoint", "conditions": conditions, "endpoint": object{"url": url, "properties": object{}, "headers": object{}}}
}

// endpointRules send everything to the given endpoint, or to ours.
func endpointRules(url string) object {
	return object{"version": "1.0", "parameters": parameters, "rules": []any{rule(object{"ref": "Endpoint"}, "Endpoint"), rule(url)}}
}

// bucketRules are S3's, whose rules say where the bucket's name goes: into the path.
func bucketRules(url string) object {
	all := maps.Clone(parameters)
	all["Bucket"] = object{"required": false, "type": "String", "documentation": "bucket"}
	return object{"version": "1.0", "parameters": all, "rules": []any{
		rule("{Endpoint}/{Bucket}", "Endpoint", "Bucket"), rule(object{"ref": "Endpoint"}, "Endpoint"),
		rule(url+"/{Bucket}", "Bucket"), rule(url),
	}}
}
