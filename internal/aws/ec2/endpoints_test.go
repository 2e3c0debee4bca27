package ec2_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

const (
	serviceS3  = "com.amazonaws.us-west-2.s3"
	serviceSTS = "com.amazonaws.us-west-2.sts"
	s3Block    = "198.18.0.5/32"
)

// lane is a VPC that runs, with two subnets in two zones, and S3's prefix list.
type lane struct {
	*place
	vpc   string
	a, b  string // subnets
	table string // the main one
	group string // the default one
	watch *watchedGround
}

// watchedGround notes what of endpoints the network is told.
type watchedGround struct {
	*ground
	service  *ec2.Service
	guarded  []string // interfaces that had records when the network was told, by each telling
	answered []string // addresses that were to be answered at then
}

func (g *watchedGround) Settle(ctx context.Context) error {
	var enis, addresses []string
	for _, n := range g.service.NetworkInterfaces() {
		if n.Endpoint != "" {
			enis = append(enis, n.IP.String())
		}
	}
	for _, e := range g.service.Layout(g.vpc).Endpoints {
		for _, i := range e.Interfaces {
			addresses = append(addresses, i.IP.String())
		}
	}
	slices.Sort(enis)
	slices.Sort(addresses)
	g.guarded, g.answered = append(g.guarded, strings.Join(enis, " ")), append(g.answered, strings.Join(addresses, " "))
	return g.ground.Settle(ctx)
}

func (g *watchedGround) Release(_ context.Context, owner string) error {
	g.note("release", strings.SplitN(owner, "/", 2)[0])
	return nil
}

