package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/vpc"
)

// Network is the VPC as this configuration wants it.
func (c Config) Network() vpc.Config {
	n := vpc.Defaults()
	n.RunDir, n.Public, n.VPC = c.RunDir, c.Public, c.VPC
	for i := range n.Subnets {
		n.Subnets[i].Prefix = part(c.VPC, n.Subnets[i].Prefix.Bits(), i)
		// "us-west-2a" in the region asked for.
		zone := n.Subnets[i].Zone
		n.Subnets[i].Zone = c.Region + zone[len(zone)-1:]
	}
	return n
}

// part is the i-th block of so many bits of a prefix.
func part(p netip.Prefix, bits, i int) netip.Prefix {
	a := p.Masked().Addr().As4()
	at := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	at += uint32(i) << (32 - bits)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}), bits)
}

// resourceID makes an EC2 id that is the same every time: "vpc-" and 17
// hexadecimal digits drawn from the account and a name.
func (c Config) resourceID(kind, name string) string {
	sum := sha256.Sum256([]byte(c.Account + "/" + c.Region + "/" + kind + "/" + name))
	return kind + "-0" + hex.EncodeToString(sum[:])[:16]
}

func (c Config) vpcID() string { return c.resourceID("vpc", "default") }

func (c Config) subnetID(name string) string { return c.resourceID("subnet", name) }

// recordNetwork lists the VPC and its subnets in the EC2 API.
func (d *Daemon) recordNetwork(ctx context.Context) error {
	n := d.network.Config
	v := ec2.VPC{ID: d.config.vpcID(), CIDRs: []netip.Prefix{n.VPC}, Tags: map[string]string{"Name": "eksctl-cluster-cluster/VPC"}}
	if err := d.ec2.PutVPC(ctx, v); err != nil {
		return err
	}
	for _, s := range n.Subnets {
		role := "kubernetes.io/role/internal-elb"
		if s.Public {
			role = "kubernetes.io/role/elb"
		}
		name := strings.ToUpper(strings.ReplaceAll(s.Name, "-", ""))
		err := d.ec2.PutSubnet(ctx, ec2.Subnet{
			ID: d.config.subnetID(s.Name), VPC: v.ID, CIDR: s.Prefix, Zone: s.Zone, MapPublicIP: s.Public,
			Tags: map[string]string{"Name": "eksctl-cluster-cluster/Subnet" + name, role: "1", defaultTag: "true"},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// defaultTag marks the subnets that up makes its cluster in.
const defaultTag = "eksact/default"

// privateSubnets are the names of the subnets that nodes and control planes'
// interfaces are in.
func (d *Daemon) privateSubnets() []vpc.Subnet {
	var all []vpc.Subnet
	for _, s := range d.network.Subnets {
		if !s.Public {
			all = append(all, s)
		}
	}
	return all
}
