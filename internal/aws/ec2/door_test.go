package ec2_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// ground is a network that notes what it is asked for.
type ground struct {
	mu       sync.Mutex
	vpc      string
	settled  int
	used     map[string]int
	of       map[string]string // the subnet in which owners have an address
	fail     error
	machines []string       // "reboot i-1"
	pods     []int          // of instances
	free     []netip.Prefix // what further VPCs can have
}

func (g *ground) VPC() string { return g.vpc }
func (g *ground) Free(block netip.Prefix) bool {
	return slices.ContainsFunc(g.free, func(p netip.Prefix) bool { return p.Overlaps(block) })
}
func (g *ground) Settle(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled++
	return g.fail
}
func (g *ground) Used(subnet string) int { return g.used[subnet] }
func (g *ground) Take(_ context.Context, subnet, owner string) (netip.Addr, error) {
	if g.used[subnet] > 100 {
		return netip.Addr{}, errors.New("full")
	}
	g.used[subnet]++
	g.of[owner] = subnet
	return netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + g.used[subnet])}), nil
}
func (g *ground) Release(_ context.Context, owner string) error {
	if subnet, has := g.of[owner]; has {
		g.used[subnet]--
		delete(g.of, owner)
	}
	return nil
}
func (g *ground) Reserve(ctx context.Context, subnet, _ string, pods int) (ec2.Spot, error) {
	a, err := g.Take(ctx, subnet, "")
	if err != nil {
		return ec2.Spot{}, ec2.ErrFull
	}
	g.pods = append(g.pods, pods)
	return ec2.Spot{Address: a, Pods: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(32 * g.used[subnet])}), 27), MAC: "02:00:00:00:00:01"}, nil
}
func (g *ground) Unreserve(_ context.Context, id string) error { return g.note("unreserve", id) }
func (g *ground) Arch() string                                 { return "x86_64" }
func (g *ground) Joinable(cluster string) error {
	if cluster != "cluster" {
		return errors.New("there is none")
	}
	return nil
}
func (g *ground) PublicPool() netip.Prefix { return netip.MustParsePrefix("198.18.4.0/24") }
func (g *ground) note(what, id string) error {
	g.machines = append(g.machines, what+" "+id)
	return g.fail
}
func (g *ground) Stop(_ context.Context, id string) error      { return g.note("stop", id) }
func (g *ground) Start(_ context.Context, id string) error     { return g.note("start", id) }
func (g *ground) Reboot(_ context.Context, id string) error    { return g.note("reboot", id) }
func (g *ground) Terminate(_ context.Context, id string) error { return g.note("terminate", id) }
func (g *ground) Console(id string) ([]byte, error)            { return []byte("boot of " + id + "\n"), nil }

// place is the account's EC2 behind a front door.
type place struct {
	*doortest.Door
	service *ec2.Service
	ground  *ground
	admin   *awsec2.Client
}

func open(t *testing.T) *place {
	t.Helper()
	a := doortest.New(t)
	s := ec2.New(a.Store, doortest.Place, "us-west-2b", "us-west-2a", "us-west-2a")
	g := &ground{used: map[string]int{}, of: map[string]string{}}
	s.UseGround(g)
	p := &place{Door: a.Open(t, s.Service()), service: s, ground: g}
	p.admin = awsec2.NewFromConfig(p.Admin)
	return p
}

// vpc makes a VPC.
func (p *place) vpc(t *testing.T, cidr string) string {
	t.Helper()
	out, err := p.admin.CreateVpc(t.Context(), &awsec2.CreateVpcInput{CidrBlock: &cidr})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Vpc.VpcId
}

func (p *place) subnet(t *testing.T, vpc, cidr string) string {
	t.Helper()
	out, err := p.admin.CreateSubnet(t.Context(), &awsec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Subnet.SubnetId
}

func name(kind types.ResourceType, value string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: []types.Tag{{Key: aws.String("Name"), Value: &value}}}}
}

func where(filter string, values ...string) []types.Filter {
	return []types.Filter{{Name: &filter, Values: values}}
}

