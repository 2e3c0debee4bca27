package lb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/lb"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// Who reaches whom, and whom targets see, by both kinds of load balancer.
func TestBalance(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	for _, test := range []struct {
		name       string
		change     func(*lb.LoadBalancer)
		host, node func(at lb.Address) netip.Addr // as the targets see them
	}{
		{"network", nil, func(lb.Address) netip.Addr { return s.Host() }, func(lb.Address) netip.Addr { return s.NAT() }},
		{"network, clients hidden", func(l *lb.LoadBalancer) { l.Listeners[0].HideClient = true },
			func(a lb.Address) netip.Addr { return a.Private }, func(a lb.Address) netip.Addr { return a.Private }},
		{"classic", classic, func(a lb.Address) netip.Addr { return a.Private }, func(a lb.Address) netip.Addr { return a.Private }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.ensure(t, test.change)
			// At once.
			if got, _ := ask(t, "", r.Addrs[0].Public, 80); !strings.HasSuffix(got, test.host(r.Addrs[0]).String()) {
				t.Fatalf("the first connection: %q", got)
			}
			s.healthy(t, 2)
			for _, a := range r.Addrs {
				seen := map[string]int{}
				for range 64 {
					got, _ := ask(t, "", a.Public, 80)
					name, from, _ := strings.Cut(got, " ")
					if from != test.host(a).String() {
						t.Fatalf("the host was seen as %q, want %s", got, test.host(a))
					}
					seen[name]++
				}
				if seen["node0"] < 10 || seen["node1"] < 10 {
					t.Errorf("%s spread %v", a.Public, seen)
				}
				// From inside, also where the chosen target is the caller itself.
				for range 16 {
					if got, _ := ask(t, s.nodes[0], a.Public, 80); !strings.HasSuffix(got, " "+test.node(a).String()) {
						t.Errorf("from a node: %q, want from %s", got, test.node(a))
					}
				}
				if got, _ := ask(t, "", a.Public, 81); got != "" {
					t.Errorf("another port answers: %q", got)
				}
			}
			if got, _ := ask(t, "", r.Addrs[1].Public.Next(), 80); got != "" {
				t.Errorf("another address answers: %q", got)
			}
			if got, _ := ask(t, "", s.Edge(), s.Proxy().Port()); got != "" {
				t.Errorf("the proxy answers those whom no listener sent: %q", got)
			}
			if got, _ := ask(t, s.nodes[0], s.Edge(), s.Proxy().Port()); got != "" {
				t.Errorf("the proxy answers a node whom no listener sent: %q", got)
			}
		})
	}
}

// Without cross-zone load balancing a zone's address leads to the zone's targets.
func TestZones(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	for name, kind := range map[string]string{"network": lb.Network, "classic": lb.Classic} {
		t.Run(name, func(t *testing.T) {
			r := s.ensure(t, func(l *lb.LoadBalancer) { l.Type, l.CrossZone = kind, false })
			s.healthy(t, 2)
			for i, a := range r.Addrs {
				for range 8 {
					if got, _ := ask(t, "", a.Public, 80); !strings.HasPrefix(got, fmt.Sprint("node", i)) {
						t.Errorf("zone %s: %q", a.Zone, got)
					}
				}
			}
			r = s.ensure(t, func(l *lb.LoadBalancer) {
				l.Type, l.CrossZone = kind, false
				l.Listeners[0].Targets = s.targets[:1]
			})
			s.healthy(t, 1)
			if got, _ := ask(t, "", r.Addrs[1].Public, 80); got != "" {
				t.Errorf("a zone without targets: %q", got)
			}
			if names := s.balancers.Names()[r.DNSName]; !slices.Equal(names, []netip.Addr{r.Addrs[0].Public}) {
				t.Errorf("the name resolves to %v", names)
			}
		})
	}
}

