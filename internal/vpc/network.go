package vpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/ipv6"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// worldHostLink is world's end of the veth to the host.
const worldHostLink = "internet"

// Network is the VPC. Its state is the kernel's: a Network made anew after a
// crash goes on where the last one was.
type Network struct {
	Config
	rules   *nft.Router
	mu      sync.Mutex              // one change at a time
	marks   map[netip.Prefix]uint32 // of the subnets' packets to S3
	kept    map[string]keptRoutes   // by namespace
	stop    context.CancelFunc
	watches sync.WaitGroup
	subnets atomic.Pointer[[]Subnet]
	vpcs    atomic.Pointer[[]Inside]
}

// Open makes the router and its link to the host, or adopts what is there:
// traffic of a network that is up goes on untouched.
func Open(ctx context.Context, c Config) (n *Network, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := conflicts(c); err != nil {
		return nil, err
	}
	if err := netns.Create(c.World()); err != nil {
		return nil, explain(err)
	}
	n = &Network{Config: c, kept: map[string]keptRoutes{c.World(): {}, "": {}}}
	if n.rules, err = nft.OpenRouter(c.World()); err != nil {
		return nil, explain(err)
	}
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.rules.Close())
	}
	watching, stop := context.WithCancel(context.Background())
	n.stop = stop
	for ns := range n.kept {
		n.watches.Go(func() { n.keepRoutes(watching, ns) })
	}
	return n, ctx.Err()
}

func (n *Network) open() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.Config
	if err := n.makeWorld(); err != nil {
		return explain(err)
	}
	if err := n.rules.ApplyEdge(c.edge()); err != nil {
		return explain(err)
	}
	if err := errors.Join(settings(c.World(), accounting), settings(c.World(), marking)); err != nil {
		return explain(err)
	}
	// Routes that are there stay until their owner has read what they are to be.
	if routed, err := nft.HasRoutes(c.World()); err != nil {
		return explain(err)
	} else if !routed {
		if err := n.settle(c.DefaultLayout()); err != nil {
			return err
		}
	}
	// Last, so that the host has no way in before the rules stand.
	if err := n.linkHost(); err != nil {
		return explain(err)
	}
	return nil
}

// Rules are the router's packet rules.
func (n *Network) Rules() *nft.Router { return n.rules }

// Close lets go of the network, which stays as it is: it can then be opened again.
func (n *Network) Close() error {
	n.stop()
	n.watches.Wait()
	return n.rules.Close()
}

// routerSettings make a namespace forward, check sources and answer at once.
var routerSettings = map[string]string{
	"ipv4/ip_forward":                    "1",
	"ipv4/conf/all/rp_filter":            "1",
	"ipv4/conf/default/rp_filter":        "1",
	"ipv4/conf/all/accept_redirects":     "0",
	"ipv4/conf/default/accept_redirects": "0",
	"ipv4/conf/all/send_redirects":       "0",
	"ipv4/conf/default/send_redirects":   "0",
	"ipv4/conf/all/proxy_arp":            "0",
	"ipv4/conf/default/proxy_arp":        "0",
	// Refusals are for our own clients: none of them may be held back.
	"ipv4/icmp_ratelimit": "0",
	"ipv4/icmp_ratemask":  "0",
}

// marking makes a connection's socket have the mark of the packet that opened it: by
// which gateway endpoint it came (see SubnetRoutes).
var marking = map[string]string{"ipv4/tcp_fwmark_accept": "1"}

// accounting makes the router count its connections' packets, for flow logs: always,
// for those that are open when a flow log is created have been counted only if they
// were from their first packet on.
var accounting = map[string]string{"netfilter/nf_conntrack_acct": "1", "netfilter/nf_conntrack_timestamp": "1"}

