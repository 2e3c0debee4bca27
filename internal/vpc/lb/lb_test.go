package lb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/nft"
)

func TestHealthAfter(t *testing.T) {
	c := HealthCheck{Healthy: 2, Unhealthy: 3}
	// Each check is "+" or "-"; the states after each follow.
	tests := []struct{ name, checks, want string }{
		{"healthy with the first success", "+", "h"},
		{"unhealthy with the first failure", "-", "u"},
		{"never healthy: one success suffices", "--+", "uuh"},
		{"taken off after three", "+---", "hhhu"},
		{"a success in between starts anew", "+--+--", "hhhhhh"},
		{"back after two", "+---++", "hhhuuh"},
		{"a failure in between starts anew", "+---+-++", "hhhuuuuh"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, got := health{state: Initial}, ""
			for _, check := range test.checks {
				failure := ""
				if check == '-' {
					failure = "refused"
				}
				h = h.after(failure, c)
				got += string(h.state[0])
				if (h.state == Healthy) != (h.reason == "") {
					t.Errorf("%s with reason %q", h.state, h.reason)
				}
			}
			if got != test.want {
				t.Errorf("states %s, want %s", got, test.want)
			}
		})
	}
}

func TestInUse(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.64.4"), netip.MustParseAddr("10.0.64.5")
	both := []netip.Addr{a, b}
	healthy, not := health{state: Healthy}, health{state: Unhealthy}
	for name, test := range map[string]struct {
		known map[netip.Addr]health
		want  []netip.Addr
	}{
		"nothing known":   {nil, both},
		"one healthy":     {map[netip.Addr]health{a: not, b: healthy}, []netip.Addr{b}},
		"one yet unknown": {map[netip.Addr]health{a: healthy}, []netip.Addr{a}},
		"none healthy":    {map[netip.Addr]health{a: not, b: not}, both},
		"both":            {map[netip.Addr]health{a: healthy, b: healthy}, both},
	} {
		if got := inUse(both, test.known); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestSources(t *testing.T) {
	network, nat := netip.MustParsePrefix("10.0.0.0/16"), netip.MustParseAddr("198.18.0.3")
	in := func(all []netip.Prefix, a string) bool {
		return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(a)) })
	}
	const host, pod, private = "198.18.0.1", "10.0.65.3", "10.1.0.1"
	for name, test := range map[string]struct {
		scheme, ranges string
		admit, refuse  string
	}{
		"everybody":                         {InternetFacing, "", host + " " + pod, ""},
		"everybody, said":                   {InternetFacing, "0.0.0.0/0", host + " " + pod + " " + private, ""},
		"the host":                          {InternetFacing, "198.18.0.1/32", host, pod},
		"the NAT gateway: the VPC with it":  {InternetFacing, "198.18.0.3/32", pod, host},
		"private addresses mean nothing":    {InternetFacing, "10.0.0.0/16", "", host + " " + pod},
		"a range around the VPC without it": {InternetFacing, "10.0.0.0/8", private + " 10.255.0.1 10.2.0.1", host + " " + pod},
		"internal":                          {Internal, "10.0.65.0/24", pod, "10.0.66.1 " + host},
	} {
		l := LoadBalancer{Scheme: test.scheme}
		if test.ranges != "" {
			l.SourceRanges = []netip.Prefix{netip.MustParsePrefix(test.ranges)}
		}
		got := sources(l, network, nat)
		for _, a := range strings.Fields(test.admit) {
			if !in(got, a) {
				t.Errorf("%s: %s is not in %v", name, a, got)
			}
		}
		for _, a := range strings.Fields(test.refuse) {
			if in(got, a) {
				t.Errorf("%s: %s is in %v", name, a, got)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	good := LoadBalancer{ID: "c/1", Name: "a1", Ports: []Port{{80, 30080, "TCP"}, {80, 30081, "UDP"}}}
	if l, err := good.complete(); err != nil || l.HealthCheck.Port != 30080 || l.Scheme != InternetFacing {
		t.Fatalf("%+v, %v", l, err)
	}
	for name, change := range map[string]func(*LoadBalancer){
		"no name":        func(l *LoadBalancer) { l.Name = "" },
		"no ports":       func(l *LoadBalancer) { l.Ports = nil },
		"SCTP":           func(l *LoadBalancer) { l.Ports = []Port{{80, 30080, "SCTP"}} },
		"no node port":   func(l *LoadBalancer) { l.Ports = []Port{{80, 0, "TCP"}} },
		"port twice":     func(l *LoadBalancer) { l.Ports = []Port{{80, 1, "TCP"}, {80, 2, ""}} },
		"unknown scheme": func(l *LoadBalancer) { l.Scheme = "public" },
		"IPv6 target":    func(l *LoadBalancer) { l.Targets = []netip.Addr{netip.MustParseAddr("fd00::1")} },
		"long name":      func(l *LoadBalancer) { l.Name = strings.Repeat("a", 33) },
	} {
		l := good
		change(&l)
		if _, err := l.complete(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// fake is the kernel and the targets of a test.
type fake struct {
	mu     sync.Mutex
	rules  []nft.Listener
	writes int
	fail   error
	down   map[string]bool // targets that refuse
	forgot []flows
	told   chan string
}

func (f *fake) set(addr string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[addr] = down
}

// targets lists what the listener on the port leads to, sorted.
func (f *fake) targets(port uint16) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, l := range f.rules {
		if l.Port == port {
			for _, t := range l.Targets {
				out = append(out, t.String())
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// build joins balancers to a fake kernel, over a store that outlives them.
func build(t *testing.T, s *store.Store, f *fake) (*Balancers, *dns.Server) {
	t.Helper()
	network := &vpc.Network{Config: vpc.Defaults()}
	names := dns.New(dns.Config{Zones: dns.Zones("us-west-2", network.VPC)})
	b := New(Config{Store: s, Network: network, Addresses: ipam.New(s, network.Ranges()), Names: names, Region: "us-west-2",
		Log: slog.New(slog.DiscardHandler), Changed: func(id string) { f.told <- id }})
	f.join(b)
	if err := s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b, names
}

// join makes the fake the balancers' kernel.
func (f *fake) join(b *Balancers) {
	b.apply = func(all []nft.Listener) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.fail != nil {
			return f.fail
		}
		f.rules, f.writes = all, f.writes+1
		return nil
	}
	b.dial = func(_ context.Context, _, addr string) (net.Conn, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.down[addr] {
			return nil, errors.New("refused")
		}
		here, there := net.Pipe()
		there.Close()
		return here, nil
	}
	b.forget = func(x flows) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forgot = append(f.forgot, x)
		return nil
	}
}

func newFake() *fake { return &fake{down: map[string]bool{}, told: make(chan string, 100)} }

func run(t *testing.T, b *Balancers) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// until waits for a condition that checks bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

var quick = HealthCheck{Interval: 2 * time.Millisecond, Timeout: time.Second}

func web(targets ...string) LoadBalancer {
	l := LoadBalancer{ID: "demo/1", Cluster: "demo", Name: "a0", Ports: []Port{{80, 30080, "TCP"}}, HealthCheck: quick}
	for _, t := range targets {
		l.Targets = append(l.Targets, netip.MustParseAddr(t))
	}
	return l
}

func TestEnsureCheckDelete(t *testing.T) {
	ctx, f, s := context.Background(), newFake(), store.NewMemory()
	defer s.Close()
	b, _ := build(t, s, f)
	stop := run(t, b)
	defer stop()
	f.set("10.0.64.5:30080", true)
	got, err := b.Ensure(ctx, web("10.0.64.4", "10.0.64.5"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "a0-" + Suffix("demo/1") + ".us-west-2.elb.amazonaws.com"; got.DNSName != want || len(got.Addrs) != 1 || !b.network.Balancers().Contains(got.Addrs[0]) {
		t.Fatalf("%+v, want name %s", got, want)
	}
	until(t, "the dead target is taken off", func() bool { return f.targets(80) == "10.0.64.4:30080" })
	f.set("10.0.64.4:30080", true)
	until(t, "none is healthy: all are used", func() bool { return f.targets(80) == "10.0.64.4:30080 10.0.64.5:30080" })
	f.set("10.0.64.5:30080", false)
	until(t, "the one that recovered", func() bool { return f.targets(80) == "10.0.64.5:30080" })
	if h := b.Health("demo/1"); len(h) != 2 || h[0].State != Unhealthy || h[0].Reason == "" || h[1].State != Healthy {
		t.Errorf("health %+v", h)
	}
	select {
	case id := <-f.told:
		if id != "demo/1" {
			t.Errorf("told of %s", id)
		}
	default:
		t.Error("nobody was told of the changes")
	}
	again, err := b.Ensure(ctx, web("10.0.64.5"))
	if err != nil || again.DNSName != got.DNSName || again.Addrs[0] != got.Addrs[0] {
		t.Errorf("changed: %+v, %v", again, err)
	}
	if f.targets(80) != "10.0.64.5:30080" {
		t.Errorf("after the change: %s", f.targets(80))
	}
	if err := b.Delete(ctx, "other/1"); err != nil || f.targets(80) == "" {
		t.Errorf("the end of another took it: %v", err)
	}
	if all := b.List(); len(all) != 1 || all[0].ID != "demo/1" || all[0].Cluster != "demo" {
		t.Errorf("listed: %+v", all)
	}
	if err := b.Delete(ctx, "demo/1"); err != nil {
		t.Fatal(err)
	}
	if f.targets(80) != "" || len(b.Names()) != 0 || len(b.addresses.Leases("lb/demo/1")) != 0 {
		t.Errorf("left: rules %q, names %v, addresses %v", f.targets(80), b.Names(), b.addresses.Leases("lb/demo/1"))
	}
	if len(f.forgot) != 1 || f.forgot[0].to != got.Addrs[0] {
		t.Errorf("connections forgotten: %+v", f.forgot)
	}
	if err := b.Delete(ctx, "demo/1"); err != nil {
		t.Errorf("second Delete: %v", err)
	}
}

// After a restart nothing is lost, and nothing is written before it is known:
// not by Run, and not by the first change either.
func TestResume(t *testing.T) {
	ctx, f := context.Background(), newFake()
	s := store.NewMemory()
	defer s.Close()
	b, _ := build(t, s, f)
	one, two := web("10.0.64.4", "10.0.64.5"), web("10.0.64.4")
	two.ID, two.Ports = "demo/2", []Port{{81, 30081, "TCP"}}
	var results []Result
	for _, l := range []LoadBalancer{one, two} {
		r, err := b.Ensure(ctx, l)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	for _, first := range []string{"run", "ensure", "delete"} {
		t.Run(first, func(t *testing.T) {
			f := newFake()
			f.set("10.0.64.5:30080", true)
			again := &Balancers{ // a new daemon on the same store
				store: b.store, records: b.records, network: b.network, addresses: b.addresses, names: b.names,
				region: b.region, log: b.log, live: map[string]*balancer{}, changed: func(string) {}, forget: b.forget,
			}
			f.join(again)
			switch first {
			case "run":
				stop := run(t, again)
				until(t, "rules are written", func() bool { return f.targets(80) != "" })
				if f.writes != 1 || f.targets(80) != "10.0.64.4:30080" {
					t.Errorf("%d writes; first known: %s", f.writes, f.targets(80))
				}
				stop()
			case "ensure":
				if r, err := again.Ensure(ctx, one); err != nil || r.DNSName != results[0].DNSName {
					t.Errorf("%+v, %v", r, err)
				}
			case "delete":
				if err := again.Delete(ctx, "demo/none"); err != nil {
					t.Error(err)
				}
				three := one
				three.ID, three.Ports = "demo/3", []Port{{82, 30082, "TCP"}}
				if _, err := again.Ensure(ctx, three); err != nil {
					t.Error(err)
				}
			}
			if f.targets(80) == "" || f.targets(81) == "" {
				t.Errorf("rules of others are gone: %q, %q", f.targets(80), f.targets(81))
			}
		})
	}
}

func TestInternal(t *testing.T) {
	ctx, f, s := context.Background(), newFake(), store.NewMemory()
	defer s.Close()
	b, _ := build(t, s, f)
	l := web("10.0.64.4")
	public, err := b.Ensure(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	l.Scheme = Internal
	private, err := b.Ensure(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	subnet, ok := b.network.SubnetOf(private.Addrs[0])
	if !ok || subnet.Public || !strings.HasPrefix(private.DNSName, "internal-") {
		t.Errorf("internal: %+v", private)
	}
	for _, r := range f.rules {
		if r.Addr == public.Addrs[0] {
			t.Error("the public address still answers")
		}
	}
	if n := len(b.addresses.Leases("lb/demo/1")); n != 1 {
		t.Errorf("%d addresses are leased", n)
	}
}

// UDP has no connection that could end by itself.
func TestUDPFlowsEnd(t *testing.T) {
	ctx, f, s := context.Background(), newFake(), store.NewMemory()
	defer s.Close()
	b, _ := build(t, s, f)
	l := web("10.0.64.4", "10.0.64.5")
	l.Ports = []Port{{53, 30053, "UDP"}}
	if _, err := b.Ensure(ctx, l); err != nil {
		t.Fatal(err)
	}
	if h := b.Health(l.ID); h[0].State != Healthy {
		t.Errorf("targets that can't be checked are %s", h[0].State)
	}
	l.Targets = l.Targets[:1]
	if _, err := b.Ensure(ctx, l); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.forgot); len(f.forgot) != 1 || !f.forgot[0].udpOnly || f.forgot[0].target.String() != "10.0.64.5" {
		t.Errorf("flows ended: %s", got)
	}
}

func TestFailedWriteIsRepeated(t *testing.T) {
	ctx, f, s := context.Background(), newFake(), store.NewMemory()
	defer s.Close()
	b, _ := build(t, s, f)
	f.fail = errors.New("no")
	if _, err := b.Ensure(ctx, web("10.0.64.4")); err == nil {
		t.Fatal("a write that failed was not reported")
	}
	f.fail = nil
	if _, err := b.Ensure(ctx, web("10.0.64.4")); err != nil || f.targets(80) == "" {
		t.Fatalf("%v, rules %q", err, f.targets(80))
	}
}
