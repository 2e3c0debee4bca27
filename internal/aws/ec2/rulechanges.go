package ec2

import (
	"context"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// AuthorizeSecurityGroupIngress adds rules for what may come in.
func (s *Service) AuthorizeSecurityGroupIngress(ctx context.Context, in *ec2.AuthorizeSecurityGroupIngressInput) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	f := flat{in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId}
	made, err := s.authorize(ctx, in.DryRun, false, in.GroupId, in.GroupName, in.IpPermissions, f, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	return &ec2.AuthorizeSecurityGroupIngressOutput{Return: aws.Bool(true), SecurityGroupRules: made}, nil
}

// AuthorizeSecurityGroupEgress adds rules for what may go out.
func (s *Service) AuthorizeSecurityGroupEgress(ctx context.Context, in *ec2.AuthorizeSecurityGroupEgressInput) (*ec2.AuthorizeSecurityGroupEgressOutput, error) {
	f := flat{in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId}
	if f.given() {
		return nil, invalidCombination("Only Amazon VPC security groups' ipPermissions may be used with this operation.")
	}
	made, err := s.authorize(ctx, in.DryRun, true, in.GroupId, nil, in.IpPermissions, f, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	return &ec2.AuthorizeSecurityGroupEgressOutput{Return: aws.Bool(true), SecurityGroupRules: made}, nil
}

func (s *Service) authorize(ctx context.Context, dryRun *bool, egress bool, id, name *string, list []types.IpPermission, f flat, specs []types.TagSpecification) ([]types.SecurityGroupRule, error) {
	named, err := tagsFor(ctx, types.ResourceTypeSecurityGroupRule, specs)
	if err != nil {
		return nil, err
	}
	var made []types.SecurityGroupRule
	err = s.changeGroups(ctx, dryRun, func(tx *store.Tx) error {
		g, err := s.groupIn(tx, id, name)
		if err != nil {
			return err
		}
		rules, err := s.rulesOf(tx, g, egress, list, f)
		if err != nil {
			return err
		}
		made = nil
		g.Rules = slices.Clone(g.Rules)
		for _, r := range rules {
			if indexOf(g.Rules, r) >= 0 {
				return duplicateRule(r)
			}
			r.ID, r.Tags = newID("sgr-"), named
			g.Rules = append(g.Rules, r)
			made = append(made, s.ruleView(g.ID, r))
		}
		if err := s.checkQuota(tx, g); err != nil {
			return err
		}
		s.groups.In(tx).Put(g.ID, g)
		return nil
	})
	return made, err
}

func duplicateRule(r Rule) error {
	return api.Errorf(http.StatusBadRequest, "InvalidPermission.Duplicate", `the specified rule "%s" already exists`, r)
}

func noSuchRule() error {
	return api.Errorf(http.StatusBadRequest, "InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
}

// RevokeSecurityGroupIngress takes rules for what may come in away.
func (s *Service) RevokeSecurityGroupIngress(ctx context.Context, in *ec2.RevokeSecurityGroupIngressInput) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	f := flat{in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId}
	gone, unknown, err := s.revoke(ctx, in.DryRun, false, in.GroupId, in.GroupName, in.SecurityGroupRuleIds, in.IpPermissions, f)
	if err != nil {
		return nil, err
	}
	return &ec2.RevokeSecurityGroupIngressOutput{Return: aws.Bool(len(unknown) == 0), RevokedSecurityGroupRules: gone, UnknownIpPermissions: unknown}, nil
}

// RevokeSecurityGroupEgress takes rules for what may go out away.
func (s *Service) RevokeSecurityGroupEgress(ctx context.Context, in *ec2.RevokeSecurityGroupEgressInput) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	f := flat{in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId}
	gone, unknown, err := s.revoke(ctx, in.DryRun, true, in.GroupId, nil, in.SecurityGroupRuleIds, in.IpPermissions, f)
	if err != nil {
		return nil, err
	}
	return &ec2.RevokeSecurityGroupEgressOutput{Return: aws.Bool(len(unknown) == 0), RevokedSecurityGroupRules: gone, UnknownIpPermissions: unknown}, nil
}

// revoke removes rules by their ids or by what they let through. Rules that are
// not there are an error, and nothing is revoked; in a default VPC they are told.
func (s *Service) revoke(ctx context.Context, dryRun *bool, egress bool, id, name *string, ruleIDs []string, list []types.IpPermission, f flat) (gone []types.RevokedSecurityGroupRule, unknown []types.IpPermission, err error) {
	if len(ruleIDs) > 0 && (len(list) > 0 || f.given()) {
		return nil, nil, invalidCombination("The parameter securityGroupRuleIds may not be used in combination with ipPermissions")
	}
	err = s.changeGroups(ctx, dryRun, func(tx *store.Tx) error {
		gone, unknown = nil, nil
		g, err := s.groupIn(tx, id, name)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		take := func(i int) {
			gone = append(gone, revokedView(g.ID, g.Rules[i]))
			g.Rules = slices.Delete(g.Rules, i, i+1)
		}
		for _, ruleID := range ruleIDs {
			i, err := ruleByID(g, ruleID, egress)
			if err != nil {
				return err
			}
			take(i)
		}
		var absent []Rule
		if len(ruleIDs) == 0 {
			rules, err := s.rulesOf(tx, g, egress, list, f)
			if err != nil {
				return err
			}
			for _, r := range rules {
				if i := indexOf(g.Rules, r); i >= 0 {
					take(i)
				} else {
					absent = append(absent, r)
				}
			}
		}
		if vpc, _ := s.vpcs.In(tx).Get(g.VPC); len(absent) > 0 && !vpc.Default {
			return noSuchRule()
		}
		unknown = s.permissions(absent, egress)
		s.groups.In(tx).Put(g.ID, g)
		return nil
	})
	return gone, unknown, err
}

// ruleByID finds a group's rule of a direction.
func ruleByID(g SecurityGroup, id string, egress bool) (int, error) {
	i := slices.IndexFunc(g.Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return 0, notThere(ruleKind, id)
	}
	if g.Rules[i].Egress != egress {
		direction := "ingress"
		if egress {
			direction = "egress"
		}
		return 0, invalid("The security group rule ID '%s' is not an %s rule.", id, direction)
	}
	return i, nil
}

// ModifySecurityGroupRules replaces rules; they keep their ids and tags.
func (s *Service) ModifySecurityGroupRules(ctx context.Context, in *ec2.ModifySecurityGroupRulesInput) (*ec2.ModifySecurityGroupRulesOutput, error) {
	if len(in.SecurityGroupRules) == 0 {
		return nil, absent("SecurityGroupRules")
	}
	err := s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) error {
		g, err := s.groupIn(tx, in.GroupId, nil)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		for _, update := range in.SecurityGroupRules {
			id := aws.ToString(update.SecurityGroupRuleId)
			i := slices.IndexFunc(g.Rules, func(r Rule) bool { return r.ID == id })
			if i < 0 {
				return notThere(ruleKind, id)
			}
			old := g.Rules[i]
			now, err := s.ruleOf(tx, g, old.Egress, update.SecurityGroupRule)
			if err != nil {
				return err
			}
			if peerKind(now) != peerKind(old) {
				return invalid("You may not modify a security group rule's type of source or destination: %s has another.", id)
			}
			if j := indexOf(g.Rules, now); j >= 0 && j != i {
				return duplicateRule(now)
			}
			now.ID, now.Tags = old.ID, old.Tags
			g.Rules[i] = now
		}
		if err := s.checkQuota(tx, g); err != nil {
			return err
		}
		s.groups.In(tx).Put(g.ID, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifySecurityGroupRulesOutput{Return: aws.Bool(true)}, nil
}

// peerKind is the kind of a rule's peer: one kind can't be modified into another.
func peerKind(r Rule) string {
	switch {
	case r.Group != "":
		return "group"
	case r.PrefixList != "":
		return "prefix list"
	case r.CIDR.Addr().Is4():
		return "IPv4"
	}
	return "IPv6"
}

// UpdateSecurityGroupRuleDescriptionsIngress describes rules anew.
func (s *Service) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressInput) (*ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	if err := s.redescribe(ctx, in.DryRun, false, in.GroupId, in.GroupName, in.IpPermissions, in.SecurityGroupRuleDescriptions); err != nil {
		return nil, err
	}
	return &ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: aws.Bool(true)}, nil
}

