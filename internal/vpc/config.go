package vpc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Metadata is the address of every instance's metadata service.
var Metadata = netip.MustParseAddr("169.254.169.254")

// DefaultMTU is EC2's, "jumbo frames".
const DefaultMTU = 9001

// Subnet is a subnet of the VPC.
type Subnet struct {
	Name   string // "public-a"; also the name of its range in ipam
	Zone   string // "us-west-2a"
	Public bool
	Prefix netip.Prefix
}

// Router is the subnet's gateway, its first address.
func (s Subnet) Router() netip.Addr { return s.Prefix.Masked().Addr().Next() }

// Config says what the network is. Two networks with different Name, RunDir,
// Public and VPC live side by side.
type Config struct {
	Name   string       // the host's link is Name+"0"; at most 14 bytes
	RunDir string       // namespaces are files of RunDir/netns
	Public netip.Prefix // a /16: everything outside the VPC that we answer for
	VPC    netip.Prefix // the first VPC's; see Layout for further ones
	// Subnets are parts of VPC.
	Subnets []Subnet
	MTU     int
}

// Defaults is the workshop's VPC: two public and two private subnets in two
// zones of us-west-2.
func Defaults() Config {
	p := netip.MustParsePrefix
	return Config{
		Name:   "eksact",
		RunDir: "/run/eksact",
		Public: p("198.18.0.0/16"),
		VPC:    p("10.0.0.0/16"),
		Subnets: []Subnet{
			{"public-a", "us-west-2a", true, p("10.0.0.0/19")},
			{"public-b", "us-west-2b", true, p("10.0.32.0/19")},
			{"private-a", "us-west-2a", false, p("10.0.64.0/19")},
			{"private-b", "us-west-2b", false, p("10.0.96.0/19")},
		},
		MTU: DefaultMTU,
	}
}

// Names of the ranges of public addresses in ipam.
const (
	RangeAPI       = "public-api"       // cluster endpoints
	RangeBalancers = "public-balancers" // load balancers
)

// Fixed public addresses, by their offset in Config.Public.
func (c Config) Host() netip.Addr      { return at(c.Public, 1) }   // the host's end
func (c Config) Front() netip.Addr     { return at(c.Public, 2) }   // AWS API endpoints
func (c Config) NAT() netip.Addr       { return at(c.Public, 3) }   // the NAT gateway's public face
func (c Config) Shell() netip.Addr     { return at(c.Public, 4) }   // the terminal's public face
func (c Config) S3() netip.Addr        { return at(c.Public, 5) }   // S3, which gateway endpoints lead to
func (c Config) PublicDNS() netip.Addr { return at(c.Public, 53) }  // outside view
func (c Config) Edge() netip.Addr      { return at(c.Public, 254) } // world's end

// Resolver is the first VPC's DNS server: its base address plus two.
func (c Config) Resolver() netip.Addr { return at(c.VPC, 2) }

// LinkResolver is every VPC's DNS server.
// https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
var LinkResolver = netip.MustParseAddr("169.254.169.253")

// ResolverOf is the DNS server of an address's VPC.
func (c Config) ResolverOf(a netip.Addr) netip.Addr {
	if c.VPC.Contains(a) {
		return c.Resolver()
	}
	return LinkResolver
}

// Free says whether a further VPC can have addresses: they are none of the first's and
// none of those outside.
func (c Config) Free(block netip.Prefix) bool {
	return !block.Overlaps(c.VPC) && !block.Overlaps(c.Public) && !slices.ContainsFunc(special, block.Overlaps)
}

// Proxy is where the proxy of load balancers listens, on world.
func (c Config) Proxy() netip.AddrPort { return netip.AddrPortFrom(c.Edge(), proxyPort) }

// proxyPort is reached through load balancers' listeners alone.
const proxyPort = 4610

// API is the /24 of cluster endpoints, Balancers the /23 of load balancers, Elastic
// the /24 of instances and of further NAT gateways.
func (c Config) API() netip.Prefix       { return netip.PrefixFrom(at(c.Public, 1<<8), 24) }
func (c Config) Balancers() netip.Prefix { return netip.PrefixFrom(at(c.Public, 2<<8), 23) }
func (c Config) Elastic() netip.Prefix   { return netip.PrefixFrom(at(c.Public, 4<<8), 24) }

// World is the file of the router's namespace.
func (c Config) World() string { return c.path("world") }

// HostLink names the host's end of the veth.
func (c Config) HostLink() string { return c.Name + "0" }

func (c Config) path(name string) string { return filepath.Join(c.RunDir, "netns", name) }

// SubnetOf returns the subnet of an address.
func (c Config) SubnetOf(a netip.Addr) (Subnet, bool) {
	for _, s := range c.Subnets {
		if s.Prefix.Contains(a) {
			return s, true
		}
	}
	return Subnet{}, false
}

// Ranges are the pools for ipam: the subnets under their names, and the public
// ones.
func (c Config) Ranges() []ipam.Range {
	out := []ipam.Range{
		{Name: RangeAPI, Prefix: c.API(), First: 4, Last: 1},
		{Name: RangeBalancers, Prefix: c.Balancers(), First: 4, Last: 1},
	}
	for _, s := range c.Subnets {
		out = append(out, s.Range())
	}
	return out
}

// edge is the configuration as the packet rules need it.
func (c Config) edge() nft.Edge {
	return nft.Edge{
		HostLink: worldHostLink,
		Public:   c.Public,
		Front:    c.Front(), S3: c.S3(), Names: c.PublicDNS(), Resolvers: []netip.Addr{c.Resolver(), LinkResolver}, Metadata: Metadata,
		API: c.API(), Balancers: c.Balancers(), Elastic: c.Elastic(), Proxy: c.Proxy(),
	}
}

// special addresses have a meaning of their own to every kernel.
var special = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3")}

// check refuses what can't work.
func (c Config) check() error {
	switch {
	case c.Name == "" || len(c.HostLink()) > 15:
		return fmt.Errorf("network name %q: want 1 to 14 bytes", c.Name)
	case !c.Public.Addr().Is4() || c.Public.Bits() != 16:
		return fmt.Errorf("public range %s: want an IPv4 /16", c.Public)
	case !c.VPC.Addr().Is4() || c.VPC.Bits() < 16 || c.VPC.Bits() > 28:
		return fmt.Errorf("VPC range %s: want an IPv4 prefix from /16 to /28", c.VPC)
	case slices.ContainsFunc(special, c.VPC.Overlaps) || slices.ContainsFunc(special, c.Public.Overlaps):
		return fmt.Errorf("VPC range %s, public range %s: loopback, link-local and multicast addresses can't be used", c.VPC, c.Public)
	case c.VPC.Overlaps(c.Public):
		return fmt.Errorf("VPC range %s overlaps the public range %s", c.VPC, c.Public)
	}
	for i, s := range c.Subnets {
		if !c.VPC.Contains(s.Prefix.Addr()) || s.Prefix.Bits() < c.VPC.Bits() {
			return fmt.Errorf("subnet %s (%s) is not inside the VPC's %s", s.Name, s.Prefix, c.VPC)
		}
		for _, other := range c.Subnets[:i] {
			if s.Prefix.Overlaps(other.Prefix) {
				return fmt.Errorf("subnet %s (%s) overlaps %s (%s)", s.Name, s.Prefix, other.Name, other.Prefix)
			}
		}
	}
	return nil
}

// at is the n-th address of p.
func at(p netip.Prefix, n uint32) netip.Addr {
	b := p.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+n)
	return netip.AddrFrom4(b)
}
