package cloudformation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/fleettest"
)

// nodesTemplate has a managed node group and a group of one's own, with the shapes that
// eksctl writes.
const nodesTemplate = `
Resources:
  ControlPlane: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: eks.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: cluster, RoleArn: !GetAtt ControlPlane.Arn, ResourcesVpcConfig: {SubnetIds: [subnet-0a, subnet-0b]}, AccessConfig: {AuthenticationMode: API_AND_CONFIG_MAP}}}
  NodeInstanceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: [ec2.amazonaws.com]}, Action: ["sts:AssumeRole"]}]}
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
  LaunchTemplate:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: !Sub "${AWS::StackName}"
      LaunchTemplateData:
        BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {Iops: 3000, Throughput: 125, VolumeSize: 80, VolumeType: gp3}}]
        MetadataOptions: {HttpPutResponseHopLimit: 2, HttpTokens: required}
        SecurityGroupIds: [!GetAtt Cluster.ClusterSecurityGroupId]
        TagSpecifications: [{ResourceType: instance, Tags: [{Key: Name, Value: cluster-ng-Node}, {Key: alpha.eksctl.io/nodegroup-name, Value: ng}]}, {ResourceType: volume, Tags: [{Key: Name, Value: cluster-ng-Node}]}]
  ManagedNodeGroup:
    Type: AWS::EKS::Nodegroup
    Properties:
      AmiType: AL2023_x86_64_STANDARD
      ClusterName: !Ref Cluster
      InstanceTypes: [m5.large]
      Labels: {alpha.eksctl.io/cluster-name: cluster, alpha.eksctl.io/nodegroup-name: ng}
      LaunchTemplate: {Id: !Ref LaunchTemplate, Version: !GetAtt LaunchTemplate.LatestVersionNumber}
      NodeRole: !GetAtt NodeInstanceRole.Arn
      NodegroupName: ng
      ScalingConfig: {DesiredSize: "2", MaxSize: 2, MinSize: 1}
      Subnets: [subnet-0a, subnet-0b]
      Tags: {alpha.eksctl.io/nodegroup-type: managed}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Path: /, Roles: [!Ref NodeInstanceRole]}}
  Entry: {Type: AWS::EKS::AccessEntry, Properties: {ClusterName: !Ref Cluster, PrincipalArn: !GetAtt NodeInstanceRole.Arn, Type: EC2_LINUX}}
  NodeGroupLaunchTemplate:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        IamInstanceProfile: {Arn: !GetAtt Profile.Arn}
        ImageId: IMAGE
        InstanceType: m5.large
        MetadataOptions: {HttpPutResponseHopLimit: 2, HttpTokens: required}
        NetworkInterfaces: [{DeviceIndex: 0, Groups: [!GetAtt Cluster.ClusterSecurityGroupId]}]
        UserData:
          Fn::Base64: |
            apiVersion: node.eks.aws/v1alpha1
            kind: NodeConfig
            spec: {cluster: {name: cluster}}
  NodeGroup:
    Type: AWS::AutoScaling::AutoScalingGroup
    DependsOn: Entry
    Properties:
      DesiredCapacity: "1"
      LaunchTemplate: {LaunchTemplateId: !Ref NodeGroupLaunchTemplate, Version: !GetAtt NodeGroupLaunchTemplate.LatestVersionNumber}
      MaxSize: "2"
      MinSize: "0"
      Tags: [{Key: Name, PropagateAtLaunch: "true", Value: own-Node}, {Key: kubernetes.io/cluster/cluster, PropagateAtLaunch: true, Value: owned}]
      VPCZoneIdentifier: [subnet-0a, subnet-0b]
Outputs:
  Group: {Value: !Ref NodeGroup}
  Managed: {Value: !Ref ManagedNodeGroup}
  Arn: {Value: !GetAtt ManagedNodeGroup.Arn}
`

// nodes counts the machines that run, by their Name.
func (a *account) nodes() map[string]int {
	n := map[string]int{}
	for _, i := range a.fleet.EC2.Instances() {
		if i.State == ec2.Running {
			n[i.Tags["Name"]]++
		}
	}
	return n
}

