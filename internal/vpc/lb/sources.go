package lb

import "net/netip"

var anywhere = netip.MustParsePrefix("0.0.0.0/0")

// sources are the addresses that may connect, as the router sees them: what
// comes from the VPC has not got the NAT gateway's address yet.
func sources(l LoadBalancer, vpc netip.Prefix, nat netip.Addr) []netip.Prefix {
	if len(l.SourceRanges) == 0 {
		return []netip.Prefix{anywhere}
	}
	if l.Scheme == Internal {
		return l.SourceRanges
	}
	var out []netip.Prefix
	for _, r := range l.SourceRanges {
		out = append(out, without(r.Masked(), vpc)...)
		if r.Contains(nat) {
			out = append(out, vpc)
		}
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
