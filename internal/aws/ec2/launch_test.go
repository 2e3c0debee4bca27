package ec2_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// profiles are those of a test's account.
type profiles struct{ *doortest.Account }

func (p profiles) InstanceProfile(name string) (arn, id, role string, ok bool) {
	return p.IAM.InstanceProfile(name)
}

// camp is a VPC that runs, with a private and a public subnet and a node's role.
type camp struct {
	*place
	vpc, private, public, group, image string
}

func newCamp(t *testing.T) *camp {
	t.Helper()
	c := &camp{place: open(t)}
	c.service.UseProfiles(profiles{c.Account})
	c.vpc = c.place.vpc(t, "10.0.0.0/16")
	c.ground.vpc = c.vpc
	c.private, c.public = c.subnet(t, c.vpc, "10.0.0.0/24"), c.subnet(t, c.vpc, "10.0.1.0/24")
	must, ctx := doortest.Must(t), t.Context()
	must(c.admin.ModifySubnetAttribute(ctx, &awsec2.ModifySubnetAttributeInput{SubnetId: &c.public, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	g, err := c.admin.CreateSecurityGroup(ctx, &awsec2.CreateSecurityGroupInput{GroupName: aws.String("nodes"), Description: aws.String("of nodes"), VpcId: &c.vpc})
	must(g, err)
	c.group, c.image = *g.GroupId, c.service.NodeImage("1.37", "x86_64")
	i := awsiam.NewFromConfig(c.Admin)
	must(i.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("node"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)}))
	must(i.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: aws.String("nodes")}))
	must(i.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("nodes"), RoleName: aws.String("node")}))
	return c
}

var nodeData = base64.StdEncoding.EncodeToString([]byte("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {cluster: {name: cluster}}\n"))

// request launches one node.
func (c *camp) request(change ...func(*awsec2.RunInstancesInput)) *awsec2.RunInstancesInput {
	in := &awsec2.RunInstancesInput{
		ImageId: &c.image, InstanceType: "m5.large", MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &c.private, SecurityGroupIds: []string{c.group},
		IamInstanceProfile: &types.IamInstanceProfileSpecification{Name: aws.String("nodes")}, UserData: &nodeData,
		TagSpecifications: name(types.ResourceTypeInstance, "one"),
	}
	for _, fn := range change {
		fn(in)
	}
	return in
}

func TestRunInstances(t *testing.T) {
	c := newCamp(t)
	ctx := t.Context()
	out, err := c.admin.RunInstances(ctx, c.request(func(in *awsec2.RunInstancesInput) {
		in.MaxCount, in.ClientToken = aws.Int32(2), aws.String("once")
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2)}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Instances) != 2 || out.Instances[0].State.Name != types.InstanceStateNamePending || *out.Instances[0].InstanceId == *out.Instances[1].InstanceId {
		t.Fatalf("%+v", out)
	}
	again, err := c.admin.RunInstances(ctx, c.request(func(in *awsec2.RunInstancesInput) {
		in.MaxCount, in.ClientToken = aws.Int32(2), aws.String("once")
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2)}
	}))
	if err != nil || *again.ReservationId != *out.ReservationId || len(again.Instances) != 2 {
		t.Errorf("the same token: %+v, %v", again, err)
	}
	i, _ := c.service.Instance(*out.Instances[0].InstanceId)
	if i.Cluster != "cluster" || i.Subnet != c.private || !slices.Equal(i.Groups, []string{c.group}) || !strings.HasSuffix(i.ProfileARN, ":instance-profile/nodes") || i.Tags["Name"] != "one" || !i.TokensOnly || i.HopLimit != 2 || i.PublicIP.IsValid() {
		t.Errorf("recorded is %+v", i)
	}
	if i.PrivateDNS == "" || len(i.Interfaces) != 1 || i.Interfaces[0].Prefixes[0].Bits() != 27 || !slices.Equal(c.ground.pods[:2], []int{29, 29}) {
		t.Errorf("its place is %+v, for %v pods", i, c.ground.pods)
	}
	if !slices.Contains(c.ground.machines, "start "+i.ID) {
		t.Errorf("done was %v", c.ground.machines)
	}
	data, err := c.admin.DescribeInstanceAttribute(ctx, &awsec2.DescribeInstanceAttributeInput{InstanceId: &i.ID, Attribute: types.InstanceAttributeNameUserData})
	if err != nil || *data.UserData.Value != nodeData {
		t.Errorf("user data %+v, %v", data, err)
	}
}

