package ec2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func (s *Service) addDHCP(svc *api.Service) {
	add(s, svc, "DescribeDhcpOptions", s.DescribeDhcpOptions, nil)
	add(s, svc, "DescribeNetworkAcls", s.DescribeNetworkAcls, nil)
}

// DHCPOptions is the region's default set. Machines here are told the same without
// DHCP; there is no other set.
type DHCPOptions struct{ ID string }

// dhcpOf is the set of a VPC.
func (s *Service) dhcpOf(v VPC) string {
	if v.DHCP != "" {
		return v.DHCP
	}
	return s.defaultDHCP()
}

func (s *Service) defaultDHCP() string { return "dopt-0" + digestOf(s.place)[:16] }

// domainName is what AWS gives machines of a region as their domain.
func (s *Service) domainName() string {
	if s.place.Region == "us-east-1" {
		return "ec2.internal"
	}
	return s.place.Region + ".compute.internal"
}

// DescribeDhcpOptions lists the default set.
func (s *Service) DescribeDhcpOptions(_ context.Context, in *ec2.DescribeDhcpOptionsInput) (*ec2.DescribeDhcpOptionsOutput, error) {
	id := s.defaultDHCP()
	for _, given := range in.DhcpOptionsIds {
		if given != id {
			return nil, refuse("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '%s' does not exist", given)
		}
	}
	settings := [][2]string{{"domain-name", s.domainName()}, {"domain-name-servers", "AmazonProvidedDNS"}}
	match, err := matcher(in.Filters, attributes[string]{
		"dhcp-options-id": func(id string) []string { return []string{id} },
		"owner-id":        func(string) []string { return []string{s.place.AccountID} },
		"key":             func(string) []string { return []string{settings[0][0], settings[1][0]} },
		"value":           func(string) []string { return []string{settings[0][1], settings[1][1]} },
	}, func(string) map[string]string { return nil })
	if err != nil {
		return nil, err
	}
	rows := []string{}
	if match(id) {
		rows = append(rows, id)
	}
	rows, next, err := paged(query{ids: in.DhcpOptionsIds, filters: in.Filters, max: in.MaxResults, next: in.NextToken, call: "DescribeDhcpOptions"}, rows,
		func(id string) string { return id })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeDhcpOptionsOutput{NextToken: next, DhcpOptions: []types.DhcpOptions{}}
	for _, id := range rows {
		view := types.DhcpOptions{DhcpOptionsId: aws.String(id), OwnerId: aws.String(s.place.AccountID), Tags: []types.Tag{}}
		for _, kv := range settings {
			view.DhcpConfigurations = append(view.DhcpConfigurations, types.DhcpConfiguration{
				Key: aws.String(kv[0]), Values: []types.AttributeValue{{Value: aws.String(kv[1])}},
			})
		}
		out.DhcpOptions = append(out.DhcpOptions, view)
	}
	return out, nil
}

// NetworkACL is a VPC's default network ACL, which lets all through. There are no
// others.
type NetworkACL struct {
	ID, VPC string
	Default bool
	Tags    map[string]string
}

// DescribeNetworkAcls lists the default ACL of each VPC, which all its subnets have.
func (s *Service) DescribeNetworkAcls(_ context.Context, in *ec2.DescribeNetworkAclsInput) (*ec2.DescribeNetworkAclsOutput, error) {
	found, next, err := s.aclFamily.describe(query{nil, in.NetworkAclIds, in.Filters, in.MaxResults, in.NextToken, "DescribeNetworkAcls"},
		attributes[NetworkACL]{
			"network-acl-id":             func(a NetworkACL) []string { return []string{a.ID} },
			"vpc-id":                     func(a NetworkACL) []string { return []string{a.VPC} },
			"default":                    func(a NetworkACL) []string { return boolean(a.Default) },
			"owner-id":                   func(NetworkACL) []string { return []string{s.place.AccountID} },
			"association.network-acl-id": func(a NetworkACL) []string { return []string{a.ID} },
			"association.association-id": func(a NetworkACL) []string {
				var ids []string
				for _, n := range s.subnetsOf(a.VPC) {
					ids = append(ids, aclAssociation(n.ID))
				}
				return ids
			},
			"association.subnet-id": func(a NetworkACL) []string {
				var ids []string
				for _, n := range s.subnetsOf(a.VPC) {
					ids = append(ids, n.ID)
				}
				return ids
			},
			"entry.cidr":        func(NetworkACL) []string { return []string{"0.0.0.0/0"} },
			"entry.egress":      func(NetworkACL) []string { return []string{"true", "false"} },
			"entry.protocol":    func(NetworkACL) []string { return []string{"-1"} },
			"entry.rule-action": func(NetworkACL) []string { return []string{"allow", "deny"} },
			"entry.rule-number": func(NetworkACL) []string { return []string{"100", "32767"} },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNetworkAclsOutput{NextToken: next, NetworkAcls: []types.NetworkAcl{}}
	for _, a := range found {
		out.NetworkAcls = append(out.NetworkAcls, s.aclView(a))
	}
	return out, nil
}

func (s *Service) aclView(a NetworkACL) types.NetworkAcl {
	view := types.NetworkAcl{
		NetworkAclId: aws.String(a.ID), VpcId: aws.String(a.VPC), IsDefault: aws.Bool(a.Default), OwnerId: aws.String(s.place.AccountID),
		Associations: []types.NetworkAclAssociation{}, Tags: tags(a.Tags),
	}
	for _, egress := range []bool{true, false} {
		for _, rule := range []struct {
			number int32
			action types.RuleAction
		}{{100, types.RuleActionAllow}, {32767, types.RuleActionDeny}} {
			view.Entries = append(view.Entries, types.NetworkAclEntry{
				CidrBlock: aws.String("0.0.0.0/0"), Egress: aws.Bool(egress), Protocol: aws.String("-1"), RuleAction: rule.action, RuleNumber: aws.Int32(rule.number),
			})
		}
	}
	for _, n := range s.subnetsOf(a.VPC) {
		view.Associations = append(view.Associations, types.NetworkAclAssociation{
			NetworkAclAssociationId: aws.String(aclAssociation(n.ID)), NetworkAclId: aws.String(a.ID), SubnetId: aws.String(n.ID),
		})
	}
	return view
}

func aclAssociation(subnet string) string { return "aclassoc-0" + digestOf(subnet)[:16] }

func (s *Service) subnetsOf(vpc string) []Subnet {
	var list []Subnet
	for _, n := range s.subnetFamily.all() {
		if n.VPC == vpc {
			list = append(list, n)
		}
	}
	return list
}

func (s *Service) aclKey(a NetworkACL, key string) string {
	switch key {
	case "ec2:networkaclid":
		return a.ID
	case "ec2:vpc":
		return s.arn("vpc", a.VPC)
	}
	return ""
}
