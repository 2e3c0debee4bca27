package ec2

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// addGroupCalls registers the calls of security groups, prefix lists and network
// interfaces, with the resources and condition keys of the service authorization
// reference:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func (s *Service) addGroupCalls(svc *api.Service) {
	api.Add(svc, "DescribeSecurityGroups", s.DescribeSecurityGroups, nil)
	api.Add(svc, "DescribeSecurityGroupRules", s.DescribeSecurityGroupRules, nil)
	api.Add(svc, "CreateSecurityGroup", s.CreateSecurityGroup, func(_ context.Context, in *ec2.CreateSecurityGroupInput) []string {
		return append(s.arns("security-group", "*"), s.arns("vpc", aws.ToString(in.VpcId))...)
	})
	api.Add(svc, "DeleteSecurityGroup", s.DeleteSecurityGroup, func(_ context.Context, in *ec2.DeleteSecurityGroupInput) []string {
		return s.groupARNs(in.GroupId)
	})
	api.Add(svc, "AuthorizeSecurityGroupIngress", s.AuthorizeSecurityGroupIngress, func(_ context.Context, in *ec2.AuthorizeSecurityGroupIngressInput) []string {
		return s.newRuleARNs(in.GroupId, in.TagSpecifications)
	})
	api.Add(svc, "AuthorizeSecurityGroupEgress", s.AuthorizeSecurityGroupEgress, func(_ context.Context, in *ec2.AuthorizeSecurityGroupEgressInput) []string {
		return s.newRuleARNs(in.GroupId, in.TagSpecifications)
	})
	api.Add(svc, "RevokeSecurityGroupIngress", s.RevokeSecurityGroupIngress, func(_ context.Context, in *ec2.RevokeSecurityGroupIngressInput) []string {
		return s.groupARNs(in.GroupId)
	})
	api.Add(svc, "RevokeSecurityGroupEgress", s.RevokeSecurityGroupEgress, func(_ context.Context, in *ec2.RevokeSecurityGroupEgressInput) []string {
		return s.groupARNs(in.GroupId)
	})
	api.Add(svc, "UpdateSecurityGroupRuleDescriptionsIngress", s.UpdateSecurityGroupRuleDescriptionsIngress, func(_ context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput) []string {
		return s.groupARNs(in.GroupId)
	})
	api.Add(svc, "UpdateSecurityGroupRuleDescriptionsEgress", s.UpdateSecurityGroupRuleDescriptionsEgress, func(_ context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput) []string {
		return s.groupARNs(in.GroupId)
	})
	api.Add(svc, "ModifySecurityGroupRules", s.ModifySecurityGroupRules, s.modifiedRules)
	s.addListCalls(svc)
	api.Add(svc, "DescribeNetworkInterfaces", s.DescribeNetworkInterfaces, nil)
	api.Add(svc, "DescribeNetworkInterfaceAttribute", s.DescribeNetworkInterfaceAttribute, nil)
	api.Add(svc, "ModifyNetworkInterfaceAttribute", s.ModifyNetworkInterfaceAttribute, func(_ context.Context, in *ec2.ModifyNetworkInterfaceAttributeInput) []string {
		return append(s.arns("network-interface", aws.ToString(in.NetworkInterfaceId)), s.arns("security-group", in.Groups...)...)
	})
	api.WithKeys(svc, "ModifyNetworkInterfaceAttribute", func(_ context.Context, in *ec2.ModifyNetworkInterfaceAttributeInput, key string) policy.Values {
		if len(in.Groups) == 0 {
			return policy.Values{}
		}
		return attributeKey(key, "GroupSet", in.Groups...)
	})
	api.Add(svc, "DeleteNetworkInterface", s.DeleteNetworkInterface, func(_ context.Context, in *ec2.DeleteNetworkInterfaceInput) []string {
		return s.arns("network-interface", aws.ToString(in.NetworkInterfaceId))
	})
	s.addGroupLists(svc)
	s.addTagNeeds(svc)
}

