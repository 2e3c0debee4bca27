package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// waylaid is a daemon with a network, its EC2 API with security groups, and a front
// door that says by which way a call came.
func waylaid(t *testing.T) (d *Daemon, ctx context.Context) {
	t.Helper()
	d = grounded(t)
	return d, d.openDoorsFor(t, http.HandlerFunc(d.sayWay))
}

// openDoorsFor opens the daemon's network to a front door, until the test ends.
func (d *Daemon) openDoorsFor(t *testing.T, handler http.Handler) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		d.running.Wait()
		d.closeGroups()
	})
	d.withWays(handler)
	if err := errors.Join(d.openGroups(ctx), d.openWays(ctx)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		a    netip.Addr
		mark bool
	}{{d.network.Front(), false}, {d.network.S3(), true}} {
		l, err := netns.Listen(d.network.World(), "tcp4", net.JoinHostPort(at.a.String(), "443"))
		if err != nil {
			t.Fatal(err)
		}
		if at.mark {
			l = vpc.Marked(l)
		}
		serve := d.ways.serve // the test may make other ways
		d.running.Go(func() { serve(ctx, l) })
	}
	return ctx
}

// sayWay answers a call with the way by which it came.
func (d *Daemon) sayWay(w http.ResponseWriter, r *http.Request) {
	way, open := d.ways.of(r.Context().Value(http.LocalAddrContextKey).(net.Addr))
	if !open {
		panic(http.ErrAbortHandler)
	}
	id, policies := "-", 0
	if way.Endpoint != nil {
		id, policies = way.Endpoint.ID, len(way.Endpoint.Policy.Sources()[0].Policy.Document().Statements)
	}
	fmt.Fprintf(w, "%s|%s|%d", way.Only, id, policies)
}

// withWays makes ways to a front door.
func (d *Daemon) withWays(handler http.Handler) {
	d.names = dns.New(dns.Config{Zones: dns.Zones(d.config.Region, d.config.VPC)})
	d.names.SetAddrs("*.amazonaws.com", []netip.Addr{d.network.Front()}, dns.Inside, dns.Outside)
	d.ways = ways{network: d.network, names: d.names, vpcARN: d.config.vpcARN}
	open := map[netip.Addr]net.Listener{}
	d.ways.listen = func(a netip.Addr) (l net.Listener, err error) {
		open[a], err = netns.Listen(d.network.World(), "tcp4", net.JoinHostPort(a.String(), "443"))
		return open[a], err
	}
	d.ways.close = func(a netip.Addr) error { delete(open, a); return nil }
	d.ways.serve = func(ctx context.Context, l net.Listener) {
		_ = front.Serve(ctx, l, &tls.Config{}, handler, nil, 0)
	}
}

// call asks who answers at an address, from a namespace; "" is nobody.
func call(ns string, to netip.Addr) string {
	c := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return netns.Dial(ns)(ctx, network, address)
	}}}
	res, err := c.Get("http://" + net.JoinHostPort(to.String(), "443"))
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

// TestWays: VPC endpoints made by the API are there in packets and names, guarded by
// their groups, and gone when they are deleted.
func TestWays(t *testing.T) {
	d, ctx := waylaid(t)
	address, pods := vpctest.Private(d.network.Config, 1)
	node, err := d.network.AttachNode(ctx, "i-1", address, pods)
	if err != nil {
		t.Fatal(err)
	}
	says := func(to netip.Addr, want string) {
		t.Helper()
		if got := call(node, to); got != want {
			t.Errorf("at %s %q answers, want %q", to, got, want)
		}
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	vpcID, group := aws.String(d.config.vpcID()), d.config.resourceID("sg", "default")
	made, err := d.ec2.CreateVpcEndpoint(ctx, &awsec2.CreateVpcEndpointInput{
		VpcId: vpcID, ServiceName: aws.String("com.amazonaws.us-west-2.sts"), VpcEndpointType: ec2types.VpcEndpointTypeInterface,
		SubnetIds: []string{d.config.subnetID("private-a"), d.config.subnetID("private-b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.VpcEndpoint.VpcEndpointId
	private, own := "sts.us-west-2.amazonaws.com", *made.VpcEndpoint.DnsEntries[0].DnsName
	at, _ := d.names.Addrs(private, dns.Inside)
	if len(at) != 2 {
		t.Fatalf("%s leads to %v", private, at)
	}
	if same, _ := d.names.Addrs(own, dns.Outside); len(same) != 2 {
		t.Errorf("%s leads to %v", own, same)
	}
	if _, seen := d.names.Addrs(private, dns.Outside); seen {
		t.Error("the private name is seen outside")
	}

	// The default group lets its members in alone.
	says(at[0], "")
	must(d.ec2.AuthorizeSecurityGroupIngress(ctx, &awsec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &group, IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443), CidrIp: aws.String(address.String() + "/32")}))
	says(at[0], "sts|"+id+"|1")
	says(at[1], "sts|"+id+"|1")
	says(d.network.Front(), "|-|0")
	two := `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}`
	must(d.ec2.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: &id, PolicyDocument: &two, PrivateDnsEnabled: aws.Bool(false)}))
	says(at[0], "sts|"+id+"|2")
	if left, _ := d.names.Addrs(private, dns.Inside); len(left) != 0 {
		t.Errorf("%s still leads to %v", private, left)
	}

	// Without a way out of the VPC the endpoint is reached and the front door is not; by
	// a gateway endpoint S3 is reached beside it.
	tables, err := d.ec2.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: aws.String("association.subnet-id"), Values: []string{d.config.subnetID("private-a")}}}})
	if err != nil {
		t.Fatal(err)
	}
	table := tables.RouteTables[0].RouteTableId
	says(d.network.S3(), "s3|-|0")
	must(d.ec2.DeleteRoute(ctx, &awsec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: aws.String("0.0.0.0/0")}))
	says(at[0], "sts|"+id+"|2")
	says(d.network.Front(), "")
	says(d.network.S3(), "")
	gateway, err := d.ec2.CreateVpcEndpoint(ctx, &awsec2.CreateVpcEndpointInput{VpcId: vpcID, ServiceName: aws.String("com.amazonaws.us-west-2.s3"), RouteTableIds: []string{*table}})
	if err != nil {
		t.Fatal(err)
	}
	says(d.network.S3(), "s3|"+*gateway.VpcEndpoint.VpcEndpointId+"|1")
	says(d.network.Front(), "")

	must(d.ec2.DeleteVpcEndpoints(ctx, &awsec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id, *gateway.VpcEndpoint.VpcEndpointId}}))
	says(at[0], "")
	says(d.network.S3(), "")
	if left, _ := d.names.Addrs(own, dns.Inside); len(left) != 0 {
		t.Errorf("%s still leads to %v", own, left)
	}
	if owners := d.addresses.Owners(endpointOwner); len(owners) != 0 {
		t.Errorf("addresses are still %v's", owners)
	}
	if held := routerHolds(t, d); strings.Contains(held, at[0].String()+"/") || strings.Contains(held, at[1].String()+"/") {
		t.Errorf("the router has %s", held)
	}
}

