package spec_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

func get(t *testing.T, name string) *spec.Type {
	t.Helper()
	k, found := spec.Find(name)
	if !found {
		t.Fatalf("no type %s", name)
	}
	return k
}

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestKnownRules holds the generated table against rules that CloudFormation's
// documentation tells: a change of the pinned version that lost them would be seen.
func TestKnownRules(t *testing.T) {
	for kind, want := range map[string]struct{ replaces, updates, attributes string }{
		"AWS::IAM::Role":                   {"RoleName Path", "Description AssumeRolePolicyDocument ManagedPolicyArns", "Arn RoleId"},
		"AWS::IAM::ManagedPolicy":          {"ManagedPolicyName Path Description", "PolicyDocument", ""},
		"AWS::IAM::OIDCProvider":           {"Url", "ThumbprintList", "Arn"},
		"AWS::EKS::Cluster":                {"Name RoleArn EncryptionConfig KubernetesNetworkConfig OutpostConfig BootstrapSelfManagedAddons", "Version Logging ResourcesVpcConfig", "Arn Endpoint CertificateAuthorityData ClusterSecurityGroupId OpenIdConnectIssuerUrl EncryptionConfigKeyArn"},
		"AWS::EKS::Nodegroup":              {"ClusterName NodegroupName NodeRole Subnets AmiType CapacityType InstanceTypes DiskSize RemoteAccess", "ScalingConfig Labels", "Arn ClusterName NodegroupName"},
		"AWS::EKS::AccessEntry":            {"ClusterName PrincipalArn Type", "KubernetesGroups", "AccessEntryArn"},
		"AWS::EKS::PodIdentityAssociation": {"ClusterName Namespace ServiceAccount", "RoleArn", "AssociationArn AssociationId"},
		"AWS::S3::Bucket":                  {"BucketName", "VersioningConfiguration", "Arn DomainName RegionalDomainName"},
		"AWS::S3::BucketPolicy":            {"Bucket", "PolicyDocument", ""},
		"AWS::SSM::Parameter":              {"Name", "Description", "Type Value"},
		"AWS::SNS::Topic":                  {"TopicName FifoTopic", "DisplayName", "TopicName"},
		"AWS::SNS::Subscription":           {"TopicArn Protocol Endpoint", "FilterPolicy", "Arn"},
		"AWS::Logs::LogGroup":              {"LogGroupName", "RetentionInDays", "Arn"},
		"AWS::ECR::Repository":             {"RepositoryName EncryptionConfiguration", "RepositoryPolicyText", "Arn RepositoryUri"},
		"AWS::KMS::Key":                    {"", "KeyPolicy", "Arn KeyId"},
		"AWS::KMS::Alias":                  {"AliasName", "TargetKeyId", ""},
		"AWS::EC2::VPC":                    {"CidrBlock", "EnableDnsHostnames", "CidrBlock DefaultSecurityGroup Ipv6CidrBlocks"},
		"AWS::EC2::Subnet":                 {"VpcId CidrBlock AvailabilityZone", "MapPublicIpOnLaunch", "AvailabilityZone"},
		"AWS::EC2::Route":                  {"RouteTableId DestinationCidrBlock", "GatewayId NatGatewayId", ""},
		"AWS::EC2::NatGateway":             {"SubnetId AllocationId", "", ""},
		"AWS::EC2::EIP":                    {"Domain", "", "AllocationId PublicIp"},
		"AWS::EC2::SecurityGroup":          {"GroupDescription GroupName VpcId", "SecurityGroupIngress", "GroupId VpcId"},
		"AWS::EC2::SecurityGroupIngress":   {"GroupId IpProtocol FromPort CidrIp", "Description", ""},
		"AWS::EC2::LaunchTemplate":         {"LaunchTemplateName", "LaunchTemplateData", "LatestVersionNumber"},
	} {
		k := get(t, kind)
		for _, name := range strings.Fields(want.replaces) {
			if p, found := k.Property(name); !found || p.Replaces != spec.Always {
				t.Errorf("%s: a change of %s replaces: %+v", kind, name, p)
			}
		}
		for _, name := range strings.Fields(want.updates) {
			if p, found := k.Property(name); !found || p.Replaces != spec.Never {
				t.Errorf("%s: a change of %s updates: %+v", kind, name, p)
			}
		}
		for _, name := range strings.Fields(want.attributes) {
			if !k.Attribute(name) {
				t.Errorf("%s has an attribute %s", kind, name)
			}
		}
	}
}

