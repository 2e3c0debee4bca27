package nft

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

// inhabit gives the far end of a side addresses and a way back.
func (s *tap) inhabit(t testing.TB, gateway string, addrs ...string) {
	t.Helper()
	err := netns.Do(s.ns, func() error {
		link, err := netlink.LinkByName("tap")
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(a).To4(), Mask: net.CIDRMask(32, 32)}}); err != nil {
				return err
			}
		}
		ip := net.ParseIP(gateway).To4()
		if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ip, HardwareAddr: s.mac}); err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: ip, Flags: int(netlink.FLAG_ONLINK), Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// connection is both ends of an established one.
type connection struct{ client, server net.Conn }

func connect(t testing.TB, w *wire, to string, l net.Listener) connection {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := netns.Dial(w.west.ns)(ctx, "tcp4", to)
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return connection{client, server}
}

// carries is whether a byte goes through, by the one end or the other.
func carries(from, to net.Conn, patience time.Duration) bool {
	if _, err := from.Write([]byte{1}); err != nil {
		return false
	}
	_ = to.SetReadDeadline(time.Now().Add(patience))
	_, err := io.ReadFull(to, make([]byte, 1))
	return err == nil
}

// A change ends the flows that it forbids, also those whose destination was
// translated, and no end brings them back. The others live on.
func TestForbiddenFlowsAreCut(t *testing.T) {
	w := newWire(t)
	w.west.inhabit(t, "169.254.0.2", "10.1.0.1")
	w.east.inhabit(t, "169.254.0.2", "10.2.0.1")
	e := openEnforcer(t, w.router, Options{Cut: true})
	if err := e.Load(&ruleset.Program{}); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/nat"
	rules := "table ip nat { chain pre { type nat hook prerouting priority dstnat; ip daddr 10.2.0.99 tcp dport 80 dnat to 10.2.0.1:80; }; }"
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := tool(w.router, "-f", file); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	listen := func(at string) net.Listener {
		l, err := netns.Listen(w.east.ns, "tcp4", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	web, other := listen("10.2.0.1:80"), listen("10.2.0.1:81")
	direct, service, kept := connect(t, w, "10.2.0.1:80", web), connect(t, w, "10.2.0.99:80", web), connect(t, w, "10.2.0.1:81", other)
	for _, c := range []connection{direct, service, kept} {
		if !carries(c.client, c.server, 3*time.Second) || !carries(c.server, c.client, 3*time.Second) {
			t.Fatal("a connection carries nothing before the change")
		}
	}
	d := ruleset.Delta{
		NewChains: map[string]ruleset.Chain{"81": {Ingress: true, Rules: []ruleset.Rule{{Proto: ruleset.TCP, First: 81, Last: 81, Verdict: ruleset.Accept}}}},
		Ingress:   map[netip.Addr]string{addr("10.2.0.1"): "81"},
	}
	if err := e.Apply(&d); err != nil {
		t.Fatal(err)
	}
	const silence = 400 * time.Millisecond
	for what, c := range map[string]connection{"direct": direct, "by the service": service} {
		// The server speaks first: the router must not take that for a new flow of its own.
		if carries(c.server, c.client, silence) || carries(c.client, c.server, silence) {
			t.Errorf("the connection that is forbidden (%s) still carries", what)
		}
	}
	if !carries(kept.client, kept.server, 3*time.Second) || !carries(kept.server, kept.client, 3*time.Second) {
		t.Error("the connection that is allowed was cut")
	}
}
