package cloudformation_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// eksctlCluster is what eksctl puts in a cluster's stack, with a VPC of the cluster's own
// (pkg/cfn/builder of eksctl 0.230): the same resources, references and outputs.
func eksctlCluster() string {
	var b strings.Builder
	b.WriteString(`
Mappings: {ServicePrincipalPartitionMap: {aws: {EC2: ec2.amazonaws.com, EKS: eks.amazonaws.com}}}
Resources:
  VPC: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 192.168.0.0/16, EnableDnsHostnames: true, EnableDnsSupport: true, Tags: [{Key: Name, Value: !Sub "${AWS::StackName}/VPC"}]}}
  InternetGateway: {Type: AWS::EC2::InternetGateway, Properties: {Tags: [{Key: Name, Value: !Sub "${AWS::StackName}/InternetGateway"}]}}
  VPCGatewayAttachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {InternetGatewayId: !Ref InternetGateway, VpcId: !Ref VPC}}
  PublicRouteTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref VPC}}
  PublicSubnetRoute: {Type: AWS::EC2::Route, DependsOn: [VPCGatewayAttachment], Properties: {RouteTableId: !Ref PublicRouteTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref InternetGateway}}
  NATIP: {Type: AWS::EC2::EIP, Properties: {Domain: vpc}}
  NATGateway: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: !GetAtt NATIP.AllocationId, SubnetId: !Ref SubnetPublicUSWEST2A}}
`)
	for i, zone := range []string{"a", "b"} {
		name := "USWEST2" + strings.ToUpper(zone)
		fmt.Fprintf(&b, `
  PrivateRouteTable%[1]s: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref VPC}}
  NATPrivateSubnetRoute%[1]s: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PrivateRouteTable%[1]s, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: !Ref NATGateway}}
  SubnetPrivate%[1]s: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: us-west-2%[2]s, CidrBlock: 192.168.%[3]d.0/19, VpcId: !Ref VPC, Tags: [{Key: kubernetes.io/role/internal-elb, Value: "1"}]}}
  RouteTableAssociationPrivate%[1]s: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref PrivateRouteTable%[1]s, SubnetId: !Ref SubnetPrivate%[1]s}}
  SubnetPublic%[1]s: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: us-west-2%[2]s, CidrBlock: 192.168.%[4]d.0/19, VpcId: !Ref VPC, MapPublicIpOnLaunch: true, Tags: [{Key: kubernetes.io/role/elb, Value: "1"}]}}
  RouteTableAssociationPublic%[1]s: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref PublicRouteTable, SubnetId: !Ref SubnetPublic%[1]s}}
`, name, zone, 64+32*i, 32*i)
	}
	b.WriteString(`
  ControlPlaneSecurityGroup: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: Communication between the control plane and worker nodegroups, VpcId: !Ref VPC}}
  ClusterSharedNodeSecurityGroup: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: Communication between all nodes in the cluster, VpcId: !Ref VPC}}
  IngressInterNodeGroupSG: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref ClusterSharedNodeSecurityGroup, SourceSecurityGroupId: !Ref ClusterSharedNodeSecurityGroup, IpProtocol: "-1", FromPort: 0, ToPort: 65535}}
  IngressDefaultClusterToNodeSG: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref ClusterSharedNodeSecurityGroup, SourceSecurityGroupId: !GetAtt ControlPlane.ClusterSecurityGroupId, IpProtocol: "-1", FromPort: 0, ToPort: 65535}}
  IngressNodeToDefaultClusterSG: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !GetAtt ControlPlane.ClusterSecurityGroupId, SourceSecurityGroupId: !Ref ClusterSharedNodeSecurityGroup, IpProtocol: "-1", FromPort: 0, ToPort: 65535}}
  ServiceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: ["sts:AssumeRole", "sts:TagSession"], Principal: {Service: [!FindInMap [ServicePrincipalPartitionMap, !Ref AWS::Partition, EKS]]}}]}
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonEKSClusterPolicy", !Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonEKSVPCResourceController"]
  ControlPlane:
    Type: AWS::EKS::Cluster
    Properties:
      Name: cluster
      Version: "1.37"
      RoleArn: !GetAtt ServiceRole.Arn
      AccessConfig: {AuthenticationMode: API_AND_CONFIG_MAP, BootstrapClusterCreatorAdminPermissions: true}
      BootstrapSelfManagedAddons: false
      KubernetesNetworkConfig: {}
      Logging: {ClusterLogging: {EnabledTypes: [{Type: api}, {Type: audit}]}}
      ResourcesVpcConfig:
        EndpointPrivateAccess: false
        EndpointPublicAccess: true
        SecurityGroupIds: [!Ref ControlPlaneSecurityGroup]
        SubnetIds: [!Ref SubnetPublicUSWEST2A, !Ref SubnetPublicUSWEST2B, !Ref SubnetPrivateUSWEST2A, !Ref SubnetPrivateUSWEST2B]
Outputs:
  ClusterStackName: {Value: !Ref AWS::StackName}
  FeatureNATMode: {Value: Single}
  ARN: {Value: !GetAtt ControlPlane.Arn, Export: {Name: !Sub "${AWS::StackName}::ARN"}}
  Endpoint: {Value: !GetAtt ControlPlane.Endpoint, Export: {Name: !Sub "${AWS::StackName}::Endpoint"}}
  CertificateAuthorityData: {Value: !GetAtt ControlPlane.CertificateAuthorityData}
  ClusterSecurityGroupId: {Value: !GetAtt ControlPlane.ClusterSecurityGroupId, Export: {Name: !Sub "${AWS::StackName}::ClusterSecurityGroupId"}}
  SecurityGroup: {Value: !Ref ControlPlaneSecurityGroup, Export: {Name: !Sub "${AWS::StackName}::SecurityGroup"}}
  SharedNodeSecurityGroup: {Value: !Ref ClusterSharedNodeSecurityGroup, Export: {Name: !Sub "${AWS::StackName}::SharedNodeSecurityGroup"}}
  ServiceRoleARN: {Value: !GetAtt ServiceRole.Arn, Export: {Name: !Sub "${AWS::StackName}::ServiceRoleARN"}}
  VPC: {Value: !Ref VPC, Export: {Name: !Sub "${AWS::StackName}::VPC"}}
  SubnetsPrivate: {Value: !Join [",", [!Ref SubnetPrivateUSWEST2A, !Ref SubnetPrivateUSWEST2B]], Export: {Name: !Sub "${AWS::StackName}::SubnetsPrivate"}}
  SubnetsPublic: {Value: !Join [",", [!Ref SubnetPublicUSWEST2A, !Ref SubnetPublicUSWEST2B]], Export: {Name: !Sub "${AWS::StackName}::SubnetsPublic"}}
`)
	return b.String()
}

