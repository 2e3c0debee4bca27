package lb

import (
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/lb/proxy"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// write brings the proxy and the kernel's rules up to date with the live
// balancers; the proxy first, so that it knows whoever is led to it.
func (b *Balancers) write() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writeHeld()
}

// writeHeld is write with mu held.
func (b *Balancers) writeHeld() error {
	if want := b.proxyConfig(); !b.sent || !reflect.DeepEqual(want, b.proxied) {
		b.sent = false
		if err := b.proxy(want); err != nil {
			return err
		}
		b.proxied, b.sent = want, true
	}
	want := b.listeners()
	if b.wrote && reflect.DeepEqual(want, b.applied) {
		return nil
	}
	b.wrote = false
	if err := b.apply(want); err != nil {
		return err
	}
	b.applied, b.wrote = want, true
	return nil
}

// listeners lists all ports of all live balancers, in a fixed order.
func (b *Balancers) listeners() []nft.Listener {
	var out []nft.Listener
	for _, l := range b.live {
		for _, a := range l.Addrs {
			for _, x := range l.Listeners {
				use := l.inUse(x, a, l.known)
				for _, k := range x.keys() {
					listener := nft.Listener{Addr: a.Called(), Proto: k.proto, Port: k.port, Sources: b.sources(l.LoadBalancer, k), Targets: use, Sticky: x.Sticky}
					if k.proto == nft.TCP && !l.proxied(x) {
						listener.Idle = l.idle(x)
					}
					for _, f := range b.cuts {
						inUse := slices.ContainsFunc(use, func(t netip.AddrPort) bool { return t.Addr() == f.target })
						if f.to == a.Called() && f.key == k && !inUse {
							listener.Cut = append(listener.Cut, f.target)
						}
					}
					switch {
					case l.proxied(x):
						listener.Sticky = false
						if len(use) > 0 {
							listener.Targets = []netip.AddrPort{b.network.Proxy()}
						}
					case x.HideClient:
						listener.Source = a.Private
					}
					out = append(out, listener)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, c nft.Listener) int {
		if n := a.Addr.Compare(c.Addr); n != 0 {
			return n
		}
		return int(a.Proto)<<16 + int(a.Port) - int(c.Proto)<<16 - int(c.Port)
	})
	return out
}

// proxyConfig lists what goes through the proxy, in a fixed order.
func (b *Balancers) proxyConfig() proxy.Config {
	out := proxy.Config{Inside: b.network.VPC, Public: b.network.Public, NAT: b.network.NAT()}
	for _, l := range b.live {
		for _, a := range l.Addrs {
			for _, x := range l.Listeners {
				if l.proxied(x) {
					out.Listeners = append(out.Listeners, l.proxyListener(x, a))
				}
			}
		}
	}
	slices.SortFunc(out.Listeners, func(a, c proxy.Listener) int { return a.Addr.Compare(c.Addr) })
	return out
}

func (l *balancer) proxyListener(x Listener, a Address) proxy.Listener {
	out := proxy.Listener{
		Addr: netip.AddrPortFrom(a.Called(), x.Port), HTTP: x.Protocol == HTTP, ProxyProtocol: x.ProxyProtocol,
		Source: a.Private, Targets: l.inUse(x, a, l.known), Idle: l.idle(x), Sticky: x.Sticky,
	}
	for _, t := range x.Targets {
		if !slices.Contains(out.Targets, t.Addr) && !(x.EndUnhealthy && l.known[x.probeOf(t)].state == Unhealthy) {
			out.Keep = append(out.Keep, t.Addr)
		}
	}
	for _, gone := range l.Leaving {
		if gone.Port == x.Port && gone.Protocol == x.Protocol {
			d := proxy.Drain{Target: gone.Target.Addr}
			if gone.End {
				d.Until = gone.Until.Round(time.Millisecond)
			}
			out.Drain = append(out.Drain, d)
		}
	}
	return out
}

// idle is how long connections to a listener may be silent.
func (l LoadBalancer) idle(x Listener) time.Duration {
	switch {
	case l.Type == Classic:
		return l.Idle
	case x.Idle > 0:
		return x.Idle
	}
	return DefaultIdle
}

// flows are connections through a load balancer's address.
type flows struct {
	to     netip.Addr
	key    key        // only to this listener, if not zero
	target netip.Addr // only those that were led to it, if valid
}

// delete makes the router forget the connections: the next packet of each finds
// its way anew, or none.
func (f flows) delete(world string) error {
	return netns.Do(world, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer h.Close()
		filter := &netlink.ConntrackFilter{}
		err = filter.AddIP(netlink.ConntrackOrigDstIP, f.to.AsSlice())
		if err == nil && f.target.IsValid() {
			err = filter.AddIP(netlink.ConntrackReplySrcIP, f.target.AsSlice())
		}
		if err == nil && f.key != (key{}) {
			if err = filter.AddProtocol(f.key.proto); err == nil {
				err = filter.AddPort(netlink.ConntrackOrigDstPort, f.key.port)
			}
		}
		if err != nil {
			return err
		}
		_, err = h.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, filter)
		return err
	})
}
