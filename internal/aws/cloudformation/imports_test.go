package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awss3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// keptTemplate has one of each type that can be taken over, with names of their own.
const keptTemplate = `
Resources:
  Bucket: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: kept-bucket, VersioningConfiguration: {Status: Enabled}}}
  Repository: {Type: AWS::ECR::Repository, DeletionPolicy: Retain, Properties: {RepositoryName: kept}}
  Role: {Type: AWS::IAM::Role, DeletionPolicy: RetainExceptOnCreate, Properties: {RoleName: kept, AssumeRolePolicyDocument: ` + trust + `}}
  Profile: {Type: AWS::IAM::InstanceProfile, DeletionPolicy: Retain, Properties: {InstanceProfileName: kept, Roles: [!Ref Role]}}
  Policy: {Type: AWS::IAM::ManagedPolicy, DeletionPolicy: Retain, Properties: {ManagedPolicyName: kept, Path: /p/, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:ListAllMyBuckets", Resource: "*"}]}}}
  Parameter: {Type: AWS::SSM::Parameter, DeletionPolicy: Retain, Properties: {Name: /kept, Type: String, Value: VALUE}}
  Topic: {Type: AWS::SNS::Topic, DeletionPolicy: Retain, Properties: {TopicName: kept}}
  Logs: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: kept}}
  Alarm: {Type: AWS::CloudWatch::Alarm, DeletionPolicy: Retain, Properties: {AlarmName: kept, ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, MetricName: m, Namespace: n, Period: 60, Statistic: Sum, Threshold: 1}}
  Both: {Type: AWS::CloudWatch::CompositeAlarm, DeletionPolicy: Retain, Properties: {AlarmName: both, AlarmRule: "ALARM(kept)"}, DependsOn: Alarm}
  Cluster: {Type: AWS::EKS::Cluster, DeletionPolicy: Retain, Properties: {Name: kept, RoleArn: !GetAtt ControlPlane.Arn, ResourcesVpcConfig: {SubnetIds: [subnet-0a, subnet-0b]}}}
  ControlPlane: {Type: AWS::IAM::Role, DeletionPolicy: Retain, Properties: {RoleName: plane, AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: eks.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  New: {Type: AWS::SSM::Parameter, Properties: {Name: /new, Type: String, Value: !Join [" ", [!GetAtt Bucket.Arn, !GetAtt Repository.RepositoryUri, !GetAtt Role.Arn, !GetAtt Policy.PolicyArn, !GetAtt Topic.TopicArn, !GetAtt Logs.Arn, !GetAtt Parameter.Value, !Ref Policy]]}}
Outputs: {New: {Value: !GetAtt New.Value}}
`

// imported makes a change set that takes over what exists, and executes it if it can be.
func (a *account) imported(t *testing.T, name, template string) *cloudformation.DescribeChangeSetOutput {
	t.Helper()
	set := aws.String("import")
	doortest.Must(t)(a.client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: &name, ChangeSetName: set, TemplateBody: &template, ChangeSetType: types.ChangeSetTypeCreate, Capabilities: iamCapability,
		ImportExistingResources: aws.Bool(true), Tags: []types.Tag{{Key: aws.String("stack"), Value: &name}},
	}))
	out, err := a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: &name, ChangeSetName: set})
	if err != nil {
		t.Fatal(err)
	}
	if !aws.ToBool(out.ImportExistingResources) {
		t.Error("the change set does not say that it imports")
	}
	if out.ExecutionStatus == types.ExecutionStatusAvailable {
		doortest.Must(t)(a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &name, ChangeSetName: set}))
	}
	return out
}

// TestWhatExistsIsTakenOver has a stack's retained resources taken over by another, as
// they are.
func TestWhatExistsIsTakenOver(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.create(t, "first", strings.Replace(keptTemplate, "VALUE", "old", 1))
	a.is(t, "first", types.StackStatusCreateComplete)
	before := a.outputs(t, "first")["New"]

	// What another stack has is not taken from it.
	if d := a.imported(t, "thief", keptTemplate); d.Changes[0].ResourceChange.Action != types.ChangeActionAdd {
		t.Errorf("another stack's bucket: %+v", d.Changes[0].ResourceChange)
	}
	a.is(t, "thief", types.StackStatusRollbackComplete)
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("first")}))
	doortest.Must(t)(a.s3.PutBucketTagging(ctx, &awss3.PutBucketTaggingInput{Bucket: aws.String("kept-bucket"), Tagging: &awss3types.Tagging{TagSet: []awss3types.Tag{{Key: aws.String("own"), Value: aws.String("tag")}}}}))

	d := a.imported(t, "second", strings.Replace(keptTemplate, "VALUE", "new", 1))
	for _, c := range d.Changes {
		want := types.ChangeActionImport
		if *c.ResourceChange.LogicalResourceId == "New" {
			want = types.ChangeActionAdd
		}
		if got := c.ResourceChange; got.Action != want || (want == types.ChangeActionImport) != (aws.ToString(got.PhysicalResourceId) != "") {
			t.Errorf("%s is to be %s %s", *got.LogicalResourceId, got.Action, aws.ToString(got.PhysicalResourceId))
		}
	}
	a.is(t, "second", types.StackStatusCreateComplete)
	follows(t, a.events(t, "second"), "Bucket IMPORT_IN_PROGRESS Resource import started.", "Bucket IMPORT_COMPLETE Resource import completed.",
		"Bucket UPDATE_IN_PROGRESS Apply stack-level tags", "Bucket UPDATE_COMPLETE Apply stack-level tags", "New CREATE_COMPLETE", "second CREATE_COMPLETE")
	if after := a.outputs(t, "second")["New"]; after != before {
		t.Errorf("attributes are %s, were %s", after, before) // the parameter kept its value
	}
	bucket, err := a.s3.GetBucketTagging(ctx, &awss3.GetBucketTaggingInput{Bucket: aws.String("kept-bucket")})
	if err != nil || len(bucket.TagSet) < 2 {
		t.Errorf("the bucket's tags are %+v, %v", bucket, err)
	}
	role, err := a.iam.ListRoleTags(ctx, &awsiam.ListRoleTagsInput{RoleName: aws.String("kept")})
	if err != nil || !strings.Contains(tagText(role), "stack=second") {
		t.Errorf("the role's tags are %s, %v", tagText(role), err)
	}
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("second")}))

	// A creation that fails leaves what it found, though its policy is for creations only.
	failing := strings.Replace(keptTemplate, "  New:", `  Bad: {Type: AWS::SNS::Topic, DependsOn: [Role], Properties: {TopicName: "not a name"}}`+"\n  New:", 1)
	a.imported(t, "third", failing)
	a.is(t, "third", types.StackStatusRollbackComplete)
	doortest.Must(t)(a.iam.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("kept")}))

	// What would go with the stack is not imported.
	d = a.imported(t, "fourth", `Resources: {Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: kept}}, Topic: {Type: AWS::SNS::Topic, DeletionPolicy: Delete, Properties: {TopicName: kept}}}`)
	const reason = "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are Logs ({LogGroupName=kept}), Topic ({TopicName=kept})"
	if d.Status != types.ChangeSetStatusFailed || aws.ToString(d.StatusReason) != reason {
		t.Errorf("%s: %s", d.Status, aws.ToString(d.StatusReason))
	}
}

func tagText(out *awsiam.ListRoleTagsOutput) (text string) {
	for _, t := range out.Tags {
		text += *t.Key + "=" + *t.Value + " "
	}
	return text
}
