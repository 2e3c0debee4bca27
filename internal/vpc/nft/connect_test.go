package nft

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

// lane is a router with rules of its own, between a client and a server.
type lane struct {
	name  string
	write func(b *testing.B, ns string) error
	wire  *wire
	took  []time.Duration
}

// lanes are what a connection's cost is told apart by. The second is the least that
// lets answers pass: the kernel follows connections, one rule.
func lanes() []*lane {
	all := []*lane{
		{name: "no table"},
		{name: "connections followed", write: func(b *testing.B, ns string) error {
			out, err := tool(ns, "table inet bare { chain forward { type filter hook forward priority 0; ct state established,related accept; }; }")
			if err != nil {
				return fmt.Errorf("%s%w", out, err)
			}
			return nil
		}},
	}
	for _, n := range []int{0, 10, 1_000, 10_000} {
		all = append(all, &lane{name: fmt.Sprintf("%d policies", n), write: func(b *testing.B, ns string) error {
			return openEnforcer(b, ns, Options{IPv4: true, Cut: true}).Load(many(n))
		}})
	}
	return append(all,
		&lane{name: "a node's other rules", write: func(_ *testing.B, ns string) error { return ApplyNode(ns, east[0]) }},
		&lane{name: "the router's edge", write: func(b *testing.B, ns string) error {
			r, err := OpenRouter(ns)
			if err != nil {
				return err
			}
			b.Cleanup(func() { r.Close() })
			p, a := netip.MustParsePrefix, netip.MustParseAddr
			return r.ApplyEdge(Edge{
				HostLink: "internet", Public: p("198.18.0.0/16"), Front: a("198.18.0.2"), S3: a("198.18.0.5"), Names: a("198.18.0.53"),
				Resolvers: []netip.Addr{a("10.0.0.2")}, Metadata: a("169.254.169.254"), API: p("198.18.1.0/24"), Balancers: p("198.18.2.0/23"),
				Elastic: p("198.18.4.0/24"), Proxy: netip.MustParseAddrPort("198.18.0.254:4610"),
			})
		}},
	)
}

// BenchmarkConnect is TCP connections through routers with different rules, to an
// address that policies restrict as many as there are: each has a chain and a set of
// its own. The routers take turns, 200 connections each, so that what else the machine
// does is shared; the system call alone is timed.
func BenchmarkConnect(b *testing.B) {
	all := lanes()
	for _, l := range all {
		l.open(b)
	}
	for b.Loop() {
		for _, l := range all {
			l.connect(b, 200)
		}
	}
	var table strings.Builder
	var floor, last [2]float64
	for i, l := range all {
		slices.Sort(l.took)
		at := [2]float64{float64(l.took[len(l.took)/100]) / 1e3, float64(l.took[len(l.took)/2]) / 1e3}
		if i == 0 {
			floor = at
		}
		if l.name == "1000 policies" {
			last = at
		}
		fmt.Fprintf(&table, "\n| %s | %.1f µs | %+.1f µs | %.1f µs | %+.1f µs |", l.name, at[0], at[0]-floor[0], at[1], at[1]-floor[1])
	}
	b.ReportMetric(last[0]-floor[0], "p01-µs-more")
	b.ReportMetric(last[1]-floor[1], "p50-µs-more")
	b.Log(table.String())
}

func (l *lane) open(b *testing.B) {
	b.Helper()
	w := newWire(b)
	w.west.inhabit(b, "169.254.0.2", "10.1.0.1")
	w.east.inhabit(b, "169.254.0.2", "10.2.0.1")
	for _, side := range []*tap{w.west, w.east} { // a tap that listens costs each packet
		unix.Close(side.fd)
		side.fd = -1
	}
	l.wire = w
	if l.write != nil {
		if err := l.write(b, w.router); err != nil {
			b.Fatal(err)
		}
	}
	server, err := netns.Listen(w.east.ns, "tcp4", "10.2.0.1:80")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.(*net.TCPListener).AcceptTCP()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

func (l *lane) connect(b *testing.B, times int) {
	b.Helper()
	err := netns.Do(l.wire.west.ns, func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		to := &unix.SockaddrInet4{Port: 80, Addr: [4]byte{10, 2, 0, 1}}
		for range times {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			began := time.Now()
			err = unix.Connect(fd, to)
			l.took = append(l.took, time.Since(began))
			if err != nil {
				return err
			}
			// Closed by a reset: no port stays taken.
			if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
				return err
			}
			if err := unix.Close(fd); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func many(policies int) *ruleset.Program {
	p := (&ruleset.Program{}).Clone()
	for i := range policies {
		id := fmt.Sprint(i)
		p.Sets[id] = ruleset.Set{Elements: hosts("10.1.0.1")}
		p.Chains[id] = ruleset.Chain{Ingress: true, Rules: []ruleset.Rule{{Peer: id, Proto: ruleset.TCP, First: 80, Last: 80, Verdict: ruleset.Accept}}}
		p.Ingress[netip.AddrFrom4([4]byte{10, 100, byte(i >> 8), byte(i)})] = id
	}
	if policies > 0 {
		p.Ingress[addr("10.2.0.1")] = "0"
	}
	return p
}
