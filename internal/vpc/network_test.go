package vpc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// cloud is a VPC with two nodes, a control plane and a machine. Pods are
// stand-ins: the first address of each node's block, on the node's loopback.
type cloud struct {
	*vpc.Network
	nodes  [2]string
	addr   [2]netip.Addr
	pod    [2]netip.Addr
	plane  string
	api    [2]netip.Addr // private, public
	shell  string
	shellA netip.Addr
}

func build(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{Network: vpctest.Open(t)}
	c.attach(t)
	for i := range c.nodes {
		withHandle(t, c.nodes[i], func(h *netlink.Handle) error {
			lo, err := h.LinkByName("lo")
			if err != nil {
				return err
			}
			return h.AddrReplace(lo, &netlink.Addr{IPNet: &net.IPNet{IP: c.pod[i].AsSlice(), Mask: net.CIDRMask(32, 32)}})
		})
		vpctest.Serve(t, c.nodes[i], ":8080", fmt.Sprint("node", i))
	}
	vpctest.Serve(t, c.plane, ":443", "api")
	vpctest.Serve(t, c.World(), net.JoinHostPort(c.Front().String(), "443"), "front")
	return c
}

func (c *cloud) attach(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	var err error
	for i := range c.nodes {
		addr, pods := vpctest.Private(c.Config, i)
		c.addr[i], c.pod[i] = addr, pods.Addr()
		if c.nodes[i], err = c.AttachNode(ctx, fmt.Sprint("i-", i), addr, pods); err != nil {
			t.Fatal(err)
		}
	}
	c.api[0], _ = vpctest.Private(c.Config, 5)
	other := c.Subnets[3].Prefix.Addr().Next().Next().Next().Next()
	c.api[1] = c.API().Addr().Next()
	if c.plane, err = c.AttachControlPlane(ctx, "demo", []netip.Addr{c.api[0], other}, []netip.Addr{c.api[1]}); err != nil {
		t.Fatal(err)
	}
	c.shellA, _ = vpctest.Private(c.Config, 6)
	if c.shell, err = c.AttachHost(ctx, "cloud9", c.shellA); err != nil {
		t.Fatal(err)
	}
}

func TestWhoReachesWhom(t *testing.T) {
	c := build(t)
	host := ""
	tests := []struct {
		name string
		from string // namespace
		to   string
		want string // "NAME SOURCE"
	}{
		{"node to node", c.nodes[0], at(c.addr[1], 8080), "node1 " + c.addr[0].String()},
		{"node to a pod of another", c.nodes[0], at(c.pod[1], 8080), "node1 " + c.addr[0].String()},
		{"node to private endpoint", c.nodes[0], at(c.api[0], 443), "api " + c.addr[0].String()},
		{"node to public endpoint, by the NAT gateway", c.nodes[0], at(c.api[1], 443), "api " + c.NAT().String()},
		{"node to the front door", c.nodes[1], at(c.Front(), 443), "front " + c.addr[1].String()},
		{"control plane to node", c.plane, at(c.addr[0], 8080), "node0 " + c.api[0].String()},
		{"control plane to pod", c.plane, at(c.pod[1], 8080), "node1 " + c.api[0].String()},
		{"control plane to the front door", c.plane, at(c.Front(), 443), "front " + c.api[1].String()},
		{"machine to private endpoint", c.shell, at(c.api[0], 443), "api " + c.shellA.String()},
		{"host to public endpoint", host, at(c.api[1], 443), "api " + c.Host().String()},
		{"host to the front door", host, at(c.Front(), 443), "front " + c.Host().String()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := dial(t, test.from, test.to)
			if got := greeting(t, conn); got != test.want {
				t.Errorf("answered by %q, want %q", got, test.want)
			}
		})
	}
}

