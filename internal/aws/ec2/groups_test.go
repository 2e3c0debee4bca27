package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// newGroup makes a group in vpc-1 and returns its id.
func newGroup(t *testing.T, s *Service, name string) string {
	t.Helper()
	out, err := s.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: &name, Description: aws.String("of a test"), VpcId: aws.String("vpc-1")})
	if err != nil {
		t.Fatal(err)
	}
	return *out.GroupId
}

func tcp(from, to int32, cidr string) types.IpPermission {
	return types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &from, ToPort: &to, IpRanges: []types.IpRange{{CidrIp: &cidr}}}
}

func allow(t *testing.T, s *Service, id string, list ...types.IpPermission) []types.SecurityGroupRule {
	t.Helper()
	out, err := s.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: list})
	if err != nil {
		t.Fatal(err)
	}
	return out.SecurityGroupRules
}

func rulesNow(s *Service, id string) []string {
	g, _ := s.groups.Get(id)
	var list []string
	for _, r := range g.Rules {
		direction := "in "
		if r.Egress {
			direction = "out "
		}
		list = append(list, direction+r.String())
	}
	return list
}

func TestGroupIsMadeAndDeleted(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	enforced := 0
	s.Enforce = func(context.Context) error { enforced++; return nil }
	id := newGroup(t, s, "db")
	if got := rulesNow(s, id); !slices.Equal(got, []string{"out peer: 0.0.0.0/0, ALL, ALLOW"}) {
		t.Errorf("a new group has the rules %q", got)
	}
	make := func(name, description, vpc string) error {
		_, err := s.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &description, VpcId: pointer(vpc)})
		return err
	}
	wantError(t, make("db", "d", "vpc-1"), "InvalidGroup.Duplicate", "The security group 'db' already exists for VPC 'vpc-1'")
	wantError(t, make("db2", "d", "vpc-9"), "InvalidVpcID.NotFound", "The vpc ID 'vpc-9' does not exist")
	wantError(t, make("db2", "d", ""), "VPCIdNotSpecified", "No default VPC for this user")
	wantError(t, make("default", "d", "vpc-1"), "InvalidParameterValue", "Cannot use reserved security group name: default")
	wantError(t, make("sg-x", "d", "vpc-1"), "InvalidParameterValue", "Invalid group name. Group names may not be in the format sg-*")
	wantError(t, make("db2", "", "vpc-1"), "MissingParameter", "The request must contain the parameter GroupDescription")
	if make("a\nb", "d", "vpc-1") == nil || make(strings.Repeat("a", 256), "d", "vpc-1") == nil || make("x", "é", "vpc-1") == nil {
		t.Error("a name or description that EC2 refuses was taken")
	}
	_, err := s.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("dry"), Description: aws.String("d"), VpcId: aws.String("vpc-1"), DryRun: aws.Bool(true)})
	wantError(t, err, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")

	remove := func(id string) error {
		_, err := s.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id})
		return err
	}
	wantError(t, remove("sg-9"), "InvalidGroup.NotFound", "The security group 'sg-9' does not exist")
	wantError(t, remove("db"), "InvalidGroupId.Malformed", `Invalid id: "db" (expecting "sg-...")`)
	wantError(t, remove("sg-1"), "DependencyViolation", "resource sg-1 has a dependent object") // the node's
	app := newGroup(t, s, "app")
	allow(t, s, id, types.IpPermission{IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &app}}})
	wantError(t, remove(app), "DependencyViolation", "resource "+app+" has a dependent object")
	if err := s.PutDefaultGroup(ctx, "sg-0d", "vpc-1"); err != nil {
		t.Fatal(err)
	}
	wantError(t, remove("sg-0d"), "CannotDelete", `the specified group: "sg-0d" name: "default" cannot be deleted by a user`)
	before := enforced
	if err := errors.Join(remove(id), remove(app)); err != nil {
		t.Error(err)
	}
	if enforced != before+2 {
		t.Errorf("enforced %d times for two deletions", enforced-before)
	}
}

func TestGroupAnew(t *testing.T) {
	s := world(t)
	allow(t, s, "sg-1", tcp(22, 22, "192.0.2.0/24"))
	if err := s.PutSecurityGroup(t.Context(), "sg-1", "vpc-1", "eks-cluster-sg-cluster", "of the cluster", nil); err != nil {
		t.Fatal(err)
	}
	if got := rulesNow(s, "sg-1"); len(got) != 3 {
		t.Errorf("after the cluster's start its group has the rules %q", got)
	}
}

