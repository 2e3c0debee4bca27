package resources

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
)

func errState(what, state string) error {
	return errors.New(what + " is in state " + state + " and hence failed to stabilize")
}

// permission is a rule as a property says it; of ingress or egress.
func permission(p map[string]any) types.IpPermission {
	x := types.IpPermission{IpProtocol: ptr(p, "IpProtocol"), FromPort: integer(p, "FromPort"), ToPort: integer(p, "ToPort")}
	description := ptr(p, "Description")
	if v := ptr(p, "CidrIp"); v != nil {
		x.IpRanges = []types.IpRange{{CidrIp: v, Description: description}}
	}
	if v := ptr(p, "CidrIpv6"); v != nil {
		x.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: v, Description: description}}
	}
	for _, name := range []string{"SourcePrefixListId", "DestinationPrefixListId"} {
		if v := ptr(p, name); v != nil {
			x.PrefixListIds = []types.PrefixListId{{PrefixListId: v, Description: description}}
		}
	}
	for _, name := range []string{"SourceSecurityGroupId", "DestinationSecurityGroupId"} {
		if v := ptr(p, name); v != nil {
			x.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: v, UserId: ptr(p, "SourceSecurityGroupOwnerId"), Description: description}}
		}
	}
	return x
}

// checkRule refuses what rules of groups in a VPC can't have.
func checkRule(p map[string]any) error {
	if text(p, "SourceSecurityGroupName") != "" || text(p, "GroupName") != "" {
		return errors.New("Encountered unsupported property SourceSecurityGroupName: groups of a VPC have ids") //lint:ignore ST1005 as CloudFormation writes it
	}
	return nil
}

