package global

import (
	"fmt"
	"net/netip"

	"github.com/eksact/eksact/internal/hint"
)

// Networks reads the values of a flag, such as --allowed, each a network or an address.
func Networks(flag string, texts []string) (all []netip.Prefix, _ error) {
	for _, text := range texts {
		n, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); e == nil {
			n, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, hint.New(fmt.Sprintf("%s %q is no network", flag, text), "say 203.0.113.0/24, or an address")
		}
		all = append(all, n)
	}
	return all, nil
}