// UpdateSecurityGroupRuleDescriptionsEgress describes rules anew.
func (s *Service) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressInput) (*ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	if err := s.redescribe(ctx, in.DryRun, true, in.GroupId, in.GroupName, in.IpPermissions, in.SecurityGroupRuleDescriptions); err != nil {
		return nil, err
	}
	return &ec2.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: aws.Bool(true)}, nil
}

func (s *Service) redescribe(ctx context.Context, dryRun *bool, egress bool, id, name *string, list []types.IpPermission, byID []types.SecurityGroupRuleDescription) error {
	if len(byID) > 0 == (len(list) > 0) {
		return invalidCombination("Exactly one of ipPermissions and securityGroupRuleDescriptions must be specified.")
	}
	return s.changeGroups(ctx, dryRun, func(tx *store.Tx) error {
		g, err := s.groupIn(tx, id, name)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		for _, d := range byID {
			i, err := ruleByID(g, aws.ToString(d.SecurityGroupRuleId), egress)
			if err != nil {
				return err
			}
			if err := g.Rules[i].describe(d.Description); err != nil {
				return err
			}
		}
		if len(list) > 0 {
			rules, err := s.rulesOf(tx, g, egress, list, flat{})
			if err != nil {
				return err
			}
			for _, r := range rules {
				i := indexOf(g.Rules, r)
				if i < 0 {
					return noSuchRule()
				}
				g.Rules[i].Description = r.Description
			}
		}
		s.groups.In(tx).Put(g.ID, g)
		return nil
	})
}
