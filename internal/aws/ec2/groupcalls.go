package ec2

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// groupText is what names and descriptions of groups and rules may be made of.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
var groupText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]*$`)

const maxGroupText = 255

// CreateSecurityGroup makes a group that lets nothing in and everything out.
func (s *Service) CreateSecurityGroup(ctx context.Context, in *ec2.CreateSecurityGroupInput) (*ec2.CreateSecurityGroupOutput, error) {
	name, description := aws.ToString(in.GroupName), aws.ToString(in.Description)
	if err := checkNewGroup(name, description); err != nil {
		return nil, err
	}
	named, err := tagsFor(ctx, types.ResourceTypeSecurityGroup, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	vpc := aws.ToString(in.VpcId)
	if vpc == "" {
		if vpc, err = s.defaultVPC(); err != nil {
			return nil, err
		}
	}
	g := SecurityGroup{ID: newID("sg-"), VPC: vpc, Name: name, Description: description, Tags: named,
		Rules: []Rule{{ID: newID("sgr-"), Egress: true, Protocol: anyProtocol, From: -1, To: -1, CIDR: everyIPv4}}}
	err = s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) error {
		if _, ok := s.vpcs.In(tx).Get(vpc); !ok {
			return notThere(vpcKind, vpc)
		}
		count := 0
		for _, other := range s.groups.In(tx).List("") {
			if other.VPC == vpc && other.Name == name {
				return api.Errorf(http.StatusBadRequest, "InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, vpc)
			}
			count++
		}
		if count >= maxGroups {
			return api.Errorf(http.StatusBadRequest, "SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
		}
		s.groups.In(tx).Put(g.ID, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateSecurityGroupOutput{GroupId: &g.ID, SecurityGroupArn: aws.String(s.arn("security-group", g.ID)), Tags: tags(named)}, nil
}

func checkNewGroup(name, description string) error {
	switch {
	case name == "":
		return absent("GroupName")
	case description == "":
		return absent("GroupDescription")
	case name == defaultGroup:
		return invalid("Cannot use reserved security group name: %s", name)
	case strings.HasPrefix(name, groupKind.prefix):
		return invalid("Invalid group name. Group names may not be in the format sg-*")
	case len(name) > maxGroupText || !groupText.MatchString(name):
		return invalidText("GroupName", name)
	case len(description) > maxGroupText || !groupText.MatchString(description):
		return invalidText("GroupDescription", description)
	}
	return nil
}

func invalidText(parameter, value string) error {
	if len(value) > maxGroupText {
		return invalid("Value (%s) for parameter %s is invalid. Length exceeds maximum of %d.", value, parameter, maxGroupText)
	}
	return invalid("Value (%s) for parameter %s is invalid. Valid characters are a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*.", value, parameter)
}

// DeleteSecurityGroup removes a group that nothing uses.
func (s *Service) DeleteSecurityGroup(ctx context.Context, in *ec2.DeleteSecurityGroupInput) (*ec2.DeleteSecurityGroupOutput, error) {
	var id string
	err := s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) error {
		g, err := s.groupIn(tx, in.GroupId, in.GroupName)
		if err != nil {
			return err
		}
		if g.Name == defaultGroup {
			return api.Errorf(http.StatusBadRequest, "CannotDelete", `the specified group: "%s" name: "%s" cannot be deleted by a user`, g.ID, g.Name)
		}
		if len(s.usersOf(tx, g.ID)) > 0 {
			return api.Errorf(http.StatusBadRequest, "DependencyViolation", "resource %s has a dependent object", g.ID)
		}
		id = g.ID
		s.groups.In(tx).Delete(g.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.DeleteSecurityGroupOutput{Return: aws.Bool(true), GroupId: &id}, nil
}

// DescribeSecurityGroups lists security groups.
func (s *Service) DescribeSecurityGroups(_ context.Context, in *ec2.DescribeSecurityGroupsInput) (*ec2.DescribeSecurityGroupsOutput, error) {
	if err := s.checkGroupNames(in.GroupNames); err != nil {
		return nil, err
	}
	filters := in.Filters
	if len(in.GroupNames) > 0 {
		filters = append(slices.Clone(filters), types.Filter{Name: aws.String("group-name"), Values: escaped(in.GroupNames)})
	}
	known := attributes[SecurityGroup]{
		"group-id":    func(g SecurityGroup) []string { return []string{g.ID} },
		"group-name":  func(g SecurityGroup) []string { return []string{g.Name} },
		"description": func(g SecurityGroup) []string { return []string{g.Description} },
		"vpc-id":      func(g SecurityGroup) []string { return []string{g.VPC} },
		"owner-id":    func(SecurityGroup) []string { return []string{s.place.AccountID} },
	}
	s.addPermissionFilters(known, "ip-permission.", false)
	s.addPermissionFilters(known, "egress.ip-permission.", true)
	found, next, err := run(s.groups, groupKind, query{in.DryRun, in.GroupIds, filters, in.MaxResults, in.NextToken, "DescribeSecurityGroups"},
		known, func(g SecurityGroup) map[string]string { return g.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupsOutput{NextToken: next, SecurityGroups: []types.SecurityGroup{}}
	for _, g := range found {
		out.SecurityGroups = append(out.SecurityGroups, types.SecurityGroup{
			GroupId:             aws.String(g.ID),
			SecurityGroupArn:    aws.String(s.arn("security-group", g.ID)),
			GroupName:           aws.String(g.Name),
			Description:         aws.String(g.Description),
			VpcId:               aws.String(g.VPC),
			OwnerId:             aws.String(s.place.AccountID),
			IpPermissions:       s.permissions(g.Rules, false),
			IpPermissionsEgress: s.permissions(g.Rules, true),
			Tags:                tags(g.Tags),
		})
	}
	return out, nil
}

func (s *Service) checkGroupNames(names []string) error {
	for _, name := range names {
		known := false
		for _, g := range s.groups.List("") {
			known = known || g.Name == name
		}
		if !known {
			return api.Errorf(http.StatusBadRequest, "InvalidGroup.NotFound", "The security group '%s' does not exist", name)
		}
	}
	return nil
}