func openLane(t *testing.T) *lane {
	t.Helper()
	l := &lane{place: open(t)}
	l.watch = &watchedGround{ground: l.ground, service: l.service}
	l.service.UseGround(l.watch)
	l.vpc = l.place.vpc(t, "10.0.0.0/16")
	l.ground.vpc = l.vpc
	must := doortest.Must(t)
	must(l.admin.ModifyVpcAttribute(t.Context(), &awsec2.ModifyVpcAttributeInput{VpcId: &l.vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	subnet := func(cidr, zone string) string {
		return *got(l.admin.CreateSubnet(t.Context(), &awsec2.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: &cidr, AvailabilityZone: &zone})).Subnet.SubnetId
	}
	l.a, l.b = subnet("10.0.0.0/24", "us-west-2a"), subnet("10.0.1.0/24", "us-west-2b")
	l.table = *got(l.admin.DescribeRouteTables(t.Context(), &awsec2.DescribeRouteTablesInput{Filters: where("vpc-id", l.vpc)})).RouteTables[0].RouteTableId
	l.group, _ = l.service.DefaultGroup(l.vpc)
	if err := l.service.PutAWSPrefixList(t.Context(), "pl-1", serviceS3, []netip.Prefix{netip.MustParsePrefix(s3Block)}); err != nil {
		t.Fatal(err)
	}
	return l
}

// endpoint makes one of STS.
func (l *lane) endpoint(t *testing.T, change func(*awsec2.CreateVpcEndpointInput)) types.VpcEndpoint {
	t.Helper()
	in := &awsec2.CreateVpcEndpointInput{VpcId: &l.vpc, ServiceName: aws.String(serviceSTS), VpcEndpointType: types.VpcEndpointTypeInterface}
	change(in)
	out, err := l.admin.CreateVpcEndpoint(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.VpcEndpoint
}

func (l *lane) described(t *testing.T, id string) types.VpcEndpoint {
	t.Helper()
	return got(l.admin.DescribeVpcEndpoints(t.Context(), &awsec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{id}})).VpcEndpoints[0]
}

// A gateway endpoint is a route in its tables, with the service's prefix list, and a
// way out of their subnets.
func TestGatewayEndpoint(t *testing.T) {
	l := openLane(t)
	ctx, c := t.Context(), l.admin
	must := doortest.Must(t)
	in := &awsec2.CreateVpcEndpointInput{
		VpcId: &l.vpc, ServiceName: aws.String(serviceS3), RouteTableIds: []string{l.table}, ClientToken: aws.String("once"),
		TagSpecifications: name(types.ResourceTypeVpcEndpoint, "s3"),
	}
	made, err := c.CreateVpcEndpoint(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	e := *made.VpcEndpoint
	id := *e.VpcEndpointId
	if e.VpcEndpointType != types.VpcEndpointTypeGateway || e.State != "available" || !slices.Equal(e.RouteTableIds, []string{l.table}) || *e.Tags[0].Value != "s3" {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(*e.PolicyDocument, `"Effect":"Allow","Principal":"*","Action":"*"`) {
		t.Errorf("the policy is %s", *e.PolicyDocument)
	}
	if again := got(c.CreateVpcEndpoint(ctx, in)); *again.VpcEndpoint.VpcEndpointId != id {
		t.Error("the token made another endpoint")
	}
	routes := got(c.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: where("route.destination-prefix-list-id", "pl-1")})).RouteTables[0].Routes
	last := routes[len(routes)-1]
	if *last.GatewayId != id || *last.DestinationPrefixListId != "pl-1" || last.State != types.RouteStateActive {
		t.Errorf("%+v", last)
	}
	exits := func() (list []string) {
		for _, e := range l.service.Layout(l.vpc).Subnets[0].Routes {
			if e.Endpoint != 0 {
				list = append(list, e.To.String())
			}
		}
		return list
	}
	if got := exits(); !slices.Equal(got, []string{s3Block}) {
		t.Errorf("the ways out are %v", got)
	}
	_, err = c.DeleteRoute(ctx, &awsec2.DeleteRouteInput{RouteTableId: &l.table, DestinationPrefixListId: aws.String("pl-1")})
	doortest.Refused(t, err, "InvalidParameterValue", "cannot remove VPC endpoint route pl-1 in route table "+l.table)
	in.ClientToken = nil
	_, err = c.CreateVpcEndpoint(ctx, in)
	doortest.Refused(t, err, "RouteAlreadyExists", "route table "+l.table+" already has a route with destination-prefix-list-id pl-1")

	// Another one has a number of its own, and tables come and go.
	in.RouteTableIds = nil
	other := *got(c.CreateVpcEndpoint(ctx, in)).VpcEndpoint.VpcEndpointId
	numbers := map[uint32]bool{}
	for _, e := range l.service.Layout(l.vpc).Endpoints {
		numbers[e.Number] = e.Signing == "s3" && e.Number != 0
	}
	if len(numbers) != 2 || numbers[0] {
		t.Errorf("the numbers are %v", numbers)
	}
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveRouteTableIds: []string{l.table}}))
	if got := exits(); len(got) != 0 {
		t.Errorf("without the table the ways out are %v", got)
	}
	_, err = c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveRouteTableIds: []string{l.table}})
	doortest.Refused(t, err, "InvalidParameter", "The route table "+l.table+" is not one of "+id)
	second := *got(c.CreateRouteTable(ctx, &awsec2.CreateRouteTableInput{VpcId: &l.vpc})).RouteTable.RouteTableId
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &other, AddRouteTableIds: []string{l.table, second}}))
	must(c.DeleteRouteTable(ctx, &awsec2.DeleteRouteTableInput{RouteTableId: &second}))
	if have := l.described(t, other).RouteTableIds; !slices.Equal(have, []string{l.table}) {
		t.Errorf("the tables are %v", have)
	}

	out := got(c.DeleteVpcEndpoints(ctx, &awsec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id, "vpce-0", other}}))
	if len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].ResourceId != "vpce-0" || *out.Unsuccessful[0].Error.Code != "InvalidVpcEndpointId.NotFound" {
		t.Errorf("%+v", out.Unsuccessful)
	}
	if len(exits())+len(l.service.Layout(l.vpc).Endpoints) != 0 {
		t.Error("a deleted endpoint leads somewhere")
	}
	if tags := got(c.DescribeTags(ctx, &awsec2.DescribeTagsInput{})).Tags; len(tags) != 0 {
		t.Errorf("tags are left: %+v", tags)
	}
}