// TestVPCOfEksctl makes, one by one, what eksctl's template makes
// (https://github.com/eksctl-io/eksctl/blob/main/pkg/cfn/builder/vpc_ipv4.go), and
// deletes it again in the order in which CloudFormation would.
func TestVPCOfEksctl(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	must := doortest.Must(t)
	p.ground.free = []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")} // so that it runs
	made, err := c.CreateVpc(ctx, &awsec2.CreateVpcInput{CidrBlock: aws.String("192.168.0.0/16"), TagSpecifications: name(types.ResourceTypeVpc, "eksctl-c-cluster/VPC")})
	if err != nil {
		t.Fatal(err)
	}
	vpc := *made.Vpc.VpcId
	other := p.vpc(t, "192.168.128.0/17")
	if len(p.service.Running()) != 1 || p.service.Running()[0].ID != vpc || p.ground.settled != 1 {
		t.Fatalf("VPCs that run: %+v; another overlaps it and is a record", p.service.Running())
	}
	must(c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: &other}))
	must(c.ModifyVpcAttribute(ctx, &awsec2.ModifyVpcAttributeInput{VpcId: &vpc, EnableDnsSupport: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	must(c.ModifyVpcAttribute(ctx, &awsec2.ModifyVpcAttributeInput{VpcId: &vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	igw, err := c.CreateInternetGateway(ctx, &awsec2.CreateInternetGatewayInput{TagSpecifications: name(types.ResourceTypeInternetGateway, "eksctl-c-cluster/InternetGateway")})
	if err != nil {
		t.Fatal(err)
	}
	gateway := *igw.InternetGateway.InternetGatewayId
	must(c.AttachInternetGateway(ctx, &awsec2.AttachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc}))
	public, private := p.subnet(t, vpc, "192.168.0.0/19"), p.subnet(t, vpc, "192.168.64.0/19")
	must(c.ModifySubnetAttribute(ctx, &awsec2.ModifySubnetAttributeInput{SubnetId: &public, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	eip, err := c.AllocateAddress(ctx, &awsec2.AllocateAddressInput{Domain: types.DomainTypeVpc})
	if err != nil {
		t.Fatal(err)
	}
	nat, err := c.CreateNatGateway(ctx, &awsec2.CreateNatGatewayInput{AllocationId: eip.AllocationId, SubnetId: &public, ClientToken: aws.String("once")})
	if err != nil || nat.NatGateway.State != types.NatGatewayStatePending {
		t.Fatalf("%+v, %v", nat, err)
	}
	again, err := c.CreateNatGateway(ctx, &awsec2.CreateNatGatewayInput{AllocationId: eip.AllocationId, SubnetId: &public, ClientToken: aws.String("once")})
	if err != nil || *again.NatGateway.NatGatewayId != *nat.NatGateway.NatGatewayId {
		t.Errorf("the token made another gateway: %v", err)
	}
	tables := map[string]string{}
	var associations []string
	for subnet, route := range map[string]awsec2.CreateRouteInput{
		public: {GatewayId: &gateway}, private: {NatGatewayId: nat.NatGateway.NatGatewayId},
	} {
		out, err := c.CreateRouteTable(ctx, &awsec2.CreateRouteTableInput{VpcId: &vpc})
		if err != nil {
			t.Fatal(err)
		}
		tables[subnet] = *out.RouteTable.RouteTableId
		route.RouteTableId, route.DestinationCidrBlock = out.RouteTable.RouteTableId, aws.String("0.0.0.0/0")
		must(c.CreateRoute(ctx, &route))
		a, err := c.AssociateRouteTable(ctx, &awsec2.AssociateRouteTableInput{RouteTableId: out.RouteTable.RouteTableId, SubnetId: &subnet})
		if err != nil {
			t.Fatal(err)
		}
		associations = append(associations, *a.AssociationId)
	}

	layout := p.service.Layout(vpc)
	want := map[string]string{public: "true invalid IP", private: "false " + *eip.PublicIp}
	for _, n := range layout.Subnets {
		if len(n.Routes) != 1 || n.Routes[0].To.Bits() != 0 {
			t.Fatalf("%+v", n)
		}
		if got := boolText(n.Routes[0].Direct) + " " + n.Routes[0].Source.String(); got != want[n.ID] {
			t.Errorf("the way out of %s is %s, want %s", n.ID, got, want[n.ID])
		}
	}
	if !layout.Open || p.ground.settled == 0 {
		t.Error("the network was not told")
	}

	// What is in use can't go.
	p.ground.vpc = vpc
	_, err = c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: &vpc})
	doortest.Refused(t, err, "OperationNotPermitted", "this machine begins with")
	p.ground.vpc = ""
	_, err = c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: &vpc})
	doortest.Refused(t, err, "DependencyViolation", "The vpc '"+vpc+"' has dependencies and cannot be deleted.")
	_, err = c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &public})
	doortest.Refused(t, err, "DependencyViolation", "The subnet '"+public+"' has dependencies and cannot be deleted.")
	table := tables[public]
	_, err = c.DeleteRouteTable(ctx, &awsec2.DeleteRouteTableInput{RouteTableId: &table})
	doortest.Refused(t, err, "DependencyViolation", "The routeTable '"+table+"' has dependencies and cannot be deleted.")
	_, err = c.DetachInternetGateway(ctx, &awsec2.DetachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc})
	doortest.Refused(t, err, "DependencyViolation", "Network "+vpc+" has some mapped public address(es).")
	_, err = c.DeleteInternetGateway(ctx, &awsec2.DeleteInternetGatewayInput{InternetGatewayId: &gateway})
	doortest.Refused(t, err, "DependencyViolation", "The internetGateway '"+gateway+"' has dependencies and cannot be deleted.")
	_, err = c.ReleaseAddress(ctx, &awsec2.ReleaseAddressInput{AllocationId: eip.AllocationId})
	doortest.Refused(t, err, "InvalidIPAddress.InUse", "Address "+*eip.PublicIp+" is in use.")

	must(c.DeleteNatGateway(ctx, &awsec2.DeleteNatGatewayInput{NatGatewayId: nat.NatGateway.NatGatewayId}))
	gone, err := c.DescribeNatGateways(ctx, &awsec2.DescribeNatGatewaysInput{NatGatewayIds: []string{*nat.NatGateway.NatGatewayId}})
	if err != nil || gone.NatGateways[0].State != types.NatGatewayStateDeleted {
		t.Errorf("%+v, %v", gone, err)
	}
	holes, err := c.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: where("route.state", "blackhole")})
	if err != nil || len(holes.RouteTables) != 1 || *holes.RouteTables[0].RouteTableId != tables[private] {
		t.Errorf("%+v, %v", holes, err)
	}
	for _, id := range associations {
		must(c.DisassociateRouteTable(ctx, &awsec2.DisassociateRouteTableInput{AssociationId: &id}))
	}
	for _, id := range tables {
		must(c.DeleteRouteTable(ctx, &awsec2.DeleteRouteTableInput{RouteTableId: &id}))
	}
	must(c.ReleaseAddress(ctx, &awsec2.ReleaseAddressInput{AllocationId: eip.AllocationId}))
	must(c.DetachInternetGateway(ctx, &awsec2.DetachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc}))
	must(c.DeleteInternetGateway(ctx, &awsec2.DeleteInternetGatewayInput{InternetGatewayId: &gateway}))
	for _, id := range []string{public, private} {
		must(c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &id}))
	}
	must(c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: &vpc}))
	for what, left := range map[string]int{
		"route tables": len(got(c.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{})).RouteTables),
		"groups":       len(got(c.DescribeSecurityGroups(ctx, &awsec2.DescribeSecurityGroupsInput{})).SecurityGroups),
		"ACLs":         len(got(c.DescribeNetworkAcls(ctx, &awsec2.DescribeNetworkAclsInput{})).NetworkAcls),
		"tags":         len(got(c.DescribeTags(ctx, &awsec2.DescribeTagsInput{})).Tags),
	} {
		if left != 0 {
			t.Errorf("%d %s are left", left, what)
		}
	}
}

