package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/secgroup"
	"github.com/eksact/eksact/internal/kube/podgroups"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/node/gate"
)

// podInterfaces gives the pods of a cluster network interfaces of their own.
type podInterfaces struct {
	d *Daemon
	k *cluster
}

func newPodGroups(d *Daemon, k *cluster) *podgroups.Controller {
	return &podgroups.Controller{
		Client: k.client, Objects: k.plane.Objects(), Interfaces: podInterfaces{d, k}, Log: slog.With("cluster", k.record.Name),
	}
}

// runPodGroups gives the pods of a cluster their security groups until ctx ends.
func (d *Daemon) runPodGroups(ctx context.Context, k *cluster) {
	d.running.Go(func() {
		if err := k.podGroups.Run(ctx); err != nil && ctx.Err() == nil {
			slog.Error("security groups of pods are not tended", "cluster", k.record.Name, "error", err)
		}
	})
}

// branchLimits are how many branch interfaces an instance of a size has, of the
// families that have any. Families with credits ("t3") have none.
// https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html
// https://github.com/aws/amazon-vpc-resource-controller-k8s/blob/master/pkg/aws/vpc/limits.go
var (
	branchLimits   = map[string]int{"large": 9, "xlarge": 18, "2xlarge": 38, "4xlarge": 54, "8xlarge": 54, "9xlarge": 54, "12xlarge": 54, "16xlarge": 107, "18xlarge": 107, "24xlarge": 107}
	branchFamilies = []string{"m5", "c5", "c5a", "r5"}
)

func branchLimit(instanceType string) int {
	family, size, _ := strings.Cut(instanceType, ".")
	if !slices.Contains(branchFamilies, family) {
		return 0
	}
	return branchLimits[size]
}

// Attach implements podgroups.Interfaces.
func (p podInterfaces) Attach(ctx context.Context, pod podgroups.Pod, groups []string) (podgroups.Branch, error) {
	d := p.d
	if len(groups) == 0 && !d.branchAt(pod.Address) {
		return podgroups.Branch{}, nil
	}
	i := slices.IndexFunc(d.instancesOf(p.k.record.Name), func(i ec2.Instance) bool { return i.PrivateDNS == pod.Node })
	if i < 0 {
		return podgroups.Branch{}, fmt.Errorf("node %s has no instance", pod.Node)
	}
	instance := d.instancesOf(p.k.record.Name)[i]
	limit := branchLimit(instance.Type)
	if len(groups) > 0 && limit == 0 {
		return podgroups.Branch{}, fmt.Errorf("instance type %s has no branch interfaces", instance.Type)
	}
	trunk := instance.Interfaces[0].ID
	vlan := d.vlanFor(trunk, pod.UID)
	n := d.place(ec2.NetworkInterface{
		ID: d.podInterface(pod.UID), Type: types.NetworkInterfaceTypeBranch, Description: "aws-k8s-branch-eni", IP: pod.Address,
		Groups: groups, Trunk: trunk, Pod: pod.UID,
		Tags: map[string]string{
			"eks:eni:owner":                     "eks-vpc-resource-controller",
			clusterTag + p.k.record.Name:        "owned",
			"vpcresources.k8s.aws/trunk-eni-id": trunk,
			"vpcresources.k8s.aws/vlan-id":      fmt.Sprint(vlan),
		},
	})
	if err := d.ec2.PutBranch(ctx, n, limit); err != nil {
		return podgroups.Branch{}, err
	}
	subnet, _ := d.network.SubnetOf(pod.Address)
	return podgroups.Branch{ID: n.ID, MAC: n.MAC, Address: pod.Address.String(), VLAN: vlan, SubnetCIDR: subnet.Prefix.String()}, nil
}

// branchAt is whether a pod had an address as that of its own interface.
func (d *Daemon) branchAt(a netip.Addr) bool {
	return slices.ContainsFunc(d.ec2.NetworkInterfaces(), func(n ec2.NetworkInterface) bool { return n.Pod != "" && n.IP == a })
}

func (d *Daemon) podInterface(uid string) string { return d.interfaceID("pod/" + uid) }

