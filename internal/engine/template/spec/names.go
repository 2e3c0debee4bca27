package spec

import (
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
)

// RandomSize is the number of characters that a made name ends in.
const RandomSize = 12

// naming says how a type's names are made where the template gives none.
type naming struct {
	property string // that holds the name; "" where it can't be given
	limit    int    // in characters
	lower    bool
	// prefix and separator differ for few: SSM parameters are CFN-LOGICAL-RANDOM.
	logical bool   // without the stack's name
	prefix  string // before all
}

// namings are the types that have names or ids made by the stack. Limits are those
// of the services' APIs.
var namings = map[string]naming{
	"AWS::AutoScaling::AutoScalingGroup": {property: "AutoScalingGroupName", limit: 255},
	"AWS::CDK::Metadata":                 {limit: 128},
	"AWS::CloudWatch::Alarm":             {property: "AlarmName", limit: 255},
	"AWS::CloudWatch::CompositeAlarm":    {property: "AlarmName", limit: 255},
	"AWS::EC2::LaunchTemplate":           {property: "LaunchTemplateName", limit: 128, logical: true},
	"AWS::EC2::PlacementGroup":           {limit: 255},
	"AWS::EC2::SecurityGroup":            {property: "GroupName", limit: 255},
	"AWS::ECR::Repository":               {property: "RepositoryName", limit: 256, lower: true},
	"AWS::EKS::Addon":                    {property: "AddonName", limit: 100},
	"AWS::EKS::Cluster":                  {property: "Name", limit: 100, logical: true},
	"AWS::EKS::Nodegroup":                {property: "NodegroupName", limit: 63, logical: true},
	"AWS::Events::Rule":                  {property: "Name", limit: 64},
	"AWS::IAM::InstanceProfile":          {property: "InstanceProfileName", limit: 128},
	"AWS::IAM::ManagedPolicy":            {property: "ManagedPolicyName", limit: 128},
	"AWS::IAM::Policy":                   {limit: 128},
	"AWS::IAM::Role":                     {property: "RoleName", limit: 64},
	"AWS::KMS::Alias":                    {property: "AliasName", limit: 256},
	"AWS::Logs::LogGroup":                {property: "LogGroupName", limit: 512},
	"AWS::Logs::MetricFilter":            {property: "FilterName", limit: 512},
	"AWS::S3::Bucket":                    {property: "BucketName", limit: 63, lower: true},
	"AWS::SNS::Topic":                    {property: "TopicName", limit: 256},
	"AWS::SNS::TopicPolicy":              {limit: 128},
	"AWS::SQS::Queue":                    {property: "QueueName", limit: 80},
	"AWS::SQS::QueuePolicy":              {limit: 128},
	"AWS::SSM::Parameter":                {property: "Name", limit: 1011, logical: true, prefix: "CFN-"},
}

// NameProperty is the property that gives a resource its own name, "" where there is
// none. A resource that has it can't be replaced under the same name.
func (t *Type) NameProperty() string { return namings[t.Name].property }

// SameName returns the name that the template gives a resource before and after a
// change, and whether the two would be one: then a replacement can't stand beside
// what it replaces. What else identifies a resource (an add-on's cluster) may
// differ.
func (t *Type) SameName(before, after map[string]any) (string, bool) {
	own := t.NameProperty()
	name, named := template.Text(after[own])
	if own == "" || !named {
		return "", false
	}
	parts := append([]string{own}, t.Identifier...)
	parts = append(parts, strings.FieldsFunc(refs[t.Name], func(c rune) bool { return strings.ContainsRune("|/,", c) })...)
	for _, p := range parts {
		if !template.Equal(before[p], after[p]) {
			return name, false
		}
	}
	return name, true
}

// PhysicalName makes the name of a resource that the template gives none:
// STACK-LOGICAL-RANDOM, stack and logical id cut to what the type allows. random
// are RandomSize characters of 0-9, A-Z, a-z. Types whose ids their service makes
// have no name: "".
func (t *Type) PhysicalName(stack, logical, random string) string {
	n, found := namings[t.Name]
	if !found {
		return ""
	}
	room := n.limit - len(n.prefix) - len(random) - 1
	name := n.prefix + cut(logical, room)
	if !n.logical {
		// The shorter of the two leaves the other what it doesn't need.
		room--
		half := room / 2
		s := min(len(stack), max(half, room-len(logical)))
		name = n.prefix + cut(stack, s) + "-" + cut(logical, room-s)
	}
	name += "-" + random
	if n.lower {
		name = strings.ToLower(name)
	}
	return name
}

func cut(s string, n int) string { return s[:min(len(s), max(n, 0))] }