// An interface endpoint has an interface in each subnet, guarded by groups, and names.
func TestInterfaceEndpoint(t *testing.T) {
	l := openLane(t)
	ctx, c := t.Context(), l.admin
	must := doortest.Must(t)
	e := l.endpoint(t, func(in *awsec2.CreateVpcEndpointInput) { in.SubnetIds = []string{l.b, l.a} })
	id := *e.VpcEndpointId
	if e.State != "pending" || l.described(t, id).State != "available" || !*e.PrivateDnsEnabled || *e.Groups[0].GroupId != l.group {
		t.Errorf("%+v", e)
	}
	enis := got(c.DescribeNetworkInterfaces(ctx, &awsec2.DescribeNetworkInterfacesInput{Filters: where("interface-type", "vpc_endpoint")})).NetworkInterfaces
	if len(enis) != 2 || len(e.NetworkInterfaceIds) != 2 || !*enis[0].RequesterManaged || *enis[0].Description != "VPC Endpoint Interface "+id || *enis[0].Groups[0].GroupId != l.group {
		t.Fatalf("%+v", enis)
	}
	var names []string
	for _, d := range e.DnsEntries {
		names = append(names, strings.ReplaceAll(*d.DnsName, id+"-", "ID-"))
	}
	label := strings.SplitN(strings.TrimPrefix(names[0], "ID-"), ".", 2)[0]
	if want := []string{
		"ID-" + label + ".sts.us-west-2.vpce.amazonaws.com", "ID-" + label + "-us-west-2a.sts.us-west-2.vpce.amazonaws.com",
		"ID-" + label + "-us-west-2b.sts.us-west-2.vpce.amazonaws.com", "sts.us-west-2.amazonaws.com",
	}; !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the names are %v", names)
	}
	private := func() []netip.Addr {
		return l.service.Layout(l.vpc).Endpoints[0].Private["sts.us-west-2.amazonaws.com"]
	}
	if len(private()) != 2 {
		t.Errorf("in the VPC the name leads to %v", private())
	}
	dns := func(on bool) {
		must(c.ModifyVpcAttribute(ctx, &awsec2.ModifyVpcAttributeInput{VpcId: &l.vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: &on}}))
	}
	settled := l.ground.settled
	dns(false)
	if len(private()) != 0 || l.ground.settled == settled {
		t.Error("without DNS host names the name leads to the endpoint")
	}
	_, err := c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, PrivateDnsEnabled: aws.Bool(true)})
	doortest.Refused(t, err, "InvalidParameter", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "+l.vpc)
	dns(true)

	// What it needs can't go.
	_, err = c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &l.a})
	doortest.Refused(t, err, "DependencyViolation", "has dependencies")
	made := got(c.CreateSecurityGroup(ctx, &awsec2.CreateSecurityGroupInput{GroupName: aws.String("shut"), Description: aws.String("d"), VpcId: &l.vpc}))
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, AddSecurityGroupIds: []string{*made.GroupId}, RemoveSecurityGroupIds: []string{l.group}}))
	for _, n := range l.service.NetworkInterfaces() {
		if !slices.Equal(n.Groups, []string{*made.GroupId}) {
			t.Errorf("%s is in %v", n.ID, n.Groups)
		}
	}
	_, err = c.DeleteSecurityGroup(ctx, &awsec2.DeleteSecurityGroupInput{GroupId: made.GroupId})
	doortest.Refused(t, err, "DependencyViolation", "has a dependent object")
	_, err = c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveSecurityGroupIds: []string{*made.GroupId}})
	doortest.Refused(t, err, "InvalidParameter", "needs a security group")
	_, err = c.ModifyNetworkInterfaceAttribute(ctx, &awsec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: enis[0].NetworkInterfaceId, Groups: []string{l.group}})
	doortest.Refused(t, err, "AuthFailure", "You do not have permission to access the specified resource.")
	_, err = c.DeleteNetworkInterface(ctx, &awsec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: enis[0].NetworkInterfaceId})
	doortest.Refused(t, err, "InvalidParameterValue", "Network interface '"+*enis[0].NetworkInterfaceId+"' is currently in use.")
	_, err = c.DeleteNetworkInterface(ctx, &awsec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.String("eni-9")})
	doortest.Refused(t, err, "InvalidNetworkInterfaceID.NotFound", "eni-9")

	// Policies.
	deny := `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, PolicyDocument: &deny}))
	if p := l.service.Layout(l.vpc).Endpoints[0].PolicyText(); p != deny || *l.described(t, id).PolicyDocument != deny {
		t.Errorf("the policy is %s", p)
	}
	for _, bad := range []string{"{", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`} {
		_, err = c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, PolicyDocument: &bad})
		doortest.Refused(t, err, "InvalidPolicyDocument", "The specified policy document is not a valid JSON policy document")
	}
	_, err = c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, PolicyDocument: &deny, ResetPolicy: aws.Bool(true)})
	doortest.Refused(t, err, "InvalidParameterCombination", "may not be used together")
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, ResetPolicy: aws.Bool(true)}))
	if p := *l.described(t, id).PolicyDocument; !strings.Contains(p, `"Effect": "Allow"`) {
		t.Errorf("the policy is %s", p)
	}

	// A change that is refused gives back what it took.
	back := len(l.ground.machines)
	_, err = c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveSubnetIds: []string{l.b}, AddSubnetIds: []string{l.b}, AddSecurityGroupIds: []string{"sg-0"}})
	doortest.Refused(t, err, "InvalidGroup.NotFound", "The security group 'sg-0' does not exist")
	if len(l.ground.machines) != back+1 || len(l.described(t, id).SubnetIds) != 2 {
		t.Errorf("%v; %+v", l.ground.machines[back:], l.described(t, id))
	}
	l.ground.machines = nil

	// Addresses are answered at only while they are guarded.
	ip := map[string]string{}
	for _, n := range enis {
		ip[*n.SubnetId] = *n.PrivateIpAddress
	}
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveSubnetIds: []string{l.b}}))
	must(c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, AddSubnetIds: []string{l.b}}))
	must(c.DeleteVpcEndpoints(ctx, &awsec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id}}))
	for i, answered := range l.watch.answered {
		for _, a := range strings.Fields(answered) {
			if !slices.Contains(strings.Fields(l.watch.guarded[i]), a) {
				t.Errorf("%s was answered at, and guarded were %q", a, l.watch.guarded[i])
			}
		}
	}
	if last := l.watch.answered[len(l.watch.answered)-1]; last != "" {
		t.Errorf("after the end %s are answered at", last)
	}
	for _, n := range l.service.NetworkInterfaces() {
		t.Errorf("%s is left", n.ID)
	}
	if n := len(slices.DeleteFunc(slices.Clone(l.ground.machines), func(m string) bool { return m != "release vpce" })); n != 3 {
		t.Errorf("%d addresses were given back", n)
	}
}

