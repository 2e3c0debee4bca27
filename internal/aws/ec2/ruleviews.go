package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// permissions are a group's rules of one direction as its description shows them:
// rules of the same ports together.
func (s *Service) permissions(rules []Rule, egress bool) []types.IpPermission {
	list := []types.IpPermission{}
	type ports struct {
		protocol string
		from, to int32
	}
	at := map[ports]int{}
	for _, r := range rules {
		if r.Egress != egress {
			continue
		}
		key := ports{r.Protocol, r.From, r.To}
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list = append(list, emptyPermission(r))
		}
		s.addPeer(&list[i], r)
	}
	return list
}

func emptyPermission(r Rule) types.IpPermission {
	p := types.IpPermission{
		IpProtocol: aws.String(r.Protocol), IpRanges: []types.IpRange{}, Ipv6Ranges: []types.Ipv6Range{},
		PrefixListIds: []types.PrefixListId{}, UserIdGroupPairs: []types.UserIdGroupPair{},
	}
	switch r.Protocol {
	case "tcp", "udp", "icmp", "icmpv6":
		p.FromPort, p.ToPort = aws.Int32(r.From), aws.Int32(r.To)
	}
	return p
}

func (s *Service) addPeer(p *types.IpPermission, r Rule) {
	description := pointer(r.Description)
	switch {
	case r.Group != "":
		p.UserIdGroupPairs = append(p.UserIdGroupPairs, types.UserIdGroupPair{GroupId: aws.String(r.Group), UserId: aws.String(s.place.AccountID), Description: description})
	case r.PrefixList != "":
		p.PrefixListIds = append(p.PrefixListIds, types.PrefixListId{PrefixListId: aws.String(r.PrefixList), Description: description})
	case r.CIDR.Addr().Is4():
		p.IpRanges = append(p.IpRanges, types.IpRange{CidrIp: aws.String(r.CIDR.String()), Description: description})
	default:
		p.Ipv6Ranges = append(p.Ipv6Ranges, types.Ipv6Range{CidrIpv6: aws.String(r.CIDR.String()), Description: description})
	}
}

// addPermissionFilters adds the filters on the rules of a direction.
func (s *Service) addPermissionFilters(known attributes[SecurityGroup], prefix string, egress bool) {
	each := func(name string, of func(Rule) []string) {
		known[prefix+name] = func(g SecurityGroup) (values []string) {
			for _, r := range g.Rules {
				if r.Egress == egress {
					values = append(values, of(r)...)
				}
			}
			return values
		}
	}
	block := func(v6 bool) func(Rule) []string {
		return func(r Rule) []string {
			if !r.CIDR.IsValid() || r.CIDR.Addr().Is4() == v6 {
				return nil
			}
			return prefixes([]netip.Prefix{r.CIDR})
		}
	}
	number := func(r Rule, n int32) []string {
		if r.From == -1 && r.To == -1 && !strings.HasPrefix(r.Protocol, "icmp") {
			return nil
		}
		return []string{strconv.Itoa(int(n))}
	}
	each("cidr", block(false))
	each("ipv6-cidr", block(true))
	each("from-port", func(r Rule) []string { return number(r, r.From) })
	each("to-port", func(r Rule) []string { return number(r, r.To) })
	each("protocol", func(r Rule) []string { return []string{r.Protocol} })
	each("prefix-list-id", func(r Rule) []string { return optional(r.PrefixList) })
	each("group-id", func(r Rule) []string { return optional(r.Group) })
	each("group-name", func(r Rule) []string {
		g, _ := s.groups.Get(r.Group)
		return optional(g.Name)
	})
	each("user-id", func(r Rule) []string {
		if r.Group == "" {
			return nil
		}
		return []string{s.place.AccountID}
	})
}

// groupRule is a rule with its group.
type groupRule struct {
	Rule
	of string // the group's id
}

