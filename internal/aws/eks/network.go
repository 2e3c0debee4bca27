package eks

import (
	"context"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// maxSecurityGroups is how many CreateCluster takes.
const maxSecurityGroups = 5

// anywhere is the default of publicAccessCidrs.
const anywhere = "0.0.0.0/0"

// Blocks of the private Internet (RFC 1918), in which a service CIDR must lie.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
}

// The two service CIDRs that EKS chooses from (API reference,
// KubernetesNetworkConfigRequest).
var (
	defaultServices   = netip.MustParsePrefix("10.100.0.0/16")
	defaultServicesIn = netip.MustParsePrefix("172.20.0.0/16") // of a VPC in 10.0.0.0/8
)

// setNetwork checks where the cluster is to lie and records it.
func (s *Service) setNetwork(ctx context.Context, c *Cluster, in *types.VpcConfigRequest) error {
	if in == nil || len(in.SubnetIds) == 0 {
		return invalidParameter(c.Name, "Subnet Id is required")
	}
	if err := s.setSubnets(ctx, c, in.SubnetIds); err != nil {
		return err
	}
	if err := s.setSecurityGroups(ctx, c, in.SecurityGroupIds); err != nil {
		return err
	}
	if in.ControlPlaneEgressMode != "" && in.ControlPlaneEgressMode != types.ControlPlaneEgressModeTypeAwsManaged {
		return unsupported(c.Name, "controlPlaneEgressMode "+string(in.ControlPlaneEgressMode), "control planes have no way out of their own to choose")
	}
	want, err := endpointAccess(c.Name, defaultAccess(), in)
	if err != nil {
		return err
	}
	if !want.Public && in.PublicAccessCidrs == nil {
		want.CIDRs = nil
	}
	c.setAccessTo(want)
	return nil
}

func (s *Service) setSubnets(ctx context.Context, c *Cluster, ids []string) error {
	zones := map[string]bool{}
	for _, id := range ids {
		vpc, zone, ok := s.Network.SubnetPlace(id)
		if !ok {
			return invalidParameter(c.Name, "The subnet ID '%s' does not exist %s", id, ec2Fault(api.CallerFrom(ctx), "InvalidSubnetID.NotFound"))
		}
		if c.VPC != "" && c.VPC != vpc {
			return invalidParameter(c.Name, "Subnets specified must belong to the same VPC: %s is not in %s", id, c.VPC)
		}
		c.VPC = vpc
		zones[zone] = true
	}
	if len(zones) < 2 {
		return invalidParameter(c.Name, "Subnets specified must be in at least two different AZs")
	}
	c.Subnets = slices.Clone(ids)
	return nil
}

func (s *Service) setSecurityGroups(ctx context.Context, c *Cluster, ids []string) error {
	if len(ids) > maxSecurityGroups {
		return invalidParameter(c.Name, "At most %d security groups can be given.", maxSecurityGroups)
	}
	for _, id := range ids {
		vpc, ok := s.Network.SecurityGroupVPC(id)
		if !ok {
			return invalidParameter(c.Name, "The security group '%s' does not exist %s", id, ec2Fault(api.CallerFrom(ctx), "InvalidGroup.NotFound"))
		}
		if vpc != c.VPC {
			return invalidParameter(c.Name, "Security group %s is not in the VPC of the subnets, %s", id, c.VPC)
		}
	}
	c.SecurityGroups = slices.Clone(ids)
	c.ClusterSecurityGroup = "sg-" + randomHex(17)
	return nil
}

// setServices settles the range of the cluster's service addresses.
func (s *Service) setServices(c *Cluster, in *types.KubernetesNetworkConfigRequest) error {
	ranges, ok := s.Network.VPCRanges(c.VPC)
	if !ok {
		return invalidParameter(c.Name, "The vpc ID '%s' does not exist", c.VPC)
	}
	c.ServiceCIDR = defaultServices
	for _, r := range ranges {
		if r.Overlaps(private[0]) {
			c.ServiceCIDR = defaultServicesIn
		}
	}
	if in == nil {
		return nil
	}
	if in.IpFamily != "" && in.IpFamily != types.IpFamilyIpv4 {
		return unsupported(c.Name, "ipFamily "+string(in.IpFamily), "the VPC has no IPv6 blocks")
	}
	if in.ElasticLoadBalancing != nil && in.ElasticLoadBalancing.Enabled != nil && *in.ElasticLoadBalancing.Enabled {
		return unsupported(c.Name, "elasticLoadBalancing", "there is no Auto Mode")
	}
	if in.ServiceIpv4Cidr == nil {
		return nil
	}
	return c.setServiceCIDR(*in.ServiceIpv4Cidr, ranges)
}

// setServiceCIDR applies the rules of the API reference
// (KubernetesNetworkConfigRequest.serviceIpv4Cidr).
func (c *Cluster) setServiceCIDR(cidr string, vpc []netip.Prefix) error {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || !p.Addr().Is4() || p != p.Masked() {
		return invalidParameter(c.Name, "The serviceIpv4Cidr %s is not a valid IPv4 CIDR block.", cidr)
	}
	if p.Bits() < 12 || p.Bits() > 24 {
		return invalidParameter(c.Name, "The serviceIpv4Cidr %s must have a netmask between /12 and /24.", cidr)
	}
	if !slices.ContainsFunc(private, func(block netip.Prefix) bool { return block.Contains(p.Addr()) && block.Bits() <= p.Bits() }) {
		return invalidParameter(c.Name, "The serviceIpv4Cidr %s must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.", cidr)
	}
	for _, r := range vpc {
		if r.Overlaps(p) {
			return invalidParameter(c.Name, "The serviceIpv4Cidr %s overlaps with the VPC's block %s.", cidr, r)
		}
	}
	c.ServiceCIDR = p
	return nil
}
