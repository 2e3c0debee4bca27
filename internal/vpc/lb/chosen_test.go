package lb_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/vpc/lb"
)

// A connection that was silent for too long is forgotten, and reset when the client
// speaks again; one that speaks in between lives.
func TestIdleConnectionsEnd(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	r := s.ensure(t, func(l *lb.LoadBalancer) { l.Listeners[0].Idle = 2 * time.Second })
	s.healthy(t, 2)
	_, silent := ask(t, "", r.Addrs[0].Public, 80)
	_, talks := ask(t, "", r.Addrs[0].Public, 80)
	for range 7 {
		time.Sleep(500 * time.Millisecond)
		if !echoes(talks) {
			t.Fatal("a connection that speaks every half second has ended")
		}
		// Rules are written anew: who is known keeps its timeout.
		s.ensure(t, func(l *lb.LoadBalancer) { l.Listeners[0].Idle = 2 * time.Second; l.CrossZone = !l.CrossZone })
	}
	if _, err := silent.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	silent.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := silent.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after two seconds of silence: %v, want a reset", err)
	}
}

// Addresses that were chosen are the load balancer's, and others draw none of them.
func TestChosenAddresses(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	subnet := s.Subnets[0] // public
	public, private := s.Elastic().Addr().Next(), high(subnet.Prefix)
	choose := func(a netip.Addr) func(l *lb.LoadBalancer) {
		return func(l *lb.LoadBalancer) {
			l.Subnets, l.Fixed = []string{subnet.Name}, map[string]lb.Fixed{subnet.Name: {Public: public, Private: a}}
		}
	}
	r := s.ensure(t, choose(private))
	if len(r.Addrs) != 1 || r.Addrs[0].Public != public || r.Addrs[0].Private != private {
		t.Fatalf("made at %+v", r.Addrs)
	}
	s.healthy(t, 1)
	if got, _ := ask(t, "", public, 80); !strings.HasPrefix(got, "node") {
		t.Errorf("its public address: %q", got)
	}
	other := lb.LoadBalancer{ID: "demo/2", Name: "other", Type: lb.Network, Listeners: []lb.Listener{{Port: 80, Protocol: lb.TCP, Targets: s.targets, Check: check}}}
	choose(private)(&other)
	if _, err := s.balancers.Ensure(context.Background(), other); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("another at the same address: %v", err)
	}
	if r = s.ensure(t, choose(private.Next())); r.Addrs[0].Private != private.Next() {
		t.Errorf("moved to %+v", r.Addrs)
	}
	if _, err := s.balancers.Ensure(context.Background(), other); err != nil {
		t.Errorf("another at the address that is free again: %v", err)
	}
	for _, bad := range []netip.Addr{subnet.Router(), s.Subnets[1].Prefix.Addr().Next()} {
		l := other
		choose(bad)(&l)
		if _, err := s.balancers.Ensure(context.Background(), l); err == nil {
			t.Errorf("made at %s", bad)
		}
	}
}

// Security groups of its own say who may connect, also when they change.
func TestSecurityGroupsAdmit(t *testing.T) {
	s := newSite(t)
	s.serveBoth(t)
	r := s.ensure(t, func(l *lb.LoadBalancer) {
		l.Groups, l.SourceRanges = []string{"sg-1"}, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	})
	s.healthy(t, 2)
	if got, _ := ask(t, "", r.Addrs[0].Public, 80); got != "" {
		t.Errorf("a group without rules let through: %q", got)
	}
	s.admit.Store(&[]netip.Prefix{netip.PrefixFrom(s.Host(), 32)})
	if err := s.balancers.Regroup(); err != nil {
		t.Fatal(err)
	}
	_, kept := ask(t, "", r.Addrs[0].Public, 80)
	if kept == nil {
		t.Fatal("who is admitted was not")
	}
	if got := s.balancers.Clients("sg-1"); len(got) != 1 || got[0].Addr() != s.Host() || len(s.balancers.Clients("sg-2")) != 0 {
		t.Errorf("clients %v", got)
	}
	s.admit.Store(&[]netip.Prefix{s.VPC})
	if err := s.balancers.Regroup(); err != nil {
		t.Fatal(err)
	}
	if got, _ := ask(t, "", r.Addrs[0].Public, 80); got != "" {
		t.Errorf("who is admitted no more: %q", got)
	}
	if !echoes(kept) {
		t.Error("a known connection has ended")
	}
}
