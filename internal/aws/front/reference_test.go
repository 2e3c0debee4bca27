package front_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/engine/actions"
)

// unlisted are actions that AWS asks with a resource though the reference lists
// none: AWS's refusals name these, by the beginning of an ARN's last part.
var unlisted = map[string]string{
	"eks:CreateCluster":           "cluster/",
	"eks:ListClusters":            "cluster/*",
	"eks:DescribeClusterVersions": "*",
	"iam:ListGroups":              "group/",
	"iam:ListInstanceProfiles":    "instance-profile/",
	"iam:ListPolicies":            "policy/",
	"iam:ListRoles":               "role/",
	"iam:ListUsers":               "user/",
	"logs:DescribeLogGroups":      "", // log-group::log-stream:
}

// newer are actions that the reference lacks.
var newer = map[string]string{
	"iam:GetRequestAuthorizationDetails": "of a preview; AWS documents it with the API itself",
}

// optional are actions that the reference lists resource types of, of which there are none
// here.
var optional = map[string]string{
	"cloudwatch:GetMetricData": noDataset,
	"cloudwatch:ListMetrics":   noDataset,
	"cloudwatch:PutMetricData": noDataset,
}

// absent are keys that the reference lists and no call here has, by "action key"
// or "key", with the reason.
var absent = map[string]string{
	"iam:FIDO-FIPS-140-2-certification":                                                  "MFA devices are virtual: there are no security keys",
	"iam:FIDO-FIPS-140-3-certification":                                                  "MFA devices are virtual: there are no security keys",
	"iam:FIDO-certification":                                                             "MFA devices are virtual: there are no security keys",
	"ecr:ListTagsForResource aws:RequestTag/${TagKey}":                                   "a list asks for no tags",
	"ecr:ListTagsForResource aws:TagKeys":                                                "a list asks for no tags",
	"cloudformation:CreateChangeSet cloudformation:StackPolicyUrl":                       "a change set has no stack policy",
	"iam:RegisterSecurityKey":                                                            "MFA devices are virtual: there are no security keys",
	"ec2:IpamPrefixListResolverTargetId":                                                 "there is no IPAM",
	"ec2:ManagedResourceOperator":                                                        "no service operates resources of the account",
	"autoscaling:ImageId":                                                                "of overrides, which have types alone here",
	"autoscaling:InstanceTypes":                                                          noOverrides,
	"autoscaling:OperatorPrincipal":                                                      "no service operates groups of the account",
	"autoscaling:TargetCapacityTypes":                                                    "there is no spot capacity",
	"eks:DeletePodIdentityAssociation aws:ResourceTag/${TagKey}":                         noAssociation,
	"eks:DescribePodIdentityAssociation aws:ResourceTag/${TagKey}":                       noAssociation,
	"eks:UpdatePodIdentityAssociation aws:ResourceTag/${TagKey}":                         noAssociation,
	"cloudwatch:HasAccessGrant":                                                          "there are no access grants",
	"iam:RoleTemplateARN":                                                                "there are no role templates, so no role is made from one",
	"ec2:RunInstances ec2:LaunchTemplate":                                                "a request that names one by id and by name has none: the service's own test",
	"ec2:CreateTags ec2:CreateAction":                                                    "is of tags given at creation, for which CreateTags is asked beside",
	"eks:DisassociateAccessPolicy eks:accessScope":                                       "the request names a policy, not its scope",
	"eks:DisassociateAccessPolicy eks:namespaces":                                        "the request names a policy, not its scope",
	"ec2:CpuOptionsAmdSevSnp":                                                            noOption,
	"ec2:InstanceAutoRecovery":                                                           noOption,
	"ec2:InstanceBandwidthWeighting":                                                     noOption,
	"ec2:PlacementGroup":                                                                 noOption,
	"ec2:ProductCode":                                                                    noOption,
	"ec2:Ipv4IpamPoolId":                                                                 "there are no IPAM pools",
	"ec2:Ipv6IpamPoolId":                                                                 "there are no IPAM pools",
	"elasticloadbalancing:SecurityPolicy":                                                "there are no certificates, so no listener speaks TLS",
	"elasticloadbalancing:AddTags elasticloadbalancing:CreateAction":                     "only tags that are given while something is made have it",
	"elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:ListenerProtocol":      "of Classic Load Balancers, which no call makes",
	"elasticloadbalancing:RemoveTags aws:RequestTag/${TagKey}":                           "a tag that is taken away has no value",
	"elasticloadbalancing:CreateLoadBalancer aws:ResourceTag/${TagKey}":                  "what is not made yet has no tags",
	"elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:ResourceTag/${TagKey}": "what is not made yet has no tags",
	"elasticloadbalancing:CreateTargetGroup aws:ResourceTag/${TagKey}":                   "what is not made yet has no tags",
	"elasticloadbalancing:CreateTargetGroup elasticloadbalancing:ResourceTag/${TagKey}":  "what is not made yet has no tags",
}

