package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/secgroup"
	"github.com/eksact/eksact/internal/store"
)

// Whom security groups admit to a port of a load balancer: by ranges, other groups'
// members, and nobody by rules for other ports, protocols or what goes out.
func TestAdmits(t *testing.T) {
	st := store.NewMemory()
	t.Cleanup(st.Close)
	d := &Daemon{ec2: ec2.New(st, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, "us-west-2a")}
	p := netip.MustParsePrefix
	err := errors.Join(
		d.ec2.PutVPC(t.Context(), ec2.VPC{ID: "vpc-1", CIDRs: []netip.Prefix{p("10.0.0.0/16")}}),
		d.ec2.RestoreGroup(t.Context(), ec2.SecurityGroup{ID: "sg-lb", VPC: "vpc-1", Name: "lb", Rules: []ec2.Rule{
			{ID: "sgr-1", Protocol: "tcp", From: 80, To: 90, CIDR: p("192.0.2.0/24")},
			{ID: "sgr-2", Protocol: "-1", From: -1, To: -1, Group: "sg-clients"},
			{ID: "sgr-3", Protocol: "udp", From: 80, To: 80, CIDR: p("198.51.100.0/24")},
			{ID: "sgr-4", Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: p("0.0.0.0/0")},
		}}),
		d.ec2.RestoreGroup(t.Context(), ec2.SecurityGroup{ID: "sg-clients", VPC: "vpc-1", Name: "clients"}),
		d.ec2.PutNetworkInterface(t.Context(), ec2.NetworkInterface{ID: "eni-1", VPC: "vpc-1", IP: netip.MustParseAddr("10.0.0.9"), Groups: []string{"sg-clients"}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		proto uint8
		port  uint16
		want  string
	}{{6, 80, "[192.0.2.0/24 10.0.0.9/32]"}, {6, 91, "[10.0.0.9/32]"}, {17, 80, "[10.0.0.9/32 198.51.100.0/24]"}} {
		if got := fmt.Sprint(d.admits([]string{"sg-lb", "sg-none"}, test.proto, test.port)); got != test.want {
			t.Errorf("protocol %d, port %d: %s, want %s", test.proto, test.port, got, test.want)
		}
	}
}

// A target's rule that names a load balancer's group lets the group's clients through,
// to the rule's ports; rules of others stay as they are.
func TestClientsOfABalancersGroup(t *testing.T) {
	rule := secgroup.Rule{ID: "sgr-1", Proto: 6, First: 8080, Last: 8080, Group: "sg-lb"}
	out := rule
	out.Egress = true
	s := &secgroup.State{Groups: []secgroup.Group{{ID: "sg-nodes", Rules: []secgroup.Rule{rule, out, {ID: "sgr-2", Any: true, Group: "sg-nodes"}}}}}
	client := netip.MustParsePrefix("192.0.2.0/24")
	letClients(s, func(group string) []netip.Prefix {
		if group == "sg-lb" {
			return []netip.Prefix{client}
		}
		return nil
	})
	want := secgroup.Rule{ID: "sgr-1", Proto: 6, First: 8080, Last: 8080, Block: client}
	if got := s.Groups[0].Rules; len(got) != 4 || got[3] != want || !slices.Contains(got, rule) {
		t.Errorf("%+v", got)
	}
}
