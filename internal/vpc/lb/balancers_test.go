package lb

import (
	"context"
	"errors"
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
	"github.com/eksact/eksact/internal/vpc/lb/proxy"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// fake is the kernel, the proxy and the targets of a test.
type fake struct {
	mu     sync.Mutex
	rules  []nft.Listener
	proxy  proxy.Config
	writes int
	fail   error
	down   map[string]bool // targets that refuse
	forgot []flows
	held   map[netip.Addr]bool
	told   chan string
}

func newFake() *fake {
	return &fake{down: map[string]bool{}, held: map[netip.Addr]bool{}, told: make(chan string, 1000)}
}

func (f *fake) set(addr string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[addr] = down
}

// targets lists what the listeners on the port lead to at any address, sorted.
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
	return strings.Join(slices.Compact(out), " ")
}

func (f *fake) ended() []flows {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.forgot)
}

// build joins balancers to a fake kernel, over a store that outlives them.
func build(t *testing.T, s *store.Store, f *fake) *Balancers {
	t.Helper()
	network := &vpc.Network{Config: vpc.Defaults()}
	names := dns.New(dns.Config{Zones: dns.Zones("us-west-2", network.VPC)})
	b := New(Config{Store: s, Network: network, Addresses: ipam.New(s, network.Ranges()), Names: names, Region: "us-west-2",
		Log: slog.New(slog.DiscardHandler), Changed: func(id string) { f.told <- id }})
	f.join(b)
	if err := s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b
}

// join makes the fake the balancers' kernel and proxy.
func (f *fake) join(b *Balancers) {
	locked := func(fn func() error) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		return fn()
	}
	b.proxy = func(c proxy.Config) error { return locked(func() error { f.proxy = c; return nil }) }
	b.apply = func(all []nft.Listener) error {
		return locked(func() error {
			if f.fail != nil {
				return f.fail
			}
			f.rules, f.writes = all, f.writes+1
			return nil
		})
	}
	b.dial = func(_ context.Context, _ netip.Addr, to netip.AddrPort) (net.Conn, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.down[to.String()] {
			return nil, errors.New("refused")
		}
		here, there := net.Pipe()
		there.Close()
		return here, nil
	}
	b.forget = func(x flows) error { return locked(func() error { f.forgot = append(f.forgot, x); return nil }) }
	b.hold = func(all ...netip.Addr) error {
		return locked(func() error {
			for _, a := range all {
				f.held[a] = true
			}
			return nil
		})
	}
	b.letGo = func(all ...netip.Addr) error {
		return locked(func() error {
			for _, a := range all {
				delete(f.held, a)
			}
			return nil
		})
	}
}

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
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// web is a Network Load Balancer across zones.
func web(list string) LoadBalancer {
	return LoadBalancer{
		ID: "demo/1", Cluster: "demo", Name: "a0", Type: Network, CrossZone: true,
		Listeners: []Listener{{Port: 80, Protocol: TCP, Targets: targets(list), Check: quick, EndDrained: true}},
	}
}

