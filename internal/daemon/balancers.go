package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// balancers gives one cluster's Services their load balancers: the network makes
// them, the ELB API shows them, the hosts file names them.
type balancers struct {
	d *Daemon
	k *cluster
}

func (b balancers) id(id string) string { return b.k.record.ID + "/" + id }

// Ensure implements cloud.Balancers.
func (b balancers) Ensure(ctx context.Context, want cloud.Balancer) (string, error) {
	l := lb.LoadBalancer{
		ID: b.id(want.ID), Cluster: b.k.record.ID, Name: want.Name, Type: lb.Network, Scheme: lb.InternetFacing,
		Range: b.d.network.RangeOf(b.k.private[0]), CrossZone: want.CrossZone, SourceRanges: want.SourceRanges, Idle: want.Idle,
	}
	if want.Classic {
		l.Type = lb.Classic
	}
	if want.Internal {
		l.Scheme = lb.Internal
	}
	var err error
	if l.Subnets, err = b.d.subnetsNamed(ctx, b.k.record.VPC, want.Subnets); err != nil {
		return "", err
	}
	if l.Groups, err = b.d.groupsNamed(ctx, b.k.record.VPC, want.Groups); err != nil {
		return "", err
	}
	for _, x := range want.Listeners {
		l.Listeners = append(l.Listeners, b.d.listener(want, x))
	}
	if err := b.d.nameIsFree(l); err != nil {
		return "", err
	}
	allocations, err := b.d.fix(want, &l)
	if err != nil {
		return "", err
	}
	before, existed := b.d.balancers.Find(l.ID)
	made, err := b.build(ctx, want, l, allocations)
	if err != nil {
		return "", err
	}
	if existed && before.Name != l.Name {
		if err := errors.Join(b.d.elb.Delete(ctx, before.Name), b.d.dismissRules(ctx, before.Name)); err != nil {
			return "", err
		}
	}
	if err := b.d.showBalancer(ctx, want, l, made, allocations); err != nil {
		return "", err
	}
	b.d.refreshHosts()
	return made.DNSName, nil
}

// build makes a load balancer whose packets are let through from the first on.
func (b balancers) build(ctx context.Context, want cloud.Balancer, l lb.LoadBalancer, allocations map[string]string) (lb.Result, error) {
	placed, err := b.d.balancers.Place(ctx, l)
	if err != nil {
		return lb.Result{}, err
	}
	if err := b.admit(ctx, want, l, placed, allocations); err != nil {
		return lb.Result{}, err
	}
	made, err := b.d.balancers.Ensure(ctx, l)
	if err == nil && !slices.Equal(made.Addrs, placed.Addrs) {
		err = b.admit(ctx, want, l, made, allocations) // another scheme: the addresses are new
	}
	if err != nil {
		return made, err
	}
	return made, b.d.admitClients(ctx, l)
}

// Delete implements cloud.Balancers.
func (b balancers) Delete(ctx context.Context, id string) error {
	defer b.d.refreshHosts()
	l, ok := b.d.balancers.Find(b.id(id))
	if !ok {
		l.Name = id // as most are named: one that was half made is shown no more
	}
	return errors.Join(b.d.balancers.Delete(ctx, b.id(id)), b.d.elb.Delete(ctx, l.Name), b.d.dismissBalancer(ctx, b.id(id), l.Name))
}

// Host implements cloud.Balancers.
func (b balancers) Host(id string) (string, bool) {
	r, ok := b.d.balancers.Get(b.id(id))
	return r.DNSName, ok
}

// nameIsFree refuses a name that another load balancer has, as AWS does.
func (d *Daemon) nameIsFree(l lb.LoadBalancer) error {
	for _, other := range d.balancers.List() {
		if other.Name == l.Name && other.ID != l.ID {
			return fmt.Errorf("DuplicateLoadBalancerName: A load balancer with the same name '%s' exists", l.Name)
		}
	}
	return nil
}

// deleteBalancersOf removes the load balancers of a cluster that is deleted:
// what they lead to is gone.
func (d *Daemon) deleteBalancersOf(ctx context.Context, id string) error {
	var failed error
	for _, l := range d.balancers.List() {
		if l.Cluster == id {
			failed = errors.Join(failed, d.balancers.Delete(ctx, l.ID), d.elb.Delete(ctx, l.Name), d.dismissBalancer(ctx, l.ID, l.Name))
		}
	}
	return failed
}

// subnetsNamed are the network's names of a VPC's subnets that are given by id or by
// their tag Name.
func (d *Daemon) subnetsNamed(ctx context.Context, in string, given []string) ([]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	all, err := d.ec2.DescribeSubnets(ctx, &awsec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{in}}}})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, wanted := range given {
		for _, s := range all.Subnets {
			tagged := slices.ContainsFunc(s.Tags, func(t ec2types.Tag) bool { return aws.ToString(t.Key) == "Name" && aws.ToString(t.Value) == wanted })
			if name, ok := d.subnetOf(aws.ToString(s.SubnetId)); ok && (tagged || aws.ToString(s.SubnetId) == wanted) {
				names = append(names, name)
			}
		}
	}
	if len(names) != len(given) {
		return nil, fmt.Errorf("expected to find %v, but found %v subnets", len(given), len(names)) // as AWS's controller says it
	}
	return names, nil
}

// subnetOf is the network's name of a subnet.
func (d *Daemon) subnetOf(id string) (name string, ok bool) {
	for _, s := range d.network.AllSubnets() {
		if d.config.subnetID(s.Name) == id {
			return s.Name, true
		}
	}
	return "", false
}

// listener is a Service's port in the network's terms.
func (d *Daemon) listener(want cloud.Balancer, x cloud.Listener) lb.Listener {
	out := lb.Listener{
		Port: x.Port, Protocol: x.Protocol, HideClient: !x.PreserveClient && !want.Classic, ProxyProtocol: x.ProxyProtocol, Sticky: x.Sticky, Idle: x.Idle,
		Drain: x.Drain, EndDrained: x.EndDrained, EndUnhealthy: x.EndUnhealthy,
		Check: lb.HealthCheck{
			Protocol: x.Check.Protocol, Port: x.Check.Port, Path: x.Check.Path, Interval: x.Check.Interval, Timeout: x.Check.Timeout,
			Healthy: x.Check.Healthy, Unhealthy: x.Check.Unhealthy, OK: 399,
		},
	}
	if want.Classic {
		out.Check.OK = 200
	}
	for _, t := range x.Targets {
		if x.Pods {
			t.Zone = d.zoneOf(t.Addr.Addr(), t.Zone)
		}
		out.Targets = append(out.Targets, lb.Target{ID: t.ID, Addr: t.Addr, Zone: t.Zone})
	}
	return out
}

// zoneOf is the zone of an address's subnet, or what else is known of it.
func (d *Daemon) zoneOf(a netip.Addr, known string) string {
	if s, ok := d.network.SubnetOf(a); ok {
		return s.Zone
	}
	return known
}