// rules authorizes or revokes rules, which may be there or gone.
func rules(ctx context.Context, j *Job, group, direction string, list []map[string]any, add bool) error {
	for _, p := range list {
		if err := checkRule(p); err != nil {
			return err
		}
		one := []types.IpPermission{permission(p)}
		var s step
		switch {
		case add && direction == "SecurityGroupIngress":
			s = step{"AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: one}}
		case add:
			s = step{"AuthorizeSecurityGroupEgress", &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &group, IpPermissions: one}}
		case direction == "SecurityGroupIngress":
			s = step{"RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: one}}
		default:
			s = step{"RevokeSecurityGroupEgress", &ec2.RevokeSecurityGroupEgressInput{GroupId: &group, IpPermissions: one}}
		}
		if err := undo(ctx, j, "ec2", s); err != nil && api.Code(err) != "InvalidPermission.Duplicate" {
			return err
		}
	}
	return nil
}

// open is the rule that a new group has, which lets all out.
var open = map[string]any{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}

func createGroup(ctx context.Context, j *Job) (Made, error) {
	p, id := j.Properties, j.PhysicalID
	name := j.name("GroupName")
	if id == "" {
		out, err := call[ec2.CreateSecurityGroupOutput](ctx, j, "ec2", "CreateSecurityGroup", &ec2.CreateSecurityGroupInput{
			GroupName: &name, Description: ptr(p, "GroupDescription"), VpcId: ptr(p, "VpcId"), TagSpecifications: specified(j, types.ResourceTypeSecurityGroup),
		})
		switch {
		case err == nil:
			id = *out.GroupId
		case exists(err) && j.mine(nil):
			found, e := call[ec2.DescribeSecurityGroupsOutput](ctx, j, "ec2", "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{where("group-name", name)}})
			if e != nil || len(found.SecurityGroups) != 1 {
				return Made{}, err
			}
			id = *found.SecurityGroups[0].GroupId
		default:
			return Made{}, err
		}
		j.initiated(id)
	}
	found, err := call[ec2.DescribeSecurityGroupsOutput](ctx, j, "ec2", "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	if err != nil {
		return Made{ID: id}, err
	}
	made := Made{id, map[string]any{"GroupId": id, "Id": id, "VpcId": ""}}
	for _, g := range found.SecurityGroups {
		made.Attributes["VpcId"] = aws.ToString(g.VpcId)
	}
	return made, setRules(ctx, j, id, map[string]any{})
}

// setRules makes a group's rules those of the properties, where they were those of before.
func setRules(ctx context.Context, j *Job, id string, before map[string]any) error {
	for _, direction := range []string{"SecurityGroupIngress", "SecurityGroupEgress"} {
		was, now := objects(before, direction), objects(j.Properties, direction)
		if direction == "SecurityGroupEgress" {
			if len(was) == 0 {
				was = []map[string]any{open}
			}
			if len(now) == 0 {
				now = []map[string]any{open}
			}
		}
		less := slices.DeleteFunc(slices.Clone(was), func(r map[string]any) bool { return hasRule(now, r) })
		more := slices.DeleteFunc(slices.Clone(now), func(r map[string]any) bool { return hasRule(was, r) })
		if err := rules(ctx, j, id, direction, less, false); err != nil {
			return err
		}
		if err := rules(ctx, j, id, direction, more, true); err != nil {
			return err
		}
	}
	return nil
}

func hasRule(list []map[string]any, r map[string]any) bool {
	return slices.ContainsFunc(list, func(x map[string]any) bool { return template.Equal(any(x), any(r)) })
}

func updateGroup(ctx context.Context, j *Job) (Made, error) {
	if err := setRules(ctx, j, j.PhysicalID, j.Old); err != nil {
		return Made{}, err
	}
	return updateTags(ctx, j)
}

func deleteGroup(ctx context.Context, j *Job) error {
	return whenFree(ctx, j, step{"DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: &j.PhysicalID}})
}

func createIngress(ctx context.Context, j *Job) (Made, error) {
	if err := checkRule(j.Properties); err != nil {
		return Made{}, err
	}
	if j.PhysicalID == "" {
		out, err := call[ec2.AuthorizeSecurityGroupIngressOutput](ctx, j, "ec2", "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{
			GroupId: ptr(j.Properties, "GroupId"), IpPermissions: []types.IpPermission{permission(j.Properties)},
		})
		var made []types.SecurityGroupRule
		if err == nil {
			made = out.SecurityGroupRules
		}
		if err := ruleMade(ctx, j, made, false, err); err != nil {
			return Made{}, err
		}
	}
	return Made{j.PhysicalID, map[string]any{"Id": j.PhysicalID}}, nil
}

func createEgress(ctx context.Context, j *Job) (Made, error) {
	if j.PhysicalID == "" {
		out, err := call[ec2.AuthorizeSecurityGroupEgressOutput](ctx, j, "ec2", "AuthorizeSecurityGroupEgress", &ec2.AuthorizeSecurityGroupEgressInput{
			GroupId: ptr(j.Properties, "GroupId"), IpPermissions: []types.IpPermission{permission(j.Properties)},
		})
		var made []types.SecurityGroupRule
		if err == nil {
			made = out.SecurityGroupRules
		}
		if err := ruleMade(ctx, j, made, true, err); err != nil {
			return Made{}, err
		}
	}
	return Made{j.PhysicalID, map[string]any{"Id": j.PhysicalID}}, nil
}

// ruleMade notes the id of a rule that was made, or was there already: by an earlier run.
func ruleMade(ctx context.Context, j *Job, made []types.SecurityGroupRule, egress bool, err error) error {
	if j.Again && api.Code(err) == "InvalidPermission.Duplicate" {
		found, e := call[ec2.DescribeSecurityGroupRulesOutput](ctx, j, "ec2", "DescribeSecurityGroupRules", &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{where("group-id", text(j.Properties, "GroupId"))}})
		if e != nil {
			return err
		}
		for _, r := range found.SecurityGroupRules {
			if sameRule(&r, j.Properties, egress) {
				made, err = append(made, r), nil
			}
		}
	}
	if err != nil {
		return err
	}
	if len(made) == 0 {
		return errState("The rule", "absent")
	}
	j.initiated(*made[0].SecurityGroupRuleId)
	return nil
}

// sameRule says whether a rule is the one that properties describe.
func sameRule(r *types.SecurityGroupRule, p map[string]any, egress bool) bool {
	want := permission(p)
	if aws.ToBool(r.IsEgress) != egress || aws.ToString(r.IpProtocol) != aws.ToString(want.IpProtocol) {
		return false
	}
	if want.FromPort != nil && aws.ToInt32(r.FromPort) != *want.FromPort || want.ToPort != nil && aws.ToInt32(r.ToPort) != *want.ToPort {
		return false
	}
	group := ""
	if r.ReferencedGroupInfo != nil {
		group = aws.ToString(r.ReferencedGroupInfo.GroupId)
	}
	return aws.ToString(r.CidrIpv4) == text(p, "CidrIp") && aws.ToString(r.CidrIpv6) == text(p, "CidrIpv6") &&
		aws.ToString(r.PrefixListId) == text(p, "SourcePrefixListId")+text(p, "DestinationPrefixListId") &&
		group == text(p, "SourceSecurityGroupId")+text(p, "DestinationSecurityGroupId")
}

// describeRule changes a rule's description, the one thing of it that can be changed.
func describeRule(operation string) func(context.Context, *Job) (Made, error) {
	return func(ctx context.Context, j *Job) (Made, error) {
		description := text(j.Properties, "Description")
		list := []types.SecurityGroupRuleDescription{{SecurityGroupRuleId: &j.PhysicalID, Description: &description}}
		var in any = &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: ptr(j.Properties, "GroupId"), SecurityGroupRuleDescriptions: list}
		if operation == "UpdateSecurityGroupRuleDescriptionsEgress" {
			in = &ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: ptr(j.Properties, "GroupId"), SecurityGroupRuleDescriptions: list}
		}
		return Made{}, do(ctx, j, "ec2", step{operation, in})
	}
}

func deleteIngress(ctx context.Context, j *Job) error {
	return do(ctx, j, "ec2", step{"RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{GroupId: ptr(j.Old, "GroupId"), SecurityGroupRuleIds: []string{j.PhysicalID}}})
}

func deleteEgress(ctx context.Context, j *Job) error {
	return do(ctx, j, "ec2", step{"RevokeSecurityGroupEgress", &ec2.RevokeSecurityGroupEgressInput{GroupId: ptr(j.Old, "GroupId"), SecurityGroupRuleIds: []string{j.PhysicalID}}})
}
