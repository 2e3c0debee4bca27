package up

import (
	"fmt"
	"net/netip"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/hint"
)

// ranges are the flags for address ranges, "" where they are not given.
type ranges struct{ vpc, public string }

// into sets the ranges that are given. Those of a network that was made already
// can't be others: its subnets and addresses are recorded.
func (r ranges) into(c *daemon.Config, kept daemon.Config) error {
	for _, flag := range []struct {
		name, given string
		to          *netip.Prefix
		had         netip.Prefix
	}{{"--vpc-cidr", r.vpc, &c.VPC, kept.VPC}, {"--public-cidr", r.public, &c.Public, kept.Public}} {
		if flag.given == "" {
			continue
		}
		p, err := netip.ParsePrefix(flag.given)
		if err != nil {
			return hint.New(fmt.Sprintf("%s %q is no range of addresses", flag.name, flag.given), "for instance "+flag.name+" "+flag.had.String())
		}
		if kept.Kept() && p.Masked() != flag.had {
			return hint.New(fmt.Sprintf("%s: the network was made with %s, and can't be moved", flag.name, flag.had),
				"eksact down --purge removes it with everything else, for a fresh start")
		}
		*flag.to = p.Masked()
	}
	return nil
}
