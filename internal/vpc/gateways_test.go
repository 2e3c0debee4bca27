package vpc_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// serveS3 answers connections to S3 with the mark that they came with.
func serveS3(t *testing.T, c *cloud) {
	t.Helper()
	l, err := netns.Listen(c.World(), "tcp4", at(c.S3(), 443))
	mustNil(t, err)
	t.Cleanup(func() { l.Close() })
	ours := vpc.Marked(l)
	go func() {
		for {
			conn, err := ours.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			peer := netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr()
			fmt.Fprintf(conn, "s3 %s %d\n", peer, conn.LocalAddr().(vpc.Arrival).Mark)
		}
	}()
}

// A gateway endpoint leads a subnet to S3 and nowhere else, and S3 knows by which one
// a connection came.
func TestGatewayEndpoints(t *testing.T) {
	c := build(t)
	serveS3(t, c)
	s3 := netip.PrefixFrom(c.S3(), 32)
	nat := nft.Exit{To: all, Source: c.NAT()}
	node := c.addr[0].String()
	for _, test := range []struct {
		name  string
		exits []nft.Exit
		s3    string // what S3 answers; "" if it is not reached
		front bool   // whether the front door is reached
	}{
		{"by the NAT gateway", []nft.Exit{nat}, "s3 " + node + " 0", true},
		{"by an endpoint alone", []nft.Exit{{To: s3, Mark: 7}}, "s3 " + node + " 7", false},
		{"by another endpoint, beside the NAT gateway", []nft.Exit{{To: s3, Mark: 1 << 30}, nat}, "s3 " + node + " 1073741824", true},
		{"by nothing", nil, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.settle(t, func(l *vpc.Layout) { exits(l, test.exits...) })
			if test.s3 == "" {
				refusedAtOnce(t, c.nodes[0], at(c.S3(), 443))
			} else if got := greeting(t, dial(t, c.nodes[0], at(c.S3(), 443))); got != test.s3 {
				t.Errorf("S3 answers %q, want %q", got, test.s3)
			}
			if !test.front {
				refusedAtOnce(t, c.nodes[0], at(c.Front(), 443))
			} else if got := greeting(t, dial(t, c.nodes[0], at(c.Front(), 443))); got != "front "+node {
				t.Errorf("the front door answers %q", got)
			}
			if got := greeting(t, dial(t, "", at(c.S3(), 443))); got != "s3 "+c.Host().String()+" 0" {
				t.Errorf("S3 answers the Internet %q", got)
			}
		})
	}
}

// A mark that a sender gives its packets itself does not arrive.
func TestMarksCannotBeClaimed(t *testing.T) {
	c := build(t)
	serveS3(t, c)
	mark := func(_, _ string, raw syscall.RawConn) (failed error) {
		err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, 7) })
		return errors.Join(err, failed)
	}
	for _, from := range []struct{ ns, name string }{{c.nodes[0], c.addr[0].String()}, {"", c.Host().String()}} {
		var conn net.Conn
		err := netns.Do(from.ns, func() (err error) {
			conn, err = (&net.Dialer{Timeout: 5 * time.Second, Control: mark}).Dial("tcp4", at(c.S3(), 443))
			return err
		})
		mustNil(t, err)
		t.Cleanup(func() { conn.Close() })
		if got := greeting(t, conn); got != "s3 "+from.name+" 0" {
			t.Errorf("S3 answers %q", got)
		}
	}
}

// A connection to S3 does not outlive the way by which it came.
func TestReroutedConnectionsEnd(t *testing.T) {
	c := build(t)
	serveS3(t, c)
	by := func(mark uint32) func(*vpc.Layout) {
		return func(l *vpc.Layout) {
			exits(l, nft.Exit{To: netip.PrefixFrom(c.S3(), 32), Mark: mark}, nft.Exit{To: all, Source: c.NAT()})
		}
	}
	c.settle(t, by(7))
	open, other := dial(t, c.nodes[0], at(c.S3(), 443)), dial(t, "", at(c.S3(), 443))
	greeting(t, open)
	greeting(t, other)
	c.settle(t, by(7)) // nothing changes
	c.settle(t, by(8))
	mustNil(t, open.SetReadDeadline(time.Now().Add(5*time.Second)))
	if _, err := open.Read(make([]byte, 1)); err == nil || timedOut(err) {
		t.Errorf("the connection goes on: %v", err)
	}
	mustNil(t, other.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	if _, err := other.Read(make([]byte, 1)); !timedOut(err) {
		t.Errorf("the Internet's ended too: %v", err)
	}
}

// At a private address of the router that something listens at, only the VPC is
// answered, and only by TLS's port.
func TestInterfaceEndpoints(t *testing.T) {
	c := build(t)
	vpctest.RouteHost(t, c.Config)
	a, _ := vpctest.Private(c.Config, 9)
	mustNil(t, c.Hold(a))
	vpctest.Serve(t, c.World(), at(a, 443), "endpoint")
	vpctest.Serve(t, c.World(), at(a, 80), "nothing")
	for _, from := range []struct{ ns, name string }{
		{c.nodes[0], c.addr[0].String()}, {c.shell, c.shellA.String()}, {c.plane, c.api[0].String()},
	} {
		if got := greeting(t, dial(t, from.ns, at(a, 443))); got != "endpoint "+from.name {
			t.Errorf("answered by %q, want the endpoint for %s", got, from.name)
		}
	}
	c.settle(t, func(l *vpc.Layout) { exits(l) }) // no way out of the VPC
	if got := greeting(t, dial(t, c.nodes[0], at(a, 443))); got != "endpoint "+c.addr[0].String() {
		t.Errorf("without a route, %q", got)
	}
	refusedAtOnce(t, c.nodes[0], at(a, 80))
	refusedAtOnce(t, "", at(a, 443))
	mustNil(t, c.LetGo(a))
	refusedAtOnce(t, c.nodes[0], at(a, 443))
}

func timedOut(err error) bool {
	var slow interface{ Timeout() bool }
	return errors.As(err, &slow) && slow.Timeout()
}