func got[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func boolText(v bool) string {
	if v {
		return "true"
	}
	return "false"
}

// What a VPC is made with is there, and as AWS shows it.
func TestVPCComesWithMore(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	vpc := p.vpc(t, "10.1.2.3/16")
	v := got(c.DescribeVpcs(ctx, &awsec2.DescribeVpcsInput{VpcIds: []string{vpc}})).Vpcs[0]
	if *v.CidrBlock != "10.1.0.0/16" || v.State != types.VpcStateAvailable || v.InstanceTenancy != types.TenancyDefault {
		t.Errorf("%+v", v)
	}
	tables := got(c.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: append(where("vpc-id", vpc), where("association.main", "true")...)})).RouteTables
	if len(tables) != 1 || len(tables[0].Routes) != 1 || *tables[0].Routes[0].GatewayId != "local" || tables[0].Routes[0].State != types.RouteStateActive {
		t.Errorf("%+v", tables)
	}
	groups := got(c.DescribeSecurityGroups(ctx, &awsec2.DescribeSecurityGroupsInput{Filters: where("vpc-id", vpc)})).SecurityGroups
	if len(groups) != 1 || *groups[0].GroupName != "default" || *groups[0].Description != "default VPC security group" {
		t.Errorf("%+v", groups)
	}
	acls := got(c.DescribeNetworkAcls(ctx, &awsec2.DescribeNetworkAclsInput{Filters: where("default", "true")})).NetworkAcls
	if len(acls) != 1 || len(acls[0].Entries) != 4 {
		t.Errorf("%+v", acls)
	}
	options := got(c.DescribeDhcpOptions(ctx, &awsec2.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{*v.DhcpOptionsId}})).DhcpOptions
	if len(options) != 1 || *options[0].DhcpConfigurations[0].Values[0].Value != "us-west-2.compute.internal" {
		t.Errorf("%+v", options)
	}
	support := got(c.DescribeVpcAttribute(ctx, &awsec2.DescribeVpcAttributeInput{VpcId: &vpc, Attribute: types.VpcAttributeNameEnableDnsSupport}))
	names := got(c.DescribeVpcAttribute(ctx, &awsec2.DescribeVpcAttributeInput{VpcId: &vpc, Attribute: types.VpcAttributeNameEnableDnsHostnames}))
	if !*support.EnableDnsSupport.Value || *names.EnableDnsHostnames.Value {
		t.Errorf("%+v %+v", support, names)
	}
	more := got(c.AssociateVpcCidrBlock(ctx, &awsec2.AssociateVpcCidrBlockInput{VpcId: &vpc, CidrBlock: aws.String("100.64.0.0/16")}))
	second := p.subnet(t, vpc, "100.64.1.0/24")
	_, err := c.DisassociateVpcCidrBlock(ctx, &awsec2.DisassociateVpcCidrBlockInput{AssociationId: more.CidrBlockAssociation.AssociationId})
	doortest.Refused(t, err, "InvalidCidrBlock.InUse", "currently has a subnet within CIDR block 100.64.0.0/16")
	doortest.Must(t)(c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &second}))
	doortest.Must(t)(c.DisassociateVpcCidrBlock(ctx, &awsec2.DisassociateVpcCidrBlockInput{AssociationId: more.CidrBlockAssociation.AssociationId}))
	_, err = c.DisassociateVpcCidrBlock(ctx, &awsec2.DisassociateVpcCidrBlockInput{AssociationId: v.CidrBlockAssociationSet[0].AssociationId})
	doortest.Refused(t, err, "OperationNotPermitted", "primary IPv4 CIDR block")
}

