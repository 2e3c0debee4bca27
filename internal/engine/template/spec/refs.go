package spec

import "strings"

// refs says what Ref gives, the physical id: parts joined by "|" or "/", each a
// property or an attribute, or the first of several (with ","). "" is an id that the
// stack makes itself, for what has none. From the "Return values" of each type's page in
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
var refs = map[string]string{
	"AWS::AutoScaling::AutoScalingGroup":    "AutoScalingGroupName",
	"AWS::CDK::Metadata":                    "",
	"AWS::CloudWatch::Alarm":                "AlarmName",
	"AWS::CloudWatch::CompositeAlarm":       "AlarmName",
	"AWS::EC2::EIP":                         "PublicIp",
	"AWS::EC2::EgressOnlyInternetGateway":   "Id",
	"AWS::EC2::InternetGateway":             "InternetGatewayId",
	"AWS::EC2::LaunchTemplate":              "LaunchTemplateId",
	"AWS::EC2::NatGateway":                  "NatGatewayId",
	"AWS::EC2::PlacementGroup":              "GroupName",
	"AWS::EC2::Route":                       "RouteTableId|DestinationCidrBlock,DestinationIpv6CidrBlock,DestinationPrefixListId",
	"AWS::EC2::RouteTable":                  "RouteTableId",
	"AWS::EC2::SecurityGroup":               "GroupId",
	"AWS::EC2::SecurityGroupEgress":         "Id",
	"AWS::EC2::SecurityGroupIngress":        "Id",
	"AWS::EC2::Subnet":                      "SubnetId",
	"AWS::EC2::SubnetCidrBlock":             "Id",
	"AWS::EC2::SubnetRouteTableAssociation": "Id",
	"AWS::EC2::VPC":                         "VpcId",
	"AWS::EC2::VPCCidrBlock":                "Id",
	"AWS::EC2::VPCEndpoint":                 "Id",
	"AWS::EC2::VPCGatewayAttachment":        "AttachmentType|VpcId",
	"AWS::ECR::Repository":                  "RepositoryName",
	"AWS::EKS::AccessEntry":                 "PrincipalArn|ClusterName",
	"AWS::EKS::Addon":                       "ClusterName|AddonName",
	"AWS::EKS::Cluster":                     "Name",
	"AWS::EKS::Nodegroup":                   "ClusterName/NodegroupName",
	"AWS::EKS::PodIdentityAssociation":      "AssociationArn",
	"AWS::Events::Rule":                     "Name",
	"AWS::IAM::InstanceProfile":             "InstanceProfileName",
	"AWS::IAM::ManagedPolicy":               "PolicyArn",
	"AWS::IAM::OIDCProvider":                "Arn",
	"AWS::IAM::Policy":                      "",
	"AWS::IAM::Role":                        "RoleName",
	"AWS::KMS::Alias":                       "AliasName",
	"AWS::KMS::Key":                         "KeyId",
	"AWS::Logs::LogGroup":                   "LogGroupName",
	"AWS::Logs::MetricFilter":               "FilterName",
	"AWS::S3::Bucket":                       "BucketName",
	"AWS::S3::BucketPolicy":                 "Bucket",
	"AWS::SNS::Subscription":                "Arn",
	"AWS::SNS::TopicPolicy":                 "",
	"AWS::SNS::Topic":                       "TopicArn",
	"AWS::SQS::Queue":                       "QueueUrl",
	"AWS::SQS::QueuePolicy":                 "",
	"AWS::SSM::Parameter":                   "Name",
}

// PhysicalID makes a resource's physical id of its properties and attributes;
// attributes count first. It is false where one is missing, and where the stack makes
// the id itself (PhysicalName).
func (t *Type) PhysicalID(properties, attributes map[string]any) (string, bool) {
	form := refs[t.Name]
	if form == "" {
		return "", false
	}
	separator := "|"
	if strings.Contains(form, "/") {
		separator = "/"
	}
	var parts []string
	for part := range strings.SplitSeq(form, separator) {
		text := ""
		for name := range strings.SplitSeq(part, ",") {
			for _, from := range []map[string]any{attributes, properties} {
				if s, ok := from[name].(string); ok && text == "" {
					text = s
				}
			}
		}
		if text == "" {
			return "", false
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, separator), true
}

// RefForm says what Ref gives for a type, in the form of the table: names of
// properties and attributes; "" is an id that the stack makes.
func RefForm(name string) (string, bool) {
	form, found := refs[name]
	return form, found
}
