package daemon

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/vpc"
)

// interfaceID is the id of the interface of something that has a name.
func (d *Daemon) interfaceID(of string) string { return d.config.resourceID("eni", of) }

// place fills in where an interface is, by its address.
func (d *Daemon) place(n ec2.NetworkInterface) ec2.NetworkInterface {
	n.VPC = d.config.vpcID()
	if s, ok := d.network.SubnetOf(n.IP); ok {
		n.Subnet, n.Zone = d.config.subnetID(s.Name), s.Zone
		n.VPC = d.vpcOf(n.Subnet)
	}
	if n.MAC == "" {
		n.MAC = vpc.MAC(n.ID).String()
	}
	if n.PrivateDNS == "" && n.IP.IsValid() {
		n.PrivateDNS = privateName(n.IP, d.config.Region)
	}
	if n.Attached.IsZero() {
		n.Attached = time.Now().UTC().Truncate(time.Second)
	}
	return n
}

// vpcOf is the id of a subnet's VPC.
func (d *Daemon) vpcOf(subnet string) string {
	if s, ok := d.ec2.Subnet(subnet); ok {
		return s.VPC
	}
	return d.config.vpcID()
}

// putPlane records the interfaces of a cluster's control plane, before anything can
// reach them. A cluster's first are also when the terminal comes to know it.
func (d *Daemon) putPlane(ctx context.Context, k *cluster) error {
	first := true
	for _, a := range k.private {
		id := d.planeInterface(k.record, a)
		n := ec2.NetworkInterface{
			ID: id, Type: types.NetworkInterfaceTypeInterface, Description: "Amazon EKS " + k.record.Name, IP: a,
			Groups:    append([]string{k.record.ClusterSecurityGroup}, k.record.SecurityGroups...),
			Requester: "amazon-eks", InstanceOwner: "amazon-eks", Device: 1,
		}
		if old, ok := d.ec2.NetworkInterface(id); ok {
			first, n.Attached = false, old.Attached
		}
		if err := d.ec2.PutNetworkInterface(ctx, d.place(n)); err != nil {
			return err
		}
	}
	if !first || k.record.VPC != d.config.vpcID() {
		return nil
	}
	return d.joinTerminal(ctx, k.record.ClusterSecurityGroup)
}

func (d *Daemon) planeInterface(c eks.Cluster, a netip.Addr) string {
	return d.interfaceID(owner(c) + "/" + a.String())
}

// removePlane forgets the interfaces of a cluster's control plane, and takes the
// terminal out of its group.
func (d *Daemon) removePlane(ctx context.Context, c eks.Cluster) error {
	var ids []string
	for _, n := range d.ec2.NetworkInterfaces() {
		if n.IP.IsValid() && n.ID == d.planeInterface(c, n.IP) {
			ids = append(ids, n.ID)
		}
	}
	return errors.Join(d.ec2.DeleteInterfaces(ctx, ids...), d.leaveTerminal(ctx, c.ClusterSecurityGroup))
}

// terminal names the machine that shells stand on.
const terminal = "host/cloud9"

// putTerminal records the terminal's interface. It is in the VPC's default group and
// in those of the clusters that are there, which let their members reach their
// control planes and nodes.
func (d *Daemon) putTerminal(ctx context.Context, a netip.Addr) error {
	if _, ok := d.ec2.NetworkInterface(d.interfaceID(terminal)); ok {
		return nil // its groups may have been changed
	}
	var groups []string
	if id, ok := d.ec2.DefaultGroup(d.config.vpcID()); ok {
		groups = append(groups, id)
	}
	for _, c := range d.eks.Clusters() {
		if in, _ := d.ec2.SecurityGroupVPC(c.ClusterSecurityGroup); in == d.config.vpcID() && len(groups) < ec2.MaxInterfaceGroups {
			groups = append(groups, c.ClusterSecurityGroup)
		}
	}
	return d.ec2.PutNetworkInterface(ctx, d.place(ec2.NetworkInterface{
		ID: d.interfaceID(terminal), Type: types.NetworkInterfaceTypeInterface, Description: "Terminal (eksact shell)", IP: a, Groups: groups,
	}))
}

func (d *Daemon) joinTerminal(ctx context.Context, group string) error {
	n, ok := d.ec2.NetworkInterface(d.interfaceID(terminal))
	if !ok || slices.Contains(n.Groups, group) || len(n.Groups) >= ec2.MaxInterfaceGroups {
		return nil
	}
	n.Groups = append(slices.Clone(n.Groups), group)
	return d.ec2.PutNetworkInterface(ctx, n)
}

func (d *Daemon) leaveTerminal(ctx context.Context, group string) error {
	n, ok := d.ec2.NetworkInterface(d.interfaceID(terminal))
	if !ok || !slices.Contains(n.Groups, group) {
		return nil
	}
	n.Groups = slices.DeleteFunc(slices.Clone(n.Groups), func(g string) bool { return g == group })
	return d.ec2.PutNetworkInterface(ctx, n)
}