func TestPermissionsAreRead(t *testing.T) {
	s := world(t)
	id := newGroup(t, s, "g")
	n := aws.Int32
	for _, test := range []struct {
		p    types.IpPermission
		want string // the rule as text, or CODE: message
	}{
		{tcp(443, 443, "10.0.0.0/8"), "peer: 10.0.0.0/8, TCP, from port: 443, to port: 443, ALLOW"},
		{tcp(0, 65535, "10.1.2.3/8"), "peer: 10.0.0.0/8, TCP, from port: 0, to port: 65535, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("UDP"), FromPort: n(1), ToPort: n(2)}, "peer: sg-1, UDP, from port: 1, to port: 2, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("6"), FromPort: n(1), ToPort: n(2)}, "peer: sg-1, TCP, from port: 1, to port: 2, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("-1"), FromPort: n(1), ToPort: n(2)}, "peer: sg-1, ALL, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("all")}, "peer: sg-1, ALL, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("47")}, "peer: sg-1, protocol: 47, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: n(8), ToPort: n(-1)}, "peer: sg-1, ICMP, type: 8, code: ALL, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: n(-1), ToPort: n(-1)}, "peer: sg-1, ICMP, type: ALL, code: ALL, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("58")}, "peer: sg-1, ICMPV6, type: ALL, code: ALL, ALLOW"},
		{tcp(443, 80, "0.0.0.0/0"), "InvalidParameterValue: Invalid TCP/UDP port range (443:80)"},
		{tcp(80, 65536, "0.0.0.0/0"), "InvalidParameterValue: TCP/UDP port (65536) out of range"},
		{tcp(-1, -1, "0.0.0.0/0"), "InvalidParameterValue: TCP/UDP port (-1) out of range"},
		{types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: n(1)}, "InvalidParameterValue: Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."},
		{types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: n(-1), ToPort: n(1)}, "InvalidParameterValue: ICMP code (1) requires type to be set"},
		{types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: n(256), ToPort: n(0)}, "InvalidParameterValue: ICMP type (256) out of range"},
		{types.IpPermission{IpProtocol: aws.String("256")}, "InvalidParameterValue: Invalid value '256' for IP protocol. Unknown protocol."},
		{types.IpPermission{IpProtocol: aws.String("gre")}, "InvalidParameterValue: Invalid value 'gre' for IP protocol. Unknown protocol."},
		{types.IpPermission{}, "MissingParameter: The request must contain the parameter ipProtocol"},
		{tcp(1, 1, "10.0.0.0"), "InvalidParameterValue: CIDR block 10.0.0.0 is malformed"},
		{tcp(1, 1, "fd00::/8"), "InvalidParameterValue: CIDR block fd00::/8 is malformed"},
		{types.IpPermission{IpProtocol: aws.String("-1"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("fd00::1/8")}}}, "peer: fd00::/8, ALL, ALLOW"},
		{types.IpPermission{IpProtocol: aws.String("-1"), PrefixListIds: []types.PrefixListId{{PrefixListId: aws.String("pl-9")}}}, "InvalidPrefixListID.NotFound: The prefix list ID 'pl-9' does not exist"},
		{types.IpPermission{IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String("sg-9")}}}, "InvalidGroup.NotFound: The security group 'sg-9' does not exist"},
		{types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0"), Description: aws.String("<")}}},
			"InvalidParameterValue: Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"},
	} {
		if len(test.p.IpRanges)+len(test.p.Ipv6Ranges)+len(test.p.PrefixListIds)+len(test.p.UserIdGroupPairs) == 0 {
			test.p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String("sg-1")}}
		}
		out, err := s.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{test.p}})
		got := ""
		var refused *api.Error
		if errors.As(err, &refused) {
			got = refused.Error()
		} else if err == nil {
			g, _ := s.groups.Get(id)
			got = g.Rules[len(g.Rules)-1].String()
			_, err := s.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: []string{*out.SecurityGroupRules[0].SecurityGroupRuleId}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if got != test.want {
			t.Errorf("%+v:\ngot  %s\nwant %s", test.p, got, test.want)
		}
	}
}

