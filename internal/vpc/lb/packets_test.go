package lb_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/lb"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// site is a VPC with two nodes that serve a node port, and balancers.
type site struct {
	*vpc.Network
	nodes     [2]string
	targets   []netip.Addr
	balancers *lb.Balancers
	stop      func()
	store     *store.Store
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Network: vpctest.Open(t), store: store.NewMemory()}
	t.Cleanup(s.store.Close)
	for i := range s.nodes {
		addr, pods := vpctest.Private(s.Config, i)
		ns, err := s.AttachNode(context.Background(), fmt.Sprint("i-", i), addr, pods)
		if err != nil {
			t.Fatal(err)
		}
		s.nodes[i], s.targets = ns, append(s.targets, addr)
	}
	addresses := ipam.New(s.store, s.Ranges())
	s.balancers = lb.New(lb.Config{Store: s.store, Network: s.Network, Addresses: addresses, Names: dns.New(dns.Config{}), Region: "us-west-2", Log: slog.New(slog.DiscardHandler)})
	if err := s.store.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.balancers.Run(ctx) }()
	var stopped bool
	s.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
	t.Cleanup(s.stop)
	return s
}

func (s *site) ensure(t *testing.T, change func(*lb.LoadBalancer)) netip.Addr {
	t.Helper()
	l := lb.LoadBalancer{
		ID: "demo/1", Name: "web", Ports: []lb.Port{{Port: 80, NodePort: 30080}}, Targets: s.targets,
		HealthCheck: lb.HealthCheck{Interval: 20 * time.Millisecond, Timeout: 500 * time.Millisecond},
	}
	if change != nil {
		change(&l)
	}
	r, err := s.balancers.Ensure(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	return r.Addrs[0]
}

// ask connects and returns what greets, "" for a refusal or silence.
func ask(t *testing.T, from string, to netip.Addr, port uint16) (string, net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	conn, err := netns.Dial(from)(ctx, "tcp4", netip.AddrPortFrom(to, port).String())
	if err != nil {
		return "", nil
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	return line(conn), conn
}

func line(conn net.Conn) string {
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(buf[:n]))
}

// until asks from the host until the answers satisfy.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestBalance(t *testing.T) {
	s := newSite(t)
	for i, ns := range s.nodes {
		vpctest.Serve(t, ns, ":30080", fmt.Sprint("node", i))
	}
	addr := s.ensure(t, nil)
	// At once, from the Internet; the source is kept.
	got, _ := ask(t, "", addr, 80)
	if !strings.HasSuffix(got, s.Host().String()) {
		t.Fatalf("the first connection: %q", got)
	}
	until(t, "both targets are healthy", func() bool {
		h := s.balancers.Health("demo/1")
		return h[0].State == lb.Healthy && h[1].State == lb.Healthy
	})
	seen := map[string]int{}
	for range 64 {
		got, _ := ask(t, "", addr, 80)
		seen[strings.Fields(got + " ?")[0]]++
	}
	if seen["node0"] < 10 || seen["node1"] < 10 || seen["?"] > 0 {
		t.Errorf("spread %v", seen)
	}
	// From inside, also where the chosen target is the caller itself.
	for range 16 {
		if got, _ := ask(t, s.nodes[0], addr, 80); !strings.HasSuffix(got, s.NAT().String()) {
			t.Errorf("from a node: %q, want from %s", got, s.NAT())
		}
	}
	if got, _ := ask(t, "", addr, 81); got != "" {
		t.Errorf("another port answers: %q", got)
	}
	if got, _ := ask(t, "", addr.Next(), 80); got != "" {
		t.Errorf("another address answers: %q", got)
	}
}

func TestUnhealthyTargetsAndDraining(t *testing.T) {
	s := newSite(t)
	vpctest.Serve(t, s.nodes[0], ":30080", "node0")
	second, err := netns.Listen(s.nodes[1], "tcp4", ":30080")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1000)
	go func() {
		for {
			c, err := second.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "node1")
			accepted <- c
		}
	}()
	addr := s.ensure(t, nil)
	var kept net.Conn
	until(t, "a connection to the second target", func() bool {
		got, conn := ask(t, "", addr, 80)
		kept = conn
		return strings.HasPrefix(got, "node1")
	})
	second.Close()
	until(t, "the second target is unhealthy", func() bool { return s.balancers.Health("demo/1")[1].State == lb.Unhealthy })
	for range 32 {
		if got, _ := ask(t, "", addr, 80); !strings.HasPrefix(got, "node0") {
			t.Fatalf("a connection went to %q", got)
		}
	}
	// Its connection lives on, also when it is removed.
	s.ensure(t, func(l *lb.LoadBalancer) { l.Targets = l.Targets[:1] })
	if _, err := kept.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	heard := make(chan bool, 1)
	go func() {
		for {
			select {
			case c := <-accepted:
				if c.RemoteAddr().String() == kept.LocalAddr().String() {
					c.SetDeadline(time.Now().Add(2 * time.Second))
					heard <- line(c) == "hello"
					return
				}
			case <-time.After(2 * time.Second):
				heard <- false
				return
			}
		}
	}()
	if !<-heard {
		t.Error("the connection to the removed target is broken")
	}
}

