package function

import (
	"net/netip"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

var addresses = []*Function{
	ofAddress("isValidIp", func(a netip.Addr) bool { return a.IsValid() }),
	ofAddress("isValidIpV4", isV4),
	ofAddress("isValidIpV6", isV6),
	{Name: "isIpInSubnet", Min: 2, Max: 2, bind: inSubnet(func(netip.Addr) bool { return true })},
	{Name: "isIpv4InSubnet", Min: 2, Max: 2, bind: inSubnet(isV4)},
	{Name: "isIpv6InSubnet", Min: 2, Max: 2, bind: inSubnet(isV6)},
	ofText("ipv4ToNumber", ipv4ToNumber),
	ofAddress("isPrivateIP", isPrivate),
	ofAddress("isPublicIP", func(a netip.Addr) bool { return a.IsValid() && !isPrivate(a) && !isReserved(a) }),
	ofAddress("isReservedIP", isReserved),
}

func isV4(a netip.Addr) bool { return a.Is4() }
func isV6(a netip.Addr) bool { return a.Is6() }

// ofAddress makes a condition on an address, which is not valid if the text is none.
func ofAddress(name string, holds func(a netip.Addr) bool) *Function {
	return ofText(name, func(s string) value.Value { return value.OfBool(holds(parseAddress(s))) })
}

// parseAddress reads an address without a zone, which no log of AWS's has.
func parseAddress(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a
}

// inSubnet makes a condition on an address and a range in CIDR notation. A literal that
// is no range, or one of the other family, is refused; in a field it holds no address.
func inSubnet(family func(netip.Addr) bool) func([]*value.Value) (Eval, error) {
	return func(literals []*value.Value) (Eval, error) {
		var fixed netip.Prefix
		if literals[1] != nil {
			s, _ := literals[1].Text()
			p, err := netip.ParsePrefix(s)
			if err != nil || !family(p.Addr()) {
				return nil, argument(1, "is no such subnet in CIDR notation: %q", s)
			}
			fixed = p.Masked()
		}
		return func(_ *Context, args []value.Value) value.Value {
			s, ok := args[0].Text()
			subnet, too := args[1].Text()
			if !ok || !too {
				return value.Value{}
			}
			p := fixed
			if !p.IsValid() {
				var err error
				if p, err = netip.ParsePrefix(subnet); err != nil || !family(p.Addr()) {
					return value.OfBool(false)
				}
			}
			return value.OfBool(p.Contains(parseAddress(s)))
		}, nil
	}
}

func ipv4ToNumber(s string) value.Value {
	a := parseAddress(s)
	if !a.Is4() {
		return value.Value{}
	}
	b := a.As4()
	return value.OfNumber(float64(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])))
}

// isPrivate: RFC 1918 and, of IPv6, RFC 4193.
func isPrivate(a netip.Addr) bool { return a.Unmap().IsPrivate() }

// reserved are the special-purpose ranges that are not globally reachable, besides the
// private ones, and multicast. Source: IANA's special-purpose address registries
// (RFC 6890 and its updates).
var reserved = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16", "fe80::/10", "ff00::/8",
)

func prefixes(ranges ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(ranges))
	for i, r := range ranges {
		list[i] = netip.MustParsePrefix(r)
	}
	return list
}

func isReserved(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range reserved {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
