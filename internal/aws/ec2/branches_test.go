package ec2

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestBranches(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	group := newGroup(t, s, "pods")
	branch := func(pod, address string, groups ...string) NetworkInterface {
		return NetworkInterface{
			ID: "eni-" + pod, Type: types.NetworkInterfaceTypeBranch, VPC: "vpc-1", Subnet: "subnet-b", Zone: "us-west-2b",
			IP: netip.MustParseAddr(address), Groups: groups, Trunk: "eni-1", Pod: pod,
		}
	}
	now := func() string {
		var list []string
		for _, n := range s.NetworkInterfaces() {
			if n.Pod != "" {
				list = append(list, n.Pod+" "+n.IP.String())
			}
		}
		return strings.Join(list, ", ")
	}
	for _, step := range []struct {
		what   string
		put    NetworkInterface
		failed string
		want   string
	}{
		{"a first", branch("a", "10.0.96.33", group), "", "a 10.0.96.33"},
		{"a second", branch("b", "10.0.96.34", group), "", "a 10.0.96.33, b 10.0.96.34"},
		{"one too many", branch("c", "10.0.96.35", group), "as many as its instance may have", "a 10.0.96.33, b 10.0.96.34"},
		{"the first once more, elsewhere", branch("a", "10.0.96.36", group), "", "a 10.0.96.36, b 10.0.96.34"},
		{"another at its address", branch("c", "10.0.96.36", group), "", "b 10.0.96.34, c 10.0.96.36"},
		{"a pod without groups at an address", branch("d", "10.0.96.34"), "", "c 10.0.96.36"},
		{"a group that isn't there", branch("e", "10.0.96.37", "sg-9"), "sg-9", "c 10.0.96.36"},
	} {
		err := s.PutBranch(ctx, step.put, 2)
		if (err == nil) != (step.failed == "") || err != nil && !strings.Contains(err.Error(), step.failed) {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := now(); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
	// A pod's group is in use.
	if err := s.RemoveSecurityGroup(ctx, group); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.SecurityGroup(group); !ok {
		t.Error("a group that a pod's interface has was removed")
	}
}

func TestDescribedRules(t *testing.T) {
	s := world(t)
	ctx := t.Context()
	id := newGroup(t, s, "nodes")
	port := func(n int32, description string) Rule {
		return Rule{Protocol: "tcp", From: n, To: n, CIDR: netip.MustParsePrefix("0.0.0.0/0"), Description: description}
	}
	allow(t, s, id, tcp(30001, 30001, "0.0.0.0/0")) // the user's own
	for _, step := range []struct {
		rules []Rule
		want  string
	}{
		{[]Rule{port(30000, "client=a"), port(30001, "client=a")}, "[30000 client=a 30001 ]"},
		{[]Rule{port(30002, "client=a")}, "[30001  30002 client=a]"},
		{nil, "[30001 ]"},
	} {
		if err := s.SetDescribedRules(ctx, id, []string{"client=a", "health=a"}, step.rules); err != nil {
			t.Fatal(err)
		}
		g, _ := s.SecurityGroup(id)
		var got []string
		for _, r := range g.Rules {
			if !r.Egress {
				got = append(got, fmt.Sprint(r.From, " ", r.Description))
			}
		}
		slices.Sort(got)
		if fmt.Sprint(got) != step.want {
			t.Errorf("%v, want %s", got, step.want)
		}
	}
	if err := s.SetDescribedRules(ctx, "sg-9", []string{"client=a"}, nil); err != nil {
		t.Errorf("nothing of a group that isn't there: %v", err)
	}
	if err := s.SetDescribedRules(ctx, "sg-9", []string{"client=a"}, []Rule{port(1, "client=a")}); err == nil {
		t.Error("rules were added to a group that isn't there")
	}
}
