package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/lb"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// grounded is a daemon with a network and its EC2 API, and nothing else.
func grounded(t *testing.T) *Daemon {
	t.Helper()
	s := store.NewMemory()
	t.Cleanup(s.Close)
	return groundedOn(t, s)
}

func groundedOn(t *testing.T, s *store.Store) *Daemon {
	t.Helper()
	d := &Daemon{network: vpctest.Open(t), started: time.Now(), store: s}
	d.config = Default(t.TempDir(), d.network.RunDir)
	d.config.VPC, d.config.Public = d.network.VPC, d.network.Public
	d.addresses = ipam.New(d.store, d.network.Ranges())
	d.ec2 = ec2.New(d.store, d.config.Place(), "us-west-2a", "us-west-2b")
	d.balancers = lb.New(lb.Config{Store: d.store, Network: d.network, Addresses: d.addresses, Names: dns.New(dns.Config{}), Region: d.config.Region})
	d.ground = &ground{d: d}
	d.ec2.UseGround(d.ground)
	if err := d.recordNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// The VPC is recorded once; its routes are then what the API makes of them, in
// records and in packets, also for a daemon that starts again.
func TestGround(t *testing.T) {
	d := grounded(t)
	ctx := t.Context()
	address, pods := vpctest.Private(d.network.Config, 1)
	node, err := d.network.AttachNode(ctx, "i-1", address, pods)
	if err != nil {
		t.Fatal(err)
	}
	front := net.JoinHostPort(d.network.Front().String(), "443")
	vpctest.Serve(t, d.network.World(), front, "front")
	reached := func(want bool) {
		t.Helper()
		limit, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		conn, err := netns.Dial(node)(limit, "tcp4", front)
		if err == nil {
			conn.Close()
		}
		refused := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENETUNREACH)
		if want && err != nil || !want && !refused {
			t.Errorf("the node reaches the front door: %v, want %v", err, want)
		}
	}
	reached(true)

	subnet := d.config.subnetID("private-a")
	filter := []ec2types.Filter{{Name: aws.String("association.subnet-id"), Values: []string{subnet}}}
	tables, err := d.ec2.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: filter})
	if err != nil || len(tables.RouteTables) != 1 {
		t.Fatalf("%+v, %v", tables, err)
	}
	table, everywhere := tables.RouteTables[0], aws.String("0.0.0.0/0")
	if _, err := d.ec2.DeleteRoute(ctx, &awsec2.DeleteRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: everywhere}); err != nil {
		t.Fatal(err)
	}
	reached(false)
	if err := d.recordNetwork(ctx); err != nil { // as the next start does
		t.Fatal(err)
	}
	reached(false)
	nat := table.Routes[1].NatGatewayId
	if _, err := d.ec2.CreateRoute(ctx, &awsec2.CreateRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: everywhere, NatGatewayId: nat}); err != nil {
		t.Fatal(err)
	}
	reached(true)
	if _, err := d.ec2.DeleteNatGateway(ctx, &awsec2.DeleteNatGatewayInput{NatGatewayId: nat}); err != nil {
		t.Fatal(err)
	}
	reached(false)
}

// A subnet that is made has a router and a pool of addresses, and goes when nothing
// has one of them.
func TestGroundSubnets(t *testing.T) {
	d := grounded(t)
	ctx := t.Context()
	raw := d.network.VPC.Addr().As4()
	raw[2] = 200
	block := netip.PrefixFrom(netip.AddrFrom4(raw), 24)
	made, err := d.ec2.CreateSubnet(ctx, &awsec2.CreateSubnetInput{VpcId: aws.String(d.config.vpcID()), CidrBlock: aws.String(block.String())})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.Subnet.SubnetId
	address, err := d.ground.Take(ctx, id, "host/x")
	if err != nil || !block.Contains(address) || d.ground.Used(id) != 1 {
		t.Fatalf("%s, %v; %d are used", address, err, d.ground.Used(id))
	}
	if s, ok := d.network.SubnetOf(address); !ok || d.config.subnetID(s.Name) != id {
		t.Errorf("the network has the address in %+v", s)
	}
	if _, err := d.network.AttachHost(ctx, "x", address); err != nil {
		t.Error(err)
	}
	if _, err = d.ec2.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &id}); err == nil || !strings.Contains(err.Error(), "DependencyViolation") {
		t.Errorf("a subnet in use was deleted: %v", err)
	}
	if err := errors.Join(d.network.Detach(ctx, "x"), d.ground.Release(ctx, "host/x")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ec2.DeleteSubnet(ctx, &awsec2.DeleteSubnetInput{SubnetId: &id}); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.network.SubnetOf(address); ok {
		t.Error("the subnet is still there")
	}
	if got := d.config.subnetName(d.config.subnetID("public-b")); got != "public-b" {
		t.Errorf("the first subnets' names: %q", got)
	}
}