func TestEndpointsAreRefused(t *testing.T) {
	l := openLane(t)
	ctx, c := t.Context(), l.admin
	l.endpoint(t, func(in *awsec2.CreateVpcEndpointInput) {})
	same := *got(c.CreateSubnet(ctx, &awsec2.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: aws.String("10.0.2.0/24"), AvailabilityZone: aws.String("us-west-2a")})).Subnet.SubnetId
	elsewhere := l.place.vpc(t, "10.9.0.0/16")
	foreign := l.subnet(t, elsewhere, "10.9.0.0/24")
	for _, test := range []struct {
		change     func(*awsec2.CreateVpcEndpointInput)
		code, text string
	}{
		{func(in *awsec2.CreateVpcEndpointInput) {}, "InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain for sts.us-west-2.amazonaws.com in the VPC " + l.vpc},
		{func(in *awsec2.CreateVpcEndpointInput) { in.ServiceName = aws.String("com.amazonaws.us-west-2.iam") }, "InvalidServiceName", "The Vpc Endpoint Service 'com.amazonaws.us-west-2.iam' does not exist"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.VpcEndpointType = "" }, "InvalidParameter", "Endpoint type (Gateway) does not match available service types ([Interface])."},
		{func(in *awsec2.CreateVpcEndpointInput) { in.VpcEndpointType = "Tunnel" }, "UnsupportedOperation", "is not offered here"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.VpcEndpointType = "Bridge" }, "InvalidParameterValue", "vpcEndpointType"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.RouteTableIds = []string{l.table} }, "InvalidParameter", "Route table IDs are only supported for Gateway type VPC Endpoint."},
		{func(in *awsec2.CreateVpcEndpointInput) {
			in.ServiceName, in.VpcEndpointType, in.SubnetIds = aws.String(serviceS3), "Gateway", []string{l.a}
		}, "InvalidParameter", "Subnet IDs are only supported for Interface type VPC Endpoint."},
		{func(in *awsec2.CreateVpcEndpointInput) { in.SubnetIds = []string{l.a, same} }, "DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of subnet-"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.SubnetIds = []string{foreign} }, "InvalidParameter", "does not belong to " + l.vpc},
		{func(in *awsec2.CreateVpcEndpointInput) { in.SubnetIds = []string{"subnet-0"} }, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-0' does not exist"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.SecurityGroupIds = []string{"sg-0"} }, "InvalidGroup.NotFound", "The security group 'sg-0' does not exist"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.VpcId = aws.String("vpc-0") }, "InvalidVpcID.NotFound", "The vpc ID 'vpc-0' does not exist"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.PolicyDocument = aws.String(strings.Repeat(" ", 20481)) }, "InvalidParameter", "20480"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.IpAddressType = types.IpAddressTypeDualstack }, "UnsupportedOperation", "IPv6"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.ServiceRegion = aws.String("eu-west-1") }, "UnsupportedOperation", "another region"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.DryRun = aws.Bool(true) }, "DryRunOperation", "Request would have succeeded"},
		{func(in *awsec2.CreateVpcEndpointInput) { in.TagSpecifications = name(types.ResourceTypeVpc, "x") }, "InvalidParameterValue", "'vpc' is not a valid taggable resource type"},
	} {
		in := &awsec2.CreateVpcEndpointInput{VpcId: &l.vpc, ServiceName: aws.String(serviceSTS), VpcEndpointType: types.VpcEndpointTypeInterface}
		test.change(in)
		_, err := c.CreateVpcEndpoint(ctx, in)
		doortest.Refused(t, err, test.code, test.text)
	}
	_, err := c.DescribeVpcEndpoints(ctx, &awsec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{"vpce-0"}})
	doortest.Refused(t, err, "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id 'vpce-0' does not exist")
	_, err = c.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: aws.String("x")})
	doortest.Refused(t, err, "InvalidVpcEndpointId.Malformed", `Invalid id: "x" (expecting "vpce-...")`)

	// Private DNS is a hosted zone, which needs its permission.
	limited := awsec2.NewFromConfig(l.User(t, "limited", `{"Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`))
	in := &awsec2.CreateVpcEndpointInput{VpcId: &l.vpc, ServiceName: aws.String("com.amazonaws.us-west-2.logs"), VpcEndpointType: types.VpcEndpointTypeInterface}
	_, err = limited.CreateVpcEndpoint(ctx, in)
	doortest.Refused(t, err, "UnauthorizedOperation", "route53:AssociateVPCWithHostedZone")
	in.PrivateDnsEnabled = aws.Bool(false)
	if _, err := limited.CreateVpcEndpoint(ctx, in); err != nil {
		t.Error(err)
	}
}

