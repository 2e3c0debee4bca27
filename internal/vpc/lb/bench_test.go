package lb_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// Many balancers are one look-up, and one transaction.
func BenchmarkEnsure100(b *testing.B) {
	s := newSite(b)
	ensure := func(i int, port uint16) {
		s.ensure(b, func(l *lb.LoadBalancer) {
			l.ID = fmt.Sprint("demo/", i)
			l.Listeners[0].Targets = []lb.Target{{ID: "i-0", Addr: netip.AddrPortFrom(s.targets[0].Addr.Addr(), port), Zone: s.targets[0].Zone}}
			l.Listeners[0].Check.Interval = time.Hour
		})
	}
	for i := range 100 {
		ensure(i, nodePort)
	}
	port := uint16(nodePort)
	for b.Loop() {
		port = nodePort + (port+1)%1000
		ensure(0, port)
	}
}

// paths are ways from the host to a server on a node: each kind of load balancer,
// and none. Without one it is a node that asks, which the host may not.
func paths(b *testing.B, serve func(net.Conn), run func(b *testing.B, dial func() net.Conn)) {
	s := newSite(b)
	l, err := netns.Listen(s.nodes[0], "tcp4", fmt.Sprint(":", nodePort))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	dialer := func(from string, to netip.AddrPort) func() net.Conn {
		return func() net.Conn {
			c, err := netns.Dial(from)(context.Background(), "tcp4", to.String())
			if err != nil {
				b.Fatal(err)
			}
			return c
		}
	}
	b.Run("node port", func(b *testing.B) { run(b, dialer(s.nodes[1], s.targets[0].Addr)) })
	bare := bareProxy(b, s.nodes[1], dialer(s.nodes[1], s.targets[0].Addr))
	b.Run("node port by a bare proxy", func(b *testing.B) { run(b, dialer(s.nodes[1], bare)) })
	for _, kind := range []string{lb.Network, lb.Classic} {
		r := s.ensure(b, func(l *lb.LoadBalancer) { l.Type, l.Listeners[0].Targets = kind, s.targets[:1] })
		to := netip.AddrPortFrom(r.Addrs[0].Public, 80)
		// From where the direct connection came too: the way is as long.
		b.Run(kind, func(b *testing.B) { run(b, dialer(s.nodes[1], to)) })
	}
}

// bareProxy copies connections to what dial reaches, and does nothing else: the
// floor for a proxy written in Go.
func bareProxy(b *testing.B, ns string, dial func() net.Conn) netip.AddrPort {
	l, err := netns.Listen(ns, "tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				to := dial()
				go func() {
					_, _ = io.Copy(to, c)
					_ = to.(*net.TCPConn).CloseWrite()
				}()
				_, _ = io.Copy(c, to)
				c.Close()
				to.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// What a load balancer adds to a connection: until the server's first byte.
func BenchmarkConnect(b *testing.B) {
	hello := func(c net.Conn) {
		_, _ = c.Write([]byte("!"))
		c.Close()
	}
	paths(b, hello, func(b *testing.B, dial func() net.Conn) {
		one := make([]byte, 1)
		for b.Loop() {
			c := dial()
			if _, err := io.ReadFull(c, one); err != nil {
				b.Fatal(err)
			}
			_ = c.(*net.TCPConn).SetLinger(0) // or ports run out
			c.Close()
		}
	})
}

// Throughput of one connection, in pieces of a mebibyte.
func BenchmarkThroughput(b *testing.B) {
	sink := func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	paths(b, sink, func(b *testing.B, dial func() net.Conn) {
		c, piece := dial(), make([]byte, 1<<20)
		defer c.Close()
		b.SetBytes(int64(len(piece)))
		for b.Loop() {
			if _, err := c.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
	})
}
