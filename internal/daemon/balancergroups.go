package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// Descriptions of the rules that AWS's cloud controller adds to the nodes' group for
// a Network Load Balancer, before "=" and the balancer's name.
// https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/aws_loadbalancer.go
const (
	clientRule = "kubernetes.io/rule/nlb/client"
	checkRule  = "kubernetes.io/rule/nlb/health"
	mtuRule    = "kubernetes.io/rule/nlb/mtu"
	// Of a Classic Load Balancer; AWS's controller leaves it without a description.
	classicRule = "kubernetes.io/rule/elb"
)

func descriptionsOf(name string) []string {
	return []string{clientRule + "=" + name, checkRule + "=" + name, mtuRule + "=" + name, classicRule + "=" + name}
}

var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// admit lets what comes from a load balancer through to its targets, and shows its
// interfaces.
func (b balancers) admit(ctx context.Context, want cloud.Balancer, l lb.LoadBalancer, made lb.Result, allocations map[string]string) error {
	var rules []ec2.Rule
	if want.Classic {
		group := b.groupOf(want)
		if err := b.d.ec2.RestoreGroup(ctx, group); err != nil {
			return err
		}
		l.Groups = []string{group.ID}
		rules = []ec2.Rule{{Protocol: "-1", From: -1, To: -1, Group: group.ID, Description: classicRule + "=" + want.Name}}
	} else if !want.LeaveNodes {
		rules = b.d.networkRules(want, l, made)
	}
	if err := b.d.putBalancerInterfaces(ctx, l, made, allocations); err != nil {
		return err
	}
	for _, group := range b.nodeGroups(l) {
		if err := b.d.ec2.SetDescribedRules(ctx, group, descriptionsOf(want.Name), rules); err != nil {
			return err
		}
	}
	return nil
}

// networkRules let a Network Load Balancer's clients, whose addresses the router
// sees until it sends the packets on, and its health checks through: by their
// addresses, or by its security groups, if it has any.
func (d *Daemon) networkRules(want cloud.Balancer, l lb.LoadBalancer, made lb.Result) []ec2.Rule {
	checks, clients := peersIn(d.blocksOf(made)), peersIn(want.SourceRanges)
	if len(clients) == 0 {
		clients = peersIn([]netip.Prefix{everywhere})
	}
	if len(l.Groups) > 0 {
		clients = nil
		for _, g := range l.Groups {
			clients = append(clients, ec2.Rule{Group: g})
		}
		checks = clients
	}
	var rules []ec2.Rule
	add := func(protocol string, from, to int32, kind string, peers ...ec2.Rule) {
		for _, r := range peers {
			r.Protocol, r.From, r.To, r.Description = protocol, from, to, kind+"="+want.Name
			rules = append(rules, r)
		}
	}
	for _, x := range l.Listeners {
		for _, t := range x.Targets {
			port := int32(t.Addr.Port())
			for _, protocol := range strings.Split(strings.ToLower(x.Protocol), "_") {
				add(protocol, port, port, clientRule, clients...)
			}
			if x.Check.Port == 0 {
				add("tcp", port, port, checkRule, checks...)
			}
		}
		if port := int32(x.Check.Port); port != 0 {
			add("tcp", port, port, checkRule, checks...)
		}
	}
	add("icmp", 3, 4, mtuRule, clients...) // fragmentation needed
	return distinct(rules)
}

// peersIn are rules that let blocks of addresses through.
func peersIn(blocks []netip.Prefix) (rules []ec2.Rule) {
	for _, block := range blocks {
		rules = append(rules, ec2.Rule{CIDR: block.Masked()})
	}
	return rules
}

// groupOf is a Classic Load Balancer's own security group, as AWS's controller makes
// it. It lets in whom the listeners admit, and its members reach the nodes.
func (b balancers) groupOf(want cloud.Balancer) ec2.SecurityGroup {
	d := b.d
	g := ec2.SecurityGroup{
		ID: d.classicGroup(b.id(want.ID)), VPC: b.k.record.VPC, Name: "k8s-elb-" + want.Name,
		Description: "Security group for Kubernetes ELB " + want.Name + " (" + want.Service + ")",
		Tags:        map[string]string{clusterTag + b.k.record.Name: "owned"},
	}
	add := func(r ec2.Rule) {
		r.ID = d.config.resourceID("sgr", fmt.Sprint(g.ID, r.Egress, r.From, r.CIDR))
		g.Rules = append(g.Rules, r)
	}
	add(ec2.Rule{Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: everywhere})
	clients := want.SourceRanges
	if len(clients) == 0 {
		clients = []netip.Prefix{everywhere}
	}
	for _, x := range want.Listeners {
		for _, block := range clients {
			add(ec2.Rule{Protocol: "tcp", From: int32(x.Port), To: int32(x.Port), CIDR: block.Masked()})
		}
	}
	return g
}