func TestLaunchInPublic(t *testing.T) {
	c := newCamp(t)
	ctx, settled := t.Context(), c.ground.settled
	out, err := c.admin.RunInstances(ctx, c.request(func(in *awsec2.RunInstancesInput) { in.SubnetId = &c.public }))
	if err != nil {
		t.Fatal(err)
	}
	i, _ := c.service.Instance(*out.Instances[0].InstanceId)
	if !i.PublicIP.IsValid() || c.service.Layout(c.vpc).Public[i.PrivateIP] != i.PublicIP || c.ground.settled == settled {
		t.Errorf("%+v, settled %d times", i, c.ground.settled-settled)
	}
	if pods := c.service.Layout(c.vpc).Pods; pods[i.Interfaces[0].Prefixes[0]] != i.PublicIP {
		t.Errorf("pods leave as %v, their node is %s", pods, i.PublicIP)
	}
	a, err := c.admin.AllocateAddress(ctx, &awsec2.AllocateAddressInput{})
	if err != nil || *a.PublicIp == i.PublicIP.String() {
		t.Errorf("an address that has an owner was given: %+v, %v", a, err)
	}
	for _, step := range []struct {
		state  ec2.State
		public bool
	}{{ec2.Running, true}, {ec2.Stopped, false}, {ec2.Pending, true}} {
		if err := c.service.SetState(ctx, i.ID, step.state, ""); err != nil {
			t.Fatal(err)
		}
		if i, _ = c.service.Instance(i.ID); i.PublicIP.IsValid() != step.public {
			t.Errorf("%s: public address %v", step.state, i.PublicIP)
		}
	}
	out, err = c.admin.RunInstances(ctx, c.request(func(in *awsec2.RunInstancesInput) {
		in.SubnetId, in.SecurityGroupIds = nil, nil
		in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0), SubnetId: &c.public, AssociatePublicIpAddress: aws.Bool(false), Groups: []string{c.group}}}
	}))
	if err != nil || out.Instances[0].PublicIpAddress != nil || *out.Instances[0].SubnetId != c.public {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestLaunchByTemplate(t *testing.T) {
	c := newCamp(t)
	ctx := t.Context()
	_, err := c.admin.CreateLaunchTemplate(ctx, &awsec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("nodes"), LaunchTemplateData: &types.RequestLaunchTemplateData{
		ImageId: &c.image, InstanceType: "m5.large", UserData: &nodeData, SecurityGroupIds: []string{c.group},
		IamInstanceProfile:  &types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: aws.String("nodes")},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(80), VolumeType: types.VolumeTypeGp3}}},
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("template")}, {Key: aws.String("team"), Value: aws.String("a")}}},
			{ResourceType: types.ResourceTypeVolume, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("disk")}}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	version, err := c.admin.CreateLaunchTemplateVersion(ctx, &awsec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateName: aws.String("nodes"), SourceVersion: aws.String("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: "m5.xlarge"}})
	if err != nil {
		t.Fatal(err)
	}
	id := version.LaunchTemplateVersion.LaunchTemplateId
	run := func(version string, change ...func(*awsec2.RunInstancesInput)) (*awsec2.RunInstancesOutput, error) {
		in := &awsec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &c.private, LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: id}}
		if version != "" {
			in.LaunchTemplate.Version = &version
		}
		for _, fn := range change {
			fn(in)
		}
		return c.admin.RunInstances(ctx, in)
	}
	for version, want := range map[string]string{"": "m5.large 1", "$Default": "m5.large 1", "$Latest": "m5.xlarge 2", "2": "m5.xlarge 2"} {
		out, err := run(version, func(in *awsec2.RunInstancesInput) { in.TagSpecifications = name(types.ResourceTypeInstance, "request") })
		if err != nil {
			t.Fatal(version, err)
		}
		i, _ := c.service.Instance(*out.Instances[0].InstanceId)
		if got := i.Type + " " + i.Tags["aws:ec2launchtemplate:version"]; got != want || i.Tags["Name"] != "request" || i.Tags["team"] != "a" || i.Tags["aws:ec2launchtemplate:id"] != *id {
			t.Errorf("version %q: %s, tags %v", version, got, i.Tags)
		}
	}
	_, err = run("3")
	doortest.Refused(t, err, "InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version 3")

	// Policies see what the template says.
	allow := func(more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:*","iam:PassRole"],"Resource":"*"},` + more + `]}`
	}
	for user, test := range map[string]struct{ policy, refused string }{
		"free":    {allow(`{"Effect":"Deny","Action":"iam:PassRole","Resource":"*","Condition":{"StringNotEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`), "DryRunOperation"},
		"passing": {allow(`{"Effect":"Deny","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/node"}`), "UnauthorizedOperation"},
		"tags":    {allow(`{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}}`), "UnauthorizedOperation"},
		"type":    {allow(`{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"StringEquals":{"ec2:InstanceType":"m5.large"}}}`), "UnauthorizedOperation"},
		"only":    {allow(`{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"*","Condition":{"ArnNotLike":{"ec2:LaunchTemplate":"arn:aws:ec2:*:*:launch-template/` + *id + `"}}}`), "DryRunOperation"},
		"image":   {allow(`{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*::image/*","Condition":{"StringEquals":{"ec2:Owner":"amazon"}}}`), "UnauthorizedOperation"},
	} {
		_, err := awsec2.NewFromConfig(c.User(t, user, test.policy)).RunInstances(ctx, &awsec2.RunInstancesInput{
			DryRun: aws.Bool(true), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &c.private, LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: id}})
		doortest.Refused(t, err, test.refused, "")
	}
}