func TestSubnets(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	vpc := p.vpc(t, "10.1.0.0/16")
	first := p.subnet(t, vpc, "10.1.0.0/24")
	for _, test := range []struct{ cidr, zone, code, text string }{
		{"10.1.0.128/25", "", "InvalidSubnet.Conflict", "The CIDR '10.1.0.128/25' conflicts with another subnet"},
		{"10.2.0.0/24", "", "InvalidSubnet.Range", "The CIDR '10.2.0.0/24' is invalid."},
		{"10.0.0.0/8", "", "InvalidSubnet.Range", "The CIDR '10.0.0.0/8' is invalid."},
		{"10.1.1.0/29", "", "InvalidSubnet.Range", "The CIDR '10.1.1.0/29' is invalid."},
		{"10.1.1", "", "InvalidParameterValue", "Value (10.1.1) for parameter cidrBlock is invalid. This is not a valid CIDR block."},
		{"10.1.1.0/24", "us-west-2z", "InvalidParameterValue", "Value (us-west-2z) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: us-west-2a, us-west-2b."},
	} {
		in := &awsec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: &test.cidr}
		if test.zone != "" {
			in.AvailabilityZone = &test.zone
		}
		_, err := c.CreateSubnet(ctx, in)
		doortest.Refused(t, err, test.code, test.text)
	}
	other := got(c.CreateSubnet(ctx, &awsec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: aws.String("10.1.255.240/28"), AvailabilityZoneId: aws.String("usw2-az2")})).Subnet
	if *other.AvailabilityZone != "us-west-2b" || *other.AvailableIpAddressCount != 11 {
		t.Errorf("%+v", other)
	}
	p.ground.vpc, p.ground.used[first] = vpc, 3
	n := got(c.DescribeSubnets(ctx, &awsec2.DescribeSubnetsInput{SubnetIds: []string{first}})).Subnets[0]
	if *n.AvailableIpAddressCount != 248 || *n.AvailabilityZone != "us-west-2a" {
		t.Errorf("%+v", n)
	}
	_, err := c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &first})
	doortest.Refused(t, err, "DependencyViolation", "The subnet '"+first+"' has dependencies and cannot be deleted.")
	p.ground.fail = errors.New("no kernel")
	_, err = c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: other.SubnetId})
	doortest.Refused(t, err, "InternalError", "")
	_, err = c.ModifySubnetAttribute(ctx, &awsec2.ModifySubnetAttributeInput{SubnetId: &first, EnableDns64: &types.AttributeBooleanValue{Value: aws.Bool(true)}})
	doortest.Refused(t, err, "UnsupportedOperation", "EnableDns64")
}