// What can't be reached is refused by an answer, not left to time out.
func TestRefusedAtOnce(t *testing.T) {
	c := build(t)
	vpctest.Serve(t, "", at(c.Host(), 0), "host") // any port of the host's
	listener, err := net.Listen("tcp4", at(c.Host(), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// Whoever gives the host a route into the VPC gets nowhere.
	withHandle(t, "", func(h *netlink.Handle) error {
		l, err := h.LinkByName(c.HostLink())
		if err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR(c.VPC.String())
		return h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Gw: c.Edge().AsSlice(), Src: c.Host().AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
	})
	unusedPublic := c.Config.Balancers().Addr().Next()
	block := c.pod[0].Next()
	tests := []struct{ name, from, to string }{
		{"node to the Internet", c.nodes[0], "203.0.113.7:443"},
		{"control plane to the Internet", c.plane, "203.0.113.7:443"},
		{"control plane to a cluster address", c.plane, "172.20.0.1:443"},
		{"node to an address nobody has", c.nodes[0], at(c.addr[0].Next().Next().Next(), 80)},
		{"node to a pod address nobody has, of its own", c.nodes[0], at(block, 80)},
		{"node to a pod address nobody has, of another", c.nodes[1], at(block, 80)},
		{"node to what listens on the host", c.nodes[0], listener.Addr().String()},
		{"world to what listens on the host", c.World(), listener.Addr().String()},
		{"control plane to what listens on the host", c.plane, listener.Addr().String()},
		{"host to a public address nobody has", "", at(c.API().Addr().Next().Next(), 443)},
		{"host to a load balancer that is not there", "", at(unusedPublic, 80)},
		{"host to another port of the front door", "", at(c.Front(), 22)},
		{"host to the VPC's resolver", "", at(c.Resolver(), 53)},
		{"host to a node's private address", "", at(c.addr[0], 8080)},
		{"host to a pod", "", at(c.pod[0], 8080)},
		{"host to a private endpoint", "", at(c.api[0], 443)},
		{"host to world as router", "", at(c.Edge(), 8080)},
		{"node to the outside's DNS", c.nodes[0], at(c.PublicDNS(), 53)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 12 { // beyond any limit on the rate of ICMP errors
				refusedAtOnce(t, test.from, test.to)
			}
		})
	}
}

// A node can't send under an address that is not its own.
func TestForeignSourcesAreDropped(t *testing.T) {
	c := build(t)
	stranger := c.addr[1].Next()
	withHandle(t, c.nodes[0], func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		return h.AddrReplace(lo, &netlink.Addr{IPNet: &net.IPNet{IP: stranger.AsSlice(), Mask: net.CIDRMask(32, 32)}})
	})
	to, err := netns.ListenPacket(c.nodes[1], "udp4", at(c.addr[1], 5000))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	for _, source := range []netip.Addr{stranger, c.pod[0]} { // the second shows that the path is open
		from, err := netns.ListenPacket(c.nodes[0], "udp4", at(source, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		if _, err := from.WriteTo([]byte(source.String()), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 100)
	to.SetReadDeadline(time.Now().Add(2 * time.Second))
	n, _, err := to.ReadFrom(buf)
	if err != nil || string(buf[:n]) != c.pod[0].String() {
		t.Fatalf("first packet received: %q, %v; want the one from %s", buf[:n], err, c.pod[0])
	}
}

// reopen opens a network again, as a daemon does that starts anew.
func reopen(t *testing.T, n *vpc.Network) *vpc.Network {
	t.Helper()
	mustNil(t, n.Close())
	again, err := vpc.Open(context.Background(), n.Config)
	mustNil(t, err)
	t.Cleanup(func() { again.Close() })
	return again
}

// A daemon that comes back finds all as it was, and connections go on.
func TestAdopt(t *testing.T) {
	c := build(t)
	outside, inside := dial(t, "", at(c.api[1], 443)), dial(t, c.nodes[0], at(c.pod[1], 8080))
	greeting(t, outside)
	greeting(t, inside)
	before := picture(t, c)
	again := reopen(t, c.Network)
	(&cloud{Network: again}).attach(t)
	if after := picture(t, c); after != before {
		t.Errorf("adopting changed the network.\nbefore:\n%s\nafter:\n%s", before, after)
	}
	echo(t, outside)
	echo(t, inside)
}

// Whatever half of the network is gone is made anew.
func TestRepair(t *testing.T) {
	c := build(t)
	gone := func(ns, name string) func() {
		return func() {
			withHandle(t, ns, func(h *netlink.Handle) error {
				l, err := h.LinkByName(name)
				if err != nil {
					return err
				}
				return h.LinkDel(l)
			})
		}
	}
	last := c.Network
	for name, damage := range map[string]func(){
		"nothing":               func() {},
		"host link deleted":     gone("", c.HostLink()),
		"node link deleted":     gone(c.nodes[0], "eth0"),
		"node namespace gone":   func() { mustNil(t, netns.Delete(c.nodes[1])) },
		"plane namespace gone":  func() { mustNil(t, netns.Delete(c.plane)) },
		"stale namespace files": func() { mustNil(t, netns.Delete(c.shell)); mustNil(t, os.WriteFile(c.shell, nil, 0o444)) },
		"routes gone": func() {
			withHandle(t, c.World(), func(h *netlink.Handle) error {
				routes, err := h.RouteList(nil, netlink.FAMILY_V4)
				for _, r := range routes {
					err = errors.Join(err, h.RouteDel(&r))
				}
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			damage()
			last = reopen(t, last)
			fixed := &cloud{Network: last}
			fixed.attach(t)
			for i, from := range []string{fixed.shell, fixed.plane} {
				l, err := netns.Listen(fixed.nodes[i], "tcp4", ":9090")
				if err != nil {
					t.Fatal(err)
				}
				dial(t, from, at(fixed.addr[i], 9090))
				l.Close()
			}
			dial(t, "", at(fixed.Front(), 443))
		})
	}
}

func TestTeardownLeavesNothing(t *testing.T) {
	c := build(t)
	ctx := context.Background()
	if err := c.Detach(ctx, "i-0"); err != nil {
		t.Fatal(err)
	}
	if err := c.Detach(ctx, "i-0"); err != nil {
		t.Fatalf("second Detach: %v", err)
	}
	if netns.Exists(c.nodes[0]) {
		t.Fatal("the node's namespace is still there")
	}
	for range 2 {
		if err := c.Teardown(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(c.RunDir, "*")); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
	if _, err := netlink.LinkByName(c.HostLink()); err == nil {
		t.Error("the host's link is still there")
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Dst != nil && c.Public.Contains(netip.MustParseAddr(r.Dst.IP.String())) {
			t.Errorf("route left: %v", r)
		}
	}
}

// Nothing of ours appears on the host's other links, nor in its firewall.
func TestNothingLeaves(t *testing.T) {
	before := tables(t)
	ours := func(c vpc.Config) func(src, dst netip.Addr) bool {
		return func(src, dst netip.Addr) bool {
			return c.VPC.Contains(src) || c.VPC.Contains(dst) || c.Public.Contains(src) || c.Public.Contains(dst)
		}
	}
	c := build(t)
	var uplinks []*vpctest.Capture
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var control *vpctest.Capture
	for _, l := range links {
		if l.Attrs().Flags&net.FlagUp == 0 {
			continue
		}
		capture := vpctest.StartCapture(t, l.Attrs().Index, ours(c.Config))
		switch {
		case capture == nil: // gone since the links were listed
		case l.Attrs().Name == c.HostLink():
			control = capture
		case l.Attrs().Flags&net.FlagLoopback == 0:
			uplinks = append(uplinks, capture)
		}
	}
	dial(t, "", at(c.api[1], 443))
	for _, to := range []string{"203.0.113.7:443", "8.8.8.8:53", at(c.addr[1].Next(), 1)} {
		for _, from := range []string{c.nodes[0], c.plane, c.shell, c.World()} {
			if conn, err := netns.Dial(from)(context.Background(), "tcp4", to); err == nil {
				conn.Close()
				t.Fatalf("%s reached %s", from, to)
			}
		}
	}
	for _, u := range uplinks {
		if n := u.Sent(t); n != 0 {
			t.Errorf("%d packets of the VPC left by an uplink", n)
		}
	}
	if control.Sent(t) == 0 {
		t.Error("the capture sees nothing even where packets pass")
	}
	if after := tables(t); after != before {
		t.Errorf("the host's firewall changed: %q, then %q", before, after)
	}
}

func TestConflicts(t *testing.T) {
	c := vpctest.Config(t)
	withHandle(t, "", func(h *netlink.Handle) error {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "ektconflict0"}, PeerName: "ektconflict1"}
		if err := h.LinkAdd(veth); err != nil {
			return err
		}
		t.Cleanup(func() { _ = netlink.LinkDel(veth) })
		l, err := h.LinkByName("ektconflict0")
		if err != nil {
			return err
		}
		if err := h.LinkSetUp(l); err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR(c.Public.Addr().Next().String() + "/24")
		return h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Scope: netlink.SCOPE_LINK})
	})
	_, err := vpc.Open(context.Background(), c)
	if err == nil {
		t.Fatal("opened across the host's own route")
	}
	if advice := strings.Join(hint.Lines(err), "\n"); !strings.Contains(advice, "--public-cidr") {
		t.Errorf("hint %q does not name the flag", advice)
	}
	if _, err := os.Stat(filepath.Join(c.RunDir, "netns")); !os.IsNotExist(err) {
		t.Error("something was made before the check")
	}
}

func TestPreflight(t *testing.T) {
	var c vpc.Config
	var problems []vpc.Problem
	for tries := 0; tries == 0 || tries < 60 && strings.Contains(fmt.Sprint(problems), "is in use"); tries++ { // by another process's test
		c = vpctest.Config(t)
		problems = vpc.Preflight(c)
	}
	if len(problems) != 0 {
		t.Errorf("problems here: %+v", problems)
	}
	c.VPC = c.Public
	if len(vpc.Preflight(c)) == 0 {
		t.Error("overlapping ranges are no problem")
	}
}

func BenchmarkAttachNode(b *testing.B) {
	n := vpctest.Open(b)
	addr, pods := vpctest.Private(n.Config, 0)
	ctx := context.Background()
	for b.Loop() {
		if _, err := n.AttachNode(ctx, "i-1", addr, pods); err != nil {
			b.Fatal(err)
		}
		if err := n.Detach(ctx, "i-1"); err != nil {
			b.Fatal(err)
		}
	}
}

// Helpers.

func at(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }

func dial(t *testing.T, from, to string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := netns.Dial(from)(ctx, "tcp4", to)
	if err != nil {
		t.Fatalf("from %s: %v", filepath.Base(from), err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

func greeting(t *testing.T, c net.Conn) string {
	t.Helper()
	line, err := bufio.NewReaderSize(c, 16).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func echo(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("still there\n")); err != nil {
		t.Fatal(err)
	}
	if got := greeting(t, c); got != "still there" {
		t.Fatalf("echo %q", got)
	}
}

func withHandle(t testing.TB, ns string, fn func(*netlink.Handle) error) {
	t.Helper()
	err := netns.Do(ns, func() error {
		h, err := netlink.NewHandle()
		if err != nil {
			return err
		}
		defer h.Close()
		return fn(h)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// picture lists links, addresses, neighbours and routes of all namespaces.
func picture(t *testing.T, c *cloud) string {
	t.Helper()
	var b strings.Builder
	for _, ns := range []string{c.World(), c.nodes[0], c.nodes[1], c.plane, c.shell} {
		withHandle(t, ns, func(h *netlink.Handle) error {
			links, err := h.LinkList()
			for _, l := range links {
				a := l.Attrs()
				fmt.Fprintf(&b, "%s link %d %s %s %v %d\n", filepath.Base(ns), a.Index, a.Name, a.HardwareAddr, a.Flags&^net.FlagRunning, a.MTU) // a link may only just have come up
				neighbours, err := h.NeighList(a.Index, netlink.FAMILY_V4)
				for _, n := range neighbours {
					if n.State == netlink.NUD_PERMANENT {
						fmt.Fprintf(&b, "  neighbour %s %s\n", n.IP, n.HardwareAddr)
					}
				}
				addrs, err2 := h.AddrList(l, netlink.FAMILY_V4)
				for _, x := range addrs {
					fmt.Fprintf(&b, "  address %s\n", x.IPNet)
				}
				if err := errors.Join(err, err2); err != nil {
					return err
				}
			}
			routes, err2 := h.RouteList(nil, netlink.FAMILY_V4)
			for _, r := range routes {
				fmt.Fprintf(&b, "  route %s\n", r)
			}
			return errors.Join(err, err2)
		})
	}
	return b.String()
}

func tables(t *testing.T) string {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := conn.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range all {
		names = append(names, table.Name)
	}
	return strings.Join(names, " ")
}

func mustNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
