package ec2

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/store"
)

var _ eks.Network = (*Service)(nil)

var start = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// world has a VPC with two subnets, the security group of a cluster, and a node.
func world(t *testing.T) *Service {
	t.Helper()
	st := store.NewMemory()
	t.Cleanup(st.Close)
	s := New(st, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, "us-west-2a", "us-west-2b")
	ctx := t.Context()
	err := errors.Join(
		s.PutVPC(ctx, VPC{ID: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, Tags: map[string]string{"Name": "main"}}),
		s.PutSubnet(ctx, Subnet{ID: "subnet-a", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.0.0/19"), Zone: "us-west-2a", MapPublicIP: true,
			Tags: map[string]string{"kubernetes.io/role/elb": "1", "Name": "public a"}}),
		s.PutSubnet(ctx, Subnet{ID: "subnet-b", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.96.0/19"), Zone: "us-west-2b",
			Tags: map[string]string{"kubernetes.io/role/internal-elb": "1", "Name": "private*b"}}),
		s.PutSecurityGroup(ctx, "sg-1", "vpc-1", "eks-cluster-sg-cluster", "of the cluster", map[string]string{"aws:eks:cluster-name": "cluster"}),
		s.PutInstance(ctx, Instance{
			ID: "i-0123456789abcdef0", Reservation: "r-1", State: Running, Type: "m5.large", LaunchTime: start, Arch: "x86_64",
			VPC: "vpc-1", Subnet: "subnet-b", Zone: "us-west-2b", PrivateIP: netip.MustParseAddr("10.0.96.10"),
			PrivateDNS: "ip-10-0-96-10.us-west-2.compute.internal", Groups: []string{"sg-1"},
			ProfileARN: "arn:aws:iam::111122223333:instance-profile/ng", ProfileID: "AIPA1", HopLimit: 2, TokensOnly: true,
			Interfaces: []Interface{{ID: "eni-1", MAC: "06:00:0a:00:60:0a", Subnet: "subnet-b", IP: netip.MustParseAddr("10.0.96.10"), Groups: []string{"sg-1"},
				Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.96.32/27")}}},
			Tags: map[string]string{"Name": "cluster-ng-Node", "kubernetes.io/cluster/cluster": "owned"},
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	var refused *api.Error
	if !errors.As(err, &refused) {
		t.Fatalf("got error %v, want %s", err, code)
	}
	if refused.Code != code || refused.Message != message {
		t.Errorf("got  %s: %s\nwant %s: %s", refused.Code, refused.Message, code, message)
	}
}

func TestDescribeInstances(t *testing.T) {
	s := world(t)
	out, err := s.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}})
	if err != nil {
		t.Fatal(err)
	}
	r := out.Reservations[0]
	i := r.Instances[0]
	for what, got := range map[string][2]string{
		"reservation":   {*r.ReservationId, "r-1"},
		"owner":         {*r.OwnerId, "111122223333"},
		"state":         {fmt.Sprint(i.State.Name, *i.State.Code), "running16"},
		"type":          {string(i.InstanceType), "m5.large"},
		"address":       {*i.PrivateIpAddress, "10.0.96.10"},
		"name":          {*i.PrivateDnsName, "ip-10-0-96-10.us-west-2.compute.internal"},
		"zone":          {*i.Placement.AvailabilityZone, "us-west-2b"},
		"profile":       {*i.IamInstanceProfile.Arn, "arn:aws:iam::111122223333:instance-profile/ng"},
		"group":         {*i.SecurityGroups[0].GroupName, "eks-cluster-sg-cluster"},
		"metadata":      {string(i.MetadataOptions.HttpTokens), "required"},
		"interface":     {*i.NetworkInterfaces[0].NetworkInterfaceId, "eni-1"},
		"pods' range":   {*i.NetworkInterfaces[0].Ipv4Prefixes[0].Ipv4Prefix, "10.0.96.32/27"},
		"first tag":     {*i.Tags[0].Key, "Name"},
		"image":         {aws.ToString(i.ImageId), ""},
		"public":        {aws.ToString(i.PublicIpAddress), ""},
		"launch":        {i.LaunchTime.String(), start.String()},
		"private range": {*i.NetworkInterfaces[0].PrivateIpAddresses[0].PrivateIpAddress, "10.0.96.10"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", what, got[0], got[1])
		}
	}
}

func TestInstanceFilters(t *testing.T) {
	s := world(t)
	for _, test := range []struct {
		filters []types.Filter
		found   bool
	}{
		{nil, true},
		{[]types.Filter{filter("instance-state-name", "pending", "running")}, true},
		{[]types.Filter{filter("instance-state-name", "stopped")}, false},
		{[]types.Filter{filter("instance-state-code", "16")}, true},
		{[]types.Filter{filter("tag:Name", "cluster-*-Node")}, true},
		{[]types.Filter{filter("tag:Name", "cluster-??-Node")}, true},
		{[]types.Filter{filter("tag:Name", "cluster-?-Node")}, false},
		{[]types.Filter{filter("tag:Name", "CLUSTER-ng-Node")}, false},
		{[]types.Filter{filter("tag:name", "*")}, false},
		{[]types.Filter{filter("tag-key", "kubernetes.io/cluster/*")}, true},
		{[]types.Filter{filter("private-dns-name", "ip-10-0-96-10.us-west-2.compute.internal")}, true},
		{[]types.Filter{filter("private-ip-address", "10.0.96.1")}, false},
		{[]types.Filter{filter("ip-address", "*")}, false},
		{[]types.Filter{filter("vpc-id", "vpc-1"), filter("subnet-id", "subnet-b")}, true},
		{[]types.Filter{filter("vpc-id", "vpc-1"), filter("subnet-id", "subnet-a")}, false},
		{[]types.Filter{filter("group-name", "eks-cluster-sg-*")}, true},
		{[]types.Filter{filter("network-interface.addresses.private-ip-address", "10.0.96.10")}, true},
		{[]types.Filter{filter("iam-instance-profile.arn", "arn:aws:iam::111122223333:instance-profile/ng")}, true},
	} {
		out, err := s.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: test.filters})
		if err != nil || (len(out.Reservations) == 1) != test.found {
			t.Errorf("%v: %+v, %v", test.filters, out, err)
		}
	}
	_, err := s.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{filter("kernel-id", "x")}})
	wantError(t, err, "InvalidParameterValue", "The filter 'kernel-id' is invalid")
	_, err = s.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{filter("vpc-id")}})
	wantError(t, err, "InvalidParameterValue", "The filter 'vpc-id' has no values")
}

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, value string
		match          bool
	}{
		{"a*", "abc", true}, {"*", "", true}, {"?", "", false}, {"a.c", "abc", false}, {`private\*b`, "private*b", true},
		{`private\*b`, "private-b", false}, {`a\\b`, `a\b`, true}, {`a\`, `a\`, true}, {"a", "a\n", false}, {"*b", "a\nb", true},
	} {
		if got := pattern(test.pattern).MatchString(test.value); got != test.match {
			t.Errorf("%q and %q: %t", test.pattern, test.value, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a*?\\")
	f.Fuzz(func(t *testing.T, s string) {
		if s := strings.ToValidUTF8(s, ""); !pattern(escaped([]string{s})[0]).MatchString(s) {
			t.Errorf("%q does not match itself", s)
		}
		pattern(s) // must compile
	})
}

func TestPages(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	want := []string{"i-0123456789abcdef0"}
	for n := range 11 {
		id := fmt.Sprintf("i-1%016x", n)
		want = append(want, id)
		if err := s.PutInstance(ctx, Instance{ID: id, Reservation: "r-" + id, State: Pending, Type: "m5.large", Zone: "us-west-2a"}); err != nil {
			t.Fatal(err)
		}
	}
	in := &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)}
	var got []string
	var token *string
	for pages := 1; ; pages++ {
		in.NextToken = token
		out, err := s.DescribeInstances(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.Reservations {
			got = append(got, *r.Instances[0].InstanceId)
		}
		if token = out.NextToken; token == nil {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	in.NextToken = nil
	page, err := s.DescribeInstances(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{NextToken: page.NextToken})
	wantError(t, err, "InvalidNextToken", "The token '"+*page.NextToken+"' is invalid")
	_, err = s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(4)})
	wantError(t, err, "InvalidParameterValue", "Value ( 4 ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.")
	_, err = s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5), InstanceIds: want[:1]})
	wantError(t, err, "InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	_, err = s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{DryRun: aws.Bool(true)})
	wantError(t, err, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
}

func TestIDs(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	_, err := s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-9"}})
	wantError(t, err, "InvalidInstanceID.NotFound", "The instance ID 'i-9' does not exist")
	_, err = s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-9", "i-8", "i-9"}})
	wantError(t, err, "InvalidInstanceID.NotFound", "The instance IDs 'i-8, i-9' do not exist")
	_, err = s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"node"}})
	wantError(t, err, "InvalidInstanceID.Malformed", `Invalid id: "node" (expecting "i-...")`)
	_, err = s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-zzz"}})
	wantError(t, err, "InvalidInstanceID.Malformed", `Invalid id: "i-zzz"`)
	_, err = s.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-9"}})
	wantError(t, err, "InvalidVpcID.NotFound", "The vpc ID 'vpc-9' does not exist")
	_, err = s.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{"x"}})
	wantError(t, err, "InvalidSubnetID.NotFound", "The subnet ID 'x' does not exist")
	_, err = s.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-9"}})
	wantError(t, err, "InvalidGroup.NotFound", "The security group 'sg-9' does not exist")
	_, err = s.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"none"}})
	wantError(t, err, "InvalidGroup.NotFound", "The security group 'none' does not exist")
}

func TestDescribeNetwork(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	vpcs, err := s.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []types.Filter{filter("cidr", "10.0.0.0/16"), filter("is-default", "false")}})
	if err != nil || len(vpcs.Vpcs) != 1 || *vpcs.Vpcs[0].CidrBlockAssociationSet[0].CidrBlock != "10.0.0.0/16" {
		t.Errorf("%+v, %v", vpcs, err)
	}
	subnets, err := s.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{filter("tag-key", "kubernetes.io/role/elb")}})
	if err != nil || len(subnets.Subnets) != 1 {
		t.Fatalf("%+v, %v", subnets, err)
	}
	if n := subnets.Subnets[0]; *n.SubnetId != "subnet-a" || *n.AvailabilityZoneId != "usw2-az1" || !*n.MapPublicIpOnLaunch || *n.AvailableIpAddressCount != 8187 ||
		*n.SubnetArn != "arn:aws:ec2:us-west-2:111122223333:subnet/subnet-a" {
		t.Errorf("%+v", n)
	}
	groups, err := s.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"eks-cluster-sg-cluster"}})
	if err != nil || len(groups.SecurityGroups) != 1 {
		t.Fatalf("%+v, %v", groups, err)
	}
	g := groups.SecurityGroups[0]
	if *g.IpPermissions[0].UserIdGroupPairs[0].GroupId != "sg-1" || *g.IpPermissions[0].IpProtocol != "-1" || g.IpPermissions[0].FromPort != nil ||
		*g.IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" {
		t.Errorf("%+v", g)
	}
	zones, err := s.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{Filters: []types.Filter{filter("zone-id", "usw2-az2")}})
	if err != nil || len(zones.AvailabilityZones) != 1 || *zones.AvailabilityZones[0].ZoneName != "us-west-2b" || *zones.AvailabilityZones[0].GroupName != "us-west-2-zg-1" {
		t.Errorf("%+v, %v", zones, err)
	}
	_, err = s.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{ZoneNames: []string{"us-west-2z"}})
	wantError(t, err, "InvalidParameterValue", "Invalid availability zone: [us-west-2z]")
	if err := s.PutVPC(ctx, VPC{ID: "vpc-2"}); err == nil {
		t.Error("a VPC without a block was taken")
	}
}

func TestRecordsGo(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	err := errors.Join(s.DeleteInstance(ctx, "i-0123456789abcdef0"), s.RemoveSecurityGroup(ctx, "sg-1"),
		s.DeleteVPC(ctx, "vpc-1"), s.DeleteVPC(ctx, "vpc-1"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	if err != nil || out.Reservations == nil || len(out.Reservations) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, ok := s.VPCRanges("vpc-1"); ok {
		t.Error("the VPC is still there")
	}
}
