// Package vpctest makes throwaway networks for tests that need root and send
// real packets. They have names and address ranges of their own, so they run
// beside a live eksact and beside each other.
package vpctest

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
)

var made atomic.Int32

// Config is the configuration of a network that no other test has. The VPC's
// range differs from the default too: a test may give the host a route to it.
func Config(t testing.TB) vpc.Config {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("makes network namespaces: run the tests as root")
	}
	n := (os.Getpid()*4 + int(made.Add(1))) % 4000
	p := netip.MustParsePrefix
	second := fmt.Sprint(64 + n%60)
	c := vpc.Defaults()
	c.Name = fmt.Sprintf("ekt%d-", n)
	c.RunDir = t.TempDir()
	c.Public = p("100." + second + ".0.0/16")
	vpcNet := "10." + fmt.Sprint(130+n%100) + "."
	c.VPC = p(vpcNet + "0.0/16")
	for i, third := range []string{"0", "32", "64", "96"} {
		c.Subnets[i].Prefix = p(vpcNet + third + ".0/19")
	}
	return c
}

// Open makes a network that goes away with the test. Ranges that another process's
// tests have just now are passed over.
func Open(t testing.TB) *vpc.Network {
	t.Helper()
	for tries := 1; ; tries++ {
		c := Config(t)
		n, err := vpc.Open(context.Background(), c)
		if err != nil && strings.Contains(err.Error(), "is in use") && tries < 60 {
			continue
		}
		t.Cleanup(func() {
			if n != nil {
				n.Close() // a test may have done so
			}
			if err := vpc.Teardown(context.Background(), c); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// Private gives the i-th usable address of the first private subnet, and the
// i-th block for pods.
func Private(c vpc.Config, i int) (netip.Addr, netip.Prefix) {
	base := c.Subnets[2].Prefix.Addr().As4()
	addr, block := base, base
	addr[3] = byte(4 + i)
	block[2]++
	block[3] = byte(32 * i)
	return netip.AddrFrom4(addr), netip.PrefixFrom(netip.AddrFrom4(block), 27)
}

// Serve answers each TCP connection to addr in the namespace with "NAME PEER"
// and a newline, then echoes lines until the test ends.
func Serve(t testing.TB, ns, addr, name string) {
	t.Helper()
	l, err := netns.Listen(ns, "tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				peer, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				fmt.Fprintf(c, "%s %s\n", name, peer)
				buf := make([]byte, 1024)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
}

// Capture counts IPv4 packets that leave by a link of the host, both ends of
// which are given to match.
type Capture struct {
	fd    int
	match func(src, dst netip.Addr) bool
}

// StartCapture begins to count on the link with the given index; 0 is all. It is nil
// if there is no such link.
func StartCapture(t testing.TB, index int, match func(src, dst netip.Addr) bool) *Capture {
	t.Helper()
	all := binary.BigEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	all = all<<8 | all>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		t.Fatal(err)
	}
	c := &Capture{fd: fd, match: match}
	t.Cleanup(func() { unix.Close(fd) })
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	switch err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}); err {
	case nil:
		return c
	case unix.ENODEV: // another test's link
		return nil
	default:
		t.Fatal(err)
		return nil
	}
}

// Sent reads what was captured and returns how many outgoing packets matched.
// The kernel queues a packet here before its send call returns.
func (c *Capture) Sent(t testing.TB) int {
	t.Helper()
	sent, buf := 0, make([]byte, 64)
	for {
		n, from, err := unix.Recvfrom(c.fd, buf, 0)
		if err == unix.EAGAIN || err == unix.ENETDOWN {
			return sent // the latter once the link is gone
		}
		if err != nil {
			t.Fatal(err)
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if !ok || ll.Pkttype != unix.PACKET_OUTGOING || n < 20 || buf[0]>>4 != 4 {
			continue
		}
		if c.match(netip.AddrFrom4([4]byte(buf[12:16])), netip.AddrFrom4([4]byte(buf[16:20]))) {
			sent++
		}
	}
}

// RouteHost gives the host a route into the VPC until the test ends, as no eksact
// does: what is private must not be reached all the same.
func RouteHost(t testing.TB, c vpc.Config) {
	t.Helper()
	link, err := netlink.LinkByName(c.HostLink())
	if err != nil {
		t.Fatal(err)
	}
	_, dst, err := net.ParseCIDR(c.VPC.String())
	if err != nil {
		t.Fatal(err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Gw: c.Edge().AsSlice(), Src: c.Host().AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
	if err := netlink.RouteReplace(route); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.RouteDel(route) }) // or it has gone with its link
}
