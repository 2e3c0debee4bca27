package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Config is all that is served.
type Config struct {
	Listeners []Listener
	// Inside is what reaches public addresses through a NAT gateway, whose address
	// targets are told instead.
	Inside, Public netip.Prefix
	NAT            netip.Addr
}

// Listener is one port of a load balancer.
type Listener struct {
	Addr netip.AddrPort // what clients call
	HTTP bool           // HTTP/1.1 is understood, and X-Forwarded-* added
	// ProxyProtocol is the version of the header that targets are sent first; 0 is
	// none. With HTTP it must be 0.
	ProxyProtocol int `json:",omitempty"`
	// Source is where connections to targets come from.
	Source netip.Addr
	// Targets receive new connections.
	Targets []netip.AddrPort
	// Keep are targets that receive none, but keep those they have; of Drain's they
	// end at a time. Connections to any other target end at once.
	Keep  []netip.AddrPort `json:",omitempty"`
	Drain []Drain          `json:",omitempty"`
	// Idle is how long a connection may be silent.
	Idle time.Duration
	// Sticky leads all connections of one client to one target.
	Sticky bool `json:",omitempty"`
}

// Drain is a target that was taken off.
type Drain struct {
	Target netip.AddrPort
	Until  time.Time // zero: until the connections end by themselves
}

// fate says what becomes of connections to a target: they end at once (false),
// or at a time, which is zero for never.
func (l Listener) fate(target netip.AddrPort) (until time.Time, lives bool) {
	if slices.Contains(l.Targets, target) || slices.Contains(l.Keep, target) {
		return time.Time{}, true
	}
	for _, d := range l.Drain {
		if d.Target == target {
			return d.Until, true
		}
	}
	return time.Time{}, false
}

// check refuses what can't be served.
func (c Config) check() error {
	seen := map[netip.AddrPort]bool{}
	for _, l := range c.Listeners {
		switch {
		case !l.Addr.Addr().Is4() || l.Addr.Port() == 0:
			return fmt.Errorf("proxy: %q is no address to listen at", l.Addr)
		case seen[l.Addr]:
			return fmt.Errorf("proxy: two listeners at %s", l.Addr)
		case l.ProxyProtocol < 0 || l.ProxyProtocol > 2:
			return fmt.Errorf("proxy: listener %s: no proxy protocol has the version %d", l.Addr, l.ProxyProtocol)
		case l.HTTP && l.ProxyProtocol != 0:
			return fmt.Errorf("proxy: listener %s: HTTP goes without the proxy protocol", l.Addr)
		case l.Idle <= 0:
			return fmt.Errorf("proxy: listener %s has no idle timeout", l.Addr)
		}
		seen[l.Addr] = true
	}
	return nil
}

// seenAs is a client's address as the Internet sees it.
func (c Config) seenAs(client, called netip.AddrPort) netip.AddrPort {
	if c.NAT.IsValid() && c.Inside.Contains(client.Addr()) && c.Public.Contains(called.Addr()) {
		return netip.AddrPortFrom(c.NAT, client.Port())
	}
	return client
}
