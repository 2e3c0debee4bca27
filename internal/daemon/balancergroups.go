package daemon

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// Descriptions of the rules that AWS's cloud controller adds to the nodes' group for
// a Network Load Balancer, before "=" and the balancer's name.
// https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/aws_loadbalancer.go
const (
	clientRule = "kubernetes.io/rule/nlb/client"
	checkRule  = "kubernetes.io/rule/nlb/health"
	mtuRule    = "kubernetes.io/rule/nlb/mtu"
)

func descriptionsOf(name string) []string {
	return []string{clientRule + "=" + name, checkRule + "=" + name, mtuRule + "=" + name}
}

var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// admit lets a load balancer's clients, whose addresses are preserved, and its health
// checks through to the nodes, and shows the balancer's interface.
func (b balancers) admit(ctx context.Context, want cloud.Balancer, made lb.Result) error {
	clients := want.SourceRanges
	if len(clients) == 0 {
		clients = []netip.Prefix{everywhere}
	}
	var rules []ec2.Rule
	add := func(r ec2.Rule, kind string, from ...netip.Prefix) {
		for _, block := range from {
			r.CIDR, r.Description = block.Masked(), kind+"="+want.Name
			rules = append(rules, r)
		}
	}
	for _, p := range want.Ports {
		port := int32(p.NodePort)
		r := ec2.Rule{Protocol: strings.ToLower(orTCP(p.Protocol)), From: port, To: port}
		add(r, clientRule, clients...)
		if r.Protocol == "tcp" && want.HealthPort == 0 {
			add(r, checkRule, b.d.blocks()...)
		}
	}
	if port := int32(want.HealthPort); port != 0 {
		add(ec2.Rule{Protocol: "tcp", From: port, To: port}, checkRule, b.d.blocks()...)
	}
	add(ec2.Rule{Protocol: "icmp", From: 3, To: 4}, mtuRule, clients...) // fragmentation needed
	for _, group := range b.nodeGroups(want.Targets) {
		if err := b.d.ec2.SetDescribedRules(ctx, group, descriptionsOf(want.Name), distinct(rules)); err != nil {
			return err
		}
	}
	return b.d.putBalancerInterfaces(ctx, b.id(want.Name), want.Name, made)
}

// dismiss takes back what admit let through.
func (b balancers) dismiss(ctx context.Context, name string) error {
	err := b.d.deleteBalancerInterfaces(ctx, b.id(name))
	for _, g := range b.d.ec2.SecurityGroups() {
		if slices.ContainsFunc(g.Rules, func(r ec2.Rule) bool { return slices.Contains(descriptionsOf(name), r.Description) }) {
			err = errors.Join(err, b.d.ec2.SetDescribedRules(ctx, g.ID, descriptionsOf(name), nil))
		}
	}
	return err
}

// blocks are those that health checks come from.
func (d *Daemon) blocks() (all []netip.Prefix) {
	for _, s := range d.network.Subnets {
		all = append(all, s.Prefix)
	}
	return all
}

// distinct drops rules that let the same through as one before.
func distinct(rules []ec2.Rule) (out []ec2.Rule) {
	for _, r := range rules {
		if !slices.ContainsFunc(out, r.Same) {
			out = append(out, r)
		}
	}
	return out
}

// nodeGroups are the groups of nodes that rules go to: of each node's groups the one
// that is tagged as the cluster's, or else its only one.
func (b balancers) nodeGroups(targets []cloud.Target) (ids []string) {
	tag := clusterTag + b.k.record.Name
	for _, t := range targets {
		i, ok := b.d.ec2.Instance(t.Instance)
		if !ok {
			continue
		}
		tagged := slices.DeleteFunc(slices.Clone(i.Groups), func(id string) bool {
			g, _ := b.d.ec2.SecurityGroup(id)
			_, ok := g.Tags[tag]
			return !ok
		})
		switch {
		case len(tagged) > 0:
			ids = append(ids, tagged[0])
		case len(i.Groups) == 1:
			ids = append(ids, i.Groups[0])
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// putBalancerInterfaces shows where a load balancer is in the VPC. A Network Load
// Balancer's interfaces have no security groups.
func (d *Daemon) putBalancerInterfaces(ctx context.Context, id, name string, made lb.Result) error {
	for _, a := range made.Addrs {
		n := ec2.NetworkInterface{
			ID: d.interfaceID("lb/" + id + "/" + a.String()), Type: types.NetworkInterfaceTypeNetworkLoadBalancer,
			Description: "ELB net/" + name + "/" + lb.Suffix(id), Requester: "amazon-elb", InstanceOwner: "amazon-elb", Device: 1,
		}
		if _, inside := d.network.SubnetOf(a); inside {
			n.IP = a
		} else {
			n.PublicIP = a
		}
		if old, ok := d.knownInterface(n.ID); ok {
			n.Attached = old.Attached
		}
		n = d.place(n)
		if n.Subnet == "" {
			public := d.publicSubnet()
			n.Subnet, n.Zone = d.config.subnetID(public.Name), public.Zone
		}
		if err := d.ec2.PutNetworkInterface(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// publicSubnet is the first one, where internet-facing load balancers are.
func (d *Daemon) publicSubnet() vpc.Subnet {
	i := slices.IndexFunc(d.network.Subnets, func(s vpc.Subnet) bool { return s.Public })
	return d.network.Subnets[max(i, 0)]
}

func (d *Daemon) deleteBalancerInterfaces(ctx context.Context, id string) error {
	var ids []string
	for _, n := range d.ec2.NetworkInterfaces() {
		if n.Type == types.NetworkInterfaceTypeNetworkLoadBalancer && strings.HasSuffix(n.Description, "/"+lb.Suffix(id)) {
			ids = append(ids, n.ID)
		}
	}
	return d.ec2.DeleteInterfaces(ctx, ids...)
}
