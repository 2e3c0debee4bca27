package vpc

import (
	"net"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/ipv6"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// router6 gives the router the metadata service's address, behind rules that let
// nothing else through.
func (n *Network) router6(world *side) error {
	if !ipv6.Known() {
		return nil
	}
	if err := n.rules.ApplyRouter6(nft.Metadata6{Service: ipv6.Metadata, Clients: ipv6.Locals, HostLink: worldHostLink}); err != nil {
		return err
	}
	return world.loopback(ipv6.Metadata)
}

func nodeRules6(path string) error {
	return nft.ApplyNode6(path, nft.Metadata6{Service: ipv6.Metadata, Clients: ipv6.Locals, Uplink: inside, Agent: ipv6.PodIdentity})
}

// node6 leads a node's and its pods' IPv6 to the metadata service, and nowhere else.
func (n *Network) node6(world, node *side, outer, inner link, a attachment, mac, worldMAC net.HardwareAddr, path string) error {
	if !ipv6.Known() {
		return nil
	}
	if err := nodeRules6(path); err != nil {
		return err
	}
	if err := settings(path, map[string]string{"ipv6/conf/all/forwarding": "1", "ipv6/conf/all/accept_redirects": "0"}); err != nil {
		return err
	}
	for ns, l := range map[string]link{path: inner, n.World(): outer} {
		if err := netns.Do(ns, func() error { return ipv6.Wake(l.Attrs().Name) }); err != nil {
			return err
		}
	}
	own := ipv6.Local(a.addresses[0].Addr())
	for _, step := range []func() error{
		func() error { return node.addresses(inner, host(own)) },
		func() error { return node.neighbour(inner, ipv6.Metadata, worldMAC) },
		func() error { return node.onLink(inner, host(ipv6.Metadata), own) },
		func() error { return world.neighbour(outer, own, mac) },
		func() error { return world.onLink(outer, host(own), ipv6.Metadata) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, p := range a.behind {
		if err := world.via(outer, ipv6.Block(p), own, ipv6.Metadata); err != nil {
			return err
		}
	}
	return nil
}