func (d *Daemon) classicGroup(id string) string { return d.config.resourceID("sg", "elb/"+id) }

// dismissBalancer takes back what admit let through for a load balancer of an id
// and a name.
func (d *Daemon) dismissBalancer(ctx context.Context, id, name string) error {
	return errors.Join(d.ec2.DeleteInterfaces(ctx, d.balancerInterfaces(id)...), d.dismissRules(ctx, name), d.ec2.RemoveSecurityGroup(ctx, d.classicGroup(id)))
}

func (d *Daemon) dismissRules(ctx context.Context, name string) (err error) {
	for _, g := range d.ec2.SecurityGroups() {
		if slices.ContainsFunc(g.Rules, func(r ec2.Rule) bool { return slices.Contains(descriptionsOf(name), r.Description) }) {
			err = errors.Join(err, d.ec2.SetDescribedRules(ctx, g.ID, descriptionsOf(name), nil))
		}
	}
	return err
}

// blocksOf are those of a load balancer's subnets, which its health checks come from.
func (d *Daemon) blocksOf(made lb.Result) (all []netip.Prefix) {
	for _, a := range made.Addrs {
		if s, ok := d.network.SubnetOf(a.Private); ok {
			all = append(all, s.Prefix)
		}
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

// nodeGroups are the groups of targets' instances that rules go to: of each node's
// groups the one that is tagged as the cluster's, or else its only one.
func (b balancers) nodeGroups(l lb.LoadBalancer) (ids []string) {
	tag := clusterTag + b.k.record.Name
	for _, i := range b.d.instancesBehind(l) {
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

// instancesBehind are the instances that are targets, or have pods that are.
func (d *Daemon) instancesBehind(l lb.LoadBalancer) (all []ec2.Instance) {
	for _, i := range d.ec2.Instances() {
		has := func(t lb.Target) bool {
			return t.ID == i.ID || slices.ContainsFunc(i.Interfaces, func(n ec2.Interface) bool { return contains(n.Prefixes, t.Addr.Addr()) })
		}
		if slices.ContainsFunc(l.Listeners, func(x lb.Listener) bool { return slices.ContainsFunc(x.Targets, has) }) {
			all = append(all, i)
		}
	}
	return all
}

// admitClients has security groups know whom the groups of a load balancer admit.
func (d *Daemon) admitClients(ctx context.Context, l lb.LoadBalancer) error {
	if len(l.Groups) == 0 {
		return nil
	}
	return d.enforceGroups(ctx)
}

// putBalancerInterfaces shows where a load balancer is in the VPC, and nowhere else,
// with the Elastic IP addresses that it has, by the subnets' names. A Network Load
// Balancer's interfaces have no security groups unless it was given some.
func (d *Daemon) putBalancerInterfaces(ctx context.Context, l lb.LoadBalancer, made lb.Result, allocations map[string]string) error {
	gone := d.balancerInterfaces(l.ID)
	for _, a := range made.Addrs {
		n := ec2.NetworkInterface{
			ID: d.balancerInterface(l.ID, a.Subnet), Type: types.NetworkInterfaceTypeNetworkLoadBalancer, IP: a.Private, PublicIP: a.Public, Groups: l.Groups, Allocation: allocations[a.Subnet],
			Description: "ELB net/" + l.Name + "/" + cmp.Or(l.Digits, lb.Suffix(l.ID)), Requester: "amazon-elb", InstanceOwner: "amazon-elb", Device: 1,
		}
		if l.Type == lb.Classic {
			n.Type, n.Description = types.NetworkInterfaceTypeInterface, "ELB "+l.Name
		}
		if old, ok := d.ec2.NetworkInterface(n.ID); ok {
			n.Attached = old.Attached
		}
		if err := d.ec2.PutNetworkInterface(ctx, d.place(n)); err != nil {
			return err
		}
		gone = slices.DeleteFunc(gone, func(id string) bool { return id == n.ID })
	}
	return d.ec2.DeleteInterfaces(ctx, gone...)
}

func (d *Daemon) balancerInterface(id, subnet string) string {
	return d.interfaceID("lb/" + id + "/" + subnet)
}

// balancerInterfaces are the ids of the interfaces that a load balancer has.
func (d *Daemon) balancerInterfaces(id string) (ids []string) {
	for _, s := range d.network.AllSubnets() {
		if _, ok := d.ec2.NetworkInterface(d.balancerInterface(id, s.Name)); ok {
			ids = append(ids, d.balancerInterface(id, s.Name))
		}
	}
	return ids
}
