package lb

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/vpc"
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

// addrs reads "10.0.64.4:1 10.0.96.4:1" and the like.
func targets(list string) (all []Target) {
	for _, text := range strings.Fields(list) {
		addr := netip.MustParseAddrPort(text)
		t := Target{ID: text, Addr: addr, Zone: "us-west-2a"}
		if addr.Addr().As4()[2] >= 96 {
			t.Zone = "us-west-2b"
		}
		all = append(all, t)
	}
	return all
}

var quick = HealthCheck{Protocol: TCP, Interval: 2 * time.Millisecond, Timeout: time.Second, Healthy: 2, Unhealthy: 2}

// Which targets an address leads to, and which addresses the name has.
func TestWhoReceives(t *testing.T) {
	const a1, a2, b1 = "10.0.64.4:80", "10.0.64.5:80", "10.0.96.4:80"
	zones := []Address{
		{Zone: "us-west-2a", Private: netip.MustParseAddr("10.0.0.4")},
		{Zone: "us-west-2b", Private: netip.MustParseAddr("10.0.32.4")},
	}
	for name, test := range map[string]struct {
		targets, healthy string
		cross            bool
		a, b             string // in use at each zone's address
		names            string // the zones that the name resolves to
	}{
		"nothing known, each zone its own":      {a1 + " " + b1, "", false, a1, b1, "ab"},
		"nothing known, across":                 {a1 + " " + b1, "", true, a1 + " " + b1, a1 + " " + b1, "ab"},
		"targets in one zone alone":             {a1 + " " + a2, a1, false, a1, "", "a"},
		"one zone alone, unhealthy":             {a1, "", false, a1, "", "a"},
		"one zone alone, across":                {a1, a1, true, a1, a1, "ab"},
		"one zone unhealthy":                    {a1 + " " + b1, b1, false, a1, b1, "b"},
		"one zone unhealthy, across":            {a1 + " " + b1, b1, true, b1, b1, "ab"},
		"one of a zone unhealthy":               {a1 + " " + a2 + " " + b1, a2 + " " + b1, false, a2, b1, "ab"},
		"all unhealthy: all are used, across":   {a1 + " " + b1, "", true, a1 + " " + b1, a1 + " " + b1, "ab"},
		"no target: the name resolves all same": {"", "", false, "", "", "ab"},
	} {
		x := Listener{Port: 80, Protocol: TCP, Targets: targets(test.targets), Check: quick}
		r := record{LoadBalancer: LoadBalancer{CrossZone: test.cross, Listeners: []Listener{x}}, Addrs: zones}
		known := map[probe]health{}
		for _, target := range x.Targets {
			state := Unhealthy
			if strings.Contains(test.healthy, target.ID) {
				state = Healthy
			}
			known[x.probeOf(target)] = health{state: state}
		}
		for i, want := range []string{test.a, test.b} {
			var got []string
			for _, to := range r.inUse(x, zones[i], known) {
				got = append(got, to.String())
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: zone %s leads to %v, want %q", name, zones[i].Zone, got, want)
			}
		}
		names := ""
		for _, a := range r.resolved(known) {
			for i, z := range zones {
				if a == z.Private {
					names += string("ab"[i])
				}
			}
		}
		if names != test.names {
			t.Errorf("%s: the name resolves to %q, want %q", name, names, test.names)
		}
	}
}

