package ec2

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestPrefixLists(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	made, err := s.CreateManagedPrefixList(ctx, &ec2.CreateManagedPrefixListInput{
		PrefixListName: aws.String("offices"), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(3),
		Entries: []types.AddPrefixListEntry{{Cidr: aws.String("192.0.2.0/24"), Description: aws.String("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := made.PrefixList.PrefixListId
	if *made.PrefixList.Version != 1 || made.PrefixList.State != types.PrefixListStateCreateComplete {
		t.Errorf("%+v", made.PrefixList)
	}
	modify := func(in *ec2.ModifyManagedPrefixListInput) error {
		in.PrefixListId = id
		_, err := s.ModifyManagedPrefixList(ctx, in)
		return err
	}
	add := func(blocks ...string) (list []types.AddPrefixListEntry) {
		for _, b := range blocks {
			list = append(list, types.AddPrefixListEntry{Cidr: aws.String(b)})
		}
		return list
	}
	if err := modify(&ec2.ModifyManagedPrefixListInput{CurrentVersion: aws.Int64(1), AddEntries: add("198.51.100.0/24", "203.0.113.0/24")}); err != nil {
		t.Fatal(err)
	}
	wantError(t, modify(&ec2.ModifyManagedPrefixListInput{CurrentVersion: aws.Int64(1), AddEntries: add("10.0.0.0/8")}), "PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
	wantError(t, modify(&ec2.ModifyManagedPrefixListInput{CurrentVersion: aws.Int64(2), AddEntries: add("10.0.0.0/8")}), "InvalidPrefixListModification", "You can't have more than 3 entries in the prefix list")
	wantError(t, modify(&ec2.ModifyManagedPrefixListInput{CurrentVersion: aws.Int64(2), AddEntries: add("fd00::/8")}), "InvalidParameterValue", "The CIDR block 'fd00::/8' is invalid for the address family IPv4.")
	wantError(t, modify(&ec2.ModifyManagedPrefixListInput{CurrentVersion: aws.Int64(2), RemoveEntries: []types.RemovePrefixListEntry{{Cidr: aws.String("10.0.0.0/8")}}}),
		"InvalidPrefixListModification", "The prefix list has no entry for 10.0.0.0/8")

	entries := func(version *int64) string {
		t.Helper()
		out, err := s.GetManagedPrefixListEntries(ctx, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: id, TargetVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, e := range out.Entries {
			list = append(list, *e.Cidr+aws.ToString(e.Description))
		}
		return fmt.Sprint(list)
	}
	if got := entries(nil); got != "[192.0.2.0/24a 198.51.100.0/24 203.0.113.0/24]" {
		t.Error(got)
	}
	if got := entries(aws.Int64(1)); got != "[192.0.2.0/24a]" {
		t.Error(got)
	}
	if _, err := s.RestoreManagedPrefixListVersion(ctx, &ec2.RestoreManagedPrefixListVersionInput{PrefixListId: id, CurrentVersion: aws.Int64(2), PreviousVersion: aws.Int64(1)}); err != nil {
		t.Fatal(err)
	}
	if got := entries(aws.Int64(3)); got != "[192.0.2.0/24a]" {
		t.Error(got)
	}

	group := newGroup(t, s, "g")
	allow(t, s, group, types.IpPermission{IpProtocol: aws.String("-1"), PrefixListIds: []types.PrefixListId{{PrefixListId: id}}})
	_, err = s.DeleteManagedPrefixList(ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: id})
	wantError(t, err, "DependencyViolation", "The prefix list '"+*id+"' is referenced by resources and cannot be deleted.")
	if err := s.RemoveSecurityGroup(ctx, group); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteManagedPrefixList(ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: id}); err != nil {
		t.Error(err)
	}

	if err := s.PutAWSPrefixList(ctx, "pl-0aws", "com.amazonaws.us-west-2.s3", []netip.Prefix{netip.MustParsePrefix("198.18.0.2/32")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.DeleteManagedPrefixList(ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: aws.String("pl-0aws")})
	wantError(t, err, "UnauthorizedOperation", "You are not authorized to perform this operation.")
	lists, err := s.DescribePrefixLists(ctx, &ec2.DescribePrefixListsInput{Filters: []types.Filter{filter("prefix-list-name", "*.s3")}})
	if err != nil || len(lists.PrefixLists) != 1 || lists.PrefixLists[0].Cidrs[0] != "198.18.0.2/32" {
		t.Errorf("%+v, %v", lists, err)
	}
	managed, err := s.DescribeManagedPrefixLists(ctx, &ec2.DescribeManagedPrefixListsInput{Filters: []types.Filter{filter("owner-id", "AWS")}})
	if err != nil || len(managed.PrefixLists) != 1 || managed.PrefixLists[0].MaxEntries != nil {
		t.Errorf("%+v, %v", managed, err)
	}
}

func TestInterfaces(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	err := s.PutNetworkInterface(ctx, NetworkInterface{
		ID: "eni-2", Type: types.NetworkInterfaceTypeInterface, Description: "Amazon EKS cluster", VPC: "vpc-1", Subnet: "subnet-b", Zone: "us-west-2b",
		IP: netip.MustParseAddr("10.0.96.4"), Groups: []string{"sg-1"}, Requester: "eks", InstanceOwner: "amazon-eks", Device: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	find := func(filters ...types.Filter) (ids []string) {
		t.Helper()
		out, err := s.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: filters})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range out.NetworkInterfaces {
			ids = append(ids, *n.NetworkInterfaceId)
		}
		return ids
	}
	for _, test := range []struct {
		want    string
		filters []types.Filter
	}{
		{"[eni-1 eni-2]", nil},
		{"[eni-2]", []types.Filter{filter("description", "Amazon EKS *")}},
		{"[eni-1]", []types.Filter{filter("attachment.instance-id", "i-0123456789abcdef0")}},
		{"[eni-2]", []types.Filter{filter("requester-managed", "true")}},
		{"[eni-1 eni-2]", []types.Filter{filter("group-id", "sg-1"), filter("status", "in-use"), filter("subnet-id", "subnet-b")}},
		{"[eni-1]", []types.Filter{filter("addresses.private-ip-address", "10.0.96.10")}},
		{"[]", []types.Filter{filter("status", "available")}},
	} {
		if got := fmt.Sprint(find(test.filters...)); got != test.want {
			t.Errorf("%v: %s, want %s", test.filters, got, test.want)
		}
	}
	modify := func(id string, groups ...string) error {
		_, err := s.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Groups: groups})
		return err
	}
	group := newGroup(t, s, "g")
	if err := modify("eni-1", group, "sg-1"); err != nil {
		t.Fatal(err)
	}
	if i, _ := s.Instance("i-0123456789abcdef0"); fmt.Sprint(i.Groups, i.Interfaces[0].Groups) != fmt.Sprintf("[%s sg-1] [%s sg-1]", group, group) {
		t.Errorf("%+v", i)
	}
	wantError(t, modify("eni-1", "sg-9"), "InvalidGroup.NotFound", "The security group 'sg-9' does not exist")
	wantError(t, modify("eni-1", "sg-1", "sg-1", "sg-1", "sg-1", "sg-1", "sg-1"), "SecurityGroupsPerInterfaceLimitExceeded", "You have exceeded the maximum number of security groups per interface, 5.")
	wantError(t, modify("eni-1"), "MissingParameter", "The request must contain the parameter groupId")
	wantError(t, modify("eni-9", group), "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'eni-9' does not exist")
	wantError(t, modify("eni-2", group), "AuthFailure", "You do not have permission to access the specified resource.")
	if err := s.SetInstanceGroups(ctx, "i-0123456789abcdef0", []string{"sg-1"}, nil); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(find(filter("group-id", group))); got != "[]" {
		t.Errorf("%s have the group still", got)
	}
	if err := s.DeleteInterfaces(ctx, "eni-2", "eni-3"); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(find()); got != "[eni-1]" {
		t.Error(got)
	}
}