// eksctlNodes is what it puts in the stack of a node group of its own, which reads the
// cluster's stack by its exports.
const eksctlNodes = `
Mappings: {ServicePrincipalPartitionMap: {aws: {EC2: ec2.amazonaws.com, EKS: eks.amazonaws.com}}}
Resources:
  NodeInstanceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: ["sts:AssumeRole"], Principal: {Service: [!FindInMap [ServicePrincipalPartitionMap, !Ref AWS::Partition, EC2]]}}]}
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonEKSWorkerNodePolicy", !Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonEKS_CNI_Policy"]
      Path: /
  NodeInstanceProfile: {Type: AWS::IAM::InstanceProfile, Properties: {Path: /, Roles: [!Ref NodeInstanceRole]}}
  AccessEntry: {Type: AWS::EKS::AccessEntry, Properties: {ClusterName: cluster, PrincipalArn: !GetAtt NodeInstanceRole.Arn, Type: EC2_LINUX}}
  SG:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: Communication between the control plane and worker nodes in group ng
      VpcId: {"Fn::ImportValue": "eksctl-cluster-cluster::VPC"}
      Tags: [{Key: kubernetes.io/cluster/cluster, Value: owned}]
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 1025, ToPort: 65535, SourceSecurityGroupId: {"Fn::ImportValue": "eksctl-cluster-cluster::SecurityGroup"}}]
  EgressInterCluster: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: {"Fn::ImportValue": "eksctl-cluster-cluster::SecurityGroup"}, DestinationSecurityGroupId: !Ref SG, IpProtocol: tcp, FromPort: 1025, ToPort: 65535}}
  IngressInterClusterCP: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: {"Fn::ImportValue": "eksctl-cluster-cluster::SecurityGroup"}, SourceSecurityGroupId: !Ref SG, IpProtocol: tcp, FromPort: 443, ToPort: 443}}
  NodeGroupLaunchTemplate:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: !Sub "${AWS::StackName}"
      LaunchTemplateData:
        BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {Encrypted: false, Iops: 3000, Throughput: 125, VolumeSize: 80, VolumeType: gp3}}]
        IamInstanceProfile: {Arn: !GetAtt NodeInstanceProfile.Arn}
        ImageId: IMAGE
        InstanceType: m5.large
        MetadataOptions: {HttpPutResponseHopLimit: 2, HttpTokens: required}
        NetworkInterfaces: [{DeviceIndex: 0, Groups: [{"Fn::ImportValue": "eksctl-cluster-cluster::SharedNodeSecurityGroup"}, !Ref SG], NetworkCardIndex: 0}]
        TagSpecifications: [{ResourceType: instance, Tags: [{Key: Name, Value: cluster-ng-Node}]}]
        UserData: {"Fn::Base64": "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {cluster: {name: cluster}}\n"}
  NodeGroup:
    Type: AWS::AutoScaling::AutoScalingGroup
    DependsOn: [AccessEntry]
    Properties:
      DesiredCapacity: "1"
      LaunchTemplate: {LaunchTemplateName: !Sub "${AWS::StackName}", Version: !GetAtt NodeGroupLaunchTemplate.LatestVersionNumber}
      MaxSize: "1"
      MinSize: "1"
      Tags: [{Key: Name, PropagateAtLaunch: "true", Value: cluster-ng-Node}, {Key: kubernetes.io/cluster/cluster, PropagateAtLaunch: "true", Value: owned}]
      VPCZoneIdentifier: {"Fn::Split": [",", {"Fn::ImportValue": "eksctl-cluster-cluster::SubnetsPrivate"}]}
Outputs:
  FeaturePrivateNetworking: {Value: true}
  InstanceRoleARN: {Value: !GetAtt NodeInstanceRole.Arn, Export: {Name: !Sub "${AWS::StackName}::InstanceRoleARN"}}
`

