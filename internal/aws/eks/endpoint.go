package eks

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// maxPublicCIDRs is EKS's quota of public endpoint access ranges.
const maxPublicCIDRs = 40

// Access is who can reach an endpoint.
//
// Private access is a matter of names alone, as on EKS, where it is a private hosted
// zone: the control plane's interfaces in the cluster's subnets answer the VPC at all
// times, for the cluster's own Service "kubernetes" leads to them. With it the
// endpoint's name leads there too, from inside the VPC.
type Access struct {
	Public, Private bool
	// CIDRs may reach the public endpoint. They are kept, to no effect, while it is
	// off; a cluster made without one has none.
	CIDRs []string
}

// Access is the endpoint's as it is now.
func (c Cluster) Access() Access { return Access{c.PublicAccess, c.PrivateAccess, c.PublicAccessCIDRs} }

func (c *Cluster) setAccessTo(a Access) {
	c.PublicAccess, c.PrivateAccess, c.PublicAccessCIDRs = a.Public, a.Private, a.CIDRs
}

// Sources are the ranges that reach the public endpoint: none when it is off.
func (a Access) Sources() []netip.Prefix {
	var all []netip.Prefix
	for _, cidr := range a.CIDRs {
		if p, err := netip.ParsePrefix(cidr); a.Public && err == nil { // they were checked when they came
			all = append(all, p.Masked())
		}
	}
	return all
}

func defaultAccess() Access { return Access{Public: true, CIDRs: []string{anywhere}} }

func (a Access) equal(b Access) bool {
	return a.Public == b.Public && a.Private == b.Private && slices.Equal(sorted(a.CIDRs), sorted(b.CIDRs))
}

// asksAccess says whether the request speaks of endpoint access at all.
func asksAccess(in *types.VpcConfigRequest) bool {
	return in != nil && (in.EndpointPrivateAccess != nil || in.EndpointPublicAccess != nil || in.PublicAccessCidrs != nil)
}

// endpointAccess is what becomes of now when in is asked for.
func endpointAccess(cluster string, now Access, in *types.VpcConfigRequest) (Access, error) {
	want := now
	if in.EndpointPublicAccess != nil {
		want.Public = *in.EndpointPublicAccess
	}
	if in.EndpointPrivateAccess != nil {
		want.Private = *in.EndpointPrivateAccess
	}
	if !want.Public && !want.Private {
		return want, invalidParameter(cluster, "Private and public endpoint access cannot be false")
	}
	if in.PublicAccessCidrs != nil {
		if err := checkPublicCIDRs(cluster, in.PublicAccessCidrs); err != nil {
			return want, err
		}
		want.CIDRs = slices.Clone(in.PublicAccessCidrs)
	}
	if want.Public && len(want.CIDRs) == 0 {
		want.CIDRs = []string{anywhere}
	}
	return want, nil
}

// accessParams are an update's as DescribeUpdate shows them: the ranges only if the
// request names some.
func accessParams(want Access, in *types.VpcConfigRequest) []Param {
	params := []Param{
		{string(types.UpdateParamTypeEndpointPublicAccess), strconv.FormatBool(want.Public)},
		{string(types.UpdateParamTypeEndpointPrivateAccess), strconv.FormatBool(want.Private)},
	}
	if in.PublicAccessCidrs != nil {
		data, _ := json.Marshal(want.CIDRs) // strings
		params = append(params, Param{string(types.UpdateParamTypePublicAccessCidrs), string(data)})
	}
	return params
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