func (s *Service) addListCalls(svc *api.Service) {
	api.Add(svc, "DescribeManagedPrefixLists", s.DescribeManagedPrefixLists, nil)
	api.Add(svc, "DescribePrefixLists", s.DescribePrefixLists, nil)
	api.Add(svc, "GetManagedPrefixListEntries", s.GetManagedPrefixListEntries, func(_ context.Context, in *ec2.GetManagedPrefixListEntriesInput) []string {
		return s.listARNs(in.PrefixListId)
	})
	api.Add(svc, "CreateManagedPrefixList", s.CreateManagedPrefixList, func(context.Context, *ec2.CreateManagedPrefixListInput) []string {
		return s.arns("prefix-list", "*")
	})
	api.Add(svc, "ModifyManagedPrefixList", s.ModifyManagedPrefixList, func(_ context.Context, in *ec2.ModifyManagedPrefixListInput) []string {
		return s.listARNs(in.PrefixListId)
	})
	api.Add(svc, "RestoreManagedPrefixListVersion", s.RestoreManagedPrefixListVersion, func(_ context.Context, in *ec2.RestoreManagedPrefixListVersionInput) []string {
		return s.listARNs(in.PrefixListId)
	})
	api.Add(svc, "DeleteManagedPrefixList", s.DeleteManagedPrefixList, func(_ context.Context, in *ec2.DeleteManagedPrefixListInput) []string {
		return s.listARNs(in.PrefixListId)
	})
	api.WithKeys(svc, "ModifyManagedPrefixList", func(_ context.Context, in *ec2.ModifyManagedPrefixListInput, key string) policy.Values {
		if in.PrefixListName == nil {
			return policy.Values{}
		}
		return attributeKey(key, "PrefixListName", *in.PrefixListName)
	})
}

// addTagNeeds: tags at creation need the permission to tag what is made, and give the
// key by which policies let them be given only so.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
func (s *Service) addTagNeeds(svc *api.Service) {
	tagged[ec2.CreateSecurityGroupInput](s, svc, "CreateSecurityGroup", "security-group")
	tagged[ec2.CreateManagedPrefixListInput](s, svc, "CreateManagedPrefixList", "prefix-list")
	tagged[ec2.AuthorizeSecurityGroupIngressInput](s, svc, "AuthorizeSecurityGroupIngress", "security-group-rule")
	tagged[ec2.AuthorizeSecurityGroupEgressInput](s, svc, "AuthorizeSecurityGroupEgress", "security-group-rule")
}

// tagged adds what tags at creation need to an operation without other needs or keys.
func tagged[I any](s *Service, svc *api.Service, name, kind string) {
	specified := fieldOf[I, []types.TagSpecification]("TagSpecifications")
	api.WithNeeds(svc, name, func(_ context.Context, in *I) []api.Need { return s.taggingOf(kind, specified(in)) })
	keyed(svc, name, func(*I, string) policy.Values { return policy.Values{} })
}

func (s *Service) taggingOf(kind string, specs []types.TagSpecification) []api.Need {
	if len(specs) == 0 {
		return nil
	}
	return []api.Need{{Action: "ec2:CreateTags", Resources: s.arns(kind, "*")}}
}

func (s *Service) groupARNs(id *string) []string {
	if aws.ToString(id) == "" { // named, in the default VPC
		return s.arns("security-group", "*")
	}
	return s.arns("security-group", *id)
}

// newRuleARNs: a rule that is tagged as it is made is asked for too.
func (s *Service) newRuleARNs(group *string, specs []types.TagSpecification) []string {
	all := s.groupARNs(group)
	if len(specs) > 0 {
		all = append(all, s.arn("security-group-rule", "*"))
	}
	return all
}

func (s *Service) modifiedRules(_ context.Context, in *ec2.ModifySecurityGroupRulesInput) []string {
	all := s.groupARNs(in.GroupId)
	for _, u := range in.SecurityGroupRules {
		all = append(all, s.arns("security-group-rule", aws.ToString(u.SecurityGroupRuleId))...)
		if u.SecurityGroupRule != nil && aws.ToString(u.SecurityGroupRule.PrefixListId) != "" {
			all = append(all, s.listARNs(u.SecurityGroupRule.PrefixListId)...)
		}
	}
	return all
}

func (s *Service) listARNs(id *string) []string {
	if l, ok := s.lists.Get(aws.ToString(id)); ok {
		return []string{s.listARN(l)}
	}
	return s.arns("prefix-list", aws.ToString(id))
}

// ofGroups answers for the condition keys of interfaces, which are not all in a table
// of their own.
func (s *Service) ofGroups(arn, key string) (v policy.Values, ours bool) {
	kind, id, _ := strings.Cut(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	if kind != "network-interface" {
		return policy.Values{}, false
	}
	n, ok := s.NetworkInterface(id)
	if !ok {
		return policy.Values{}, true
	}
	own := map[string]string{
		"ec2:networkinterfaceid": n.ID, "ec2:vpc": s.arn("vpc", n.VPC), "ec2:subnet": s.arn("subnet", n.Subnet), "ec2:availabilityzone": n.Zone,
	}
	if name, isTag := strings.CutPrefix(key, "aws:resourcetag/"); isTag {
		return api.TagValue(n.Tags, name), true
	}
	if value := own[key]; value != "" {
		return policy.One(value), true
	}
	return policy.Values{}, true
}