// A target that fails receives no new connections; those it has go on, or end
// where the listener says so.
func TestUnhealthyTargets(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   string
		end    bool
		echoes bool
	}{
		{"network", lb.Network, false, true},
		{"network that ends them", lb.Network, true, false},
		{"classic", lb.Classic, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			vpctest.Serve(t, s.nodes[0], fmt.Sprint(":", nodePort), "node0")
			port := closable(t, s.nodes[1], "node1")
			r := s.ensure(t, func(l *lb.LoadBalancer) { l.Type, l.Listeners[0].EndUnhealthy = test.kind, test.end })
			kept := s.connectTo(t, r, "node1")
			port.Close()
			s.healthy(t, 1)
			s.onlyNode0(t, r)
			if !test.echoes {
				until(t, "its connection ends", func() bool { return !echoes(kept) })
			} else if !echoes(kept) {
				t.Error("its connection has ended")
			}
		})
	}
}

// onlyNode0 waits until new connections all go to the first node, once the rules
// know what the checks do.
func (s *site) onlyNode0(t *testing.T, r lb.Result) {
	t.Helper()
	until(t, "all go to node0", func() bool {
		for range 16 {
			if got, _ := ask(t, "", r.Addrs[0].Public, 80); !strings.HasPrefix(got, "node0") {
				return false
			}
		}
		return true
	})
}

// closable is vpctest.Serve's like, whose port can be closed while its
// connections go on.
func closable(t *testing.T, ns, name string) net.Listener {
	l, err := netns.Listen(ns, "tcp4", fmt.Sprint(":", nodePort))
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
				fmt.Fprintln(c, name)
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l
}

// connectTo connects until the node named answers.
func (s *site) connectTo(t *testing.T, r lb.Result, name string) (conn net.Conn) {
	t.Helper()
	until(t, "a connection to "+name, func() bool {
		got, c := ask(t, "", r.Addrs[0].Public, 80)
		conn = c
		return strings.HasPrefix(got, name)
	})
	return conn
}

// A target that was taken off: its connections go on as long as it drains.
func TestDeregistered(t *testing.T) {
	for _, test := range []struct {
		name  string
		kind  string
		drain time.Duration
		end   bool
		now   bool // lives after the change
		later bool // lives after it has drained
	}{
		{"network", lb.Network, 300 * time.Millisecond, false, true, true},
		{"network that ends what has drained", lb.Network, 300 * time.Millisecond, true, true, false},
		{"network without draining", lb.Network, 0, true, false, false},
		{"classic", lb.Classic, 300 * time.Millisecond, true, true, false},
		{"classic without draining", lb.Classic, 0, true, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.serveBoth(t)
			change := func(l *lb.LoadBalancer) {
				l.Type, l.Listeners[0].Drain, l.Listeners[0].EndDrained = test.kind, test.drain, test.end
			}
			r := s.ensure(t, change)
			gone, stays := s.connectTo(t, r, "node1"), s.connectTo(t, r, "node0")
			s.ensure(t, func(l *lb.LoadBalancer) {
				change(l)
				l.Listeners[0].Targets = s.targets[:1]
				l.Listeners = append(l.Listeners, lb.Listener{Port: 443, Protocol: lb.TCP, Targets: s.targets[:1], Check: check})
			})
			s.onlyNode0(t, r)
			if !test.now {
				until(t, "its connection ends", func() bool { return !echoes(gone) })
			} else if !echoes(gone) {
				t.Error("its connection does not live while it drains")
			}
			until(t, "it has drained", func() bool { return len(s.balancers.Health("demo/1", 80, lb.TCP)) == 1 })
			if test.now {
				if !test.later {
					until(t, "its connection ends, drained", func() bool { return !echoes(gone) })
				} else if !echoes(gone) {
					t.Error("its connection has ended with its draining")
				}
			}
			if !echoes(stays) {
				t.Error("the connection to the target that stayed has ended")
			}
		})
	}
}

// A client that only receives learns that its connection was ended.
func TestCutClientsHearOfIt(t *testing.T) {
	s := newSite(t)
	l, err := netns.Listen(s.nodes[1], "tcp4", fmt.Sprint(":", nodePort))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for err == nil {
					_, err = c.Write([]byte("more\n"))
					time.Sleep(10 * time.Millisecond)
				}
				c.Close()
			}()
		}
	}()
	for _, hide := range []bool{false, true} {
		change := func(l *lb.LoadBalancer) { l.Listeners[0].HideClient, l.Listeners[0].EndDrained = hide, true }
		r := s.ensure(t, func(l *lb.LoadBalancer) { change(l); l.Listeners[0].Targets = s.targets[1:] })
		_, conn := ask(t, "", r.Addrs[0].Public, 80)
		if conn == nil {
			t.Fatal("not connected")
		}
		s.ensure(t, func(l *lb.LoadBalancer) { change(l); l.Listeners[0].Targets = s.targets[:1] })
		conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("clients hidden %v: the connection ended with %v, want a reset", hide, err)
		}
	}
}

