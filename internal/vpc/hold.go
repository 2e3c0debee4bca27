package vpc

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Hold gives the router addresses of interfaces that it stands in for, such as a
// load balancer's: connections can then be made from them. Those it has already
// are no error.
func (n *Network) Hold(all ...netip.Addr) error {
	if err := n.inVPC(all...); err != nil {
		return err
	}
	world, err := enter(n.World())
	if err != nil {
		return err
	}
	defer world.close()
	return world.loopback(all...)
}

// LetGo takes away what Hold gave. Those it has not are no error.
func (n *Network) LetGo(all ...netip.Addr) error {
	world, err := enter(n.World())
	if err != nil {
		return err
	}
	defer world.close()
	lo, err := world.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	var failed error
	for _, a := range all {
		err := world.AddrDel(lo, &netlink.Addr{IPNet: ipnet(host(a))})
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			failed = errors.Join(failed, fmt.Errorf("removing address %s: %w", a, err))
		}
	}
	return failed
}
