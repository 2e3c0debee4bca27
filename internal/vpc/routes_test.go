package vpc_test

import (
	"bufio"
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

var all = netip.MustParsePrefix("0.0.0.0/0")

// settle brings the network to its default layout, changed.
func (c *cloud) settle(t *testing.T, change func(*vpc.Layout)) {
	t.Helper()
	l := c.DefaultLayout()
	change(&l)
	if err := c.Settle(context.Background(), l); err != nil {
		t.Fatal(err)
	}
}

// exits gives all subnets the same exits.
func exits(l *vpc.Layout, list ...nft.Exit) {
	for i := range l.Subnets {
		l.Subnets[i].Exits = list
	}
}

// A subnet reaches public addresses as its routes say, from the first packet after
// they were changed, connections that are open included.
func TestRoutesAreObeyed(t *testing.T) {
	c := build(t)
	endpoint, front := at(c.api[1], 443), at(c.Front(), 443)
	open := dial(t, c.nodes[0], endpoint)
	if got := greeting(t, open); got != "api "+c.NAT().String() {
		t.Fatalf("answered by %q", got)
	}
	for _, test := range []struct {
		name   string
		change func(*vpc.Layout)
		want   string // who the endpoint says calls; "" if it is not reached
	}{
		{"no route", func(l *vpc.Layout) { exits(l) }, ""},
		{"a blackhole", func(l *vpc.Layout) { exits(l, nft.Exit{To: all}) }, ""},
		{"by the NAT gateway", func(l *vpc.Layout) {}, c.NAT().String()},
		{"by another one", func(l *vpc.Layout) { exits(l, nft.Exit{To: all, Source: c.Elastic().Addr().Next()}) }, c.Elastic().Addr().Next().String()},
		{"a blackhole more specific than the way", func(l *vpc.Layout) { exits(l, nft.Exit{To: c.API()}, nft.Exit{To: all, Source: c.NAT()}) }, ""},
		{"a way more specific than the blackhole", func(l *vpc.Layout) { exits(l, nft.Exit{To: c.API(), Source: c.NAT()}, nft.Exit{To: all}) }, c.NAT().String()},
		{"by the internet gateway, without an address", func(l *vpc.Layout) { exits(l, nft.Exit{To: all, Direct: true}) }, ""},
		{"by the internet gateway, another having an address", func(l *vpc.Layout) {
			exits(l, nft.Exit{To: all, Direct: true})
			l.Addresses = map[netip.Addr]netip.Addr{c.addr[1]: c.Elastic().Addr()}
		}, ""},
		{"by the internet gateway", func(l *vpc.Layout) {
			exits(l, nft.Exit{To: all, Direct: true})
			l.Addresses = map[netip.Addr]netip.Addr{c.addr[0]: c.Elastic().Addr()}
		}, c.Elastic().Addr().String()},
		{"by the internet gateway, as a pod of a node with an address", func(l *vpc.Layout) {
			exits(l, nft.Exit{To: all, Direct: true})
			l.Pods = map[netip.Prefix]netip.Addr{netip.PrefixFrom(c.addr[0], 32): c.Elastic().Addr()}
		}, c.Elastic().Addr().String()},
		{"by the internet gateway, pods of another having an address", func(l *vpc.Layout) {
			exits(l, nft.Exit{To: all, Direct: true})
			l.Pods = map[netip.Prefix]netip.Addr{netip.PrefixFrom(c.addr[1], 32): c.Elastic().Addr()}
		}, ""},
		{"no route again", func(l *vpc.Layout) { exits(l) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.settle(t, test.change)
			if test.want == "" {
				refusedAtOnce(t, c.nodes[0], endpoint)
			} else if got := greeting(t, dial(t, c.nodes[0], endpoint)); got != "api "+test.want {
				t.Errorf("answered by %q, want %s", got, test.want)
			}
			// Inside of the VPC nothing changes.
			if got := greeting(t, dial(t, c.nodes[0], at(c.addr[1], 8080))); got != "node1 "+c.addr[0].String() {
				t.Errorf("a neighbour answers %q", got)
			}
			if got := greeting(t, dial(t, c.nodes[0], at(c.api[0], 443))); got != "api "+c.addr[0].String() {
				t.Errorf("the private endpoint answers %q", got)
			}
		})
	}
	refusedAtOnce(t, c.nodes[0], front)
	// What was open is cut, and goes on when the route is back.
	if err := open.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Write([]byte("lost\n")); err == nil {
		if line, err := bufio.NewReader(open).ReadString('\n'); err == nil {
			t.Errorf("without a route %q came back", line)
		}
	}
	c.settle(t, func(*vpc.Layout) {})
	if got := greeting(t, dial(t, c.nodes[0], front)); got != "front "+c.addr[0].String() {
		t.Errorf("with the route back, %q", got)
	}
}

// An instance with a public address is reached by it, as long as an internet
// gateway leads there.
func TestPublicAddresses(t *testing.T) {
	c := build(t)
	public := c.Elastic().Addr().Next()
	give := func(l *vpc.Layout) {
		exits(l, nft.Exit{To: all, Direct: true})
		l.Addresses = map[netip.Addr]netip.Addr{c.addr[0]: public}
	}
	refusedAtOnce(t, "", at(public, 8080))
	c.settle(t, give)
	for _, from := range []struct{ ns, name string }{{"", c.Host().String()}, {c.nodes[0], public.String()}} {
		if got := greeting(t, dial(t, from.ns, at(public, 8080))); got != "node0 "+from.name {
			t.Errorf("answered by %q, want node0 for %s", got, from.name)
		}
	}
	c.settle(t, func(l *vpc.Layout) { give(l); l.VPCs[0].Open = false })
	refusedAtOnce(t, "", at(public, 8080))
}

// Load balancers are not reached from outside without an internet gateway.
func TestClosed(t *testing.T) {
	c := build(t)
	balancer := c.Config.Balancers().Addr().Next().Next()
	err := c.Rules().ApplyListeners([]nft.Listener{{
		Addr: balancer, Proto: nft.TCP, Port: 80, Sources: []netip.Prefix{all}, Targets: []netip.AddrPort{netip.AddrPortFrom(c.addr[0], 8080)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := greeting(t, dial(t, "", at(balancer, 80))); got != "node0 "+c.Host().String() {
		t.Errorf("answered by %q", got)
	}
	// Answers go back whatever the routes of the subnet that gives them.
	c.settle(t, func(l *vpc.Layout) { exits(l) })
	if got := greeting(t, dial(t, "", at(balancer, 80))); got != "node0 "+c.Host().String() {
		t.Errorf("answered by %q", got)
	}
	c.settle(t, func(l *vpc.Layout) { l.VPCs[0].Open = false })
	refusedAtOnce(t, "", at(balancer, 80))
}

// A subnet that is made while the network runs is one like the others, and goes.
func TestNewSubnet(t *testing.T) {
	c := build(t)
	ctx := context.Background()
	prefix, err := c.VPC.Addr().Prefix(16)
	if err != nil {
		t.Fatal(err)
	}
	raw := prefix.Addr().As4()
	raw[2] = 200
	fresh := vpc.Subnet{Name: "subnet-new", Zone: "us-west-2a", Prefix: netip.PrefixFrom(netip.AddrFrom4(raw), 24)}
	address := fresh.Router().Next().Next().Next()
	if _, err := c.AttachHost(ctx, "i-new", address); err == nil {
		t.Error("a machine was attached to a subnet that isn't there")
	}
	c.settle(t, func(l *vpc.Layout) {
		l.Subnets = append(l.Subnets, vpc.SubnetRoutes{Subnet: fresh, Exits: []nft.Exit{{To: c.API(), Source: c.NAT()}}})
	})
	ns, err := c.AttachHost(ctx, "i-new", address)
	if err != nil {
		t.Fatal(err)
	}
	vpctest.Serve(t, ns, ":8080", "new")
	if got := greeting(t, dial(t, c.nodes[0], at(address, 8080))); got != "new "+c.addr[0].String() {
		t.Errorf("answered by %q", got)
	}
	if got := greeting(t, dial(t, ns, at(c.api[1], 443))); got != "api "+c.NAT().String() {
		t.Errorf("answered by %q", got)
	}
	refusedAtOnce(t, ns, at(c.Front(), 443))
	if err := c.Detach(ctx, "i-new"); err != nil {
		t.Fatal(err)
	}
	c.settle(t, func(*vpc.Layout) {})
	if slices.ContainsFunc(c.AllSubnets(), func(s vpc.Subnet) bool { return s.Name == fresh.Name }) {
		t.Error("the subnet is still there")
	}
	// The network as a daemon finds it that starts again.
	c.settle(t, func(l *vpc.Layout) { exits(l) })
	reopen(t, c.Network)
	refusedAtOnce(t, c.nodes[0], at(c.api[1], 443))
}

// refusedAtOnce: a connection is answered by a refusal, not left to time out.
func refusedAtOnce(t *testing.T, from, to string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := netns.Dial(from)(ctx, "tcp4", to)
	if err == nil {
		conn.Close()
		t.Errorf("%s was reached", to)
		return
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EHOSTUNREACH) && !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("not refused: %v", err)
	}
}
