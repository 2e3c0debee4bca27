package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/probe"
)

// Three namespaces: client and node are each joined to the end, which has an address on
// either link. What the client sends to dark leaves it and comes nowhere.
const (
	toEnd   = "192.0.2.2"    // from the client
	dark    = "198.51.100.2" // from the client nowhere, from the node the end
	nowhere = "203.0.113.2"  // from both nowhere
)

type yard struct{ client, node, end string }

func newYard(t *testing.T) yard {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces: run the tests as root")
	}
	dir := t.TempDir()
	y := yard{filepath.Join(dir, "client"), filepath.Join(dir, "node"), filepath.Join(dir, "end")}
	for _, ns := range []string{y.client, y.node, y.end} {
		must(t, netns.Create(ns))
		t.Cleanup(func() { must(t, netns.Delete(ns)) })
		must(t, netns.Do(ns, func() error { return up("lo", "") }))
	}
	join(t, y.client, "192.0.2.1/24", y.end, toEnd+"/24")
	join(t, y.node, "198.51.100.1/24", y.end, dark+"/24")
	sink(t, y.client, "198.51.100.1/24", "203.0.113.1/24")
	sink(t, y.node, "203.0.113.1/24")
	return y
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func up(name, addr string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if addr != "" {
		a, err := netlink.ParseAddr(addr)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(l, a); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(l)
}

// join makes a link from one namespace to another, named after its ends.
func join(t *testing.T, a, addrA, b, addrB string) {
	t.Helper()
	nameA, nameB := "to-"+filepath.Base(b), "to-"+filepath.Base(a)
	must(t, netns.Do(a, func() error {
		file, err := os.Open(b)
		if err != nil {
			return err
		}
		defer file.Close()
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsFd(file.Fd())})
	}))
	must(t, netns.Do(b, func() error { return up(nameB, addrB) }))
	must(t, netns.Do(a, func() error { return up(nameA, addrA) }))
}

// sink makes a link from which nothing comes anywhere.
func sink(t *testing.T, ns string, addrs ...string) {
	t.Helper()
	must(t, netns.Do(ns, func() error {
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "sink"}, PeerName: "drain"}
		if err := errors.Join(netlink.LinkAdd(link), netlink.LinkSetARPOff(link), up("drain", "")); err != nil {
			return err
		}
		for _, a := range addrs {
			if err := up("sink", a); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestTry(t *testing.T) {
	y := newYard(t)
	l, err := netns.Listen(y.end, "tcp4", "0.0.0.0:80")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	mute, err := netns.ListenPacket(y.end, "udp4", "0.0.0.0:53")
	must(t, err)
	t.Cleanup(func() { mute.Close() })
	echo, err := netns.ListenPacket(y.end, "udp4", "0.0.0.0:7")
	must(t, err)
	t.Cleanup(func() { echo.Close() })
	go answer(echo)
	for _, tc := range []struct {
		name, network, to string
		port              uint16
		end               string
		want              netpol.Outcome
	}{
		{"accepted", "tcp", toEnd, 80, y.end, netpol.Allowed},
		{"nothing listens", "tcp", toEnd, 81, y.end, netpol.Allowed},
		{"dropped, but not from the node", "tcp", dark, 80, y.end, netpol.Denied},
		{"dropped where nothing listens", "tcp", dark, 81, y.end, netpol.Denied},
		{"dead", "tcp", nowhere, 80, y.end, netpol.Unsure},
		{"a datagram that nobody answers", "udp", toEnd, 53, y.end, netpol.Allowed},
		{"a datagram where nothing listens", "udp", toEnd, 54, y.end, netpol.Allowed},
		{"a datagram dropped", "udp", dark, 53, y.end, netpol.Denied},
		{"a datagram to the dead", "udp", nowhere, 53, y.end, netpol.Unsure},
		{"answered from elsewhere", "udp", toEnd, 7, "", netpol.Allowed},
		{"refused from elsewhere", "udp", toEnd, 54, "", netpol.Allowed},
		{"unanswered from elsewhere", "udp", toEnd, 53, "", netpol.Unsure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := probe.Try(context.Background(), probe.Flow{
				From: y.client, To: netip.AddrPortFrom(netip.MustParseAddr(tc.to), tc.port), Network: tc.network, End: tc.end, Control: y.node,
			})
			if err != nil || got.Outcome != tc.want || got.How == "" {
				t.Errorf("%+v, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func answer(c net.PacketConn) {
	buf := make([]byte, 64)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], from)
	}
}

func TestWhatCannotBeSentIsAnError(t *testing.T) {
	y := newYard(t)
	for _, network := range []string{"tcp", "udp"} {
		to := netip.MustParseAddrPort(toEnd + ":80")
		if got, err := probe.Try(context.Background(), probe.Flow{From: y.client + "-gone", To: to, Network: network, End: y.end, Control: y.node}); err == nil {
			t.Errorf("from no namespace: %+v", got)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := probe.Try(ctx, probe.Flow{From: y.client, To: netip.MustParseAddrPort(dark + ":80"), Network: "tcp", Control: y.node}); err == nil {
		t.Errorf("given up: %+v", got)
	}
}