func TestSourceRanges(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	for _, kind := range []string{lb.Network, lb.Classic} {
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
			r := s.ensure(t, func(l *lb.LoadBalancer) {
				l.Type = kind
				for _, r := range strings.Fields(test.ranges) {
					l.SourceRanges = append(l.SourceRanges, netip.MustParsePrefix(r))
				}
			})
			if got, _ := ask(t, "", r.Addrs[0].Public, 80); (got != "") != test.host {
				t.Errorf("%s, %s: host got %q", kind, test.name, got)
			}
			if got, _ := ask(t, s.nodes[1], r.Addrs[0].Public, 80); (got != "") != test.node {
				t.Errorf("%s, %s: node got %q", kind, test.name, got)
			}
		}
	}
}

// An internal load balancer answers the VPC, and the host by no route.
func TestInternalIsPrivate(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	vpctest.RouteHost(t, s.Config) // which must not help it
	for _, test := range []struct{ kind, seen string }{{lb.Network, s.targets[1].Addr.Addr().String()}, {lb.Classic, ""}} {
		r := s.ensure(t, func(l *lb.LoadBalancer) {
			l.Type, l.Scheme, l.Listeners[0].Targets = test.kind, lb.Internal, s.targets[:1]
		})
		seen := test.seen
		if seen == "" {
			seen = r.Addrs[0].Private.String()
		}
		if got, _ := ask(t, s.nodes[1], r.Addrs[0].Private, 80); got != "node0 "+seen {
			t.Errorf("%s, from inside: %q, want from %s", test.kind, got, seen)
		}
		if got, _ := ask(t, "", r.Addrs[0].Private, 80); got != "" {
			t.Errorf("%s, from the host: %q", test.kind, got)
		}
	}
}

func TestUDP(t *testing.T) {
	s := newSite(t)
	pc, err := netns.ListenPacket(s.nodes[0], "udp4", s.targets[0].Addr.String())
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
	vpctest.Serve(t, s.nodes[0], fmt.Sprint(":", nodePort), "node0")
	r := s.ensure(t, func(l *lb.LoadBalancer) { l.Listeners[0].Protocol, l.Listeners[0].Targets = lb.TCPUDP, s.targets[:1] })
	if got, _ := ask(t, "", r.Addrs[1].Public, 80); !strings.HasPrefix(got, "node0") {
		t.Errorf("by TCP: %q", got)
	}
	conn, err := net.Dial("udp4", netip.AddrPortFrom(r.Addrs[1].Public, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if got := line(conn); got != "echo hello" {
		t.Errorf("answer %q", got)
	}
	if err := s.balancers.Delete(context.Background(), "demo/1"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("again\n")); err == nil {
		if got := line(conn); got != "" {
			t.Errorf("after Delete the flow goes on: %q", got)
		}
	}
}

// One client's connections all go to one target.
func TestSticky(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	for _, version := range []int{0, 1} {
		r := s.ensure(t, func(l *lb.LoadBalancer) { l.Listeners[0].Sticky, l.Listeners[0].ProxyProtocol = true, version })
		s.healthy(t, 2)
		until(t, "all go to one", func() bool { // once both are known to the rules too
			want, _ := ask(t, "", r.Addrs[0].Public, 80)
			for range 16 {
				if got, _ := ask(t, "", r.Addrs[0].Public, 80); got != want || got == "" {
					return false
				}
			}
			return true
		})
	}
}

// Targets are told the client's address, as the Internet sees it.
func TestProxyProtocol(t *testing.T) {
	s := newSite(t)
	heard := make(chan string, 100)
	l, err := netns.Listen(s.nodes[0], "tcp4", fmt.Sprint(":", nodePort))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 200)
			if n, _ := c.Read(buf); n > 0 { // health checks say nothing
				heard <- string(buf[:n])
			}
			c.Close()
		}
	}()
	for _, test := range []struct {
		kind    string
		version int
		from    string
		client  netip.Addr
	}{
		{lb.Classic, 1, "", s.Host()},
		{lb.Classic, 1, s.nodes[1], s.NAT()},
		{lb.Network, 2, "", s.Host()},
	} {
		r := s.ensure(t, func(l *lb.LoadBalancer) {
			l.Type, l.Listeners[0].ProxyProtocol, l.Listeners[0].Targets = test.kind, test.version, s.targets[:1]
		})
		at := r.Addrs[1].Public
		conn, err := netns.Dial(test.from)(t.Context(), "tcp4", netip.AddrPortFrom(at, 80).String())
		if err != nil {
			t.Fatal(err)
		}
		port := conn.LocalAddr().(*net.TCPAddr).Port
		got := <-heard
		conn.Close()
		want := fmt.Sprintf("PROXY TCP4 %s %s %d 80\r\n", test.client, at, port)
		if test.version == 2 {
			want = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + string(test.client.AsSlice()) + string(at.AsSlice()) + string([]byte{byte(port >> 8), byte(port), 0, 80})
		}
		if got != want {
			t.Errorf("%s, version %d: %q, want %q", test.kind, test.version, got, want)
		}
	}
}