// TestTables: our own tables are about types that exist, and every type has its Ref.
func TestTables(t *testing.T) {
	for name, k := range spec.All() {
		if n := k.NameProperty(); n != "" {
			if _, found := k.Property(n); !found {
				t.Errorf("%s has no property %s", name, n)
			}
		}
		if _, found := spec.RefForm(name); !found {
			t.Errorf("what Ref gives for %s is not said", name)
		}
	}
	if n := len(slices.Collect(maps.Keys(spec.All()))); n < 40 {
		t.Errorf("%d types", n)
	}
}

func TestPhysicalID(t *testing.T) {
	for _, tc := range []struct{ kind, properties, attributes, want string }{
		{"AWS::IAM::Role", `{"RoleName":"r"}`, `{"Arn":"arn"}`, "r"},
		{"AWS::EKS::AccessEntry", `{"PrincipalArn":"arn:p","ClusterName":"c"}`, `{}`, "arn:p|c"},
		{"AWS::EKS::Nodegroup", `{"ClusterName":"c"}`, `{"NodegroupName":"n"}`, "c/n"},
		{"AWS::EC2::Route", `{"RouteTableId":"rtb-1","DestinationIpv6CidrBlock":"::/0"}`, `{}`, "rtb-1|::/0"},
		{"AWS::EC2::VPCGatewayAttachment", `{"VpcId":"vpc-1"}`, `{"AttachmentType":"IGW"}`, "IGW|vpc-1"},
		{"AWS::EC2::EIP", `{}`, `{"PublicIp":"192.0.2.1","AllocationId":"eipalloc-1"}`, "192.0.2.1"},
		{"AWS::EC2::Route", `{"RouteTableId":"rtb-1"}`, `{}`, ""},
		{"AWS::IAM::Policy", `{"PolicyName":"p"}`, `{}`, ""},
	} {
		if got, _ := get(t, tc.kind).PhysicalID(values(t, tc.properties), values(t, tc.attributes)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.kind, got, tc.want)
		}
	}
}

func TestPhysicalName(t *testing.T) {
	long := strings.Repeat("s", 80)
	for _, tc := range []struct{ kind, stack, logical, want string }{
		{"AWS::IAM::Role", "eksctl-c-cluster", "ServiceRole", "eksctl-c-cluster-ServiceRole-Abcdefghij12"},
		{"AWS::IAM::Role", long, "Role", strings.Repeat("s", 46) + "-Role-Abcdefghij12"},
		{"AWS::IAM::Role", long, strings.Repeat("L", 80), strings.Repeat("s", 25) + "-" + strings.Repeat("L", 25) + "-Abcdefghij12"},
		{"AWS::S3::Bucket", "My", "Bucket", "my-bucket-abcdefghij12"},
		{"AWS::EKS::Nodegroup", "My", "Nodes", "Nodes-Abcdefghij12"},
		{"AWS::SSM::Parameter", "My", "P", "CFN-P-Abcdefghij12"},
		{"AWS::EC2::VPC", "My", "VPC", ""},
	} {
		k := get(t, tc.kind)
		if got := k.PhysicalName(tc.stack, tc.logical, "Abcdefghij12"); got != tc.want {
			t.Errorf("%s: got %q (%d), want %q", tc.kind, got, len(got), tc.want)
		}
	}
}