func TestRoutes(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	vpc, foreign := p.vpc(t, "10.1.0.0/16"), p.vpc(t, "10.9.0.0/16")
	subnet := p.subnet(t, vpc, "10.1.0.0/24")
	table := *got(c.CreateRouteTable(ctx, &awsec2.CreateRouteTableInput{VpcId: &vpc})).RouteTable.RouteTableId
	strange := *got(c.CreateRouteTable(ctx, &awsec2.CreateRouteTableInput{VpcId: &foreign})).RouteTable.RouteTableId
	gateway := *got(c.CreateInternetGateway(ctx, &awsec2.CreateInternetGatewayInput{})).InternetGateway.InternetGatewayId
	route := func(to string, gateway *string) error {
		_, err := c.CreateRoute(ctx, &awsec2.CreateRouteInput{RouteTableId: &table, DestinationCidrBlock: &to, GatewayId: gateway})
		return err
	}
	doortest.Refused(t, route("0.0.0.0/0", &gateway), "InvalidParameterValue", "route table "+table+" and network gateway "+gateway+" belong to different networks")
	doortest.Must(t)(c.AttachInternetGateway(ctx, &awsec2.AttachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc}))
	_, err := c.AttachInternetGateway(ctx, &awsec2.AttachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc})
	doortest.Refused(t, err, "Resource.AlreadyAssociated", "resource "+gateway+" is already attached to network "+vpc)
	if err := route("0.0.0.0/0", &gateway); err != nil {
		t.Fatal(err)
	}
	doortest.Refused(t, route("0.0.0.0/0", &gateway), "RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists.")
	doortest.Refused(t, route("10.1.0.0/24", &gateway), "InvalidParameterValue", "is equal to or more specific than one of this VPC's CIDR blocks")
	doortest.Refused(t, route("1.2.3.0/24", aws.String("igw-0123")), "InvalidGatewayID.NotFound", "The gateway ID 'igw-0123' does not exist")
	doortest.Refused(t, route("1.2.3.0/24", nil), "InvalidParameterCombination", "exactly one of gatewayId")
	_, err = c.CreateRoute(ctx, &awsec2.CreateRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("1.2.3.0/24"), TransitGatewayId: aws.String("tgw-1")})
	doortest.Refused(t, err, "UnsupportedOperation", "transitGatewayId")
	_, err = c.DeleteRoute(ctx, &awsec2.DeleteRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("1.2.3.0/24")})
	doortest.Refused(t, err, "InvalidRoute.NotFound", "no route with destination-cidr-block 1.2.3.0/24 in route table "+table)
	_, err = c.DeleteRoute(ctx, &awsec2.DeleteRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("10.1.0.0/16")})
	doortest.Refused(t, err, "InvalidParameterValue", "cannot remove local route 10.1.0.0/16 in route table "+table)
	_, err = c.ReplaceRoute(ctx, &awsec2.ReplaceRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("1.2.3.0/24"), GatewayId: &gateway})
	doortest.Refused(t, err, "InvalidParameterValue", "There is no route defined for '1.2.3.0/24' in the route table. Use CreateRoute instead.")
	_, err = c.AssociateRouteTable(ctx, &awsec2.AssociateRouteTableInput{RouteTableId: &strange, SubnetId: &subnet})
	doortest.Refused(t, err, "InvalidParameterValue", "Route table "+strange+" and subnet "+subnet+" belong to different networks")

	// A subnet obeys the main table until it gets its own; the main one can be exchanged.
	exits := func() []ec2.Exit { return p.service.Layout(vpc).Subnets[0].Routes }
	if len(exits()) != 0 {
		t.Errorf("%+v", exits())
	}
	main := got(c.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: append(where("vpc-id", vpc), where("association.main", "true")...)})).RouteTables[0]
	_, err = c.DisassociateRouteTable(ctx, &awsec2.DisassociateRouteTableInput{AssociationId: main.Associations[0].RouteTableAssociationId})
	doortest.Refused(t, err, "InvalidParameterValue", "cannot disassociate the main route table association")
	doortest.Must(t)(c.ReplaceRouteTableAssociation(ctx, &awsec2.ReplaceRouteTableAssociationInput{AssociationId: main.Associations[0].RouteTableAssociationId, RouteTableId: &table}))
	if e := exits(); len(e) != 1 || !e[0].Direct {
		t.Errorf("%+v", e)
	}
	doortest.Must(t)(c.AssociateRouteTable(ctx, &awsec2.AssociateRouteTableInput{RouteTableId: main.RouteTableId, SubnetId: &subnet}))
	if len(exits()) != 0 {
		t.Errorf("%+v", exits())
	}
	_, err = c.AssociateRouteTable(ctx, &awsec2.AssociateRouteTableInput{RouteTableId: &table, SubnetId: &subnet})
	doortest.Refused(t, err, "Resource.AlreadyAssociated", "conflicts with an existing association")

	// Without an internet gateway a NAT gateway fails.
	lonely := p.subnet(t, foreign, "10.9.0.0/24")
	eip := got(c.AllocateAddress(ctx, &awsec2.AllocateAddressInput{}))
	nat := got(c.CreateNatGateway(ctx, &awsec2.CreateNatGatewayInput{AllocationId: eip.AllocationId, SubnetId: &lonely})).NatGateway
	if nat.State != types.NatGatewayStateFailed || *nat.FailureCode != "Gateway.NotAttached" {
		t.Errorf("%+v", nat)
	}
	doortest.Must(t)(c.ReleaseAddress(ctx, &awsec2.ReleaseAddressInput{AllocationId: eip.AllocationId}))
}