const (
	noOverrides   = "of overrides, deeper in the request than this test fills: the service's own test"
	noDataset     = "metrics are in no datasets"
	noOption      = "instances have no such option"
	noAssociation = "ids of associations are drawn, so that there is none of this one: the service's own test"
	noLogging     = "there is no delivery status logging, which has roles"
	noParameters  = "images named by a parameter are not resolved"
)

// twice are actions of two APIs, of which the reference lists the resources of one.
var twice = map[string]bool{"elasticloadbalancing:AddTags": true, "elasticloadbalancing:RemoveTags": true}

// TestReference walks all operations of all services: each is an action of the
// service authorization reference, is asked with resources of the action's types,
// and has the condition keys that the reference lists, when its input says all
// that it can.
func TestReference(t *testing.T) {
	door, _ := everyService(t)
	operations := door.Operations()
	if len(operations) < 90 {
		t.Fatalf("only %d operations are registered", len(operations))
	}
	used := map[string]bool{}
	for _, name := range front.Sorted(operations) {
		ctx := api.WithCaller(t.Context(), &api.Caller{Type: api.User, AccountID: "111122223333", PrincipalARN: "arn:aws:iam::111122223333:user/u", Name: "u"})
		in := operations[name](ctx, nil).Op.Input()
		fill(reflect.ValueOf(in).Elem(), "", 0)
		nameResource(in, name)
		asked := operations[name](ctx, in)
		specifyTags(in, resourcesOf(ctx, asked, in))
		table, action := actions.Look(asked.Action)
		if action == nil {
			if newer[asked.Action] == "" {
				t.Errorf("%s: there is no action %s", name, asked.Action)
			}
			continue
		}
		if got := table.Prefix + ":" + action.Name; got != asked.Action {
			t.Errorf("%s: the action is spelled %s", name, got)
		}
		if asked.Op.SelfAuthorized || asked.Op.Open || asked.Op.Unsigned {
			continue // the service's own tests
		}
		types := checkResources(t, table, action, asked, resourcesOf(ctx, asked, in))
		for _, key := range listedKeys(table, action, types) {
			why := asked.Action + " " + key
			if absent[why] == "" {
				why = key
			}
			has := has(asked, resourcesOf(ctx, asked, in), key)
			if absent[why] != "" {
				used[why] = true
				if has {
					t.Errorf("%s has the key %s, though %s", name, key, absent[why])
				}
			} else if !has {
				t.Errorf("%s lacks the key %s", name, key)
			}
		}
		checkDependent(t, name, action, asked, ctx, in)
		if asked.Op.Also != nil {
			for _, need := range asked.Op.Also(ctx, in) {
				table, action := actions.Look(need.Action)
				if action == nil {
					t.Errorf("%s needs %s, which is no action", name, need.Action)
					continue
				}
				checkResources(t, table, action, front.Asked{Action: need.Action}, need.Resources)
			}
		}
	}
	for why := range absent {
		if !used[why] {
			t.Errorf("no operation lists %s any more", why)
		}
	}
}