// What a crash has left of endpoints is shut before anything is answered.
func TestWaysAfterACrash(t *testing.T) {
	d, ctx := waylaid(t)
	made, err := d.ec2.CreateVpcEndpoint(ctx, &awsec2.CreateVpcEndpointInput{
		VpcId: aws.String(d.config.vpcID()), ServiceName: aws.String("com.amazonaws.us-west-2.sts"), VpcEndpointType: ec2types.VpcEndpointTypeInterface,
		SubnetIds: []string{d.config.subnetID("private-a")},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := d.ec2.Layout(d.config.vpcID()).Endpoints[0].VPCEndpoint
	lost, err := d.ground.Take(ctx, d.config.subnetID("private-a"), endpointOwner+"eni-lost")
	if err != nil {
		t.Fatal(err)
	}
	e.Leaving = true
	if err := d.ec2.PutVPCEndpoint(ctx, e); err != nil {
		t.Fatal(err)
	}
	d.withWays(http.HandlerFunc(d.sayWay))
	if err := d.openWays(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ec2.DescribeVpcEndpoints(ctx, &awsec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*made.VpcEndpoint.VpcEndpointId}}); err == nil {
		t.Error("the endpoint is still there")
	}
	if held := routerHolds(t, d); strings.Contains(held, e.Interfaces[0].IP.String()+"/") {
		t.Errorf("the router has %s", held)
	}
	if owners := d.addresses.Owners(endpointOwner); len(owners) != 0 {
		t.Errorf("addresses are still %v's (%s)", owners, lost)
	}
}

// TestWayOf: whatever address a connection was made to that is not known, nobody
// answers.
func TestWayOf(t *testing.T) {
	d := &Daemon{network: &vpc.Network{Config: vpc.Defaults()}}
	w := &ways{network: d.network, vpcARN: Config{Region: "us-west-2", Account: "111122223333"}.vpcARN}
	to := func(a string) net.Addr {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(a), 443))
	}
	for round, open := range []map[string]string{
		{"127.0.0.1": "|", "198.18.0.2": "|", "198.18.0.5": "s3|"},
		{"127.0.0.1": "|", "198.18.0.2": "|", "198.18.0.5": "s3|", "10.0.64.9": "sts|vpce-1", "198.18.0.5 7": "s3|vpce-2"},
	} {
		if round == 1 {
			err := w.know([]ec2.EndpointLayout{
				{Signing: "sts", VPCEndpoint: ec2.VPCEndpoint{ID: "vpce-1", VPC: "vpc-1", Interfaces: []ec2.EndpointInterface{{IP: netip.MustParseAddr("10.0.64.9")}}}},
				{Signing: "s3", VPCEndpoint: ec2.VPCEndpoint{ID: "vpce-2", VPC: "vpc-1", Number: 7}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range []string{"127.0.0.1", "198.18.0.2", "198.18.0.5", "10.0.64.9", "10.0.64.8", "198.18.0.3", "198.18.0.5 7", "198.18.0.5 8"} {
			var mark uint32
			addr, number, marked := strings.Cut(a, " ")
			if marked {
				_, _ = fmt.Sscan(number, &mark)
			}
			way, answered := w.of(vpc.Arrival{Addr: to(addr), Mark: mark})
			got := way.Only + "|"
			if way.Endpoint != nil {
				got += way.Endpoint.ID
				if way.Endpoint.VPCARN != "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1" {
					t.Errorf("the VPC is %s", way.Endpoint.VPCARN)
				}
			}
			if want, is := open[a]; answered != is || is && got != want {
				t.Errorf("round %d, %s: %v %q, want %v %q", round, a, answered, got, is, want)
			}
		}
	}
	if _, answered := w.of(nil); answered {
		t.Error("without an address somebody answers")
	}
}

// routerHolds lists the router's addresses.
func routerHolds(t *testing.T, d *Daemon) string {
	t.Helper()
	var all []string
	err := netns.Do(d.network.World(), func() error {
		h, err := netlink.NewHandle()
		if err != nil {
			return err
		}
		defer h.Close()
		addrs, err := h.AddrList(nil, netlink.FAMILY_V4)
		for _, a := range addrs {
			all = append(all, a.IPNet.String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}