// Listeners that check alike share a check; a zone that is not the balancer's is
// not checked.
func TestProbes(t *testing.T) {
	healthPort := quick
	healthPort.Port = 10256
	one := record{Addrs: []Address{{Zone: "us-west-2a"}}}
	one.Listeners = []Listener{
		{Port: 80, Protocol: TCP, Targets: targets("10.0.64.4:30080 10.0.96.4:30080"), Check: healthPort},
		{Port: 443, Protocol: TCP, Targets: targets("10.0.64.4:30443"), Check: healthPort},
		{Port: 444, Protocol: TCP, Targets: targets("10.0.64.4:30444"), Check: quick},
	}
	var got []string
	for _, p := range one.probes() {
		got = append(got, p.addr.String())
	}
	if want := []string{"10.0.64.4:10256", "10.0.64.4:30444"}; !slices.Equal(got, want) {
		t.Errorf("probes %v, want %v", got, want)
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
		b := &Balancers{network: &vpc.Network{Config: vpc.Config{VPC: network, Public: netip.PrefixFrom(nat, 16).Masked()}}}
		got := b.sources(l, key{})
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
	x := Listener{Port: 80, Protocol: TCP, Targets: targets("10.0.64.4:30080"), Check: quick}
	udp := x
	udp.Protocol = UDP
	good := LoadBalancer{ID: "c/1", Name: "a1", Type: Network, Listeners: []Listener{x, udp}}
	if l, err := good.complete(); err != nil || l.Scheme != InternetFacing || l.Idle != time.Minute {
		t.Fatalf("%+v, %v", l, err)
	}
	with := func(change func(*Listener)) func(*LoadBalancer) {
		return func(l *LoadBalancer) {
			l.Listeners = slices.Clone(l.Listeners)
			change(&l.Listeners[0])
		}
	}
	for name, change := range map[string]func(*LoadBalancer){
		"no name":               func(l *LoadBalancer) { l.Name = "" },
		"unknown type":          func(l *LoadBalancer) { l.Type = "application" },
		"unknown scheme":        func(l *LoadBalancer) { l.Scheme = "public" },
		"long name":             func(l *LoadBalancer) { l.Name = strings.Repeat("a", 33) },
		"UDP of a classic":      func(l *LoadBalancer) { l.Type = Classic },
		"SCTP":                  with(func(x *Listener) { x.Protocol = "SCTP" }),
		"HTTP of a network":     with(func(x *Listener) { x.Protocol = HTTP }),
		"no port":               with(func(x *Listener) { x.Port = 0 }),
		"port twice":            func(l *LoadBalancer) { l.Listeners = []Listener{x, x} },
		"port twice, in both":   func(l *LoadBalancer) { y := udp; y.Protocol = TCPUDP; l.Listeners = []Listener{x, y} },
		"IPv6 target":           with(func(x *Listener) { x.Targets = []Target{{Addr: netip.MustParseAddrPort("[fd00::1]:80")}} }),
		"target without a port": with(func(x *Listener) { x.Targets = []Target{{Addr: netip.MustParseAddrPort("10.0.64.4:0")}} }),
		"no health check":       with(func(x *Listener) { x.Check = HealthCheck{} }),
		"UDP clients hidden":    with(func(x *Listener) { x.Protocol, x.HideClient = UDP, true }),
		"UDP by proxy protocol": with(func(x *Listener) { x.Protocol, x.ProxyProtocol = TCPUDP, 2 }),
	} {
		l := good
		change(&l)
		if _, err := l.complete(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNames(t *testing.T) {
	l := LoadBalancer{ID: "demo/1", Name: "a0", Digits: Suffix("demo/1"), Type: Network, Scheme: InternetFacing}
	for _, test := range []struct{ kind, scheme, want string }{
		{Network, InternetFacing, "a0-" + Suffix("demo/1") + ".elb.us-west-2.amazonaws.com"},
		{Network, Internal, "a0-" + Suffix("demo/1") + ".elb.us-west-2.amazonaws.com"},
		{Classic, InternetFacing, "a0-979787145.us-west-2.elb.amazonaws.com"},
		{Classic, Internal, "internal-a0-979787145.us-west-2.elb.amazonaws.com"},
	} {
		l.Type, l.Scheme = test.kind, test.scheme
		if got := l.dnsName("us-west-2"); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.scheme, test.kind, got, test.want)
		}
	}
}

// What drains, and what ends at once, when a record replaces another.
func TestLeavingAndCut(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	at := []Address{{Zone: "us-west-2a", Private: netip.MustParseAddr("10.0.0.4")}}
	of := func(drain time.Duration, end bool, list string) Listener {
		return Listener{Port: 80, Protocol: TCP, Targets: targets(list), Check: quick, Drain: drain, EndDrained: end}
	}
	rec := func(all ...Listener) record {
		return record{LoadBalancer: LoadBalancer{Type: Network, Listeners: all}, Addrs: at}
	}
	const one, two = "10.0.64.4:80", "10.0.64.5:80"
	old := rec(of(time.Minute, true, one+" "+two))
	r := rec(of(time.Minute, true, one))
	r.Leaving = r.leaving(old, now)
	if len(r.Leaving) != 1 || r.Leaving[0].Target.ID != two || !r.Leaving[0].Until.Equal(now.Add(time.Minute)) || !r.Leaving[0].End {
		t.Fatalf("leaving %+v", r.Leaving)
	}
	if got := r.cut(old); len(got) != 0 {
		t.Errorf("ended although it drains: %+v", got)
	}
	same := rec(of(time.Minute, true, one))
	if got := same.leaving(r, now.Add(time.Second)); len(got) != 1 || !got[0].Until.Equal(now.Add(time.Minute)) {
		t.Errorf("a change in between: %+v", got)
	}
	if got := same.leaving(r, now.Add(time.Hour)); len(got) != 0 {
		t.Errorf("what has drained comes again: %+v", got)
	}
	back := rec(of(time.Minute, true, one+" "+two))
	if got := back.leaving(r, now); len(got) != 0 {
		t.Errorf("back again and drains: %+v", got)
	}
	at0 := rec(of(0, true, one))
	if got := at0.leaving(old, now); len(got) != 0 {
		t.Errorf("without draining: %+v", got)
	}
	if got := at0.cut(old); len(got) != 1 || got[0].target.String() != "10.0.64.5" || got[0].key.port != 80 {
		t.Errorf("without draining ended: %+v", got)
	}
	if got := rec().cut(old); len(got) != 1 || got[0].target.IsValid() || got[0].key.port != 80 {
		t.Errorf("a listener that is gone: %+v", got)
	}
	moved := rec(of(time.Minute, true, one))
	moved.Addrs = []Address{{Zone: "us-west-2a", Private: netip.MustParseAddr("10.0.0.5")}}
	if got := moved.cut(old); len(got) != 1 || got[0].to.String() != "10.0.0.4" || got[0].key != (key{}) {
		t.Errorf("an address that is gone: %+v", got)
	}
}
