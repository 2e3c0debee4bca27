package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const networkTemplate = `
Resources:
  VPC: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.7.0.0/16, EnableDnsHostnames: true, Tags: [{Key: Name, Value: net}]}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref VPC, InternetGatewayId: !Ref Gateway}}
  Public: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref VPC, CidrBlock: !Select [0, !Cidr [!GetAtt VPC.CidrBlock, 4, 8]], AvailabilityZone: !Select [0, !GetAZs ""], MapPublicIpOnLaunch: true}}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref VPC}}
  Out: {Type: AWS::EC2::Route, DependsOn: Attachment, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Gateway}}
  Association: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref Public, RouteTableId: !Ref Table}}
  Address: {Type: AWS::EC2::EIP, DependsOn: Attachment, Properties: {Domain: vpc}}
  NAT: {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref Public, AllocationId: !GetAtt Address.AllocationId}}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: nodes
      VpcId: !Ref VPC
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: "443", ToPort: 443, CidrIp: 10.0.0.0/8}]
  Inside: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Group, IpProtocol: "-1", SourceSecurityGroupId: !GetAtt Group.GroupId, Description: each other}}
  Away: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !Ref Group, IpProtocol: tcp, FromPort: 1, ToPort: 2, CidrIp: 10.1.0.0/16}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        MetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: "2"}
        SecurityGroupIds: [!Ref Group]
        TagSpecifications: [{ResourceType: instance, Tags: [{Key: Name, Value: node}]}]
  Endpoint: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcId: !Ref VPC, ServiceName: !Sub "com.amazonaws.${AWS::Region}.s3", RouteTableIds: [!Ref Table]}}
Outputs:
  Version: {Value: !GetAtt Template.LatestVersionNumber}
  Default: {Value: !GetAtt VPC.DefaultSecurityGroup}
  Zone: {Value: !GetAtt Public.AvailabilityZone}
  Group: {Value: !Ref Group}
  Route: {Value: !Ref Out}
`

func (a *account) outputs(t *testing.T, name string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, o := range a.stack(t, name).Outputs {
		out[*o.OutputKey] = *o.OutputValue
	}
	return out
}

func TestANetworksStack(t *testing.T) {
	a := open(t)
	id := a.create(t, "net", networkTemplate, func(in *cloudformation.CreateStackInput) {
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
	})
	a.is(t, "net", types.StackStatusCreateComplete)
	out := a.outputs(t, "net")
	if out["Version"] != "1" || !strings.HasPrefix(out["Default"], "sg-") || out["Zone"] != "us-west-2a" || !strings.HasSuffix(out["Route"], "|0.0.0.0/0") {
		t.Errorf("outputs are %v", out)
	}
	client := awsec2.NewFromConfig(a.Admin)
	groups, err := client.DescribeSecurityGroups(t.Context(), &awsec2.DescribeSecurityGroupsInput{GroupIds: []string{out["Group"]}})
	if err != nil {
		t.Fatal(err)
	}
	g := groups.SecurityGroups[0]
	if !strings.HasPrefix(*g.GroupName, "net-Group-") || len(g.IpPermissions) != 2 || len(g.IpPermissionsEgress) != 2 || len(g.Tags) != 4 {
		t.Errorf("the group is %+v", g)
	}
	changed := strings.NewReplacer(`FromPort: "443", ToPort: 443`, `FromPort: 80, ToPort: 80`, "Value: node", "Value: other", "each other", "one another", "Value: net", "Value: world").Replace(networkTemplate)
	if err := a.update(t, "net", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "net", types.StackStatusUpdateComplete)
	if out := a.outputs(t, "net"); out["Version"] != "2" {
		t.Errorf("outputs are %v", out)
	}
	rules, err := client.DescribeSecurityGroupRules(t.Context(), &awsec2.DescribeSecurityGroupRulesInput{Filters: []ec2types.Filter{{Name: aws.String("group-id"), Values: []string{out["Group"]}}}})
	if err != nil || len(rules.SecurityGroupRules) != 4 {
		t.Fatalf("rules are %+v, %v", rules, err)
	}
	for _, r := range rules.SecurityGroupRules {
		if *r.FromPort == 443 || r.Description != nil && *r.Description == "each other" {
			t.Errorf("a rule is %+v", r)
		}
	}
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("net")}))
	a.is(t, id, types.StackStatusDeleteComplete)
	vpcs, err := client.DescribeVpcs(t.Context(), &awsec2.DescribeVpcsInput{})
	if err != nil || len(vpcs.Vpcs) != 1 { // the one that machines are in
		t.Errorf("VPCs are left: %+v, %v", vpcs, err)
	}
	addresses, err := client.DescribeAddresses(t.Context(), &awsec2.DescribeAddressesInput{})
	if err != nil || len(addresses.Addresses) != 0 {
		t.Errorf("addresses are left: %+v, %v", addresses, err)
	}
}
