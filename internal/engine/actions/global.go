package actions

import (
	"slices"
	"strings"
)

// global are the condition keys that any service's request may carry, with the
// types that AWS gives them. Source:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
var global = []Key{
	{"aws:CalledVia", ArrayOfString},
	{"aws:CalledViaFirst", String},
	{"aws:CalledViaLast", String},
	{"aws:CurrentTime", Date},
	{"aws:Ec2InstanceSourcePrivateIPv4", IPAddress},
	{"aws:Ec2InstanceSourceVpc", String},
	{"aws:EpochTime", Numeric}, // a Date too
	{"aws:FederatedProvider", String},
	{"aws:MultiFactorAuthAge", Numeric},
	{"aws:MultiFactorAuthPresent", Bool},
	{"aws:PrincipalAccount", String},
	{"aws:PrincipalArn", ARN},
	{"aws:PrincipalIsAWSService", Bool},
	{"aws:PrincipalOrgID", String},
	{"aws:PrincipalOrgPaths", ArrayOfString},
	{"aws:PrincipalServiceName", String},
	{"aws:PrincipalServiceNamesList", ArrayOfString},
	{"aws:PrincipalTag/${TagKey}", String},
	{"aws:PrincipalType", String},
	{"aws:referer", String},
	{"aws:RequestedRegion", String},
	{"aws:RequestTag/${TagKey}", String},
	{"aws:ResourceAccount", String},
	{"aws:ResourceOrgID", String},
	{"aws:ResourceOrgPaths", ArrayOfString},
	{"aws:ResourceTag/${TagKey}", String},
	{"aws:SecureTransport", Bool},
	{"aws:SourceAccount", String},
	{"aws:SourceArn", ARN},
	{"aws:SourceIdentity", String},
	{"aws:SourceIp", IPAddress},
	{"aws:SourceOrgID", String},
	{"aws:SourceOrgPaths", ArrayOfString},
	{"aws:SourceVpc", String},
	{"aws:SourceVpcArn", ARN},
	{"aws:SourceVpce", String},
	{"aws:TagKeys", ArrayOfString},
	{"aws:TokenIssueTime", Date},
	{"aws:UserAgent", String},
	{"aws:userid", String},
	{"aws:username", String},
	{"aws:ViaAWSService", Bool},
	{"aws:VpcSourceIp", IPAddress},
	{"ec2:RoleDelivery", Numeric},
	{"ec2:SourceInstanceArn", ARN},
}

// Global lists the condition keys that do not belong to a service, sorted by
// name in lower case.
func Global() []Key { return slices.Clone(global) }

// GlobalKey finds one of them by the name that a policy gives it, in any case of
// letters, with any variable part.
func GlobalKey(name string) (Key, bool) {
	for _, k := range global {
		if strings.EqualFold(k.Name, name) || k.Named(name) {
			return k, true
		}
	}
	return Key{}, false
}
