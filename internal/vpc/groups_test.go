package vpc_test

import (
	"context"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/engine/secgroup"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// grouped is the cloud with security groups: nodes and control plane in the
// cluster's, the machine in one that lets everything out.
func grouped(t *testing.T) (*cloud, *vpc.Groups, *secgroup.State) {
	t.Helper()
	c := build(t)
	g, err := c.OpenGroups()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	everywhere := netip.MustParsePrefix("0.0.0.0/0")
	s := &secgroup.State{
		Groups: []secgroup.Group{
			{ID: "cluster", Rules: []secgroup.Rule{
				{ID: "self", Any: true, Group: "cluster"},
				{ID: "out", Egress: true, Any: true, Block: everywhere},
			}},
			{ID: "machine", Rules: []secgroup.Rule{{ID: "out", Egress: true, Any: true, Block: everywhere}}},
		},
		Interfaces: []secgroup.Interface{
			{ID: "plane", Addresses: []netip.Addr{c.api[0]}, Groups: []string{"cluster"}},
			{ID: "shell", Addresses: []netip.Addr{c.shellA}, Groups: []string{"machine"}},
		},
	}
	for i := range c.nodes {
		_, pods := vpctest.Private(c.Config, i)
		s.Interfaces = append(s.Interfaces, secgroup.Interface{
			ID: c.nodes[i], Addresses: []netip.Addr{c.addr[i]}, Prefixes: []netip.Prefix{pods}, Groups: []string{"cluster"},
		})
	}
	mustNil(t, g.Set(s))
	return c, g, s
}

// connects checks that a connection is made, for which there is time, or is not, for
// as long as a packet takes many times over.
func connects(t *testing.T, what, ns, to string, want bool) {
	t.Helper()
	patience := 300 * time.Millisecond
	if want {
		patience = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := netns.Dial(ns)(ctx, "tcp4", to)
	if err == nil {
		conn.Close()
	}
	if (err == nil) != want {
		t.Errorf("%s: connected %t, want %t (%v)", what, err == nil, want, err)
	}
}

func pings(t *testing.T, ns string, to netip.Addr) bool {
	t.Helper()
	var failed error
	mustNil(t, netns.Do(ns, func() error {
		failed = exec.Command("ping", "-c", "1", "-W", "1", to.String()).Run()
		return nil
	}))
	return failed == nil
}

func TestSecurityGroups(t *testing.T) {
	c, g, s := grouped(t)
	for _, test := range []struct {
		name, from, to string
		want           bool
	}{
		{"node to node", c.nodes[0], at(c.addr[1], 8080), true},
		{"node to a pod of another", c.nodes[0], at(c.pod[1], 8080), true},
		{"node to the private endpoint", c.nodes[0], at(c.api[0], 443), true},
		{"control plane to a node", c.plane, at(c.addr[0], 8080), true},
		{"machine to a node", c.shell, at(c.addr[0], 8080), false},
		{"machine to a pod", c.shell, at(c.pod[0], 8080), false},
		{"machine to the private endpoint", c.shell, at(c.api[0], 443), false},
		{"machine to the public endpoint", c.shell, at(c.api[1], 443), true},
		{"machine to the front door", c.shell, at(c.Front(), 443), true},
		{"the Internet to the public endpoint", "", at(c.api[1], 443), true},
	} {
		connects(t, test.name, test.from, test.to, test.want)
	}

	// One rule more, for one port.
	rules := s.Groups[0].Rules
	s.Groups[0].Rules = append(rules[:2:2], secgroup.Rule{ID: "web", Proto: ruleset.TCP, First: 8080, Last: 8080, Group: "machine"})
	mustNil(t, g.Set(s))
	connects(t, "by the rule for a port", c.shell, at(c.addr[0], 8080), true)
	connects(t, "at another port", c.shell, at(c.api[0], 443), false)
	// What has begun goes on when the rule goes; nothing new begins.
	conn := dial(t, c.shell, at(c.pod[1], 8080))
	greeting(t, conn)
	s.Groups[0].Rules = rules
	mustNil(t, g.Set(s))
	echo(t, conn)
	connects(t, "after its rule went", c.shell, at(c.pod[1], 8080), false)

	// Without the rule for itself, the cluster falls apart.
	s.Groups[0].Rules = rules[1:]
	mustNil(t, g.Set(s))
	for what, to := range map[string]string{"another node": at(c.addr[1], 8080), "the private endpoint": at(c.api[0], 443)} {
		connects(t, "without the rule for itself a node to "+what, c.nodes[0], to, false)
	}
	connects(t, "without the rule for itself the control plane to a node", c.plane, at(c.addr[0], 8080), false)
}

func TestEgressOfGroups(t *testing.T) {
	c, g, s := grouped(t)
	s.Groups[1].Rules = []secgroup.Rule{{ID: "node", Egress: true, Proto: ruleset.TCP, First: 1, Last: 65535, Group: "cluster"}}
	s.Groups[0].Rules = append(s.Groups[0].Rules, secgroup.Rule{ID: "in", Any: true, Group: "machine"})
	mustNil(t, g.Set(s))
	vpctest.Serve(t, c.World(), at(c.Resolver(), 53), "resolver")
	vpctest.Serve(t, c.World(), at(vpc.Metadata, 80), "metadata")
	for _, test := range []struct {
		name string
		to   string
		want bool
	}{
		{"to a member of the group", at(c.addr[0], 8080), true},
		{"to a public endpoint", at(c.api[1], 443), false},
		{"to the front door", at(c.Front(), 443), false},
		{"to the resolver", at(c.Resolver(), 53), true},
		{"to the metadata", at(vpc.Metadata, 80), true},
	} {
		connects(t, test.name, c.shell, test.to, test.want)
	}
}

func TestMessagesOfGroups(t *testing.T) {
	c, g, s := grouped(t)
	if _, err := exec.LookPath("ping"); err != nil {
		t.Skip("needs ping")
	}
	if pings(t, c.shell, c.addr[0]) {
		t.Error("a ping was let through")
	}
	for _, test := range []struct {
		kind, code int16
		want       bool
	}{{8, 0, true}, {8, -1, true}, {-1, -1, true}, {8, 1, false}, {0, -1, false}} {
		s.Groups[0].Rules[0] = secgroup.Rule{ID: "ping", Proto: ruleset.ICMP, Type: test.kind, Code: test.code, Group: "machine"}
		mustNil(t, g.Set(s))
		if got := pings(t, c.shell, c.addr[0]); got != test.want {
			t.Errorf("type %d, code %d: %t", test.kind, test.code, got)
		}
	}
}

// Health checks come from the router, by a load balancer's address.
func TestChecksMeetGroups(t *testing.T) {
	c, g, s := grouped(t)
	connects(t, "the router to a node that lets only its own in", c.World(), at(c.addr[0], 8080), false)
	s.Groups[0].Rules = append(s.Groups[0].Rules, secgroup.Rule{ID: "health", Proto: ruleset.TCP, First: 8080, Last: 8080, Block: c.VPC})
	mustNil(t, g.Set(s))
	connects(t, "the router to a node that lets the VPC in", c.World(), at(c.addr[0], 8080), true)
}

// The rules need no process, and who takes them over changes nothing by it.
func TestGroupsOutliveTheirDaemon(t *testing.T) {
	c, g, s := grouped(t)
	conn := dial(t, c.nodes[0], at(c.addr[1], 8080))
	greeting(t, conn)
	mustNil(t, g.Close())
	check := func(when string) {
		t.Helper()
		echo(t, conn)
		connects(t, when+", node to node", c.nodes[0], at(c.addr[1], 8080), true)
		connects(t, when+", machine to node", c.shell, at(c.addr[0], 8080), false)
	}
	check("without a daemon")
	again, err := c.OpenGroups()
	mustNil(t, err)
	t.Cleanup(func() { again.Close() })
	check("before the new daemon has read them")
	mustNil(t, again.Set(s))
	check("after the new daemon's first setting")
}