func TestCoerce(t *testing.T) {
	for _, tc := range []struct{ kind, in, want string }{
		{"AWS::AutoScaling::AutoScalingGroup", `{"MinSize":1,"MaxSize":"3","CapacityRebalance":"TRUE","Tags":[{"Key":"a","Value":1,"PropagateAtLaunch":"true"}],"HealthCheckGracePeriod":"30"}`,
			`{"CapacityRebalance":true,"HealthCheckGracePeriod":30,"MaxSize":"3","MinSize":"1","Tags":[{"Key":"a","PropagateAtLaunch":true,"Value":"1"}]}`},
		{"AWS::SNS::Topic", `{"FifoTopic":"yes","Foo":1}`,
			"Properties validation failed for resource R with message:\n#/FifoTopic: expected type: Boolean, found: String\n#: extraneous key [Foo] is not permitted"},
		{"AWS::IAM::Role", `{"RoleName":["a"]}`,
			"Properties validation failed for resource R with message:\n#: required key [AssumeRolePolicyDocument] not found\n#/RoleName: expected type: String, found: JSONArray"},
		{"AWS::EKS::Nodegroup", `{"ClusterName":"c","NodeRole":"{{resolve:ssm:/a}}","Subnets":["a"],"ScalingConfig":{"MinSize":"1.5"}}`,
			"Properties validation failed for resource R with message:\n#/ScalingConfig/MinSize: expected type: Integer, found: String"},
		{"AWS::EKS::Nodegroup", `{"ClusterName":"c","NodeRole":"r","Subnets":"a"}`,
			"Properties validation failed for resource R with message:\n#/Subnets: expected type: JSONArray, found: String"},
		{"AWS::IAM::Role", `{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Condition":{"Bool":{"a":true}}}]},"MaxSessionDuration":"3600"}`,
			`{"AssumeRolePolicyDocument":{"Statement":[{"Condition":{"Bool":{"a":true}}}],"Version":"2012-10-17"},"MaxSessionDuration":3600}`},
	} {
		out, err := get(t, tc.kind).Coerce("R", values(t, tc.in))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			text, _ := json.Marshal(out)
			got = string(text)
		}
		if got != tc.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", tc.kind, tc.in, got, tc.want)
		}
	}
}

func TestDifferences(t *testing.T) {
	for _, tc := range []struct {
		kind, before, after, want string
	}{
		{"AWS::IAM::Role", `{"RoleName":"a","Description":"x"}`, `{"RoleName":"b","Description":"y"}`, "Description:0 RoleName:2"},
		{"AWS::IAM::Role", `{"RoleName":"a"}`, `{"RoleName":"a"}`, ""},
		{"AWS::EC2::VPC", `{"InstanceTenancy":"default"}`, `{"InstanceTenancy":"dedicated"}`, "InstanceTenancy:1"},
		{"AWS::EKS::Cluster", `{"AccessConfig":{"AuthenticationMode":"API"}}`, `{"AccessConfig":{"AuthenticationMode":"API_AND_CONFIG_MAP"}}`, "AccessConfig:0"},
		{"AWS::EKS::Cluster", `{"AccessConfig":{"BootstrapClusterCreatorAdminPermissions":true}}`, `{"AccessConfig":{"BootstrapClusterCreatorAdminPermissions":false}}`, "AccessConfig:2"},
		{"AWS::SNS::Topic", `{"Tags":[{"Key":"a","Value":"b"}]}`, `{}`, "Tags:0"},
		{"AWS::IAM::Role", `{"ManagedPolicyArns":["a","b"]}`, `{"ManagedPolicyArns":["b","a"]}`, "ManagedPolicyArns:0"},
	} {
		var got []string
		for _, d := range get(t, tc.kind).Differences(values(t, tc.before), values(t, tc.after)) {
			got = append(got, d.Property+":"+string('0'+rune(d.Replaces)))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s %s → %s: got %v, want %s", tc.kind, tc.before, tc.after, got, tc.want)
		}
	}
}

func TestWithTags(t *testing.T) {
	tags := []spec.Tag{{Key: "a", Value: "stack"}, {Key: "b", Value: "stack"}}
	for _, tc := range []struct{ kind, in, want string }{
		{"AWS::SNS::Topic", `{"Tags":[{"Key":"a","Value":"own"}]}`, `{"Tags":[{"Key":"a","Value":"own"},{"Key":"b","Value":"stack"}]}`},
		{"AWS::EKS::Nodegroup", `{"Tags":{"a":"own"}}`, `{"Tags":{"a":"own","b":"stack"}}`},
		{"AWS::AutoScaling::AutoScalingGroup", `{}`, `{"Tags":[{"Key":"a","PropagateAtLaunch":true,"Value":"stack"},{"Key":"b","PropagateAtLaunch":true,"Value":"stack"}]}`},
		{"AWS::IAM::Policy", `{"PolicyName":"p"}`, `{"PolicyName":"p"}`},
	} {
		text, _ := json.Marshal(get(t, tc.kind).WithTags(values(t, tc.in), tags))
		if string(text) != tc.want {
			t.Errorf("%s: got %s, want %s", tc.kind, text, tc.want)
		}
	}
}