// An HTTP listener says who asks, keeps the client's connection, and leads each
// request to a target of its own.
func TestHTTP(t *testing.T) {
	s := newSite(t)
	for i, ns := range s.nodes {
		l, err := netns.Listen(ns, "tcp4", fmt.Sprint(":", nodePort))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "node", i, " ", r.Host, " ", r.Header.Get("X-Forwarded-For"), " ", r.Header.Get("X-Forwarded-Port"), " ", r.Header.Get("X-Forwarded-Proto"))
		})}
		go server.Serve(l)
		t.Cleanup(func() { server.Close() })
	}
	r := s.ensure(t, func(l *lb.LoadBalancer) { l.Type, l.Listeners[0].Protocol = lb.Classic, lb.HTTP })
	until(t, "both targets are healthy", func() bool {
		h := s.balancers.Health("demo/1", 80, lb.HTTP)
		return h[0].State == lb.Healthy && h[1].State == lb.Healthy
	})
	conn, err := net.Dial("tcp4", netip.AddrPortFrom(r.Addrs[0].Public, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, seen := bufio.NewReader(conn), map[string]bool{}
	for range 4 {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		node, rest, _ := strings.Cut(string(body), " ")
		if want := fmt.Sprintf("example.com 192.0.2.1, %s 80 http", s.Host()); rest != want {
			t.Errorf("the target was told %q, want %q", rest, want)
		}
		seen[node] = true
	}
	if len(seen) != 2 {
		t.Errorf("requests went to %v alone", seen)
	}
}

// A connection that is silent for too long ends; one that speaks does not.
func TestIdle(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	r := s.ensure(t, func(l *lb.LoadBalancer) { l.Type, l.Idle = lb.Classic, 400*time.Millisecond })
	_, silent := ask(t, "", r.Addrs[0].Public, 80)
	_, speaks := ask(t, "", r.Addrs[0].Public, 80)
	began, over := time.Now(), make(chan time.Duration, 1)
	silent.SetReadDeadline(began.Add(30 * time.Second))
	go func() {
		_, _ = silent.Read(make([]byte, 1))
		over <- time.Since(began)
	}()
	for {
		if !echoes(speaks) {
			t.Fatal("a connection that speaks was ended")
		}
		select {
		case took := <-over:
			if took < 350*time.Millisecond || took > 15*time.Second {
				t.Errorf("the silent connection ended after %s", took)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// The rules outlive the daemon, and its successor's opening of the network.
func TestSurvival(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	r := s.ensure(t, func(l *lb.LoadBalancer) { l.Listeners[0].HideClient = true })
	s.stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := vpc.Open(context.Background(), s.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, a := range r.Addrs {
		if got, _ := ask(t, "", a.Public, 80); !strings.HasSuffix(got, a.Private.String()) {
			t.Errorf("without a daemon: %q", got)
		}
	}
}
