package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const rolesAndBucket = `
Parameters:
  Greeting: {Type: String, Default: hello}
  Secret: {Type: String, Default: quiet, NoEcho: true}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: ` + trust + `
      Description: !Ref Greeting
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess", !Ref Managed]
      Policies: [{PolicyName: in, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Bucket.Arn}/*"}]}}]
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "ec2:Describe*", Resource: "*"}]}}
  More:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: more, Roles: [!Ref Role], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "eks:List*", Resource: "*"}]}}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  Bucket: {Type: AWS::S3::Bucket, Properties: {Tags: [{Key: own, Value: tag}]}}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "s3:*", Resource: !Sub "${Bucket.Arn}/secret", Condition: {Bool: {"aws:SecureTransport": "false"}}}]}
  CDKMetadata: {Type: AWS::CDK::Metadata, Properties: {Analytics: x}}
Outputs:
  Arn: {Value: !GetAtt Role.Arn, Export: {Name: !Sub "${AWS::StackName}::Arn"}}
  Bucket: {Value: !Ref Bucket}
`

func TestAStacksLife(t *testing.T) {
	a := open(t)
	id := a.create(t, "app", rolesAndBucket, func(in *cloudformation.CreateStackInput) {
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("b")}}
	})
	a.is(t, "app", types.StackStatusCreateComplete)
	s := a.stack(t, id)
	outputs := map[string]string{}
	for _, o := range s.Outputs {
		outputs[*o.OutputKey] = *o.OutputValue
	}
	if !strings.HasPrefix(outputs["Arn"], "arn:aws:iam::"+number+":role/app-Role-") || !strings.HasPrefix(outputs["Bucket"], "app-bucket-") {
		t.Errorf("outputs are %v", outputs)
	}
	if len(s.Tags) != 1 || *s.Tags[0].Value != "b" || *s.DisableRollback || *s.EnableTerminationProtection || s.DriftInformation.StackDriftStatus != types.StackDriftStatusNotChecked {
		t.Errorf("shown as %+v", s)
	}
	for _, p := range s.Parameters {
		if *p.ParameterKey == "Secret" && *p.ParameterValue != "****" {
			t.Error("a secret is shown")
		}
	}
	follows(t, a.events(t, "app"), "app CREATE_IN_PROGRESS User Initiated", "Bucket CREATE_IN_PROGRESS", "Bucket CREATE_IN_PROGRESS Resource creation Initiated",
		"Bucket CREATE_COMPLETE", "Role CREATE_IN_PROGRESS", "Role CREATE_COMPLETE", "More CREATE_COMPLETE", "app CREATE_COMPLETE")
	name := outputs["Arn"][strings.LastIndexByte(outputs["Arn"], '/')+1:]
	role, err := a.iam.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: &name})
	if err != nil || *role.Role.Description != "hello" || len(role.Role.Tags) != 4 {
		t.Fatalf("the role is %+v, %v", role, err)
	}
	attached, err := a.iam.ListAttachedRolePolicies(t.Context(), &awsiam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil || len(attached.AttachedPolicies) != 2 {
		t.Errorf("attached are %+v, %v", attached, err)
	}
	tags, err := a.s3.GetBucketTagging(t.Context(), &awss3.GetBucketTaggingInput{Bucket: aws.String(outputs["Bucket"])})
	if err != nil || len(tags.TagSet) != 5 {
		t.Errorf("the bucket's tags are %+v, %v", tags, err)
	}

	// Unchanged, then changed in place.
	doortest.Refused(t, a.update(t, "app", rolesAndBucket), "ValidationError", "No updates are to be performed.")
	changed := strings.Replace(strings.Replace(rolesAndBucket, "Default: hello", "Default: bye", 1), "s3:GetObject", "s3:PutObject", 1)
	if err := a.update(t, "app", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "app", types.StackStatusUpdateComplete)
	follows(t, a.events(t, "app"), "app UPDATE_IN_PROGRESS User Initiated", "Role UPDATE_IN_PROGRESS", "Role UPDATE_COMPLETE", "app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "app UPDATE_COMPLETE")
	got, err := a.iam.GetRolePolicy(t.Context(), &awsiam.GetRolePolicyInput{RoleName: &name, PolicyName: aws.String("in")})
	if err != nil || !strings.Contains(*got.PolicyDocument, "PutObject") {
		t.Errorf("the policy is %+v, %v", got, err)
	}
	if role, err = a.iam.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: &name}); err != nil || *role.Role.Description != "bye" {
		t.Errorf("the role is %+v, %v", role.Role, err)
	}

	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("app")}))
	a.is(t, id, types.StackStatusDeleteComplete)
	_, err = a.iam.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: &name})
	doortest.Refused(t, err, "NoSuchEntity", name)
	_, err = a.client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("app")})
	doortest.Refused(t, err, "ValidationError", "Stack with id app does not exist")
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("app")}))
}