func TestSameName(t *testing.T) {
	for _, tc := range []struct {
		kind, before, after string
		want                bool
	}{
		{"AWS::IAM::ManagedPolicy", `{"ManagedPolicyName":"a","Description":"x"}`, `{"ManagedPolicyName":"a"}`, true},
		{"AWS::IAM::ManagedPolicy", `{"ManagedPolicyName":"a"}`, `{"ManagedPolicyName":"b"}`, false},
		{"AWS::IAM::ManagedPolicy", `{"Description":"x"}`, `{}`, false},
		{"AWS::EKS::Addon", `{"AddonName":"a","ClusterName":"c"}`, `{"AddonName":"a","ClusterName":"d"}`, false},
		{"AWS::EKS::Nodegroup", `{"NodegroupName":"a","ClusterName":"c"}`, `{"NodegroupName":"a","ClusterName":"c"}`, true},
		{"AWS::EKS::Nodegroup", `{"NodegroupName":"a","ClusterName":"c"}`, `{"NodegroupName":"a","ClusterName":"d"}`, false},
		{"AWS::Logs::MetricFilter", `{"FilterName":"a","LogGroupName":"c"}`, `{"FilterName":"a","LogGroupName":"d"}`, false},
		{"AWS::EC2::VPC", `{}`, `{}`, false},
	} {
		if _, got := get(t, tc.kind).SameName(values(t, tc.before), values(t, tc.after)); got != tc.want {
			t.Errorf("%s %s → %s: %v", tc.kind, tc.before, tc.after, got)
		}
	}
}

func TestNormalTags(t *testing.T) {
	got := spec.NormalTags([]spec.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}})
	if !slices.Equal(got, []spec.Tag{{Key: "a", Value: "2"}, {Key: "b", Value: "3"}}) {
		t.Errorf("%v", got)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"Resources: {A: {Type: 'Custom::VpcRestrictDefaultSG'}, B: {Type: 'AWS::Foo::Bar'}}", "Template format error: Unrecognized resource types: [Custom::VpcRestrictDefaultSG, AWS::Foo::Bar]"},
		{"Resources: {A: {Type: 'AWS::CDK::Metadata', Properties: {Analytics: x}}}", ""},
		{"Resources: {A: {Type: 'AWS::SNS::Topic'}}\nOutputs: {O: {Value: !GetAtt A.Foo}}", "Template error: resource A does not support attribute type Foo in Fn::GetAtt"},
		{"Resources: {A: {Type: 'AWS::SNS::Topic'}}\nOutputs: {O: {Value: !GetAtt A.DisplayName}}", ""},
		{"Resources: {A: {Type: 'AWS::SNS::Topic'}}\nOutputs: {O: {Value: !GetAtt A.DisplayName.X}}", "Template error: resource A does not support attribute type DisplayName.X in Fn::GetAtt"},
		{"Resources: {A: {Type: 'AWS::SNS::Topic'}}\nOutputs: {O: {Value: !Sub '${A.Foo}'}}", "Template error: instance of Fn::Sub references invalid resource attribute A.Foo"},
		{"Resources: {A: {Type: 'AWS::SNS::Topic', DeletionPolicy: Snapshot}}", "Template error: resource type AWS::SNS::Topic does not support deletion policy Snapshot"},
	} {
		tp, err := template.Parse(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := spec.Check(tp); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.text, got, tc.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {TopicName: x}}}", ""},
		{"Resources: {A: {Type: 'AWS::IAM::Role'}}", "CAPABILITY_IAM"},
		{"Resources: {A: {Type: 'AWS::IAM::Role'}, B: {Type: 'AWS::IAM::ManagedPolicy', Properties: {ManagedPolicyName: x}}}", "CAPABILITY_NAMED_IAM"},
		{"Resources: {A: {Type: 'AWS::IAM::Policy', Properties: {PolicyName: x}}}", "CAPABILITY_IAM"},
	} {
		tp, err := template.Parse(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := spec.Capabilities(tp); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.text, got, tc.want)
		}
	}
}
