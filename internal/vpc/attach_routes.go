package vpc

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
)

type link = netlink.Link

// routeTo makes world lead an attachment's addresses to its link.
func (n *Network) routeTo(world *side, outer link, a attachment, mac net.HardwareAddr) error {
	for _, p := range a.addresses {
		addr := p.Addr()
		from := a.router
		if n.Public.Contains(addr) {
			from = n.Edge()
		}
		if err := world.neighbour(outer, addr, mac); err != nil {
			return err
		}
		if err := world.onLink(outer, host(addr), from); err != nil {
			return err
		}
	}
	for _, p := range a.behind {
		if err := world.via(outer, p, a.addresses[0].Addr(), a.router); err != nil {
			return err
		}
	}
	return nil
}

// inVPC refuses addresses that are in no subnet.
func (n *Network) inVPC(all ...netip.Addr) error {
	for _, a := range all {
		if _, ok := n.SubnetOf(a); !ok {
			return fmt.Errorf("address %s is in no subnet of the VPC", a)
		}
	}
	return nil
}

// validID refuses what can't name a file.
func validID(id string) error {
	if id == "" || id == "world" || len(id) > 200 || strings.ContainsAny(id, "/\x00") || strings.HasPrefix(id, ".") {
		return fmt.Errorf("%q can't name a machine of the network", id)
	}
	return nil
}