func TestRulesComeAndGo(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	id := newGroup(t, s, "g")
	made := allow(t, s, id, tcp(80, 80, "192.0.2.0/24"), tcp(443, 443, "192.0.2.0/24"))
	if len(made) != 2 || *made[0].FromPort != 80 || !strings.HasPrefix(*made[0].SecurityGroupRuleId, "sgr-0") || *made[0].IsEgress {
		t.Fatalf("%+v", made)
	}
	_, err := s.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{tcp(22, 22, "0.0.0.0/0"), tcp(80, 80, "192.0.2.9/24")}})
	wantError(t, err, "InvalidPermission.Duplicate", `the specified rule "peer: 192.0.2.0/24, TCP, from port: 80, to port: 80, ALLOW" already exists`)
	if got := rulesNow(s, id); len(got) != 3 {
		t.Errorf("a call that was refused left %q", got)
	}
	_, err = s.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{tcp(22, 22, "0.0.0.0/0")}, DryRun: aws.Bool(true)})
	wantError(t, err, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")

	modify := func(rule string, to *types.SecurityGroupRuleRequest) error {
		_, err := s.ModifySecurityGroupRules(ctx, &ec2.ModifySecurityGroupRulesInput{GroupId: &id, SecurityGroupRules: []types.SecurityGroupRuleUpdate{{SecurityGroupRuleId: &rule, SecurityGroupRule: to}}})
		return err
	}
	first := *made[0].SecurityGroupRuleId
	request := func(port int32) *types.SecurityGroupRuleRequest {
		return &types.SecurityGroupRuleRequest{IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, CidrIpv4: aws.String("192.0.2.0/24"), Description: aws.String("web")}
	}
	if err := modify(first, request(8080)); err != nil {
		t.Fatal(err)
	}
	wantError(t, modify(first, request(443)), "InvalidPermission.Duplicate", `the specified rule "peer: 192.0.2.0/24, TCP, from port: 443, to port: 443, ALLOW" already exists`)
	wantError(t, modify("sgr-9", request(1)), "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID 'sgr-9' does not exist")
	wantError(t, modify(first, &types.SecurityGroupRuleRequest{IpProtocol: aws.String("-1"), FromPort: aws.Int32(1), ToPort: aws.Int32(1), CidrIpv4: aws.String("0.0.0.0/0")}),
		"InvalidParameterValue", "You may not specify all protocols and specific ports. Please specify each protocol and port range combination individually, or all protocols and no port range.")
	if err := modify(first, &types.SecurityGroupRuleRequest{IpProtocol: aws.String("-1"), ReferencedGroupId: &id}); err == nil {
		t.Error("a block was modified into a group")
	}

	shown, err := s.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{first}})
	if err != nil || len(shown.SecurityGroupRules) != 1 || *shown.SecurityGroupRules[0].FromPort != 8080 || *shown.SecurityGroupRules[0].Description != "web" ||
		*shown.SecurityGroupRules[0].GroupId != id || *shown.SecurityGroupRules[0].CidrIpv4 != "192.0.2.0/24" {
		t.Errorf("%+v, %v", shown, err)
	}
	shown, err = s.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", id)}})
	if err != nil || len(shown.SecurityGroupRules) != 3 {
		t.Errorf("%+v, %v", shown, err)
	}
	_, err = s.UpdateSecurityGroupRuleDescriptionsIngress(ctx, &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &id, SecurityGroupRuleDescriptions: []types.SecurityGroupRuleDescription{{SecurityGroupRuleId: &first, Description: aws.String("changed")}}})
	if err != nil {
		t.Fatal(err)
	}
	if g, _ := s.groups.Get(id); !slices.ContainsFunc(g.Rules, func(r Rule) bool { return r.ID == first && r.Description == "changed" }) {
		t.Errorf("%+v", g.Rules)
	}

	revoke := func(in *ec2.RevokeSecurityGroupIngressInput) (*ec2.RevokeSecurityGroupIngressOutput, error) {
		in.GroupId = &id
		return s.RevokeSecurityGroupIngress(ctx, in)
	}
	_, err = revoke(&ec2.RevokeSecurityGroupIngressInput{IpPermissions: []types.IpPermission{tcp(443, 443, "192.0.2.0/24"), tcp(1, 1, "192.0.2.0/24")}})
	wantError(t, err, "InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
	if got := rulesNow(s, id); len(got) != 3 {
		t.Errorf("a refused revocation left %q", got)
	}
	gone, err := revoke(&ec2.RevokeSecurityGroupIngressInput{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443), CidrIp: aws.String("192.0.2.0/24")})
	if err != nil || len(gone.RevokedSecurityGroupRules) != 1 || !*gone.Return {
		t.Errorf("%+v, %v", gone, err)
	}
	_, err = revoke(&ec2.RevokeSecurityGroupIngressInput{SecurityGroupRuleIds: []string{"sgr-9"}})
	wantError(t, err, "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID 'sgr-9' does not exist")
	egress := rulesNow(s, id)
	g, _ := s.groups.Get(id)
	out := g.Rules[slices.IndexFunc(g.Rules, func(r Rule) bool { return r.Egress })].ID
	_, err = revoke(&ec2.RevokeSecurityGroupIngressInput{SecurityGroupRuleIds: []string{out}})
	wantError(t, err, "InvalidParameterValue", "The security group rule ID '"+out+"' is not an ingress rule.")
	if _, err := s.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: []string{out}}); err != nil {
		t.Error(err)
	}
	if got := rulesNow(s, id); len(got) != len(egress)-1 {
		t.Errorf("%q", got)
	}
}