// inside are dependent actions that a service asks for by itself, because only it
// knows when they are needed.
var inside = map[string]string{
	"cloudformation:DescribeStacks cloudformation:ListStacks":        "of a call that names no stack",
	"ec2:CreateVpcEndpoint ec2:DescribeSecurityGroups":               "of the console, which shows them",
	"ec2:CreateVpcEndpoint ec2:DescribeSubnets":                      "of the console, which shows them",
	"ec2:CreateVpcEndpoint ec2:DescribeVpcs":                         "of the console, which shows them",
	"ec2:CreateVpcEndpoint route53:AssociateVPCWithHostedZone":       "of interface endpoints with private DNS alone",
	"iam:AddRoleToInstanceProfile iam:PassRole":                      "of the role, if it is there",
	"ec2:CreateLaunchTemplate ssm:GetParameters":                     noParameters,
	"ec2:RunInstances ssm:GetParameters":                             noParameters,
	"ec2:RunInstances iam:PassRole":                                  "of the profile's role, if it is there",
	"ec2:CreateLaunchTemplateVersion ssm:GetParameters":              noParameters,
	"ec2:DescribeLaunchTemplateVersions ssm:GetParameters":           noParameters,
	"sns:CreateTopic iam:PassRole":                                   noLogging,
	"sns:SetTopicAttributes iam:PassRole":                            noLogging,
	"ec2:CreateFlowLogs iam:PassRole":                                "with the service that the role is passed to",
	"logs:PutDestination iam:PassRole":                               "with the service that the role is passed to",
	"logs:PutSubscriptionFilter iam:PassRole":                        "with the service that the role is passed to",
	"ec2:CreateFlowLogs ecs:ListClusters":                            "there is no ECS",
	"ec2:CreateFlowLogs ecs:ListContainerInstances":                  "there is no ECS",
	"ec2:CreateFlowLogs ecs:ListServices":                            "there is no ECS",
	"ec2:CreateFlowLogs ecs:ListTaskDefinitions":                     "there is no ECS",
	"ec2:CreateFlowLogs ecs:ListTasks":                               "there is no ECS",
	"autoscaling:CreateAutoScalingGroup iam:CreateServiceLinkedRole": "when the role is not there",
	"autoscaling:CreateAutoScalingGroup iam:PassRole":                "of a role that the request names",
	"autoscaling:UpdateAutoScalingGroup iam:PassRole":                "of a role that the request names",
}

// checkDependent: the actions that the reference says a call needs too are asked.
func checkDependent(t *testing.T, name string, action *actions.Action, asked front.Asked, ctx context.Context, in any) {
	t.Helper()
	dependent := slices.Clone(action.Dependent)
	for _, u := range action.Resources {
		dependent = append(dependent, u.Dependent...)
	}
	for _, d := range dependent {
		also := asked.Op.Also != nil && slices.ContainsFunc(asked.Op.Also(ctx, in), func(n api.Need) bool { return n.Action == d })
		if !also && inside[asked.Action+" "+d] == "" {
			t.Errorf("%s does not ask for %s", name, d)
		}
	}
}

func resourcesOf(ctx context.Context, asked front.Asked, in any) []string {
	if asked.Op.Resources == nil {
		return []string{"*"}
	}
	if list := asked.Op.Resources(ctx, in); len(list) > 0 {
		return list
	}
	return []string{"*"}
}