// DescribeSecurityGroupRules lists rules.
func (s *Service) DescribeSecurityGroupRules(_ context.Context, in *ec2.DescribeSecurityGroupRulesInput) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	var all []groupRule
	for _, g := range s.groups.List("") {
		for _, r := range g.Rules {
			all = append(all, groupRule{r, g.ID})
		}
	}
	found, next, err := runOver(all, func(r groupRule) string { return r.ID }, ruleKind,
		query{in.DryRun, in.SecurityGroupRuleIds, in.Filters, in.MaxResults, in.NextToken, "DescribeSecurityGroupRules"},
		attributes[groupRule]{
			"group-id":               func(r groupRule) []string { return []string{r.of} },
			"security-group-rule-id": func(r groupRule) []string { return []string{r.ID} },
		}, func(r groupRule) map[string]string { return r.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupRulesOutput{NextToken: next, SecurityGroupRules: []types.SecurityGroupRule{}}
	for _, r := range found {
		out.SecurityGroupRules = append(out.SecurityGroupRules, s.ruleView(r.of, r.Rule))
	}
	return out, nil
}

func (s *Service) ruleView(group string, r Rule) types.SecurityGroupRule {
	view := types.SecurityGroupRule{
		SecurityGroupRuleId:  aws.String(r.ID),
		SecurityGroupRuleArn: aws.String(s.arn("security-group-rule", r.ID)),
		GroupId:              aws.String(group),
		GroupOwnerId:         aws.String(s.place.AccountID),
		IsEgress:             aws.Bool(r.Egress),
		IpProtocol:           aws.String(r.Protocol),
		FromPort:             aws.Int32(r.From),
		ToPort:               aws.Int32(r.To),
		Description:          pointer(r.Description),
		PrefixListId:         pointer(r.PrefixList),
		Tags:                 tags(r.Tags),
	}
	view.CidrIpv4, view.CidrIpv6 = blockViews(r)
	if r.Group != "" {
		view.ReferencedGroupInfo = &types.ReferencedSecurityGroup{GroupId: aws.String(r.Group), UserId: aws.String(s.place.AccountID)}
	}
	return view
}

func blockViews(r Rule) (v4, v6 *string) {
	switch {
	case !r.CIDR.IsValid():
		return nil, nil
	case r.CIDR.Addr().Is4():
		return aws.String(r.CIDR.String()), nil
	}
	return nil, aws.String(r.CIDR.String())
}

func revokedView(group string, r Rule) types.RevokedSecurityGroupRule {
	view := types.RevokedSecurityGroupRule{
		SecurityGroupRuleId: aws.String(r.ID), GroupId: aws.String(group), IsEgress: aws.Bool(r.Egress), IpProtocol: aws.String(r.Protocol),
		FromPort: aws.Int32(r.From), ToPort: aws.Int32(r.To), Description: pointer(r.Description),
		PrefixListId: pointer(r.PrefixList), ReferencedGroupId: pointer(r.Group),
	}
	view.CidrIpv4, view.CidrIpv6 = blockViews(r)
	return view
}

// runOver selects a page of resources that have no table of their own, as run
// does of a table's.
func runOver[T any](all []T, id func(T) string, k kind, q query, known attributes[T], tags func(T) map[string]string) ([]T, *string, error) {
	if err := q.check(k); err != nil {
		return nil, nil, err
	}
	match, err := matcher(q.filters, known, tags)
	if err != nil {
		return nil, nil, err
	}
	for _, want := range q.ids {
		if k.malformed != "" && !strings.HasPrefix(want, k.prefix) {
			return nil, nil, malformedID(k, want)
		}
		if !slices.ContainsFunc(all, func(r T) bool { return id(r) == want }) {
			return nil, nil, notThere(k, want)
		}
	}
	found := slices.DeleteFunc(all, func(r T) bool { return len(q.ids) > 0 && !slices.Contains(q.ids, id(r)) || !match(r) })
	return pagedFrom(0, q, found, id)
}
