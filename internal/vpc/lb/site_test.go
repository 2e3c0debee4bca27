package lb_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/lb"
	"github.com/eksact/eksact/internal/vpc/lb/proxy"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// site is a VPC with a node in each of two zones that can serve a node port, and
// balancers with their proxy.
type site struct {
	*vpc.Network
	nodes     [2]string
	targets   []lb.Target
	balancers *lb.Balancers
	stop      func()
	store     *store.Store
	admit     atomic.Pointer[[]netip.Prefix] // whom security groups admit
}

const nodePort = 30080

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{Network: vpctest.Open(t), store: store.NewMemory()}
	t.Cleanup(s.store.Close)
	for i := range s.nodes {
		_, pods := vpctest.Private(s.Config, i)
		addr := high(s.Subnets[2+i].Prefix)
		ns, err := s.AttachNode(context.Background(), fmt.Sprint("i-", i), addr, pods)
		if err != nil {
			t.Fatal(err)
		}
		subnet, _ := s.SubnetOf(addr)
		s.nodes[i] = ns
		s.targets = append(s.targets, lb.Target{ID: fmt.Sprint("i-", i), Addr: netip.AddrPortFrom(addr, nodePort), Zone: subnet.Zone})
	}
	addresses := ipam.New(s.store, s.Ranges())
	s.balancers = lb.New(lb.Config{
		Store: s.store, Network: s.Network, Addresses: addresses, Names: dns.New(dns.Config{}), Region: "us-west-2",
		Admits: func([]string, uint8, uint16) []netip.Prefix {
			if now := s.admit.Load(); now != nil {
				return *now
			}
			return nil
		},
		Proxy: s.startProxy(t).Apply, Log: slog.New(slog.DiscardHandler),
	})
	if err := s.store.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.balancers.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(s.stop)
	return s
}

// high is an address of a subnet that the allocator does not come to.
func high(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	for range 200 {
		a = a.Next()
	}
	return a
}

// startProxy serves in this process, on sockets of the router.
func (s *site) startProxy(t testing.TB) *proxy.Proxy {
	p := proxy.New(func(ctx context.Context, from netip.Addr, to netip.AddrPort) (conn *net.TCPConn, err error) {
		err = netns.Do(s.World(), func() error {
			c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, FallbackDelay: -1}).DialContext(ctx, "tcp4", to.String())
			if err == nil {
				conn = c.(*net.TCPConn)
			}
			return err
		})
		return conn, err
	})
	l, err := netns.Listen(s.World(), "tcp4", s.Proxy().String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(l.(*net.TCPListener)) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

var check = lb.HealthCheck{Protocol: lb.TCP, Interval: 20 * time.Millisecond, Timeout: 500 * time.Millisecond, Healthy: 2, Unhealthy: 2}

// ensure makes a Network Load Balancer over both nodes, and all zones.
func (s *site) ensure(t testing.TB, change func(*lb.LoadBalancer)) lb.Result {
	t.Helper()
	l := lb.LoadBalancer{
		ID: "demo/1", Name: "web", Type: lb.Network, CrossZone: true,
		Listeners: []lb.Listener{{Port: 80, Protocol: lb.TCP, Targets: s.targets, Check: check}},
	}
	if change != nil {
		change(&l)
	}
	r, err := s.balancers.Ensure(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func classic(l *lb.LoadBalancer) { l.Type = lb.Classic }

// serveBoth makes both nodes answer.
func (s *site) serveBoth(t testing.TB) {
	for i, ns := range s.nodes {
		vpctest.Serve(t, ns, fmt.Sprint(":", nodePort), fmt.Sprint("node", i))
	}
}

func (s *site) healthy(t testing.TB, n int) {
	t.Helper()
	until(t, fmt.Sprint(n, " targets are healthy"), func() bool {
		count := 0
		for _, h := range s.balancers.Health("demo/1", 80, lb.TCP) {
			if h.State == lb.Healthy {
				count++
			}
		}
		return count == n
	})
}

// ask connects and returns what greets, "" for a refusal or silence.
func ask(t testing.TB, from string, to netip.Addr, port uint16) (string, net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	conn, err := netns.Dial(from)(ctx, "tcp4", netip.AddrPortFrom(to, port).String())
	if err != nil {
		return "", nil
	}
	t.Cleanup(func() { conn.Close() })
	return line(conn), conn
}

// line reads one, "" for none within two seconds.
func line(conn net.Conn) string {
	conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	text, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}

// echoes says whether a connection still carries what is said.
func echoes(conn net.Conn) bool {
	if _, err := conn.Write([]byte("hello\n")); err != nil {
		return false
	}
	return line(conn) == "hello"
}

// until tries until ok.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
