package cloudformation_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// subnets makes a VPC with two subnets, as a caller would.
func (a *account) subnets(t *testing.T) (one, two string) {
	t.Helper()
	client := awsec2.NewFromConfig(a.Admin)
	vpc, err := client.CreateVpc(t.Context(), &awsec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for i, zone := range []string{"us-west-2a", "us-west-2b"} {
		s, err := client.CreateSubnet(t.Context(), &awsec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, AvailabilityZone: &zone, CidrBlock: aws.String([]string{"10.9.1.0/24", "10.9.2.0/24"}[i])})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, *s.Subnet.SubnetId)
	}
	return ids[0], ids[1]
}

const clusterTemplate = `
Parameters: {One: {Type: String}, Two: {Type: String}, Groups: {Type: CommaDelimitedList, Default: viewers}}
Resources:
  ClusterRole:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: eks.amazonaws.com}, Action: ["sts:AssumeRole", "sts:TagSession"]}]}}
  Cluster:
    Type: AWS::EKS::Cluster
    Properties:
      Name: blue
      RoleArn: !GetAtt ClusterRole.Arn
      AccessConfig: {AuthenticationMode: API}
      ResourcesVpcConfig: {SubnetIds: [!Ref One, !Ref Two], EndpointPrivateAccess: "true"}
      Logging: {ClusterLogging: {EnabledTypes: [{Type: api}, {Type: audit}]}}
  Dev: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: ` + trust + `}}
  Entry:
    Type: AWS::EKS::AccessEntry
    Properties:
      ClusterName: !Ref Cluster
      PrincipalArn: !GetAtt Dev.Arn
      KubernetesGroups: !Ref Groups
      AccessPolicies: [{PolicyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", AccessScope: {Type: namespace, Namespaces: [default]}}]
  PodRole:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: pods.eks.amazonaws.com}, Action: ["sts:AssumeRole", "sts:TagSession"]}]}}
  Association:
    Type: AWS::EKS::PodIdentityAssociation
    Properties: {ClusterName: !Ref Cluster, Namespace: default, ServiceAccount: sa, RoleArn: !GetAtt PodRole.Arn}
  Agent: {Type: AWS::EKS::Addon, Properties: {ClusterName: !Ref Cluster, AddonName: eks-pod-identity-agent}}
  Group: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 7}}
Outputs:
  Cluster: {Value: !GetAtt Cluster.Arn}
  Entry: {Value: !GetAtt Entry.AccessEntryArn}
  Id: {Value: !GetAtt Association.AssociationId}
  Endpoint: {Value: !GetAtt Cluster.Endpoint}
`

func TestAClustersStack(t *testing.T) {
	a := open(t)
	one, two := a.subnets(t)
	params := []types.Parameter{{ParameterKey: aws.String("One"), ParameterValue: &one}, {ParameterKey: aws.String("Two"), ParameterValue: &two}}
	id := a.create(t, "c", clusterTemplate, func(in *cloudformation.CreateStackInput) {
		in.Parameters, in.Tags = params, []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
	})
	a.is(t, "c", types.StackStatusCreateComplete)
	client := awseks.NewFromConfig(a.Admin)
	c, err := client.DescribeCluster(t.Context(), &awseks.DescribeClusterInput{Name: aws.String("blue")})
	if err != nil || c.Cluster.Tags["team"] != "a" || !c.Cluster.ResourcesVpcConfig.EndpointPrivateAccess || len(c.Cluster.Logging.ClusterLogging[0].Types) != 2 {
		t.Fatalf("the cluster is %+v, %v", c, err)
	}
	r, err := a.client.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: aws.String("c"), LogicalResourceId: aws.String("Entry")})
	if err != nil {
		t.Fatal(err)
	}
	principal, _, _ := strings.Cut(*r.StackResourceDetail.PhysicalResourceId, "|")
	policies, err := client.ListAssociatedAccessPolicies(t.Context(), &awseks.ListAssociatedAccessPoliciesInput{ClusterName: aws.String("blue"), PrincipalArn: &principal})
	if err != nil || len(policies.AssociatedAccessPolicies) != 1 || policies.AssociatedAccessPolicies[0].AccessScope.Namespaces[0] != "default" {
		t.Errorf("policies are %+v, %v", policies, err)
	}

	changed := append(params, types.Parameter{ParameterKey: aws.String("Groups"), ParameterValue: aws.String("editors,viewers")})
	doortest.Must(t)(a.client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("c"), UsePreviousTemplate: aws.Bool(true), Parameters: changed, Capabilities: iamCapability}))
	a.is(t, "c", types.StackStatusUpdateComplete)
	entry, err := client.DescribeAccessEntry(t.Context(), &awseks.DescribeAccessEntryInput{ClusterName: aws.String("blue"), PrincipalArn: &principal})
	if err != nil || len(entry.AccessEntry.KubernetesGroups) != 2 || entry.AccessEntry.Tags["team"] != "a" {
		t.Errorf("the entry is %+v, %v", entry, err)
	}
	doortest.Must(t)(a.client.DeleteStack(context.Background(), &cloudformation.DeleteStackInput{StackName: aws.String("c")}))
	a.is(t, id, types.StackStatusDeleteComplete)
	_, err = client.DescribeCluster(t.Context(), &awseks.DescribeClusterInput{Name: aws.String("blue")})
	doortest.Refused(t, err, "ResourceNotFoundException", "blue")
}