// In a VPC that is records only endpoints are records too, with addresses of their own.
func TestEndpointOfRecordsOnly(t *testing.T) {
	l := openLane(t)
	ctx, c := t.Context(), l.admin
	vpc := l.place.vpc(t, "10.0.0.0/16")
	subnet := l.subnet(t, vpc, "10.0.0.0/24")
	e := got(c.CreateVpcEndpoint(ctx, &awsec2.CreateVpcEndpointInput{
		VpcId: &vpc, ServiceName: aws.String(serviceSTS), VpcEndpointType: types.VpcEndpointTypeInterface, SubnetIds: []string{subnet}, PrivateDnsEnabled: aws.Bool(false)})).VpcEndpoint
	if len(l.service.Layout(l.vpc).Endpoints) != 0 {
		t.Error("the VPC that runs has it")
	}
	if free := *got(c.DescribeSubnets(ctx, &awsec2.DescribeSubnetsInput{SubnetIds: []string{subnet}})).Subnets[0].AvailableIpAddressCount; free != 250 {
		t.Errorf("%d addresses are free", free)
	}
	_, err := c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &subnet})
	doortest.Refused(t, err, "DependencyViolation", "has dependencies")
	_, err = c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: &vpc})
	doortest.Refused(t, err, "DependencyViolation", "has dependencies")
	doortest.Must(t)(c.DeleteVpcEndpoints(ctx, &awsec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId}}))
	doortest.Must(t)(c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &subnet}))
	doortest.Must(t)(c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: &vpc}))
}

// What a crash has left of endpoints goes at the next start.
func TestTidyEndpoints(t *testing.T) {
	l := openLane(t)
	ctx := t.Context()
	e := l.endpoint(t, func(in *awsec2.CreateVpcEndpointInput) { in.SubnetIds = []string{l.a} })
	kept := l.service.NetworkInterfaces()[0]
	left := kept
	left.ID = "eni-left"
	if err := l.service.PutNetworkInterface(ctx, left); err != nil {
		t.Fatal(err)
	}
	if err := l.service.PutVPCEndpoint(ctx, ec2.VPCEndpoint{ID: "vpce-left", VPC: l.vpc, Service: serviceSTS, Type: types.VpcEndpointTypeInterface, Leaving: true}); err != nil {
		t.Fatal(err)
	}
	if err := l.service.TidyEndpoints(ctx); err != nil {
		t.Fatal(err)
	}
	all := got(l.admin.DescribeVpcEndpoints(ctx, &awsec2.DescribeVpcEndpointsInput{})).VpcEndpoints
	if len(all) != 1 || *all[0].VpcEndpointId != *e.VpcEndpointId {
		t.Errorf("%+v", all)
	}
	if enis := l.service.NetworkInterfaces(); len(enis) != 1 || enis[0].ID != kept.ID {
		t.Errorf("%+v", enis)
	}
}

