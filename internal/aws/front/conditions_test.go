package front_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/aws/iam"
)

// TestConditionsAtTheDoor: policies with the conditions that users write, against
// calls of the official SDK: each is let through as it should be said, and refused
// for what it says or leaves out.
func TestConditionsAtTheDoor(t *testing.T) {
	door, accounts := everyService(t)
	server := httptest.NewServer(door)
	defer server.Close()
	const denied = "not authorized to perform: "
	const passed = "passed" // by the policies; whatever EKS says then
	create := func(change func(*awseks.CreateClusterInput)) func(aws.Config) error {
		return func(c aws.Config) error {
			in := &awseks.CreateClusterInput{
				Name: aws.String("new"), RoleArn: aws.String("arn:aws:iam::" + number + ":role/" + thing), Tags: map[string]string{"team": "a"},
				Version:            aws.String("1.37"),
				ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}, EndpointPublicAccess: aws.Bool(true)},
			}
			change(in)
			_, err := awseks.NewFromConfig(c).CreateCluster(t.Context(), in)
			return err
		}
	}
	unchanged := func(*awseks.CreateClusterInput) {}
	describe := func(c aws.Config) error {
		_, err := awseks.NewFromConfig(c).DescribeCluster(t.Context(), &awseks.DescribeClusterInput{Name: aws.String(thing)})
		return err
	}
	tagRole := func(tags ...iamtypes.Tag) func(aws.Config) error {
		return func(c aws.Config) error {
			_, err := awsiam.NewFromConfig(c).TagRole(t.Context(), &awsiam.TagRoleInput{RoleName: aws.String(thing), Tags: tags})
			return err
		}
	}
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"},`
	for _, c := range []struct {
		name, statements string
		call             func(aws.Config) error
		want             string // "" is allowed; else a part of the refusal
	}{
		{"version asked for", `{"Effect":"Allow","Action":["eks:CreateCluster","eks:TagResource","iam:PassRole"],"Resource":"*","Condition":{"StringEqualsIfExists":{"eks:kubernetesVersion":"1.37"}}}`, create(unchanged), passed},
		{"another version", `{"Effect":"Allow","Action":"eks:CreateCluster","Resource":"*","Condition":{"StringEquals":{"eks:kubernetesVersion":"1.36"}}}`, create(unchanged), denied + "eks:CreateCluster on resource: arn:aws:eks:us-west-2:111122223333:cluster/new"},
		{"public endpoint", all + `{"Effect":"Deny","Action":"eks:CreateCluster","Resource":"*","Condition":{"Bool":{"eks:endpointPublicAccess":"true"}}}`, create(unchanged), "with an explicit deny"},
		{"public endpoint by default", all + `{"Effect":"Deny","Action":"eks:CreateCluster","Resource":"*","Condition":{"Null":{"eks:endpointPublicAccess":"true"}}}`,
			create(func(in *awseks.CreateClusterInput) { in.ResourcesVpcConfig.EndpointPublicAccess = nil }), "with an explicit deny"},
		{"a log type off", all + `{"Effect":"Deny","Action":"eks:CreateCluster","Resource":"*","Condition":{"Bool":{"eks:loggingType/audit":"false"}}}`,
			create(func(in *awseks.CreateClusterInput) {
				in.Logging = &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{Enabled: aws.Bool(false), Types: []ekstypes.LogType{"audit"}}}}
			}), "with an explicit deny"},
		{"tags without TagResource", `{"Effect":"Allow","Action":["eks:CreateCluster","iam:PassRole"],"Resource":"*"}`, create(unchanged), denied + "eks:TagResource"},
		{"no tags, no TagResource", `{"Effect":"Allow","Action":["eks:CreateCluster","iam:PassRole"],"Resource":"*"}`, create(func(in *awseks.CreateClusterInput) { in.Tags = nil }), passed},
		{"a tag required", all + `{"Effect":"Deny","Action":"eks:CreateCluster","Resource":"*","Condition":{"Null":{"aws:RequestTag/owner":"true"}}}`, create(unchanged), "with an explicit deny"},
		{"tags of a map", `{"Effect":"Allow","Action":["eks:*","iam:PassRole"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/Team":"a"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}},{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"}`, create(unchanged), passed},
		{"a cluster's tag", `{"Effect":"Allow","Action":"eks:Describe*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"a"}}}`, describe, ""},
		{"a cluster's other tag", `{"Effect":"Allow","Action":"eks:Describe*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"b"}}}`, describe, "because no identity-based policy allows"},
		{"tags that must match the caller's", `{"Effect":"Allow","Action":"eks:Describe*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"${aws:PrincipalTag/Team}"}}}`, describe, ""},
		{"tags of a list", `{"Effect":"Allow","Action":"iam:TagRole","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team","env"]}}}`, tagRole(tag("team", "ab"), tag("env", "x")), ""},
		{"a tag too many", `{"Effect":"Allow","Action":"iam:TagRole","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}}`, tagRole(tag("team", "ab"), tag("env", "x")), denied + "iam:TagRole"},
		{"IAM's own name for tags", `{"Effect":"Allow","Action":"iam:TagRole","Resource":"*","Condition":{"StringLike":{"iam:ResourceTag/Team":"a*"}}}`, tagRole(tag("env", "x")), ""},
		{"only with MFA", `{"Effect":"Allow","Action":"eks:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}`, describe, "because no identity-based policy allows"},
		{"not without MFA", all + `{"Effect":"Deny","Action":"eks:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`, describe, "with an explicit deny"},
		{"plain HTTP", all + `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`, describe, "with an explicit deny"},
		{"an address", `{"Effect":"Allow","Action":"eks:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`, describe, ""},
		{"another region", all + `{"Effect":"Deny","NotAction":"iam:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}}`, describe, "with an explicit deny"},
		{"an organization", all + `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}}`, describe, "with an explicit deny"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call(user(t, accounts, server.URL, c.statements))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want == passed:
				if err != nil && strings.Contains(err.Error(), "authorized") {
					t.Errorf("refused: %v", err)
				}
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// user makes a user with a policy and a tag, and removes it after the test.
func user(t *testing.T, i *iam.IAM, url, statements string) aws.Config {
	t.Helper()
	ctx, name := context.Background(), aws.String("someone") // also after the test
	if _, err := i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name, Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("a")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{
		UserName: name, PolicyName: name, PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statements + `]}`),
	}); err != nil {
		t.Fatal(err)
	}
	k, err := i.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = i.DeleteUserPolicy(ctx, &awsiam.DeleteUserPolicyInput{UserName: name, PolicyName: name})
		_, _ = i.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: name, AccessKeyId: k.AccessKey.AccessKeyId})
		if _, err := i.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: name}); err != nil {
			t.Error(err)
		}
	})
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &url, RetryMaxAttempts: 1, HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider(*k.AccessKey.AccessKeyId, *k.AccessKey.SecretAccessKey, ""),
	}
}

func tag(k, v string) iamtypes.Tag { return iamtypes.Tag{Key: &k, Value: &v} }
