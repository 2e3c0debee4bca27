package vpc_test

import (
	"net/netip"
	"testing"

	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// TestVPCs runs a second VPC beside the first. They don't reach one another by private
// addresses, whatever their machines' routes; by public ones they do, each as its own NAT
// gateway, and both reach what is AWS's.
func TestVPCs(t *testing.T) {
	c := build(t)
	p := netip.MustParsePrefix
	block, nat, public := p("172.30.0.0/16"), c.Elastic().Addr().Next(), c.Elastic().Addr().Next().Next()
	if !c.Free(block) || c.Free(c.VPC) || c.Free(c.Public) {
		t.Fatal("the ranges that a further VPC can have")
	}
	second := func(open bool) func(*vpc.Layout) {
		return func(l *vpc.Layout) {
			l.VPCs = append(l.VPCs, vpc.Inside{Range: block, Open: open, NATs: []netip.Addr{nat}})
			l.Subnets = append(l.Subnets, vpc.SubnetRoutes{
				Subnet: vpc.Subnet{Name: "subnet-2", Zone: "us-west-2a", Prefix: p("172.30.0.0/24")}, Exits: []nft.Exit{{To: all, Source: nat}},
			})
			l.Addresses = map[netip.Addr]netip.Addr{netip.MustParseAddr("172.30.0.5"): public}
		}
	}
	c.settle(t, second(true))
	there := netip.MustParseAddr("172.30.0.5")
	ns, err := c.AttachNode(t.Context(), "i-there", there, p("172.30.0.32/27"))
	if err != nil {
		t.Fatal(err)
	}
	vpctest.Serve(t, ns, ":8080", "there")
	plane, err := c.AttachControlPlane(t.Context(), "second", []netip.Addr{netip.MustParseAddr("172.30.0.6")}, []netip.Addr{c.api[1].Next()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ what, from, to, want string }{
		{"to the front door", ns, at(c.Front(), 443), "front " + there.String()},
		{"to the first one's public endpoint", ns, at(c.api[1], 443), "api " + nat.String()},
		{"from its own control plane", plane, at(there, 8080), "there 172.30.0.6"},
		{"from outside", "", at(public, 8080), "there " + c.Host().String()},
		{"within the first", c.nodes[0], at(c.addr[1], 8080), "node1 " + c.addr[0].String()},
	} {
		if got := greeting(t, dial(t, test.from, test.to)); got != test.want {
			t.Errorf("%s: answered by %q, want %q", test.what, got, test.want)
		}
	}
	apart := func() {
		t.Helper()
		refusedAtOnce(t, ns, at(c.addr[0], 8080))
		refusedAtOnce(t, ns, at(c.api[0], 443))
		refusedAtOnce(t, c.nodes[0], at(there, 8080))
		refusedAtOnce(t, plane, at(c.addr[0], 8080))
	}
	apart()
	// Without its internet gateway the second is not reached from outside; the first is.
	c.settle(t, second(false))
	refusedAtOnce(t, "", at(public, 8080))
	if got := greeting(t, dial(t, "", at(c.api[1], 443))); got != "api "+c.Host().String() {
		t.Errorf("the first VPC's endpoint answers %q", got)
	}
	apart()
}
