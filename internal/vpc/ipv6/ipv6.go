package ipv6

import (
	"net/netip"
	"os"
	"path/filepath"
)

// Metadata is the metadata service's IPv6 address.
var Metadata = netip.MustParseAddr("fd00:ec2::254")

// PodIdentity is that of the Pod Identity agent, on each node.
var PodIdentity = netip.MustParseAddr("fd00:ec2::23")

// Locals holds the second addresses.
var Locals = netip.MustParsePrefix("fd65:6b73:6163::/96")

// Local is the second address of who has an IPv4 address.
func Local(a netip.Addr) netip.Addr {
	b, v4 := Locals.Addr().As16(), a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}

// Block holds the second addresses of an IPv4 prefix.
func Block(p netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(Local(p.Addr()), p.Bits()+Locals.Bits())
}

// Owner is the IPv4 address that a second one belongs to; others stay as they are.
func Owner(a netip.Addr) netip.Addr {
	if !Locals.Contains(a) {
		return a
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// Known says whether the kernel knows IPv6 at all.
func Known() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}

// Wake takes a link of the thread's network namespace into IPv6, without addresses
// of its own making and without asking for routers.
func Wake(link string) error {
	for _, s := range [][2]string{{"addr_gen_mode", "1"}, {"accept_ra", "0"}, {"disable_ipv6", "0"}} {
		if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", link, s[0]), []byte(s[1]), 0o644); err != nil {
			return err
		}
	}
	return nil
}