// TestEksctlCreatesAndDeletesACluster makes the calls of eksctl create cluster and of
// eksctl delete cluster, in the order in which eksctl 0.230 makes them (test/eksctl runs
// eksctl itself, where it is installed).
func TestEksctlCreatesAndDeletesACluster(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	clusters, network := awseks.NewFromConfig(a.Admin), awsec2.NewFromConfig(a.Admin)
	cluster := aws.String("cluster")
	before := a.left(t, network)
	caller := func() {
		t.Helper()
		must(awssts.NewFromConfig(a.Admin).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{}))
	}
	caller()
	versions, err := clusters.DescribeClusterVersions(ctx, &awseks.DescribeClusterVersionsInput{})
	if err != nil || len(versions.ClusterVersions) == 0 {
		t.Fatalf("versions: %+v, %v; without one eksctl panics", versions, err)
	}
	zones, err := network.DescribeAvailabilityZones(ctx, &awsec2.DescribeAvailabilityZonesInput{
		Filters: []ec2types.Filter{{Name: aws.String("region-name"), Values: []string{"us-west-2"}}, {Name: aws.String("state"), Values: []string{"available"}}, {Name: aws.String("zone-type"), Values: []string{"availability-zone"}}},
	})
	if err != nil || len(zones.AvailabilityZones) < 2 {
		t.Fatalf("zones: %+v, %v; eksctl wants two", zones, err)
	}
	offerings, err := network.DescribeInstanceTypeOfferings(ctx, &awsec2.DescribeInstanceTypeOfferingsInput{LocationType: ec2types.LocationTypeAvailabilityZone, Filters: []ec2types.Filter{{Name: aws.String("instance-type"), Values: []string{"m5.large"}}}})
	if err != nil || len(offerings.InstanceTypeOfferings) < 2 {
		t.Fatalf("where there is m5.large: %+v, %v", offerings, err)
	}
	image := a.fleet.EC2.NodeImage("1.37", "x86_64")
	images, err := network.DescribeImages(ctx, &awsec2.DescribeImagesInput{ImageIds: []string{image}})
	if err != nil || len(images.Images) != 1 || len(images.Images[0].BlockDeviceMappings) != 1 || *images.Images[0].BlockDeviceMappings[0].DeviceName != *images.Images[0].RootDeviceName {
		t.Fatalf("the image's root device: %+v, %v", images, err)
	}

	stack := func(name, body string) string {
		out, err := a.client.CreateStack(ctx, &cloudformation.CreateStackInput{
			StackName: &name, TemplateBody: &body, Capabilities: []types.Capability{types.CapabilityCapabilityIam}, EnableTerminationProtection: aws.Bool(false),
			Tags: []types.Tag{{Key: aws.String("alpha.eksctl.io/cluster-name"), Value: cluster}, {Key: aws.String("eksctl.cluster.k8s.io/v1alpha1/cluster-name"), Value: cluster}, {Key: aws.String("alpha.eksctl.io/eksctl-version"), Value: aws.String("0.230.0")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		// Its first look is to find the stack complete: the next comes 30 seconds later.
		a.is(t, *out.StackId, types.StackStatusCreateComplete)
		return *out.StackId
	}
	clusterStack := stack("eksctl-cluster-cluster", eksctlCluster())
	out := a.outputs(t, "eksctl-cluster-cluster")
	described, err := clusters.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: cluster})
	if err != nil || described.Cluster.Status != ekstypes.ClusterStatusActive || aws.ToString(described.Cluster.ResourcesVpcConfig.VpcId) != out["VPC"] ||
		described.Cluster.Tags["alpha.eksctl.io/cluster-name"] != "cluster" || aws.ToString(described.Cluster.KubernetesNetworkConfig.ServiceIpv4Cidr) != "10.100.0.0/16" {
		t.Fatalf("the cluster is %+v, %v", described, err)
	}
	for kind, public := range map[string]bool{"SubnetsPrivate": false, "SubnetsPublic": true} {
		subnets, err := network.DescribeSubnets(ctx, &awsec2.DescribeSubnetsInput{SubnetIds: strings.Split(out[kind], ",")})
		if err != nil || len(subnets.Subnets) != 2 || *subnets.Subnets[0].MapPublicIpOnLaunch != public || *subnets.Subnets[0].VpcId != out["VPC"] {
			t.Errorf("%s: %+v, %v", kind, subnets, err)
		}
	}
	// None is there before: the cluster was asked to begin without.
	addon := func(addon string) {
		t.Helper()
		_, err := clusters.DescribeAddon(ctx, &awseks.DescribeAddonInput{ClusterName: cluster, AddonName: &addon})
		doortest.Refused(t, err, "ResourceNotFoundException", addon)
		offered, err := clusters.DescribeAddonVersions(ctx, &awseks.DescribeAddonVersionsInput{AddonName: &addon, KubernetesVersion: aws.String("1.37")})
		if err != nil || len(offered.Addons) != 1 {
			t.Fatalf("%s is offered as %+v, %v", addon, offered, err)
		}
		version := offered.Addons[0].AddonVersions[0]
		if version.RequiresIamPermissions {
			must(clusters.DescribeAddonConfiguration(ctx, &awseks.DescribeAddonConfigurationInput{AddonName: &addon, AddonVersion: version.AddonVersion}))
		}
		must(clusters.CreateAddon(ctx, &awseks.CreateAddonInput{ClusterName: cluster, AddonName: &addon, AddonVersion: version.AddonVersion, ResolveConflicts: ekstypes.ResolveConflictsOverwrite}))
	}
	addon("vpc-cni")
	addon("kube-proxy")
	addon("coredns")
	nodeStack := stack("eksctl-cluster-nodegroup-ng", strings.Replace(eksctlNodes, "IMAGE", image, 1))
	if got := a.nodes(); got["cluster-ng-Node"] != 1 {
		t.Errorf("machines: %v", got)
	}

	addon("metrics-server")

	caller()
	must(clusters.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: cluster}))
	mine, err := a.client.ListStacks(ctx, &cloudformation.ListStacksInput{StackStatusFilter: []types.StackStatus{types.StackStatusCreateComplete}})
	if err != nil || len(mine.StackSummaries) != 2 {
		t.Errorf("stacks: %+v, %v", mine, err)
	}
	profiles, err := clusters.ListFargateProfiles(ctx, &awseks.ListFargateProfilesInput{ClusterName: cluster})
	if err != nil || len(profiles.FargateProfileNames) != 0 {
		t.Errorf("Fargate profiles: %+v, %v", profiles, err)
	}
	must(network.DescribeKeyPairs(ctx, &awsec2.DescribeKeyPairsInput{}))
	must(network.DescribeSecurityGroups(ctx, &awsec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{{Name: aws.String("tag-key"), Values: []string{"kubernetes.io/cluster/cluster"}}}}))
	for _, id := range []string{nodeStack, clusterStack} {
		must(a.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &id}))
		must(a.client.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: &id, EnableTerminationProtection: aws.Bool(false)}))
		must(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &id}))
		a.is(t, id, types.StackStatusDeleteComplete)
	}
	_, err = clusters.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: cluster})
	doortest.Refused(t, err, "ResourceNotFoundException", "No cluster found for name: cluster.")
	if after := a.left(t, network); after != before {
		t.Errorf("before it there were %s, after it %s", before, after)
	}
}

// left counts what of a network is there.
func (a *account) left(t *testing.T, c *awsec2.Client) string {
	t.Helper()
	ctx := t.Context()
	vpcs, err := c.DescribeVpcs(ctx, &awsec2.DescribeVpcsInput{})
	subnets, err2 := c.DescribeSubnets(ctx, &awsec2.DescribeSubnetsInput{})
	gateways, err3 := c.DescribeInternetGateways(ctx, &awsec2.DescribeInternetGatewaysInput{})
	addresses, err4 := c.DescribeAddresses(ctx, &awsec2.DescribeAddressesInput{})
	groups, err5 := c.DescribeSecurityGroups(ctx, &awsec2.DescribeSecurityGroupsInput{})
	tables, err6 := c.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{})
	for _, err := range []error{err, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%d VPCs, %d subnets, %d gateways, %d addresses, %d groups, %d tables",
		len(vpcs.Vpcs), len(subnets.Subnets), len(gateways.InternetGateways), len(addresses.Addresses), len(groups.SecurityGroups), len(tables.RouteTables))
}
