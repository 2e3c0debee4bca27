package wire

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestValidate(t *testing.T) {
	codec := newTestCodec(t)
	trust := aws.String("{}")
	role := aws.String("arn:aws:iam::111122223333:role/r")
	for _, c := range []struct {
		service, op string
		in          any
		want        string // "" for valid
	}{
		{"iam", "CreateRole", &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trust}, ""},
		{"iam", "CreateRole", &iam.CreateRoleInput{RoleName: aws.String(strings.Repeat("r", 65)), AssumeRolePolicyDocument: trust},
			"ValidationError: 1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"iam", "CreateRole", &iam.CreateRoleInput{RoleName: aws.String("a:b"), AssumeRolePolicyDocument: trust},
			"ValidationError: The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		{"iam", "CreateRole", &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trust, Path: aws.String("x")},
			"ValidationError: The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."},
		{"iam", "CreateRole", &iam.CreateRoleInput{AssumeRolePolicyDocument: trust},
			"ValidationError: 1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must not be null"},
		{"iam", "CreateRole", &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trust, MaxSessionDuration: aws.Int32(1)},
			"ValidationError: 1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600"},
		{"iam", "UpdateAccessKey", &iam.UpdateAccessKeyInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE"), Status: "Maybe"},
			"ValidationError: 1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive, Expired]"},
		{"iam", "TagRole", &iam.TagRoleInput{RoleName: aws.String("r"), Tags: []iamtypes.Tag{{Key: aws.String(""), Value: aws.String("v")}}},
			"ValidationError: 2 validation errors detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+; Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"sts", "AssumeRole", &sts.AssumeRoleInput{RoleArn: role, RoleSessionName: aws.String("a:b")},
			"ValidationError: 1 validation error detected: Value 'a:b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"},
		{"sts", "AssumeRole", &sts.AssumeRoleInput{RoleArn: aws.String(""), RoleSessionName: aws.String("abc")},
			"ValidationError: 2 validation errors detected: Value '' at 'roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+; Value '' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20"},
		{"sts", "AssumeRole", &sts.AssumeRoleInput{RoleArn: role, RoleSessionName: aws.String("abc"), DurationSeconds: aws.Int32(899)},
			"ValidationError: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		{"eks", "CreateCluster", &eks.CreateClusterInput{Name: aws.String("bad.name")},
			"InvalidParameterException: The parameter name contains invalid characters. It should conform to the regular expression \"^[0-9A-Za-z][A-Za-z0-9-_]*\"In other words, it should start with a number or letter, and can contain numbers, letters, dashes, and underscores."},
		{"eks", "DescribeCluster", &eks.DescribeClusterInput{Name: aws.String("c")}, ""},
		{"cloudwatchlogs", "CreateLogGroup", &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("a b")},
			"InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"},
		{"ec2", "DeleteVpc", &ec2.DeleteVpcInput{}, "MissingParameter: The request must contain the parameter vpcId"},
		{"ec2", "DescribeVpcs", &ec2.DescribeVpcsInput{MaxResults: aws.Int32(4)},
			"InvalidParameterValue: Value (4) for parameter maxResults is invalid. Expecting a value greater than or equal to 5."},
	} {
		err := codec.Service(c.service).Validate(c.op, c.in)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s.%s:\n%s\nnot\n%s", c.service, c.op, got, c.want)
		}
	}
	if err := codec.Service("iam").Validate("Nope", &iam.CreateRoleInput{}); err == nil {
		t.Error("an operation that is not there is valid")
	}
}