func TestLaunchRefusals(t *testing.T) {
	c := newCamp(t)
	other := c.place.vpc(t, "10.9.0.0/16")
	away := c.subnet(t, other, "10.9.0.0/24")
	text := func(s string) *string { s = base64.StdEncoding.EncodeToString([]byte(s)); return &s }
	for _, test := range []struct {
		change     func(*awsec2.RunInstancesInput)
		code, text string
	}{
		{func(in *awsec2.RunInstancesInput) { in.MaxCount, in.MinCount = aws.Int32(1), aws.Int32(2) }, "InvalidParameterValue", "maxCount"},
		{func(in *awsec2.RunInstancesInput) { in.ImageId = aws.String("ami-1") }, "InvalidAMIID.NotFound", "'[ami-1]' does not exist"},
		{func(in *awsec2.RunInstancesInput) { in.ImageId = aws.String("x") }, "InvalidAMIID.Malformed", "Invalid id"},
		{func(in *awsec2.RunInstancesInput) { in.ImageId = nil }, "MissingParameter", "ImageId"},
		{func(in *awsec2.RunInstancesInput) { in.InstanceType = "m5.huge" }, "InvalidParameterValue", "m5.huge"},
		{func(in *awsec2.RunInstancesInput) { in.InstanceType = "m6g.large" }, "InvalidParameterValue", "does not match the architecture"},
		{func(in *awsec2.RunInstancesInput) {
			in.InstanceType, in.ImageId = "m6g.large", aws.String(c.service.NodeImage("1.37", "arm64"))
		}, "UnsupportedOperation", "architecture arm64"},
		{func(in *awsec2.RunInstancesInput) { in.SubnetId = nil }, "VPCIdNotSpecified", "No default VPC"},
		{func(in *awsec2.RunInstancesInput) { in.SubnetId = aws.String("subnet-1") }, "InvalidSubnetID.NotFound", "subnet-1"},
		{func(in *awsec2.RunInstancesInput) { in.SubnetId, in.SecurityGroupIds = &away, nil }, "UnsupportedOperation", "is a record alone"},
		{func(in *awsec2.RunInstancesInput) { in.SecurityGroupIds = []string{"sg-1"} }, "InvalidGroup.NotFound", "sg-1"},
		{func(in *awsec2.RunInstancesInput) { in.IamInstanceProfile.Name = aws.String("absent") }, "InvalidParameterValue", "Invalid IAM Instance Profile name"},
		{func(in *awsec2.RunInstancesInput) { in.UserData = aws.String("%") }, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."},
		{func(in *awsec2.RunInstancesInput) { in.UserData = nil }, "UnsupportedOperation", "has no NodeConfig"},
		{func(in *awsec2.RunInstancesInput) { in.UserData = text("#!/bin/sh\nreboot") }, "UnsupportedOperation", "is a script"},
		{func(in *awsec2.RunInstancesInput) {
			in.UserData = text("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {cluster: {name: other}}")
		}, "UnsupportedOperation", `cluster "other" (there is none)`},
		{func(in *awsec2.RunInstancesInput) { in.KeyName = aws.String("k") }, "UnsupportedOperation", "KeyName"},
		{func(in *awsec2.RunInstancesInput) {
			in.InstanceMarketOptions = &types.InstanceMarketOptionsRequest{MarketType: types.MarketTypeSpot}
		}, "UnsupportedOperation", "InstanceMarketOptions"},
		{func(in *awsec2.RunInstancesInput) {
			in.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/sdb"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(1)}}}
		}, "UnsupportedOperation", "BlockDeviceMapping /dev/sdb"},
		{func(in *awsec2.RunInstancesInput) { in.Placement = &types.Placement{Tenancy: types.TenancyDedicated} }, "UnsupportedOperation", "tenancy"},
		{func(in *awsec2.RunInstancesInput) {
			in.Placement = &types.Placement{AvailabilityZone: aws.String("us-west-2z")}
		}, "InvalidParameterValue", "us-west-2z"},
		{func(in *awsec2.RunInstancesInput) { in.TagSpecifications[0].Tags[0].Key = aws.String("aws:x") }, "InvalidParameterValue", "reserved"},
	} {
		_, err := c.admin.RunInstances(t.Context(), c.request(test.change))
		doortest.Refused(t, err, test.code, test.text)
	}
	if n := len(c.service.Instances()); n != 0 {
		t.Errorf("%d instances were recorded", n)
	}
	c.ground.used[c.private] = 100
	out, err := c.admin.RunInstances(t.Context(), c.request(func(in *awsec2.RunInstancesInput) { in.MaxCount = aws.Int32(3) }))
	if err != nil || len(out.Instances) != 1 {
		t.Errorf("with room for one: %+v, %v", out, err)
	}
	_, err = c.admin.RunInstances(t.Context(), c.request())
	doortest.Refused(t, err, "InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '"+c.private+"'")
}