// checkResources says which resource types the things have that are there.
func checkResources(t *testing.T, table *actions.Table, action *actions.Action, asked front.Asked, resources []string) (types []int) {
	t.Helper()
	for _, arn := range resources {
		if len(action.Resources) == 0 {
			kind, known := unlisted[asked.Action]
			if arn != "*" && !(known && strings.HasPrefix(arn[strings.LastIndexByte(arn, ':')+1:], kind)) {
				t.Errorf("%s is asked with %s; the reference lists no resource", asked.Action, arn)
			}
			continue
		}
		i := slices.IndexFunc(action.Resources, func(u actions.Use) bool { return table.Resources[u.Type].Matches(arn) })
		if i < 0 && twice[asked.Action] && slices.ContainsFunc(table.Resources, func(r actions.ResourceType) bool { return r.Matches(arn) }) {
			continue
		}
		if arn == "*" && optional[asked.Action] != "" {
			continue
		}
		if i < 0 {
			t.Errorf("%s is asked with %s, which is none of its resource types", asked.Action, arn)
			continue
		}
		if strings.HasSuffix(arn, "/"+thing) || table.Prefix == "sns" {
			types = append(types, i)
		}
	}
	return types
}

// listedKeys are the keys of the action, of the resource types it was asked with,
// and of these as it uses them.
func listedKeys(table *actions.Table, action *actions.Action, types []int) (keys []string) {
	add := func(list []uint16) {
		for _, k := range list {
			if name := table.Keys[k].Name; !slices.Contains(keys, name) {
				keys = append(keys, name)
			}
		}
	}
	add(action.Keys)
	for _, i := range types {
		add(action.Resources[i].Keys)
		// What is made has no tags yet. EC2's types list what any action uses of them,
		// so that only what this one uses says what it must have.
		if !strings.HasPrefix(action.Name, "Create") && table.Prefix != "ec2" {
			add(table.Resources[action.Resources[i].Type].Keys)
		}
	}
	return keys
}

// attributes are what the calls that modify one attribute modify here.
var attributes = map[string]string{
	"ec2:ModifyInstanceMetadataDefaults":  "httptokens",
	"ec2:ModifyInstanceMetadataOptions":   "httptokens",
	"ec2:ModifyManagedPrefixList":         "prefixlistname",
	"ec2:ModifyNetworkInterfaceAttribute": "groupset",
}

// has says whether any resource of the call has the key. A variable part of a
// key's name stands for what fill writes.
func has(asked front.Asked, resources []string, key string) bool {
	key = strings.ToLower(key)
	attribute := attributes[asked.Action]
	if v := asked.Keys.Values(resources[0], "ec2:attribute"); v.Len() > 0 {
		attribute = strings.ToLower(v.At(0))
	}
	for _, r := range [][2]string{{"${tagkey}", "team"}, {"resourcetag/tag-key", "resourcetag/team"}, {"${type}", "api"}, {"${attributename}", attribute}} {
		key = strings.ReplaceAll(key, r[0], r[1])
	}
	return slices.ContainsFunc(resources, func(arn string) bool { return asked.Keys.Values(arn, key).Len() > 0 })
}

// nameResource makes the ARN whose tags a call is about one of its service.
func nameResource(in any, operation string) {
	of := map[string]string{
		"sns": "arn:aws:sns:us-west-2:" + number + ":" + thing, "ecr": "arn:aws:ecr:us-west-2:" + number + ":repository/" + thing,
		"logs": "arn:aws:logs:us-west-2:" + number + ":log-group:" + thing,
	}
	service, _, _ := strings.Cut(operation, ":")
	if f := reflect.ValueOf(in).Elem().FieldByName("ResourceArn"); f.IsValid() && of[service] != "" {
		arn := of[service]
		f.Set(reflect.ValueOf(&arn))
	}
}

// specifyTags makes EC2's tags at creation be for what is made.
func specifyTags(in any, resources []string) {
	list := reflect.ValueOf(in).Elem().FieldByName("TagSpecifications")
	kind, _, isNew := strings.Cut(resources[0][strings.LastIndexByte(resources[0], ':')+1:], "/")
	if list.IsValid() && list.Len() > 0 && isNew {
		list.Index(0).FieldByName("ResourceType").SetString(kind)
	}
}

