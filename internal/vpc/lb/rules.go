package lb

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// write brings the kernel's rules up to date with the live balancers.
func (b *Balancers) write() error {
	b.mu.Lock()
	defer b.mu.Unlock()
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
		from := sources(l.LoadBalancer, b.network.VPC, b.network.NAT())
		use := inUse(l.Targets, l.known)
		for _, p := range l.Ports {
			proto, _ := nft.ProtoNumber(p.Protocol)
			listener := nft.Listener{Addr: l.Addr, Proto: proto, Port: p.Port, Sources: from}
			for _, t := range use {
				listener.Targets = append(listener.Targets, netip.AddrPortFrom(t, p.NodePort))
			}
			out = append(out, listener)
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

// drop ends what can't end by itself: UDP flows to targets that are not used any
// more. TCP connections there go on until their ends close them.
func (b *Balancers) drop(r record, gone []netip.Addr) {
	if !slices.ContainsFunc(r.Ports, func(p Port) bool { return strings.EqualFold(p.Protocol, "UDP") }) {
		return
	}
	for _, t := range gone {
		if err := b.forget(flows{to: r.Addr, target: t, udpOnly: true}); err != nil {
			b.log.Warn("load balancers: ending UDP flows", "balancer", r.ID, "target", t, "error", err)
		}
	}
}

// flows are the connections through a balancer's address.
type flows struct {
	to      netip.Addr
	target  netip.Addr // only those that were led to it, if valid
	udpOnly bool
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
		if err == nil && f.udpOnly {
			err = filter.AddProtocol(unix.IPPROTO_UDP)
		}
		if err != nil {
			return err
		}
		_, err = h.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, filter)
		return err
	})
}
