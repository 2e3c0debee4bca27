package eks

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// maxPublicCIDRs is EKS's quota of public endpoint access ranges.
const maxPublicCIDRs = 40

// access is who can reach an endpoint.
type access struct {
	public, private bool
	cidrs           []string // of the public endpoint
}

func defaultAccess() access { return access{public: true, cidrs: []string{anywhere}} }

func (a access) equal(b access) bool {
	return a.public == b.public && a.private == b.private && slices.Equal(sorted(a.cidrs), sorted(b.cidrs))
}

// changed names the parameters in which a differs from b.
func (a access) changed(b access) string {
	var names []string
	if a.private != b.private {
		names = append(names, "endpointPrivateAccess")
	}
	if a.public != b.public {
		names = append(names, "endpointPublicAccess")
	}
	if !slices.Equal(sorted(a.cidrs), sorted(b.cidrs)) {
		names = append(names, "publicAccessCidrs")
	}
	return strings.Join(names, ", ")
}

// asksAccess says whether the request speaks of endpoint access at all.
func asksAccess(in *types.VpcConfigRequest) bool {
	return in != nil && (in.EndpointPrivateAccess != nil || in.EndpointPublicAccess != nil || len(in.PublicAccessCidrs) > 0)
}

// endpointAccess is what becomes of now when in is asked for.
func endpointAccess(cluster string, now access, in *types.VpcConfigRequest) (access, error) {
	want := now
	if in.EndpointPublicAccess != nil {
		want.public = *in.EndpointPublicAccess
	}
	if in.EndpointPrivateAccess != nil {
		want.private = *in.EndpointPrivateAccess
	}
	if !want.public && !want.private {
		return want, invalidParameter(cluster, "Private and public endpoint access cannot be false")
	}
	if len(in.PublicAccessCidrs) > 0 {
		if err := checkPublicCIDRs(cluster, in.PublicAccessCidrs); err != nil {
			return want, err
		}
		want.cidrs = slices.Clone(in.PublicAccessCidrs)
	}
	return want, nil
}

// Documentation blocks (RFC 5737) are refused like the private ones.
var documentation = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
}

func checkPublicCIDRs(cluster string, cidrs []string) error {
	if len(cidrs) > maxPublicCIDRs {
		return invalidParameter(cluster, "At most %d publicAccessCidrs can be given.", maxPublicCIDRs)
	}
	var malformed, refused []string
	for _, cidr := range cidrs {
		p, err := netip.ParsePrefix(cidr)
		switch {
		case err != nil || !p.Addr().Is4():
			malformed = append(malformed, cidr)
		case p.Bits() > 0 && (within(p, private) || within(p, documentation)):
			refused = append(refused, cidr)
		}
	}
	if len(malformed) > 0 {
		return invalidParameter(cluster, "The following CIDRs are invalid in publicAccessCidrs: [%s]", strings.Join(malformed, ", "))
	}
	if len(refused) > 0 {
		return invalidParameter(cluster, "The following CIDRs are not allowed in publicAccessCidrs: [%s]", strings.Join(refused, ", "))
	}
	return nil
}

func within(p netip.Prefix, blocks []netip.Prefix) bool {
	return slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.Bits() <= p.Bits() && b.Contains(p.Addr()) })
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
