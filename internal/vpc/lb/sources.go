package lb

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/vpc"
)

var anywhere = netip.MustParsePrefix("0.0.0.0/0")

// sources are the addresses that may connect to a port.
func (b *Balancers) sources(l LoadBalancer, k key) []netip.Prefix {
	ranges := l.SourceRanges
	switch {
	case len(l.Groups) > 0:
		ranges = b.admits(l.Groups, k.proto, k.port)
	case len(ranges) == 0:
		return []netip.Prefix{anywhere}
	}
	return seen(ranges, l.Scheme, b.network.VPCs())
}

// Clients are who may connect by way of load balancers that are in a security group.
func (b *Balancers) Clients(group string) (all []netip.Prefix) {
	for _, r := range b.records.List("") {
		if !slices.Contains(r.Groups, group) {
			continue
		}
		for _, x := range r.Listeners {
			for _, k := range x.keys() {
				all = append(all, b.sources(r.LoadBalancer, k)...)
			}
		}
	}
	slices.SortFunc(all, func(a, c netip.Prefix) int { return strings.Compare(a.String(), c.String()) })
	return slices.Compact(all)
}

// seen are ranges as the router sees them: what comes from a VPC has not got its NAT
// gateway's address yet.
func seen(ranges []netip.Prefix, scheme string, vpcs []vpc.Inside) []netip.Prefix {
	if scheme == Internal {
		return ranges
	}
	var out []netip.Prefix
	for _, r := range ranges {
		left := []netip.Prefix{r.Masked()}
		for _, v := range vpcs {
			var rest []netip.Prefix
			for _, p := range left {
				rest = append(rest, without(p, v.Range)...)
			}
			left = rest
			if slices.ContainsFunc(v.NATs, r.Contains) {
				out = append(out, v.Range)
			}
		}
		out = append(out, left...)
	}
	return out
}

// without cuts a part out of a prefix.
func without(p, cut netip.Prefix) []netip.Prefix {
	switch {
	case !p.Overlaps(cut):
		return []netip.Prefix{p}
	case p.Bits() >= cut.Bits():
		return nil
	}
	low, high := halves(p)
	return append(without(low, cut), without(high, cut)...)
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits() + 1
	b := p.Addr().As4()
	b[(bits-1)/8] |= 0x80 >> ((bits - 1) % 8)
	return netip.PrefixFrom(p.Addr(), bits), netip.PrefixFrom(netip.AddrFrom4(b), bits)
}
