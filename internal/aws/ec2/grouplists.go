package ec2

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func (s *Service) addGroupLists(svc *api.Service) {
	api.Add(svc, "GetSecurityGroupsForVpc", s.GetSecurityGroupsForVpc, func(_ context.Context, in *ec2.GetSecurityGroupsForVpcInput) []string {
		return s.on("vpc", in.VpcId)
	})
	api.Add(svc, "DescribeSecurityGroupReferences", s.DescribeSecurityGroupReferences, func(_ context.Context, in *ec2.DescribeSecurityGroupReferencesInput) []string {
		return s.arns("security-group", in.GroupId...)
	})
	api.Add(svc, "DescribeStaleSecurityGroups", s.DescribeStaleSecurityGroups, nil)
}

// GetSecurityGroupsForVpc lists the groups that interfaces of a VPC can have: its own,
// for groups are not shared here.
func (s *Service) GetSecurityGroupsForVpc(_ context.Context, in *ec2.GetSecurityGroupsForVpcInput) (*ec2.GetSecurityGroupsForVpcOutput, error) {
	if err := s.knownVPC(in.VpcId); err != nil {
		return nil, err
	}
	found, next, err := runOver(s.groupsIn(*in.VpcId), func(g SecurityGroup) string { return g.ID }, groupKind,
		query{in.DryRun, nil, in.Filters, in.MaxResults, in.NextToken, "GetSecurityGroupsForVpc"},
		attributes[SecurityGroup]{
			"group-id":       func(g SecurityGroup) []string { return []string{g.ID} },
			"group-name":     func(g SecurityGroup) []string { return []string{g.Name} },
			"description":    func(g SecurityGroup) []string { return []string{g.Description} },
			"owner-id":       func(SecurityGroup) []string { return []string{s.place.AccountID} },
			"primary-vpc-id": func(g SecurityGroup) []string { return []string{g.VPC} },
		}, func(g SecurityGroup) map[string]string { return g.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.GetSecurityGroupsForVpcOutput{NextToken: next, SecurityGroupForVpcs: []types.SecurityGroupForVpc{}}
	for _, g := range found {
		out.SecurityGroupForVpcs = append(out.SecurityGroupForVpcs, types.SecurityGroupForVpc{
			GroupId: aws.String(g.ID), GroupName: aws.String(g.Name), Description: aws.String(g.Description),
			OwnerId: aws.String(s.place.AccountID), PrimaryVpcId: aws.String(g.VPC), Tags: tags(g.Tags),
		})
	}
	return out, nil
}

// knownVPC refuses a VPC that isn't there.
func (s *Service) knownVPC(id *string) error {
	if aws.ToString(id) == "" {
		return absent("vpcId")
	}
	_, err := named(s.vpcs, vpcKind, []string{*id})
	return err
}

func (s *Service) groupsIn(vpc string) []SecurityGroup {
	return slices.DeleteFunc(s.SecurityGroups(), func(g SecurityGroup) bool { return g.VPC != vpc })
}

// DescribeSecurityGroupReferences lists the other VPCs whose groups name these. Only
// what joins VPCs lets them, and there is nothing here that does.
func (s *Service) DescribeSecurityGroupReferences(_ context.Context, in *ec2.DescribeSecurityGroupReferencesInput) (*ec2.DescribeSecurityGroupReferencesOutput, error) {
	if len(in.GroupId) == 0 {
		return nil, absent("groupId")
	}
	if _, err := named(s.groups, groupKind, in.GroupId); err != nil {
		return nil, err
	}
	if err := (query{dryRun: in.DryRun}).check(groupKind); err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupReferencesOutput{SecurityGroupReferenceSet: []types.SecurityGroupReference{}}
	for _, id := range in.GroupId {
		g, _ := s.groups.Get(id)
		for _, other := range s.SecurityGroups() {
			if other.VPC != g.VPC && slices.ContainsFunc(other.Rules, func(r Rule) bool { return r.Group == id }) {
				out.SecurityGroupReferenceSet = append(out.SecurityGroupReferenceSet, types.SecurityGroupReference{GroupId: aws.String(id), ReferencingVpcId: aws.String(other.VPC)})
			}
		}
	}
	return out, nil
}

// DescribeStaleSecurityGroups lists a VPC's groups with rules that name groups which
// are gone, or of a VPC that this one has no way to.
func (s *Service) DescribeStaleSecurityGroups(_ context.Context, in *ec2.DescribeStaleSecurityGroupsInput) (*ec2.DescribeStaleSecurityGroupsOutput, error) {
	if err := s.knownVPC(in.VpcId); err != nil {
		return nil, err
	}
	stale := func(r Rule) bool {
		g, ok := s.groups.Get(r.Group)
		return r.Group != "" && (!ok || g.VPC != *in.VpcId)
	}
	all := slices.DeleteFunc(s.groupsIn(*in.VpcId), func(g SecurityGroup) bool { return !slices.ContainsFunc(g.Rules, stale) })
	q := query{dryRun: in.DryRun, max: in.MaxResults, next: in.NextToken, call: "DescribeStaleSecurityGroups"}
	if err := q.check(groupKind); err != nil {
		return nil, err
	}
	found, next, err := paged(q, all, func(g SecurityGroup) string { return g.ID })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeStaleSecurityGroupsOutput{NextToken: next, StaleSecurityGroupSet: []types.StaleSecurityGroup{}}
	for _, g := range found {
		rules := slices.DeleteFunc(slices.Clone(g.Rules), func(r Rule) bool { return !stale(r) })
		out.StaleSecurityGroupSet = append(out.StaleSecurityGroupSet, types.StaleSecurityGroup{
			GroupId: aws.String(g.ID), GroupName: aws.String(g.Name), Description: aws.String(g.Description), VpcId: aws.String(g.VPC),
			StaleIpPermissions: s.stalePermissions(rules, false), StaleIpPermissionsEgress: s.stalePermissions(rules, true),
		})
	}
	return out, nil
}

func (s *Service) stalePermissions(rules []Rule, egress bool) []types.StaleIpPermission {
	all := []types.StaleIpPermission{}
	for _, p := range s.permissions(rules, egress) {
		all = append(all, types.StaleIpPermission{
			IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, UserIdGroupPairs: p.UserIdGroupPairs, IpRanges: []string{}, PrefixListIds: []string{},
		})
	}
	return all
}