// vlanFor is the lowest number that no other branch interface of a trunk has.
func (d *Daemon) vlanFor(trunk, pod string) int {
	taken := map[string]bool{}
	for _, n := range d.ec2.NetworkInterfaces() {
		if n.Trunk == trunk && n.Pod != pod {
			taken[n.Tags["vpcresources.k8s.aws/vlan-id"]] = true
		}
	}
	vlan := 1
	for taken[fmt.Sprint(vlan)] {
		vlan++
	}
	return vlan
}

// Detach implements podgroups.Interfaces.
func (p podInterfaces) Detach(ctx context.Context, pod string, at netip.Addr) error {
	n, ok := p.d.ec2.NetworkInterface(p.d.podInterface(pod))
	if !ok || at.IsValid() && n.IP != at {
		return nil
	}
	return p.d.ec2.DeleteInterfaces(ctx, n.ID)
}

// Idle implements podgroups.Interfaces.
func (p podInterfaces) Idle() (uids []string, err error) {
	at := map[string]netip.Addr{} // interfaces, by pod
	for _, n := range p.d.ec2.NetworkInterfaces() {
		if _, ours := n.Tags[clusterTag+p.k.record.Name]; ours && n.Pod != "" {
			at[n.Pod] = n.IP
		}
	}
	if len(at) == 0 {
		return nil, nil
	}
	leases, err := p.d.leasesOf(p.k.record.Name)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		if at[l.UID] == l.Address {
			delete(at, l.UID)
		}
	}
	return slices.Collect(maps.Keys(at)), nil
}

// removeBranches takes the interfaces of an instance's pods away.
func (d *Daemon) removeBranches(ctx context.Context, i ec2.Instance) error {
	var ids []string
	for _, n := range d.ec2.NetworkInterfaces() {
		if n.Trunk != "" && n.Trunk == i.Interfaces[0].ID {
			ids = append(ids, n.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return d.ec2.DeleteInterfaces(ctx, ids...)
}

// enforceOnNodes enforces security groups among the pods of nodes that have pods with
// interfaces of their own. It is called with the groups' lock held.
func (d *Daemon) enforceOnNodes(s *secgroup.State) error {
	here := map[string][]string{} // interfaces, by instance
	for _, i := range d.ec2.Instances() {
		for _, n := range d.ec2.NetworkInterfaces() {
			if n.Trunk != "" && n.Trunk == i.Interfaces[0].ID {
				here[i.ID] = append(here[i.ID], n.ID)
			}
		}
		if len(here[i.ID]) > 0 {
			here[i.ID] = append(here[i.ID], i.Interfaces[0].ID)
		}
	}
	for id, g := range maps.Clone(d.groups.nodes) {
		if _, known := d.ec2.Instance(id); !known || !netns.Exists(d.network.NodeNetNS(id)) {
			_ = g.Close()
			delete(d.groups.nodes, id)
		}
	}
	for id := range here {
		if d.groups.nodes[id] != nil || !netns.Exists(d.network.NodeNetNS(id)) {
			continue // a node that is being started has no pods yet
		}
		g, err := d.network.OpenNodeGroups(id)
		if err != nil {
			return fmt.Errorf("node %s: %w", id, err)
		}
		d.groups.nodes[id] = g
	}
	for id, g := range d.groups.nodes {
		if err := g.Set(s, here[id]...); err != nil {
			return fmt.Errorf("node %s: %w", id, err)
		}
	}
	return nil
}

var _ podgroups.Interfaces = podInterfaces{}

// admit answers the CNI plugins of a cluster's nodes: a pod has a network when its
// security groups and network policies are enforced.
func (k *cluster) admit(ctx context.Context, r gate.Request) error {
	if r.Gone {
		return errors.Join(k.podGroups.Release(ctx, r.UID, r.Address), k.policies.Admit(ctx, r))
	}
	err := k.podGroups.Admit(ctx, podgroups.Pod{Namespace: r.Namespace, Name: r.Name, UID: r.UID, Address: r.Address})
	if err != nil {
		return err
	}
	return k.policies.Admit(ctx, r)
}
