package cloudformation_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestParametersOfTypes: what they name must be there, as far as their caller may see.
func TestParametersOfTypes(t *testing.T) {
	a := open(t)
	one, _ := a.subnets(t)
	template := "Parameters: {S: {Type: \"List<AWS::EC2::Subnet::Id>\"}, Z: {Type: \"AWS::EC2::AvailabilityZone::Name\", Default: us-west-2a}}\nResources: {M: {Type: AWS::CDK::Metadata}}"
	try := func(client *cloudformation.Client, name, value string) error {
		_, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template, Parameters: []types.Parameter{{ParameterKey: aws.String("S"), ParameterValue: &value}}})
		return err
	}
	if err := try(a.client, "s", one); err != nil {
		t.Error(err)
	}
	doortest.Refused(t, try(a.client, "t", one+",subnet-00000000"), "ValidationError", "Parameter validation failed: parameter value subnet-00000000 for parameter name S does not exist")
	erin := cloudformation.NewFromConfig(a.User(t, "erin", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`))
	doortest.Refused(t, try(erin, "t", one), "AccessDenied", "is not authorized to perform: ec2:Describe")
}

// TestWhatAnUpdateKeeps: values by UsePreviousValue, the template by UsePreviousTemplate,
// tags that are not given; an empty list takes tags away.
func TestWhatAnUpdateKeeps(t *testing.T) {
	a := open(t)
	template := "Parameters: {P: {Type: String}, Q: {Type: String, Default: q}}\nResources:\n" + role("A", ", RoleName: kept, Description: !Sub '${P} ${Q}'")
	a.create(t, "s", template, func(in *cloudformation.CreateStackInput) {
		in.Parameters, in.Tags = []types.Parameter{{ParameterKey: aws.String("P"), ParameterValue: aws.String("p")}}, []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	})
	update := func(change func(*cloudformation.UpdateStackInput)) error {
		in := &cloudformation.UpdateStackInput{
			StackName: aws.String("s"), UsePreviousTemplate: aws.Bool(true), Capabilities: iamCapability, NotificationARNs: []string{},
			Parameters: []types.Parameter{{ParameterKey: aws.String("P"), UsePreviousValue: aws.Bool(true)}},
		}
		change(in)
		_, err := a.client.UpdateStack(t.Context(), in)
		return err
	}
	doortest.Refused(t, update(func(*cloudformation.UpdateStackInput) {}), "ValidationError", "No updates are to be performed.")
	if err := update(func(in *cloudformation.UpdateStackInput) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String("Q"), ParameterValue: aws.String("r")})
	}); err != nil {
		t.Fatal(err)
	}
	if s := a.stack(t, "s"); len(s.Tags) != 1 || *s.Parameters[0].ParameterValue != "p" || *s.Parameters[1].ParameterValue != "r" {
		t.Errorf("the stack is %+v", s)
	}
	doortest.Refused(t, update(func(in *cloudformation.UpdateStackInput) { in.Parameters = nil }), "ValidationError", "Parameters: [P] must have values")
	if err := update(func(in *cloudformation.UpdateStackInput) { in.Tags = []types.Tag{} }); err != nil {
		t.Fatal(err)
	}
	if s := a.stack(t, "s"); len(s.Tags) != 0 {
		t.Errorf("tags are %+v", s.Tags)
	}
	// A change set with empty lists, as CDK sends them.
	_, err := a.client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("s"), ChangeSetName: aws.String("c"), TemplateBody: aws.String("Resources: {M: {Type: AWS::CDK::Metadata}}"),
		Parameters: []types.Parameter{}, NotificationARNs: []string{}, Tags: []types.Tag{}, Capabilities: []types.Capability{},
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEksctlsIdentities is what eksctl sends for access entries and Pod Identity: one
// stack for each.
func TestEksctlsIdentities(t *testing.T) {
	a := open(t)
	one, two := a.subnets(t)
	a.create(t, "c", clusterTemplate, func(in *cloudformation.CreateStackInput) {
		in.Parameters = []types.Parameter{{ParameterKey: aws.String("One"), ParameterValue: &one}, {ParameterKey: aws.String("Two"), ParameterValue: &two}}
	})
	a.create(t, "people", "Resources:\n"+role("A", ", RoleName: dev"))
	eksctl := func(name, template string) string {
		t.Helper()
		id := a.create(t, name, template, func(in *cloudformation.CreateStackInput) {
			in.Capabilities, in.DisableRollback, in.Tags = []types.Capability{types.CapabilityCapabilityIam}, aws.Bool(false), []types.Tag{{Key: aws.String("alpha.eksctl.io/cluster-name"), Value: aws.String("blue")}}
		})
		a.is(t, id, types.StackStatusCreateComplete)
		return id
	}
	entry := eksctl("eksctl-blue-accessentry-X", `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"AccessEntry":{"Type":"AWS::EKS::AccessEntry","Properties":{
		"ClusterName":"blue","KubernetesGroups":["viewers"],"PrincipalArn":"arn:aws:iam::`+number+`:role/dev","Type":"STANDARD"}}}}`)
	client := awseks.NewFromConfig(a.Admin)
	got, err := client.DescribeAccessEntry(t.Context(), &awseks.DescribeAccessEntryInput{ClusterName: aws.String("blue"), PrincipalArn: aws.String("arn:aws:iam::" + number + ":role/dev")})
	if err != nil || got.AccessEntry.KubernetesGroups[0] != "viewers" || got.AccessEntry.Tags["alpha.eksctl.io/cluster-name"] != "blue" {
		t.Errorf("the entry is %+v, %v", got, err)
	}
	eksctl("eksctl-blue-podidentityrole-default-sb", `{"AWSTemplateFormatVersion":"2010-09-09","Description":"IAM role for pod identity association [created and managed by eksctl]","Resources":{"Role1":{"Type":"AWS::IAM::Role","Properties":{
		"AssumeRolePolicyDocument":{"Statement":[{"Action":["sts:AssumeRole","sts:TagSession"],"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"}}],"Version":"2012-10-17"},
		"ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}}},"Outputs":{"Role1":{"Value":{"Fn::GetAtt":"Role1.Arn"}}}}`)
	_, err = client.CreatePodIdentityAssociation(t.Context(), &awseks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("blue"), Namespace: aws.String("default"), ServiceAccount: aws.String("sb"), RoleArn: aws.String(a.outputs(t, "eksctl-blue-podidentityrole-default-sb")["Role1"]),
	})
	if err != nil {
		t.Error(err)
	}
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: &entry}))
	a.is(t, entry, types.StackStatusDeleteComplete)
}
