package daemon

import (
	"net/netip"
	"strings"
	"testing"

	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// What a Service chooses for its load balancer is where it will be, subnet by subnet;
// too few, too many and misplaced addresses are refused as AWS's controllers do.
func TestAServicesChosenAddresses(t *testing.T) {
	d := grounded(t)
	eip, err := d.ec2.AllocateAddress(t.Context(), &awsec2.AllocateAddressInput{})
	if err != nil {
		t.Fatal(err)
	}
	in := func(subnet int) netip.Addr { return high(d.network.Subnets[subnet].Prefix) }
	names := func(scheme string) []string {
		all, err := d.balancers.Subnets(lb.LoadBalancer{ID: "x", Name: "x", Type: lb.Network, Scheme: scheme})
		if err != nil || len(all) != 2 {
			t.Fatalf("%v, %v", all, err)
		}
		return all
	}
	inside := names(lb.Internal)
	for name, test := range map[string]struct {
		want    cloud.Balancer
		subnets []string
		refused string
	}{
		"nothing":                 {cloud.Balancer{}, nil, ""},
		"one Elastic IP address":  {cloud.Balancer{EIPs: []string{*eip.AllocationId}}, []string{"public-b"}, ""},
		"too few":                 {cloud.Balancer{EIPs: []string{*eip.AllocationId}, Controller: true}, nil, "count of EIP allocations (1) and subnets (2) must match"},
		"too few, in-tree":        {cloud.Balancer{EIPs: []string{*eip.AllocationId}}, nil, "error creating load balancer: Must have same number of EIP AllocationIDs (1) and SubnetIDs (2)"},
		"none such":               {cloud.Balancer{EIPs: []string{"eipalloc-0"}}, []string{"public-b"}, "AllocationIdNotFound: The allocation IDs 'eipalloc-0' do not exist"},
		"private, in any order":   {cloud.Balancer{Internal: true, Private: []netip.Addr{in(3), in(2)}}, nil, ""},
		"private, too few":        {cloud.Balancer{Internal: true, Private: []netip.Addr{in(3)}}, nil, "count of private IPv4 addresses (1) and subnets (2) must match"},
		"private, of one subnet":  {cloud.Balancer{Internal: true, Private: []netip.Addr{in(2), in(2).Next()}}, nil, "expect one private IPv4 address configured for subnet: " + d.config.subnetID("private-a")},
		"private, of another one": {cloud.Balancer{Internal: true, Private: []netip.Addr{in(0)}}, []string{"private-b"}, "expect one private IPv4 address configured for subnet: " + d.config.subnetID("private-b")},
	} {
		l := lb.LoadBalancer{ID: "x", Name: "x", Type: lb.Network, Scheme: lb.InternetFacing, Subnets: test.subnets}
		if test.want.Internal {
			l.Scheme = lb.Internal
		}
		allocations, err := d.fix(test.want, &l)
		switch {
		case test.refused != "":
			if err == nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%s: %v, want %s", name, err, test.refused)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case len(test.want.EIPs) > 0:
			if at := l.Fixed["public-b"].Public; at.String() != *eip.PublicIp || allocations["public-b"] != *eip.AllocationId {
				t.Errorf("%s: at %s, allocations %v", name, at, allocations)
			}
		case len(test.want.Private) > 0:
			if l.Fixed[inside[0]].Private != in(2) || l.Fixed[inside[1]].Private != in(3) {
				t.Errorf("%s: at %v", name, l.Fixed)
			}
		case len(l.Fixed)+len(l.Subnets) > 0:
			t.Errorf("%s: at %v in %v", name, l.Fixed, l.Subnets)
		}
	}
}

// high is an address of a subnet that the allocator does not come to.
func high(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	for range 200 {
		a = a.Next()
	}
	return a
}