func TestQuotas(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	id := newGroup(t, s, "g")
	for i := range maxRules {
		allow(t, s, id, tcp(int32(i), int32(i), "0.0.0.0/0"))
	}
	_, err := s.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{tcp(100, 100, "0.0.0.0/0")}})
	wantError(t, err, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	// The other direction has a quota of its own.
	if _, err := s.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []types.IpPermission{tcp(100, 100, "0.0.0.0/0")}}); err != nil {
		t.Error(err)
	}
	list, err := s.CreateManagedPrefixList(ctx, &ec2.CreateManagedPrefixListInput{PrefixListName: aws.String("l"), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(59)})
	if err != nil {
		t.Fatal(err)
	}
	other := newGroup(t, s, "other")
	pl := types.IpPermission{IpProtocol: aws.String("-1"), PrefixListIds: []types.PrefixListId{{PrefixListId: list.PrefixList.PrefixListId}}}
	allow(t, s, other, pl, tcp(1, 1, "0.0.0.0/0"))
	_, err = s.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &other, IpPermissions: []types.IpPermission{tcp(2, 2, "0.0.0.0/0")}})
	wantError(t, err, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	_, err = s.ModifyManagedPrefixList(ctx, &ec2.ModifyManagedPrefixListInput{PrefixListId: list.PrefixList.PrefixListId, MaxEntries: aws.Int32(60)})
	wantError(t, err, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
}

func TestGroupFilters(t *testing.T) {
	s := world(t)
	id := newGroup(t, s, "g")
	allow(t, s, id, tcp(5432, 5433, "192.0.2.0/24"), types.IpPermission{IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String("sg-1")}}})
	for _, test := range []struct {
		name, value string
		found       bool
	}{
		{"ip-permission.cidr", "192.0.2.0/24", true}, {"ip-permission.cidr", "0.0.0.0/0", false}, {"egress.ip-permission.cidr", "0.0.0.0/0", true},
		{"ip-permission.from-port", "5432", true}, {"ip-permission.to-port", "5432", false}, {"ip-permission.protocol", "tcp", true},
		{"egress.ip-permission.protocol", "-1", true}, {"ip-permission.group-id", "sg-1", true}, {"ip-permission.group-name", "eks-*", true},
		{"ip-permission.user-id", "111122223333", true}, {"egress.ip-permission.user-id", "*", false}, {"ip-permission.ipv6-cidr", "*", false},
		{"group-name", "g", true}, {"vpc-id", "vpc-2", false},
	} {
		out, err := s.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}, Filters: []types.Filter{filter(test.name, test.value)}})
		if err != nil || (len(out.SecurityGroups) == 1) != test.found {
			t.Errorf("%s=%s: %+v, %v", test.name, test.value, out, err)
		}
	}
	out, err := s.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	p := out.SecurityGroups[0].IpPermissions
	if len(p) != 2 || fmt.Sprint(*p[0].FromPort, *p[0].ToPort) != "5432 5433" || *p[0].IpRanges[0].CidrIp != "192.0.2.0/24" || p[1].FromPort != nil || *p[1].UserIdGroupPairs[0].GroupId != "sg-1" {
		t.Errorf("%+v", p)
	}
}
