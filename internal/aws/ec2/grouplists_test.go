package ec2

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func TestGroupsForVPC(t *testing.T) {
	s := world(t)
	if err := s.RestoreGroup(t.Context(), SecurityGroup{ID: "sg-2", VPC: "vpc-2", Name: "other", Tags: map[string]string{"Team": "blue"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutVPC(t.Context(), VPC{ID: "vpc-2", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}}); err != nil {
		t.Fatal(err)
	}
	list := func(vpc string, filters ...types.Filter) string {
		out, err := s.GetSecurityGroupsForVpc(t.Context(), &ec2.GetSecurityGroupsForVpcInput{VpcId: &vpc, Filters: filters})
		if err != nil {
			return err.Error()
		}
		text := ""
		for _, g := range out.SecurityGroupForVpcs {
			text += fmt.Sprint(*g.GroupId, " ", *g.PrimaryVpcId, ";")
		}
		return text
	}
	for got, want := range map[string]string{
		list("vpc-1"): "sg-1 vpc-1;", list("vpc-2"): "sg-2 vpc-2;", list("vpc-1", filter("group-name", "other")): "", list("vpc-2", filter("tag:Team", "blue")): "sg-2 vpc-2;",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	_, err := s.GetSecurityGroupsForVpc(t.Context(), &ec2.GetSecurityGroupsForVpcInput{VpcId: aws.String("vpc-9")})
	wantError(t, err, "InvalidVpcID.NotFound", "The vpc ID 'vpc-9' does not exist")
	_, err = s.DescribeStaleSecurityGroups(t.Context(), &ec2.DescribeStaleSecurityGroupsInput{VpcId: aws.String("vpc-9")})
	wantError(t, err, "InvalidVpcID.NotFound", "The vpc ID 'vpc-9' does not exist")
	_, err = s.DescribeSecurityGroupReferences(t.Context(), &ec2.DescribeSecurityGroupReferencesInput{GroupId: []string{"sg-9"}})
	wantError(t, err, "InvalidGroup.NotFound", "The security group 'sg-9' does not exist")
}

// Rules that name groups of other VPCs, as a record may have them from before, are
// stale for the one and references for the other.
func TestStaleGroups(t *testing.T) {
	s := world(t)
	rule := func(id, group string, egress bool) Rule {
		return Rule{ID: id, Egress: egress, Protocol: "tcp", From: 80, To: 80, Group: group}
	}
	err := s.RestoreGroup(t.Context(), SecurityGroup{ID: "sg-2", VPC: "vpc-2", Name: "other"})
	if err == nil {
		err = s.RestoreGroup(t.Context(), SecurityGroup{ID: "sg-3", VPC: "vpc-1", Name: "stale", Description: "d", Rules: []Rule{
			rule("sgr-1", "sg-2", false), rule("sgr-2", "sg-gone", true), rule("sgr-3", "sg-1", false),
		}})
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeStaleSecurityGroups(t.Context(), &ec2.DescribeStaleSecurityGroupsInput{VpcId: aws.String("vpc-1")})
	if err != nil || len(out.StaleSecurityGroupSet) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	g := out.StaleSecurityGroupSet[0]
	if *g.GroupId != "sg-3" || len(g.StaleIpPermissions) != 1 || len(g.StaleIpPermissions[0].UserIdGroupPairs) != 1 || *g.StaleIpPermissions[0].UserIdGroupPairs[0].GroupId != "sg-2" ||
		len(g.StaleIpPermissionsEgress) != 1 || *g.StaleIpPermissionsEgress[0].UserIdGroupPairs[0].GroupId != "sg-gone" {
		t.Errorf("%+v", g)
	}
	refs, err := s.DescribeSecurityGroupReferences(t.Context(), &ec2.DescribeSecurityGroupReferencesInput{GroupId: []string{"sg-1", "sg-2"}})
	if err != nil || len(refs.SecurityGroupReferenceSet) != 1 || *refs.SecurityGroupReferenceSet[0].GroupId != "sg-2" || *refs.SecurityGroupReferenceSet[0].ReferencingVpcId != "vpc-1" {
		t.Errorf("%+v, %v", refs, err)
	}
}

// Rules are tagged when they are made and after, and their tags are those that
// policies see.
func TestTagsOfRules(t *testing.T) {
	s := world(t)
	account := doortest.New(t)
	door := account.Open(t, s.Service())
	admin := ec2.NewFromConfig(door.User(t, "keeper", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	out, err := admin.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String("sg-1"), IpPermissions: []types.IpPermission{
		{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: []types.IpRange{{CidrIp: aws.String("192.0.2.0/24")}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rule := *out.SecurityGroupRules[0].SecurityGroupRuleId
	tag := func(key, value string) []types.Tag { return []types.Tag{{Key: &key, Value: &value}} }
	if _, err := admin.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{rule}, Tags: tag("Team", "blue")}); err != nil {
		t.Fatal(err)
	}
	rules, err := admin.DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("tag:Team", "blue")}})
	if err != nil || len(rules.SecurityGroupRules) != 1 || *rules.SecurityGroupRules[0].SecurityGroupRuleId != rule {
		t.Errorf("%+v, %v", rules, err)
	}
	tags, err := admin.DescribeTags(t.Context(), &ec2.DescribeTagsInput{Filters: []types.Filter{filter("resource-id", rule)}})
	if err != nil || len(tags.Tags) != 1 || tags.Tags[0].ResourceType != types.ResourceTypeSecurityGroupRule || *tags.Tags[0].Value != "blue" {
		t.Errorf("%+v, %v", tags, err)
	}
	groups, err := admin.GetSecurityGroupsForVpc(t.Context(), &ec2.GetSecurityGroupsForVpcInput{VpcId: aws.String("vpc-1")})
	if err != nil || len(groups.SecurityGroupForVpcs) != 1 || *groups.SecurityGroupForVpcs[0].PrimaryVpcId != "vpc-1" {
		t.Errorf("%+v, %v", groups, err)
	}
	user := ec2.NewFromConfig(door.User(t, "blue", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:DeleteTags","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"blue"}}}]}`))
	if _, err := user.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: []string{rule}, Tags: tag("Team", "blue")}); err != nil {
		t.Error(err)
	}
	_, err = user.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: []string{rule}, Tags: tag("Team", "blue")})
	doortest.Refused(t, err, "UnauthorizedOperation", "You are not authorized to perform this operation.")
	_, err = admin.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{"sgr-0"}, Tags: tag("a", "b")})
	doortest.Refused(t, err, "InvalidSecurityGroupRuleId.NotFound", "sgr-0")
}

// A policy may let tags be given by the call that makes something, and by no other.
func TestCreateAction(t *testing.T) {
	s := world(t)
	account := doortest.New(t)
	door := account.Open(t, s.Service())
	user := ec2.NewFromConfig(door.User(t, "maker", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ec2:CreateSecurityGroup","ec2:AuthorizeSecurityGroupIngress","ec2:AuthorizeSecurityGroupEgress","ec2:CreateManagedPrefixList"],"Resource":"*"},
		{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"ec2:CreateAction":["CreateSecurityGroup","AuthorizeSecurityGroupIngress","CreateManagedPrefixList"]}}}]}`))
	spec := func(of types.ResourceType) []types.TagSpecification {
		return []types.TagSpecification{{ResourceType: of, Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("blue")}}}}
	}
	permissions := []types.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: []types.IpRange{{CidrIp: aws.String("192.0.2.0/24")}}}}
	out, err := user.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("g"), Description: aws.String("d"), VpcId: aws.String("vpc-1"), TagSpecifications: spec(types.ResourceTypeSecurityGroup)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := user.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: out.GroupId, IpPermissions: permissions, TagSpecifications: spec(types.ResourceTypeSecurityGroupRule)}); err != nil {
		t.Error(err)
	}
	if _, err := user.CreateManagedPrefixList(t.Context(), &ec2.CreateManagedPrefixListInput{PrefixListName: aws.String("l"), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(1), TagSpecifications: spec(types.ResourceTypePrefixList)}); err != nil {
		t.Error(err)
	}
	_, err = user.AuthorizeSecurityGroupEgress(t.Context(), &ec2.AuthorizeSecurityGroupEgressInput{GroupId: out.GroupId, IpPermissions: permissions, TagSpecifications: spec(types.ResourceTypeSecurityGroupRule)})
	doortest.Refused(t, err, "UnauthorizedOperation", "You are not authorized to perform this operation.")
	_, err = user.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{*out.GroupId}, Tags: spec(types.ResourceTypeSecurityGroup)[0].Tags})
	doortest.Refused(t, err, "UnauthorizedOperation", "You are not authorized to perform this operation.")
}