func TestSourceRanges(t *testing.T) {
	s := newSite(t)
	vpctest.Serve(t, s.nodes[0], ":30080", "node0")
	allow := func(ranges ...string) netip.Addr {
		return s.ensure(t, func(l *lb.LoadBalancer) {
			l.Targets = l.Targets[:1]
			for _, r := range ranges {
				l.SourceRanges = append(l.SourceRanges, netip.MustParsePrefix(r))
			}
		})
	}
	for _, test := range []struct {
		name, ranges string
		host, node   bool
	}{
		{"the host", s.Host().String() + "/32", true, false},
		{"the NAT gateway", s.NAT().String() + "/32", false, true},
		{"others", "192.0.2.0/24 203.0.113.0/25", false, false},
		{"overlapping", s.Public.String() + " " + s.Host().String() + "/31", true, true},
		{"halves of everything", "0.0.0.0/1 128.0.0.0/1", true, true},
	} {
		addr := allow(strings.Fields(test.ranges)...)
		if got, _ := ask(t, "", addr, 80); (got != "") != test.host {
			t.Errorf("%s: host got %q", test.name, got)
		}
		if got, _ := ask(t, s.nodes[1], addr, 80); (got != "") != test.node {
			t.Errorf("%s: node got %q", test.name, got)
		}
	}
}

func TestInternalIsPrivate(t *testing.T) {
	s := newSite(t)
	vpctest.Serve(t, s.nodes[0], ":30080", "node0")
	addr := s.ensure(t, func(l *lb.LoadBalancer) { l.Scheme, l.Targets = lb.Internal, l.Targets[:1] })
	if got, _ := ask(t, s.nodes[1], addr, 80); got != "node0 "+s.targets[1].String() {
		t.Errorf("from inside: %q", got)
	}
}

func TestUDP(t *testing.T) {
	s := newSite(t)
	pc, err := netns.ListenPacket(s.nodes[0], "udp4", netip.AddrPortFrom(s.targets[0], 30053).String())
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(append([]byte("echo "), buf[:n]...), from)
		}
	}()
	addr := s.ensure(t, func(l *lb.LoadBalancer) {
		l.Ports, l.Targets = []lb.Port{{Port: 53, NodePort: 30053, Protocol: "UDP"}}, l.Targets[:1]
	})
	conn, err := net.Dial("udp4", netip.AddrPortFrom(addr, 53).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := line(conn); got != "echo hello" {
		t.Errorf("answer %q", got)
	}
	if err := s.balancers.Delete(context.Background(), "demo/1"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("again")); err == nil {
		if got := line(conn); got != "" {
			t.Errorf("after Delete the flow goes on: %q", got)
		}
	}
}

// The rules outlive the daemon, and its successor's opening of the network.
func TestSurvival(t *testing.T) {
	s := newSite(t)
	vpctest.Serve(t, s.nodes[0], ":30080", "node0")
	addr := s.ensure(t, func(l *lb.LoadBalancer) { l.Targets = l.Targets[:1] })
	s.stop()
	if _, err := vpc.Open(context.Background(), s.Config); err != nil {
		t.Fatal(err)
	}
	if got, _ := ask(t, "", addr, 80); !strings.HasPrefix(got, "node0") {
		t.Errorf("without a daemon: %q", got)
	}
}

// Many balancers are one look-up, and one transaction.
func BenchmarkEnsure100(b *testing.B) {
	n := vpctest.Open(b)
	s := store.NewMemory()
	defer s.Close()
	addresses := ipam.New(s, n.Ranges())
	all := lb.New(lb.Config{Store: s, Network: n, Addresses: addresses, Names: dns.New(dns.Config{}), Region: "us-west-2"})
	if err := s.Load(context.Background()); err != nil {
		b.Fatal(err)
	}
	target, _ := vpctest.Private(n.Config, 0)
	ensure := func(i int, port uint16) {
		_, err := all.Ensure(context.Background(), lb.LoadBalancer{ID: fmt.Sprint(i), Name: "x", Ports: []lb.Port{{Port: 80, NodePort: port}}, Targets: []netip.Addr{target}})
		if err != nil {
			b.Fatal(err)
		}
	}
	for i := range 100 {
		ensure(i, 30000)
	}
	port := uint16(30000)
	for b.Loop() {
		port = 30000 + (port+1)%1000
		ensure(0, port)
	}
}