// Lists have filters and pages, and services are offered if they are there.
func TestEndpointLists(t *testing.T) {
	l := openLane(t)
	ctx, c := t.Context(), l.admin
	l.service.Serves = func(signing string) bool { return signing != "eks-auth" }
	services := got(c.DescribeVpcEndpointServices(ctx, &awsec2.DescribeVpcEndpointServicesInput{}))
	if !slices.Contains(services.ServiceNames, serviceSTS) || slices.Contains(services.ServiceNames, "com.amazonaws.us-west-2.eks-auth") {
		t.Errorf("%v", services.ServiceNames)
	}
	gateways := got(c.DescribeVpcEndpointServices(ctx, &awsec2.DescribeVpcEndpointServicesInput{Filters: where("service-type", "Gateway")})).ServiceDetails
	if len(gateways) != 1 || *gateways[0].ServiceName != serviceS3 || *gateways[0].Owner != "amazon" || len(gateways[0].AvailabilityZones) != 2 {
		t.Errorf("%+v", gateways)
	}
	d := got(c.DescribeVpcEndpointServices(ctx, &awsec2.DescribeVpcEndpointServicesInput{ServiceNames: []string{serviceSTS}})).ServiceDetails[0]
	if *d.PrivateDnsName != "sts.us-west-2.amazonaws.com" || d.BaseEndpointDnsNames[0] != "sts.us-west-2.vpce.amazonaws.com" || !*d.VpcEndpointPolicySupported {
		t.Errorf("%+v", d)
	}
	_, err := c.DescribeVpcEndpointServices(ctx, &awsec2.DescribeVpcEndpointServicesInput{ServiceNames: []string{"com.amazonaws.us-west-2.iam"}})
	doortest.Refused(t, err, "InvalidServiceName", "The Vpc Endpoint Service 'com.amazonaws.us-west-2.iam' does not exist")
	page := got(c.DescribeVpcEndpointServices(ctx, &awsec2.DescribeVpcEndpointServicesInput{MaxResults: aws.Int32(3)}))
	rest := got(c.DescribeVpcEndpointServices(ctx, &awsec2.DescribeVpcEndpointServicesInput{MaxResults: aws.Int32(100), NextToken: page.NextToken}))
	if len(page.ServiceDetails) != 3 || len(page.ServiceDetails)+len(rest.ServiceDetails) != len(services.ServiceDetails) {
		t.Errorf("pages of %d and %d", len(page.ServiceDetails), len(rest.ServiceDetails))
	}

	for range 6 {
		l.endpoint(t, func(in *awsec2.CreateVpcEndpointInput) {
			in.ServiceName, in.VpcEndpointType = aws.String(serviceS3), types.VpcEndpointTypeGateway
		})
	}
	e := l.endpoint(t, func(in *awsec2.CreateVpcEndpointInput) {
		in.TagSpecifications = name(types.ResourceTypeVpcEndpoint, "sts")
	})
	for _, f := range [][]types.Filter{
		where("service-name", serviceSTS), where("vpc-endpoint-type", "Interface"), where("vpc-endpoint-id", *e.VpcEndpointId), where("tag:Name", "sts"),
		append(where("vpc-id", l.vpc), where("tag-key", "Name")...), append(where("vpc-endpoint-state", "available"), where("service-name", "*.sts")...),
	} {
		if found := got(c.DescribeVpcEndpoints(ctx, &awsec2.DescribeVpcEndpointsInput{Filters: f})).VpcEndpoints; len(found) != 1 || *found[0].VpcEndpointId != *e.VpcEndpointId {
			t.Errorf("by %s: %d", *f[0].Name, len(found))
		}
	}
	count := 0
	for p := awsec2.NewDescribeVpcEndpointsPaginator(c, &awsec2.DescribeVpcEndpointsInput{MaxResults: aws.Int32(5)}); p.HasMorePages(); {
		count += len(got(p.NextPage(ctx)).VpcEndpoints)
	}
	if count != 7 {
		t.Errorf("%d on all pages", count)
	}
}