func ensure(t *testing.T, b *Balancers, l LoadBalancer) Result {
	t.Helper()
	r, err := b.Ensure(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const first, second = "10.0.64.4:30080", "10.0.96.4:30080"

func TestEnsureCheckDelete(t *testing.T) {
	ctx, f, s := context.Background(), newFake(), store.NewMemory()
	defer s.Close()
	b := build(t, s, f)
	stop := run(t, b)
	defer stop()
	f.set(second, true)
	got := ensure(t, b, web(first+" "+second))
	if len(got.Addrs) != 2 || got.Addrs[0].Zone == got.Addrs[1].Zone {
		t.Fatalf("%+v, want an address in each of two zones", got)
	}
	for _, a := range got.Addrs {
		if subnet, ok := b.network.SubnetOf(a.Private); !b.network.Balancers().Contains(a.Public) || !ok || !subnet.Public || subnet.Zone != a.Zone || !f.held[a.Private] {
			t.Errorf("address %+v", a)
		}
	}
	until(t, "the dead target is taken off", func() bool { return f.targets(80) == first })
	f.set(first, true)
	until(t, "none is healthy: all are used", func() bool { return f.targets(80) == first+" "+second })
	f.set(second, false)
	until(t, "the one that recovered", func() bool { return f.targets(80) == second })
	if h := b.Health("demo/1", 80, TCP); len(h) != 2 || h[0].State != Unhealthy || h[0].Reason == "" || h[1].State != Healthy {
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
	if again := ensure(t, b, web(second)); again.DNSName != got.DNSName || !slices.Equal(again.Addrs, got.Addrs) {
		t.Errorf("changed: %+v", again)
	}
	if f.targets(80) != second {
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
	if f.targets(80) != "" || len(b.Names()) != 0 || len(b.addresses.Owners("lb/")) != 0 || len(f.held) != 0 {
		t.Errorf("left: rules %q, names %v, addresses %v, %v", f.targets(80), b.Names(), b.addresses.Owners("lb/"), f.held)
	}
	ends := f.ended()
	for _, a := range got.Addrs {
		if !slices.Contains(ends, flows{to: a.Public}) {
			t.Errorf("connections to %s go on; ended were %+v", a.Public, ends)
		}
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
	b := build(t, s, f)
	one, two := web(first+" "+second), web(first)
	two.ID, two.Listeners[0].Port = "demo/2", 81
	name := ensure(t, b, one).DNSName
	ensure(t, b, two)
	for _, begin := range []string{"run", "ensure", "delete"} {
		t.Run(begin, func(t *testing.T) {
			f := newFake()
			f.set(second, true)
			again := &Balancers{ // a new daemon on the same store
				store: b.store, records: b.records, network: b.network, addresses: b.addresses, names: b.names,
				region: b.region, log: b.log, live: map[string]*balancer{}, changed: func(string) {}, wake: make(chan struct{}, 1),
			}
			f.join(again)
			switch begin {
			case "run":
				stop := run(t, again)
				until(t, "rules are written", func() bool { return f.targets(80) != "" })
				if f.writes != 1 || f.targets(80) != first || len(f.held) != 4 {
					t.Errorf("%d writes; first known: %s; addresses %v", f.writes, f.targets(80), f.held)
				}
				stop()
			case "ensure":
				if r := ensure(t, again, one); r.DNSName != name {
					t.Errorf("%+v", r)
				}
			case "delete":
				if err := again.Delete(ctx, "demo/none"); err != nil {
					t.Error(err)
				}
				three := web(first)
				three.ID, three.Listeners[0].Port = "demo/3", 82
				ensure(t, again, three)
			}
			if f.targets(80) == "" || f.targets(81) == "" {
				t.Errorf("rules of others are gone: %q, %q", f.targets(80), f.targets(81))
			}
		})
	}
}

func TestInternal(t *testing.T) {
	f, s := newFake(), store.NewMemory()
	defer s.Close()
	b := build(t, s, f)
	l := web(first)
	public := ensure(t, b, l)
	l.Scheme = Internal
	private := ensure(t, b, l)
	for _, a := range private.Addrs {
		if subnet, ok := b.network.SubnetOf(a.Called()); !ok || subnet.Public || a.Public.IsValid() {
			t.Errorf("internal: %+v", private)
		}
	}
	for _, r := range f.rules {
		for _, a := range public.Addrs {
			if r.Addr == a.Public {
				t.Error("the public address still answers")
			}
		}
	}
	if n := len(b.addresses.Owners("lb/")); n != 2 {
		t.Errorf("%d addresses are leased", n)
	}
	l.Subnets = []string{"private-b"}
	moved := ensure(t, b, l)
	if len(moved.Addrs) != 1 || moved.Addrs[0].Zone != "us-west-2b" || moved.Addrs[0] != private.Addrs[1] || len(f.held) != 1 || len(b.addresses.Owners("lb/")) != 1 {
		t.Errorf("in one subnet: %+v; held %v", moved, f.held)
	}
	for _, wrong := range [][]string{{"none"}, {"private-a", "public-a"}} {
		l.Subnets = wrong
		if _, err := b.Ensure(t.Context(), l); err == nil {
			t.Errorf("subnets %q were taken", wrong)
		}
	}
}

// A target that was taken off drains, then its connections end; a restart in
// between changes nothing.
func TestDrains(t *testing.T) {
	f, s := newFake(), store.NewMemory()
	defer s.Close()
	b := build(t, s, f)
	l := web(first + " " + second)
	l.Listeners[0].Drain = 300 * time.Millisecond
	r := ensure(t, b, l)
	l.Listeners[0].Targets = targets(first)
	ensure(t, b, l)
	if h := b.Health("demo/1", 80, TCP); len(h) != 2 || h[1].State != Draining || h[1].ID != second {
		t.Errorf("health %+v", h)
	}
	if f.targets(80) != first || len(f.ended()) != 0 {
		t.Errorf("new connections go to %q; ended %+v", f.targets(80), f.ended())
	}
	defer run(t, b)()
	until(t, "the drained target's connections end", func() bool { return len(f.ended()) == 2 })
	for i, e := range f.ended() {
		if e != (flows{to: r.Addrs[i].Public, key: key{nft.TCP, 80}, target: netip.MustParseAddr("10.0.96.4")}) {
			t.Errorf("ended %+v", e)
		}
	}
	until(t, "it is forgotten", func() bool { return len(b.Health("demo/1", 80, TCP)) == 1 })
}

// Connections to a target that becomes unhealthy end where the listener says so.
func TestUnhealthyEnds(t *testing.T) {
	for _, ends := range []bool{true, false} {
		f, s := newFake(), store.NewMemory()
		b := build(t, s, f)
		stop := run(t, b)
		l := web(first + " " + second)
		l.Listeners[0].EndUnhealthy = ends
		ensure(t, b, l)
		until(t, "both are healthy", func() bool {
			h := b.Health("demo/1", 80, TCP)
			return h[0].State == Healthy && h[1].State == Healthy
		})
		f.set(second, true)
		until(t, "one is not", func() bool { return f.targets(80) == first })
		if ends {
			until(t, "its connections end", func() bool { return len(f.ended()) > 0 })
		}
		stop()
		if got := f.ended(); (len(got) > 0) != ends {
			t.Errorf("end %v: %+v", ends, got)
		}
		s.Close()
	}
}

// What a proxy serves, and what the kernel leads to it.
func TestProxied(t *testing.T) {
	f, s := newFake(), store.NewMemory()
	defer s.Close()
	b := build(t, s, f)
	l := web(first + " " + second)
	l.Type, l.CrossZone, l.Idle = Classic, false, 90*time.Second
	r := ensure(t, b, l)
	if f.targets(80) != b.network.Proxy().String() {
		t.Errorf("the kernel leads to %s", f.targets(80))
	}
	for i, want := range []string{first, second} {
		p := f.proxy.Listeners[i]
		if p.Addr != netip.AddrPortFrom(r.Addrs[i].Public, 80) || p.Source != r.Addrs[i].Private || p.Idle != l.Idle || len(p.Targets) != 1 || p.Targets[0].String() != want {
			t.Errorf("the proxy serves %+v", p)
		}
	}
	l.Listeners[0].Drain, l.Listeners[0].Targets = time.Minute, targets(first)
	ensure(t, b, l)
	if d := f.proxy.Listeners[0].Drain; len(d) != 1 || d[0].Target.String() != second || d[0].Until.IsZero() {
		t.Errorf("draining: %+v", d)
	}
	if rules := f.rules; len(rules[0].Targets) != 1 || len(rules[1].Targets) != 0 {
		t.Errorf("a zone without targets: %+v", rules)
	}
}

func TestFailedWriteIsRepeated(t *testing.T) {
	ctx, f, s := context.Background(), newFake(), store.NewMemory()
	defer s.Close()
	b := build(t, s, f)
	f.fail = errors.New("no")
	if _, err := b.Ensure(ctx, web(first)); err == nil {
		t.Fatal("a write that failed was not reported")
	}
	f.fail = nil
	if _, err := b.Ensure(ctx, web(first)); err != nil || f.targets(80) == "" {
		t.Fatalf("%v, rules %q", err, f.targets(80))
	}
}