func TestNodesOfAStack(t *testing.T) {
	a := open(t)
	body := strings.Replace(nodesTemplate, "IMAGE", a.fleet.EC2.NodeImage("1.37", "x86_64"), 1)
	a.create(t, "nodes", body)
	a.is(t, "nodes", types.StackStatusCreateComplete)
	out := a.outputs(t, "nodes")
	if got := a.nodes(); got["cluster-ng-Node"] != 2 || got["own-Node"] != 1 || out["Managed"] != "cluster/ng" || !strings.HasPrefix(out["Group"], "nodes-NodeGroup-") || !strings.Contains(out["Arn"], ":nodegroup/cluster/ng/") {
		t.Errorf("machines %v, outputs %v", got, out)
	}
	// The stack's own tags are on the groups, and on what a group of one's own launches.
	for _, i := range a.fleet.EC2.Instances() {
		if want := map[string]string{"own-Node": "NodeGroup"}[i.Tags["Name"]]; i.Tags["aws:cloudformation:logical-id"] != want {
			t.Errorf("%s has the tags %v", i.ID, i.Tags)
		}
	}
	made, err := awseks.NewFromConfig(a.Admin).DescribeNodegroup(t.Context(), &awseks.DescribeNodegroupInput{ClusterName: aws.String("cluster"), NodegroupName: aws.String("ng")})
	if err != nil || made.Nodegroup.Tags["aws:cloudformation:logical-id"] != "ManagedNodeGroup" || made.Nodegroup.Tags["aws:cloudformation:stack-name"] != "nodes" {
		t.Errorf("the node group is %+v, %v", made, err)
	}
	changed := strings.NewReplacer(`DesiredSize: "2"`, `DesiredSize: "1"`, `DesiredCapacity: "1"`, `DesiredCapacity: "2"`, "alpha.eksctl.io/nodegroup-name: ng}", "more: x}", "nodegroup-type: managed", "nodegroup-type: other",
		"Value: own-Node", "Value: mine-Node", "VolumeSize: 80", "VolumeSize: 81").Replace(body)
	if err := a.update(t, "nodes", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "nodes", types.StackStatusUpdateComplete)
	if got := a.nodes(); got["cluster-ng-Node"] != 1 || got["own-Node"] != 1 || got["mine-Node"] != 1 {
		t.Errorf("machines after the update: %v", got)
	}
	n, err := awseks.NewFromConfig(a.Admin).DescribeNodegroup(t.Context(), &awseks.DescribeNodegroupInput{ClusterName: aws.String("cluster"), NodegroupName: aws.String("ng")})
	if err != nil || n.Nodegroup.Labels["more"] != "x" || n.Nodegroup.Labels["alpha.eksctl.io/nodegroup-name"] != "" || n.Nodegroup.Tags["alpha.eksctl.io/nodegroup-type"] != "other" || *n.Nodegroup.LaunchTemplate.Version != "2" {
		t.Errorf("the node group is %+v, %v", n, err)
	}
	if _, err := a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("nodes")}); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(a.fleet.EC2.Instances(), func(i ec2.Instance) bool { return i.State == ec2.Running }) {
		t.Errorf("machines are left: %v", a.nodes())
	}
}

// TestNodesThatDontCome: what can't be launched fails the stack, which is undone.
func TestNodesThatDontCome(t *testing.T) {
	a := open(t)
	for _, id := range fleettest.Subnets {
		a.fleet.Fill(id, true)
	}
	a.create(t, "nodes", strings.Replace(nodesTemplate, "IMAGE", a.fleet.EC2.NodeImage("1.37", "x86_64"), 1))
	a.is(t, "nodes", types.StackStatusRollbackComplete)
	if got := strings.Join(a.events(t, "nodes"), "\n"); !strings.Contains(got, "Group did not stabilize") && !strings.Contains(got, "There are not enough free addresses in subnet") {
		t.Errorf("the reasons are %s", got)
	}
}
