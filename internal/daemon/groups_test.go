package daemon

import (
	"net/netip"
	"testing"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/secgroup"
)

func TestGroupRule(t *testing.T) {
	block := netip.MustParsePrefix("10.0.0.0/8")
	for _, test := range []struct {
		rule ec2.Rule
		want secgroup.Rule
	}{
		{ec2.Rule{ID: "r", Protocol: "-1", From: -1, To: -1, CIDR: block}, secgroup.Rule{ID: "r", Any: true, Block: block}},
		{ec2.Rule{Egress: true, Protocol: "tcp", From: 1, To: 65535, Group: "sg-1"}, secgroup.Rule{Egress: true, Proto: 6, First: 1, Last: 65535, Group: "sg-1"}},
		{ec2.Rule{Protocol: "udp", From: 53, To: 53, PrefixList: "pl-1"}, secgroup.Rule{Proto: 17, First: 53, Last: 53, List: "pl-1"}},
		{ec2.Rule{Protocol: "icmp", From: 8, To: -1, CIDR: block}, secgroup.Rule{Proto: 1, Type: 8, Code: -1, Block: block}},
		{ec2.Rule{Protocol: "icmpv6", From: -1, To: -1, CIDR: block}, secgroup.Rule{Proto: 58, Type: -1, Code: -1, Block: block}},
		{ec2.Rule{Protocol: "47", From: -1, To: -1, CIDR: block}, secgroup.Rule{Proto: 47, Block: block}},
	} {
		if got, err := groupRule(test.rule); err != nil || got != test.want {
			t.Errorf("%v: %+v, %v; want %+v", test.rule, got, err, test.want)
		}
	}
	if _, err := groupRule(ec2.Rule{Protocol: "gre"}); err == nil {
		t.Error("a protocol that isn't known is enforced as another")
	}
}

func TestBranchLimit(t *testing.T) {
	for kind, want := range map[string]int{"m5.large": 9, "c5.xlarge": 18, "t3.large": 0, "m5": 0, "": 0, "m5.nano": 0} {
		if got := branchLimit(kind); got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
	}
}