// makeWorld gives the router its addresses; they are all on its loopback, so
// that links can come and go.
func (n *Network) makeWorld() error {
	if err := settings(n.World(), routerSettings); err != nil {
		return err
	}
	if err := quietIPv6(n.World()); err != nil {
		return err
	}
	world, err := enter(n.World())
	if err != nil {
		return err
	}
	defer world.close()
	own := []netip.Addr{n.Edge(), n.Front(), n.S3(), n.NAT(), n.PublicDNS(), n.Resolver(), LinkResolver, Metadata}
	for _, s := range n.Subnets {
		own = append(own, s.Router())
	}
	if err := world.loopback(own...); err != nil {
		return err
	}
	return n.router6(world)
}

// linkHost joins the host to the router: one address, one route.
func (n *Network) linkHost() error {
	world, err := enter(n.World())
	if err != nil {
		return err
	}
	defer world.close()
	home, err := enter("")
	if err != nil {
		return err
	}
	defer home.close()
	world.kept, home.kept = n.kept[n.World()], n.kept[""]
	worldMAC, hostMAC := hardware("edge", n.Name), hardware("host", n.Name)
	inner, outer, err := pair(plug{world, worldHostLink, worldMAC}, plug{home, n.HostLink(), hostMAC}, n.MTU)
	if err != nil {
		return err
	}
	if err := quietIPv6("", n.HostLink()); err != nil {
		return err
	}
	if err := errors.Join(
		world.neighbour(inner, n.Host(), hostMAC),
		world.onLink(inner, host(n.Host()), n.Edge()),
		home.addresses(outer, netip.PrefixFrom(n.Host(), n.Public.Bits())),
		home.neighbour(outer, n.Edge(), worldMAC),
	); err != nil {
		return err
	}
	return home.via(outer, n.Public, n.Edge(), n.Host())
}

// quietIPv6 keeps IPv6 off links (of a namespace: off all links to come, its
// loopback excepted, for programs that listen on ::1). The VPC is IPv4; the
// kernel would otherwise send router solicitations on each link. Links to nodes and
// pods are woken for instance metadata (package ipv6).
func quietIPv6(ns string, links ...string) error {
	if !ipv6.Known() {
		return nil
	}
	if len(links) == 0 {
		links = []string{"default"}
	}
	values := map[string]string{}
	for _, l := range links {
		values["ipv6/conf/"+l+"/disable_ipv6"] = "1"
	}
	return settings(ns, values)
}

// Teardown removes the network: every namespace of the run directory, their
// links, the host's link. What runs inside should be stopped before.
func (n *Network) Teardown(ctx context.Context) error {
	return errors.Join(n.Close(), Teardown(ctx, n.Config))
}

// Teardown removes a network that need not have been opened.
func Teardown(ctx context.Context, c Config) error {
	dir := filepath.Dir(c.World())
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var errs []error
	// Links first: a namespace may live on in another mount namespace's copy of
	// its file, its links must not.
	if netns.Exists(c.World()) {
		errs = append(errs, unlinkAll(c.World()))
	}
	for _, e := range entries {
		errs = append(errs, netns.Delete(filepath.Join(dir, e.Name())))
	}
	errs = append(errs, unlinkHost(c))
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func unlinkAll(ns string) error {
	s, err := enter(ns)
	if err != nil {
		return err
	}
	defer s.close()
	links, err := s.LinkList()
	if err != nil {
		return fmt.Errorf("listing links of %s: %w", ns, err)
	}
	var errs []error
	for _, l := range links {
		if l.Type() == "veth" {
			errs = append(errs, s.unlink(l.Attrs().Name))
		}
	}
	return errors.Join(errs...)
}

func unlinkHost(c Config) error {
	home, err := enter("")
	if err != nil {
		return err
	}
	defer home.close()
	l, err := home.link(c.HostLink())
	if err != nil || l == nil || !ours(l, c) {
		return err
	}
	return home.unlink(c.HostLink())
}

// ours recognises the host's link by its derived hardware address.
func ours(l netlink.Link, c Config) bool {
	return l.Type() == "veth" && l.Attrs().HardwareAddr.String() == hardware("host", c.Name).String()
}
