package cloudformation_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestIAMDecidesOnEachCall: a stack can do what its caller can, or its role.
func TestIAMDecidesOnEachCall(t *testing.T) {
	a := open(t)
	template := "Resources:\n" + role("A", "")
	alice := cloudformation.NewFromConfig(a.User(t, "alice", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudformation:*","iam:PassRole"],"Resource":"*"}]}`))
	create := func(name string, change ...func(*cloudformation.CreateStackInput)) error {
		in := &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template, Capabilities: iamCapability}
		for _, c := range change {
			c(in)
		}
		_, err := alice.CreateStack(t.Context(), in)
		return err
	}
	if err := create("hers"); err != nil {
		t.Fatal(err)
	}
	a.is(t, "hers", types.StackStatusRollbackComplete)
	follows(t, a.events(t, "hers"), `A CREATE_FAILED Resource handler returned message: "User: arn:aws:iam::`+number+`:user/alice is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::`+number+`:role/hers-A-`)
	if !strings.Contains(strings.Join(a.events(t, "hers"), "\n"), "because no identity-based policy allows the iam:CreateRole action (Service: Iam, Status Code: 403, Request ID: ") {
		t.Error("the reason is not IAM's")
	}

	// A role that CloudFormation may assume, first without rights, then with them.
	trusting := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	made, err := a.iam.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("deployer"), AssumeRolePolicyDocument: &trusting})
	if err != nil {
		t.Fatal(err)
	}
	asRole := func(in *cloudformation.CreateStackInput) { in.RoleARN = made.Role.Arn }
	if err := create("weak", asRole); err != nil {
		t.Fatal(err)
	}
	follows(t, a.events(t, "weak"), `A CREATE_FAILED Resource handler returned message: "User: arn:aws:sts::`+number+`:assumed-role/deployer/AWSCloudFormation is not authorized to perform: iam:CreateRole`)
	doortest.Must(t)(a.iam.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: aws.String("deployer"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"}}}]}`)}))
	if err := create("strong", asRole); err != nil {
		t.Fatal(err)
	}
	a.is(t, "strong", types.StackStatusCreateComplete)
	// The stack keeps the role for what comes.
	doortest.Must(t)(alice.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("strong")}))
	_, err = a.client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("strong")})
	doortest.Refused(t, err, "ValidationError", "does not exist")

	// Roles that can't be passed or assumed.
	doortest.Must(t)(a.iam.UpdateAssumeRolePolicy(t.Context(), &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("deployer"),
		PolicyDocument: aws.String(strings.Replace(trusting, "cloudformation", "ec2", 1))}))
	doortest.Refused(t, create("other", asRole), "ValidationError", "Role "+*made.Role.Arn+" is invalid or cannot be assumed")
	bob := cloudformation.NewFromConfig(a.User(t, "bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`))
	_, err = bob.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("his"), TemplateBody: &template, Capabilities: iamCapability, RoleARN: made.Role.Arn})
	doortest.Refused(t, err, "AccessDenied", "is not authorized to perform: iam:PassRole on resource: "+*made.Role.Arn)
}

// TestWhoCallsThroughCloudFormation: policies can tell such calls by condition keys.
func TestWhoCallsThroughCloudFormation(t *testing.T) {
	a := open(t)
	carol := a.User(t, "carol", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"cloudformation.amazonaws.com"},"Bool":{"aws:ViaAWSService":"true"},"StringEquals":{"aws:CalledViaFirst":"cloudformation.amazonaws.com"},"Null":{"aws:SourceIp":"true"}}}]}`)
	doortest.Must(t)(cloudformation.NewFromConfig(carol).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("s"), TemplateBody: aws.String("Resources:\n" + role("A", "")), Capabilities: iamCapability}))
	a.is(t, "s", types.StackStatusCreateComplete)
	_, err := awsiam.NewFromConfig(carol).CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("mine"), AssumeRolePolicyDocument: aws.String(`{}`)})
	doortest.Refused(t, err, "AccessDenied", "iam:CreateRole")
}

// TestTemplateURLs are read from S3 here, as the caller.
func TestTemplateURLs(t *testing.T) {
	a := open(t)
	doortest.Must(t)(a.s3.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("templates"), CreateBucketConfiguration: here}))
	doortest.Must(t)(a.s3.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("templates"), Key: aws.String("dir/a.yaml"), Body: strings.NewReader("Resources: {M: {Type: AWS::CDK::Metadata}}")}))
	for _, url := range []string{
		a.URL + "/templates/dir/a.yaml", "https://templates.s3.us-west-2.amazonaws.com/dir/a.yaml",
		"https://s3.us-west-2.amazonaws.com/templates/dir/a.yaml", "https://s3.amazonaws.com/templates/dir/a.yaml",
	} {
		if _, err := a.client.ValidateTemplate(t.Context(), &cloudformation.ValidateTemplateInput{TemplateURL: &url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, text := range map[string]string{
		"https://example.com/templates/dir/a.yaml": "TemplateURL must be a supported URL.",
		"https://ec2.amazonaws.com/a/b":            "TemplateURL must be a supported URL.",
		"file:///etc/passwd":                       "TemplateURL must be a supported URL.",
		a.URL + "/templates/none":                  "S3 error: The specified key does not exist.",
	} {
		_, err := a.client.ValidateTemplate(t.Context(), &cloudformation.ValidateTemplateInput{TemplateURL: &url})
		doortest.Refused(t, err, "ValidationError", text)
	}
	dan := cloudformation.NewFromConfig(a.User(t, "dan", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`))
	url := a.URL + "/templates/dir/a.yaml"
	_, err := dan.ValidateTemplate(t.Context(), &cloudformation.ValidateTemplateInput{TemplateURL: &url})
	doortest.Refused(t, err, "ValidationError", "S3 error: User: arn:aws:iam::"+number+":user/dan is not authorized to perform: s3:GetObject")
}

// TestTheTrailOfAStack has the calls with who made them, and no parameter's value.
func TestTheTrailOfAStack(t *testing.T) {
	a := open(t)
	a.create(t, "s", "Parameters: {P: {Type: String, NoEcho: true}}\nResources:\n"+role("A", ""), func(in *cloudformation.CreateStackInput) {
		in.Parameters = []types.Parameter{{ParameterKey: aws.String("P"), ParameterValue: aws.String("hunter2")}}
	})
	if err := a.Trail.Flush(); err != nil {
		t.Fatal(err)
	}
	records, err := cloudtrail.Read(a.TrailDir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range records {
		text, err := json.Marshal(r)
		if err != nil || strings.Contains(string(text), "hunter2") {
			t.Errorf("%s, %v", text, err)
		}
		seen[r.EventName+" "+r.SourceIPAddress] = true
	}
	if !seen["CreateStack 127.0.0.1"] || !seen["CreateRole cloudformation.amazonaws.com"] {
		t.Errorf("recorded are %v", seen)
	}
}
