package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/netip"
	"slices"
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/vpc"
)

// Network is the VPC as this configuration wants it.
func (c Config) Network() vpc.Config {
	n := vpc.Defaults()
	n.RunDir, n.Public, n.VPC = c.RunDir, c.Public, c.VPC
	for i := range n.Subnets {
		n.Subnets[i].Prefix = part(c.VPC, c.VPC.Bits()+3, i) // eighths, as eksctl's
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

func (c Config) vpcARN(id string) string {
	return "arn:" + c.Place().Partition + ":ec2:" + c.Region + ":" + c.Account + ":vpc/" + id
}

// subnetID is the id of what the network calls a subnet: the first ones have names,
// those made later their ids.
func (c Config) subnetID(name string) string {
	if strings.HasPrefix(name, "subnet-") {
		return name
	}
	return c.resourceID("subnet", name)
}

// subnetName is its inverse.
func (c Config) subnetName(id string) string {
	for _, s := range c.Network().Subnets {
		if c.subnetID(s.Name) == id {
			return s.Name
		}
	}
	return id
}

// stackName is the CloudFormation stack that eksctl makes the VPC in. Its resources
// are named by it.
const stackName = "eksctl-cluster-cluster/"

// recordNetwork lists the VPC in the EC2 API as eksctl makes it, the first time:
// public and private subnets, an internet gateway, a NAT gateway, and the routes to
// them (https://eksctl.io/usage/vpc-configuration/). From then on the records rule.
func (d *Daemon) recordNetwork(ctx context.Context) error {
	n, id := d.network.Config, d.config.resourceID
	named := func(name string, more ...string) map[string]string {
		tags := map[string]string{"Name": stackName + name, "alpha.eksctl.io/cluster-name": "cluster"}
		for i := 0; i+1 < len(more); i += 2 {
			tags[more[i]] = more[i+1]
		}
		return tags
	}
	vpcID, gateway, nat, address := d.config.vpcID(), id("igw", "default"), id("nat", "default"), id("eipalloc", "default")
	seed := ec2.Seed{
		VPC:     ec2.VPC{ID: vpcID, CIDRs: []netip.Prefix{n.VPC}, DNSNames: true, Tags: named("VPC")},
		Parts:   ec2.VPCParts{RouteTable: id("rtb", "main"), Association: id("rtbassoc", "main"), ACL: id("acl", "default"), Group: id("sg", "default")},
		Gateway: ec2.InternetGateway{ID: gateway, VPC: vpcID, Tags: named("InternetGateway")},
	}
	public := ec2.RouteTable{ID: id("rtb", "public"), VPC: vpcID, Routes: []ec2.Route{{To: everywhere, Gateway: gateway}}, Tags: named("PublicRouteTable")}
	for _, s := range n.Subnets {
		association := ec2.Association{ID: id("rtbassoc", s.Name), Subnet: d.config.subnetID(s.Name)}
		role := "kubernetes.io/role/internal-elb"
		if s.Public {
			role = "kubernetes.io/role/elb"
			public.Associations = append(public.Associations, association)
		} else {
			seed.Tables = append(seed.Tables, ec2.RouteTable{
				ID: id("rtb", s.Name), VPC: vpcID, Routes: []ec2.Route{{To: everywhere, NAT: nat}}, Associations: []ec2.Association{association},
				Tags: named("PrivateRouteTable" + strings.ToUpper(strings.ReplaceAll(s.Zone, "-", ""))),
			})
		}
		name := strings.ToUpper(strings.ReplaceAll(s.Name, "-", ""))
		seed.Subnets = append(seed.Subnets, ec2.Subnet{
			ID: d.config.subnetID(s.Name), VPC: vpcID, CIDR: s.Prefix, Zone: s.Zone, MapPublicIP: s.Public, Tags: named("Subnet"+name, role, "1", defaultTag, "true"),
		})
	}
	seed.Tables = append(seed.Tables, public)
	place := public.Associations[0].Subnet
	private, err := d.addresses.Address(ctx, d.config.subnetName(place), "nat/"+nat)
	if err != nil {
		return err
	}
	seed.Address = ec2.Address{
		ID: address, PublicIP: n.NAT(), Association: id("eipassoc", "default"), NAT: nat, PrivateIP: private, Tags: named("NATIP"),
	}
	seed.NAT = ec2.NATGateway{
		ID: nat, VPC: vpcID, Subnet: place, State: string(ec2types.NatGatewayStateAvailable), PrivateIP: private, PublicIP: n.NAT(), Allocation: address,
		Created: d.started.UTC(), Tags: named("NATGateway"),
	}
	if err := d.ec2.Plant(ctx, seed); err != nil {
		return err
	}
	return d.ground.Settle(ctx)
}

// defaultTag marks the subnets that up makes its cluster in.
const defaultTag = "eksact/default"

// subnetsFor is one of the cluster's subnets in each zone, private ones before others.
func (d *Daemon) subnetsFor(c eks.Cluster) (all []vpc.Subnet) {
	of := map[string]vpc.Subnet{}
	for _, s := range d.network.AllSubnets() {
		if before, ok := of[s.Zone]; slices.Contains(c.Subnets, d.config.subnetID(s.Name)) && (!ok || before.Public && !s.Public) {
			of[s.Zone] = s
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(of)) {
		all = append(all, of[zone])
	}
	return all
}

// privateSubnets are the names of the subnets that nodes and control planes'
// interfaces are in.
func (d *Daemon) privateSubnets() []vpc.Subnet {
	var all []vpc.Subnet
	for _, s := range d.network.Subnets {
		if _, there := d.ec2.Subnet(d.config.subnetID(s.Name)); there && !s.Public {
			all = append(all, s)
		}
	}
	return all
}