// TestKeysOfNothing: what a caller leaves out has no values, for policies ask
// whether it is there (Null).
func TestKeysOfNothing(t *testing.T) {
	door, _ := everyService(t)
	operations := door.Operations()
	presence := []string{"eks:kubeApiServerConfig", "eks:kubeControllerManagerConfig", "eks:kubeSchedulerConfig", "ec2:Region"}
	for _, name := range front.Sorted(operations) {
		in := operations[name](t.Context(), nil).Op.Input()
		asked := operations[name](t.Context(), in)
		table, action := actions.Look(asked.Action)
		if action == nil || asked.Op.SelfAuthorized {
			continue
		}
		for _, key := range listedKeys(table, action, nil) {
			if !slices.Contains(presence, key) && key != "iam:PolicyARN" && key != "iam:AWSServiceName" && has(asked, []string{"*"}, key) {
				t.Errorf("%s without parameters has the key %s", name, key)
			}
		}
		if asked.Op.Also != nil && len(asked.Op.Also(t.Context(), in)) != 0 {
			t.Errorf("%s without parameters needs more than its action", name)
		}
	}
}

const (
	number = "111122223333"
	thing  = "thing" // the name of everything

	balancers = "arn:aws:elasticloadbalancing:us-west-2:" + number + ":"
)

// fill sets every field of an input, so that it says all that a caller can say.
func fill(v reflect.Value, name string, depth int) {
	if depth > 6 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !f.Anonymous && f.Type != reflect.TypeFor[time.Time]() {
				fill(v.Field(i), f.Name, depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, depth+1)
	case reflect.Map:
		if v.Type() == reflect.TypeFor[map[string]string]() {
			v.Set(reflect.ValueOf(map[string]string{"team": "a"}))
		}
	case reflect.String:
		v.SetString(text(v.Type(), name))
	}
}

func text(t reflect.Type, field string) string {
	switch {
	case t.Name() == "LogType":
		return "api"
	case field == "PathPrefix", field == "Path", field == "NewPath":
		return "/"
	case field == "Key", field == "TagKeys":
		return "team"
	case field == "PolicyArn":
		return "arn:aws:iam::" + number + ":policy/" + thing
	case field == "PolicySourceArn", field == "Arn", field == "CallerArn":
		return "arn:aws:iam::" + number + ":user/" + thing
	case field == "SerialNumber":
		return "arn:aws:iam::" + number + ":mfa/" + thing
	case field == "OpenIDConnectProviderArn":
		return "arn:aws:iam::" + number + ":oidc-provider/" + thing
	case field == "TopicArn":
		return "arn:aws:sns:us-west-2:" + number + ":" + thing
	case field == "SubscriptionArn":
		return "arn:aws:sns:us-west-2:" + number + ":" + thing + ":" + thing
	case field == "ResourceArn":
		return "arn:aws:eks:us-west-2:" + number + ":cluster/" + thing
	case field == "ResourceARN":
		return "arn:aws:cloudwatch:us-west-2:" + number + ":alarm:" + thing
	case field == "LoadBalancerArn", field == "ResourceArns":
		return balancers + "loadbalancer/net/" + thing + "/" + thing
	case field == "TargetGroupArn":
		return balancers + "targetgroup/" + thing + "/" + thing
	case field == "ListenerArn":
		return balancers + "listener/net/" + thing + "/" + thing + "/" + thing
	case field == "LookupTableArn":
		return "arn:aws:logs:us-west-2:" + number + ":lookup-table:" + thing
	case strings.HasSuffix(field, "Arn"):
		return "arn:aws:iam::" + number + ":role/" + thing
	case field == "Resources":
		return "vpc-" + thing
	case field == "DeletionTaskId":
		return "task/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS/4ae0e5c9-6a0c-4b8e-a8fd-1d8c7d0a2b11"
	}
	return thing
}
