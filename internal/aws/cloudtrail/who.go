package cloudtrail

import "strings"

// Username is who did it, as LookupEvents says: the user's name, the session's of
// a role, "root" of the account.
func (r *Record) Username() string {
	text := func(key string) string { s, _ := r.UserIdentity[key].(string); return s }
	switch text("type") {
	case "Root":
		return "root"
	case "AssumedRole", "FederatedUser":
		_, name, _ := strings.Cut(text("principalId"), ":")
		return name
	}
	return text("userName")
}

// AccessKeyID is the key that signed the call.
func (r *Record) AccessKeyID() string {
	id, _ := r.UserIdentity["accessKeyId"].(string)
	return id
}

// Thing is a resource that an event speaks of.
type Thing struct{ Type, Name string }

// named are the parameters that name a resource, by the service's event source:
// what the call is about first. CloudTrail's own table is not public: these are as
// its events show them.
var named = map[string][]struct{ parameter, kind string }{
	"iam.amazonaws.com": {
		{"roleName", "AWS::IAM::Role"}, {"userName", "AWS::IAM::User"}, {"groupName", "AWS::IAM::Group"},
		{"instanceProfileName", "AWS::IAM::InstanceProfile"}, {"openIDConnectProviderArn", "AWS::IAM::OIDCProvider"},
		{"policyArn", "AWS::IAM::Policy"}, {"policyName", "AWS::IAM::Policy"}, {"accessKeyId", "AWS::IAM::AccessKey"},
	},
	"sts.amazonaws.com":            {{"roleArn", "AWS::IAM::Role"}},
	"eks.amazonaws.com":            {{"name", "AWS::EKS::Cluster"}, {"clusterName", "AWS::EKS::Cluster"}, {"nodegroupName", "AWS::EKS::Nodegroup"}},
	"s3.amazonaws.com":             {{"bucketName", "AWS::S3::Bucket"}, {"bucket", "AWS::S3::Bucket"}},
	"cloudformation.amazonaws.com": {{"stackName", "AWS::CloudFormation::Stack"}, {"changeSetName", "AWS::CloudFormation::ChangeSet"}},
	"elasticloadbalancing.amazonaws.com": {
		{"loadBalancerArn", "AWS::ElasticLoadBalancingV2::LoadBalancer"}, {"targetGroupArn", "AWS::ElasticLoadBalancingV2::TargetGroup"},
	},
}

// Things are the resources of an event, each once: those its parameters name, and
// the credentials that its answer hands out.
func (r *Record) Things() (things []Thing) {
	add := func(kind, name string) {
		if name == "" {
			return
		}
		for _, t := range things {
			if t == (Thing{kind, name}) {
				return
			}
		}
		things = append(things, Thing{kind, name})
	}
	for _, n := range named[r.EventSource] {
		name, _ := r.RequestParameters[n.parameter].(string)
		add(n.kind, name)
	}
	key := func(in string) {
		object, _ := r.ResponseElements[in].(map[string]any)
		id, _ := object["accessKeyId"].(string)
		add("AWS::IAM::AccessKey", id)
	}
	key("credentials")
	key("accessKey")
	if user, ok := r.ResponseElements["assumedRoleUser"].(map[string]any); ok {
		id, _ := user["assumedRoleId"].(string)
		arn, _ := user["arn"].(string)
		add("AWS::STS::AssumedRole", id)
		add("AWS::STS::AssumedRole", arn)
	}
	return things
}

// Role is the name of the role whose session made the call, or "".
func (r *Record) Role() string {
	session, _ := r.UserIdentity["sessionContext"].(map[string]any)
	issuer, _ := session["sessionIssuer"].(map[string]any)
	name, _ := issuer["userName"].(string)
	if issuer["type"] != "Role" {
		return ""
	}
	return name
}

// AuthorizationID names the record of a refusal, or is "".
func (r *Record) AuthorizationID() string {
	id, _ := r.AdditionalEventData["authorizationId"].(string)
	return id
}