// IDs that are not there, are malformed, or of another kind.
func TestUnknownIDs(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	one := func(_ any, err error) error { return err }
	for _, test := range []struct {
		err        error
		code, text string
	}{
		{one(c.DeleteVpc(ctx, &awsec2.DeleteVpcInput{VpcId: aws.String("vpc-9")})), "InvalidVpcID.NotFound", "The vpc ID 'vpc-9' does not exist"},
		{one(c.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: aws.String("subnet-9")})), "InvalidSubnetID.NotFound", "The subnet ID 'subnet-9' does not exist"},
		{one(c.DeleteRouteTable(ctx, &awsec2.DeleteRouteTableInput{RouteTableId: aws.String("rtb-9")})), "InvalidRouteTableID.NotFound", "The routeTable ID 'rtb-9' does not exist"},
		{one(c.DeleteRouteTable(ctx, &awsec2.DeleteRouteTableInput{RouteTableId: aws.String("table")})), "InvalidRouteTableId.Malformed", `Invalid id: "table" (expecting "rtb-...")`},
		{one(c.DeleteInternetGateway(ctx, &awsec2.DeleteInternetGatewayInput{InternetGatewayId: aws.String("igw-9")})), "InvalidInternetGatewayID.NotFound", "The internetGateway ID 'igw-9' does not exist"},
		{one(c.DeleteNatGateway(ctx, &awsec2.DeleteNatGatewayInput{NatGatewayId: aws.String("nat-9")})), "NatGatewayNotFound", "The Nat Gateway nat-9 was not found"},
		{one(c.ReleaseAddress(ctx, &awsec2.ReleaseAddressInput{AllocationId: aws.String("eipalloc-9")})), "InvalidAllocationID.NotFound", "The allocation ID 'eipalloc-9' does not exist"},
		{one(c.DisassociateRouteTable(ctx, &awsec2.DisassociateRouteTableInput{AssociationId: aws.String("rtbassoc-9")})), "InvalidAssociationID.NotFound", "The association ID 'rtbassoc-9' does not exist"},
		{one(c.CreateTags(ctx, &awsec2.CreateTagsInput{Resources: []string{"x"}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})), "InvalidID", "The ID 'x' is not valid"},
		{one(c.CreateVpc(ctx, &awsec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/8")})), "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."},
		{one(c.CreateNetworkAcl(ctx, &awsec2.CreateNetworkAclInput{VpcId: aws.String("vpc-9")})), "InvalidAction", "CreateNetworkAcl"},
		{one(c.CreateTransitGateway(ctx, &awsec2.CreateTransitGatewayInput{})), "InvalidAction", "CreateTransitGateway"},
	} {
		doortest.Refused(t, test.err, test.code, test.text)
	}
}

func TestTags(t *testing.T) {
	p := open(t)
	ctx, c := t.Context(), p.admin
	vpc := p.vpc(t, "10.1.0.0/16")
	subnet := p.subnet(t, vpc, "10.1.0.0/24")
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	doortest.Must(t)(c.CreateTags(ctx, &awsec2.CreateTagsInput{Resources: []string{vpc, subnet}, Tags: []types.Tag{tag("team", "a"), tag("Name", "n")}}))
	_, err := c.CreateTags(ctx, &awsec2.CreateTagsInput{Resources: []string{vpc}, Tags: []types.Tag{tag("aws:x", "")}})
	doortest.Refused(t, err, "InvalidParameterValue", "reserved for internal use")
	keys := func(filters []types.Filter) (list []string) {
		for _, d := range got(c.DescribeTags(ctx, &awsec2.DescribeTagsInput{Filters: filters})).Tags {
			list = append(list, *d.ResourceId+" "+string(d.ResourceType)+" "+*d.Key+"="+*d.Value)
		}
		return list
	}
	if l := keys(where("resource-type", "subnet")); !slices.Equal(l, []string{subnet + " subnet Name=n", subnet + " subnet team=a"}) {
		t.Errorf("%q", l)
	}
	doortest.Must(t)(c.DeleteTags(ctx, &awsec2.DeleteTagsInput{Resources: []string{subnet, vpc}, Tags: []types.Tag{tag("team", "other"), {Key: aws.String("Name")}}}))
	if l := keys(where("resource-id", subnet)); !slices.Equal(l, []string{subnet + " subnet team=a"}) {
		t.Errorf("%q", l)
	}
	// All or nothing.
	_, err = c.CreateTags(ctx, &awsec2.CreateTagsInput{Resources: []string{vpc, "subnet-9"}, Tags: []types.Tag{tag("later", "")}})
	doortest.Refused(t, err, "InvalidSubnetID.NotFound", "subnet-9")
	if l := keys(where("key", "later")); l != nil {
		t.Errorf("%q", l)
	}
	for n := range 12 {
		p.subnet(t, vpc, netip.AddrFrom4([4]byte{10, 1, byte(n + 1), 0}).String()+"/24")
	}
	var all []string
	pages := awsec2.NewDescribeSubnetsPaginator(c, &awsec2.DescribeSubnetsInput{MaxResults: aws.Int32(5)})
	for pages.HasMorePages() {
		for _, n := range got(pages.NextPage(ctx)).Subnets {
			all = append(all, *n.SubnetId)
		}
	}
	if len(all) != 13 || !slices.IsSorted(all) {
		t.Errorf("%q", all)
	}
}

// Policies decide on what is made, on what it is made in, and on its tags; DryRun
// tells without doing it.
func TestPolicies(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	vpc, other := p.vpc(t, "10.1.0.0/16"), p.vpc(t, "10.2.0.0/16")
	vpcARN := "arn:aws:ec2:us-west-2:" + doortest.Number + ":vpc/" + vpc
	user := awsec2.NewFromConfig(p.User(t, "u", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:CreateSubnet","Resource":["`+vpcARN+`","arn:aws:ec2:*:*:subnet/*"]},
		{"Effect":"Allow","Action":"ec2:DeleteSubnet","Resource":"*","Condition":{"ArnEquals":{"ec2:Vpc":"`+vpcARN+`"},"StringEquals":{"aws:ResourceTag/team":"a"}}},
		{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:subnet/*","Condition":{"StringEquals":{"ec2:CreateAction":"CreateSubnet","aws:RequestTag/team":"a"}}},
		{"Effect":"Allow","Action":"ec2:ModifySubnetAttribute","Resource":"*","Condition":{"StringEquals":{"ec2:Attribute":"MapPublicIpOnLaunch","ec2:Attribute/MapPublicIpOnLaunch":"false"}}}
	]}`))
	make := func(vpc, cidr, team string, dry bool) (*string, error) {
		out, err := user.CreateSubnet(ctx, &awsec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr, DryRun: &dry, TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeSubnet, Tags: []types.Tag{{Key: aws.String("team"), Value: &team}}}}})
		if err != nil {
			return nil, err
		}
		return out.Subnet.SubnetId, nil
	}
	_, err := make(other, "10.2.0.0/24", "a", true)
	doortest.Refused(t, err, "UnauthorizedOperation", "You are not authorized to perform this operation.")
	_, err = make(vpc, "10.1.0.0/24", "b", true)
	doortest.Refused(t, err, "UnauthorizedOperation", "ec2:CreateTags")
	_, err = make(vpc, "10.1.0.0/24", "a", true)
	doortest.Refused(t, err, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	id, err := make(vpc, "10.1.0.0/24", "a", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = user.CreateTags(ctx, &awsec2.CreateTagsInput{Resources: []string{*id}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}})
	doortest.Refused(t, err, "UnauthorizedOperation", "ec2:CreateTags")
	public := func(v bool) error {
		_, err := user.ModifySubnetAttribute(ctx, &awsec2.ModifySubnetAttributeInput{SubnetId: id, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: &v}})
		return err
	}
	doortest.Refused(t, public(true), "UnauthorizedOperation", "ec2:ModifySubnetAttribute")
	if err := public(false); err != nil {
		t.Error(err)
	}
	untagged := p.subnet(t, vpc, "10.1.1.0/24")
	_, err = user.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &untagged})
	doortest.Refused(t, err, "UnauthorizedOperation", "ec2:DeleteSubnet")
	doortest.Must(t)(user.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: id}))
}
