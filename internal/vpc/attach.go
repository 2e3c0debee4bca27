package vpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/ipv6"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// inside is the name of every attached namespace's link.
const inside = "eth0"

// AttachNode makes the namespace of an instance that runs pods, with addr of a
// subnet on eth0 and the pods' block routed to it, and returns its file. The
// node forwards; the CNI plugin adds a route for each pod.
func (n *Network) AttachNode(ctx context.Context, id string, addr netip.Addr, pods netip.Prefix) (string, error) {
	if err := n.inVPC(addr, pods.Addr()); err != nil {
		return "", err
	}
	forward := func(path string, s *side) error {
		if err := settings(path, routerSettings); err != nil {
			return err
		}
		return errors.Join(s.unreachable(pods.Masked()), nft.ApplyNode(path, pods))
	}
	return n.attachMachine(ctx, id, addr, []netip.Prefix{pods.Masked()}, forward)
}

// MendNode writes those of a node's own packet rules anew whose tables are not among
// those that are there, and names them. path and pods are as AttachNode has them.
func (n *Network) MendNode(path string, pods netip.Prefix, there map[string]bool) (mended []string, err error) {
	for _, t := range []struct {
		name  string
		known bool
		write func() error
	}{
		{nft.NodeTable, true, func() error { return nft.ApplyNode(path, pods) }},
		{nft.MetadataTable, ipv6.Known(), func() error { return nodeRules6(path) }},
	} {
		if t.known && !there[t.name] {
			mended = append(mended, t.name)
			err = errors.Join(err, t.write())
		}
	}
	return mended, err
}

// AttachHost makes the namespace of a machine without pods, such as the
// workshop's terminal, and returns its file.
func (n *Network) AttachHost(ctx context.Context, id string, addr netip.Addr) (string, error) {
	if err := n.inVPC(addr); err != nil {
		return "", err
	}
	return n.attachMachine(ctx, id, addr, nil, nil)
}

// attachMachine makes a namespace whose default route is its subnet's router.
func (n *Network) attachMachine(ctx context.Context, id string, addr netip.Addr, behind []netip.Prefix, more func(string, *side) error) (string, error) {
	subnet, _ := n.SubnetOf(addr)
	router := subnet.Router()
	return n.attach(ctx, id, attachment{
		addresses: []netip.Prefix{netip.PrefixFrom(addr, subnet.Prefix.Bits())},
		behind:    behind,
		router:    router,
		node:      len(behind) > 0,
		inner: func(path string, s *side, l link) error {
			if more != nil {
				if err := more(path, s); err != nil {
					return err
				}
			}
			return errors.Join(s.onLink(l, host(router), addr), s.via(l, everything, router, addr))
		},
	})
}

// AttachControlPlane makes the namespace of a cluster's control plane, with an
// interface address in each of the cluster's subnets (private) and its public
// addresses, and returns its file. It reaches its VPC from its first private
// address and the public range from its first public one, and nothing else.
func (n *Network) AttachControlPlane(ctx context.Context, name string, private, public []netip.Addr) (string, error) {
	if len(private) == 0 {
		return "", fmt.Errorf("control plane %s: no private address", name)
	}
	if err := n.inVPC(private...); err != nil {
		return "", err
	}
	var own []netip.Prefix
	for _, a := range private {
		own = append(own, host(a))
	}
	for _, a := range public {
		if !n.API().Contains(a) {
			return "", fmt.Errorf("control plane %s: public address %s is not in %s", name, a, n.API())
		}
		own = append(own, host(a))
	}
	subnet, _ := n.SubnetOf(private[0])
	router := subnet.Router()
	return n.attach(ctx, controlPlaneID(name), attachment{
		addresses: own,
		router:    router,
		inner: func(_ string, s *side, l link) error {
			errs := []error{s.onLink(l, host(router), private[0]), s.via(l, n.RangeOf(private[0]), router, private[0])}
			if len(public) > 0 {
				errs = append(errs, s.via(l, n.Public, router, public[0]))
			}
			return errors.Join(errs...)
		},
	})
}

// DetachControlPlane removes what AttachControlPlane made.
func (n *Network) DetachControlPlane(ctx context.Context, name string) error {
	return n.Detach(ctx, controlPlaneID(name))
}

// Detach removes a machine's link and the file of its namespace. One that is
// not there is no error.
func (n *Network) Detach(ctx context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if netns.Exists(n.World()) {
		world, err := enter(n.World())
		if err != nil {
			return err
		}
		defer world.close()
		if err := world.unlink(linkName(id)); err != nil {
			return err
		}
	}
	return errors.Join(netns.Delete(n.path(id)), ctx.Err())
}

// NodeNetNS and ControlPlaneNetNS are the files of attached namespaces.
func (n *Network) NodeNetNS(id string) string           { return n.path(id) }
func (n *Network) ControlPlaneNetNS(name string) string { return n.path(controlPlaneID(name)) }

func controlPlaneID(name string) string { return "cp-" + name }

// attachment is what a namespace gets on its link.
type attachment struct {
	addresses []netip.Prefix
	behind    []netip.Prefix // routed to it, by its first address
	router    netip.Addr     // world's address on this link
	node      bool           // it may ask for instance metadata by IPv6
	inner     func(path string, s *side, l link) error
}

// attach creates or adopts a namespace on a link of its own. World's routes to
// it come last: it is not reachable before it is complete.
func (n *Network) attach(ctx context.Context, id string, a attachment) (string, error) {
	if err := validID(id); err != nil {
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	path := n.path(id)
	fail := func(err error) (string, error) {
		return "", explain(fmt.Errorf("attaching %s to the network: %w", id, err))
	}
	if err := netns.Create(path); err != nil {
		return fail(err)
	}
	// Before the link, which takes on the defaults.
	if err := errors.Join(settings(path, endSettings), quietIPv6(path)); err != nil {
		return fail(err)
	}
	world, err := enter(n.World())
	if err != nil {
		return fail(err)
	}
	defer world.close()
	world.kept = n.kept[n.World()]
	self, err := enter(path)
	if err != nil {
		return fail(err)
	}
	defer self.close()
	mac, worldMAC := MAC(id), hardware("router", id)
	outer, inner, err := pair(plug{world, linkName(id), worldMAC}, plug{self, inside, mac}, n.MTU)
	if err != nil {
		return fail(err)
	}
	if outer.Attrs().Alias != id {
		if err := world.LinkSetAlias(outer, id); err != nil { // for who looks at `ip link`
			return fail(err)
		}
	}
	if err := errors.Join(
		self.loopback(),
		self.addresses(inner, a.addresses...),
		self.neighbour(inner, a.router, worldMAC),
	); err != nil {
		return fail(err)
	}
	if err := a.inner(path, self, inner); err != nil {
		return fail(err)
	}
	if a.node {
		if err := n.node6(world, self, outer, inner, a, mac, worldMAC, path); err != nil {
			return fail(err)
		}
	}
	if err := n.routeTo(world, outer, a, mac); err != nil {
		return fail(err)
	}
	return path, ctx.Err()
}

// endSettings are for namespaces that don't forward; a node's follow.
var endSettings = map[string]string{
	"ipv4/conf/all/rp_filter":            "1",
	"ipv4/conf/default/rp_filter":        "1",
	"ipv4/conf/all/accept_redirects":     "0",
	"ipv4/conf/default/accept_redirects": "0",
}
