package daemon

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// apiBalancers makes the load balancers that calls of the ELB API ask for. Their
// targets' security groups are the caller's business, as on AWS.
type apiBalancers struct{ d *Daemon }

func apiID(l elb.LoadBalancer) string { return "api/" + l.ID }

// Make implements elb.Network.
func (a apiBalancers) Make(ctx context.Context, want elb.LoadBalancer, groups map[string]elb.TargetGroup) (string, []elb.Zone, error) {
	l := lb.LoadBalancer{ID: apiID(want), Name: want.Name, Digits: want.ID, Type: lb.Network, Scheme: want.Scheme, CrossZone: want.CrossZone, Groups: want.Groups, Fixed: map[string]lb.Fixed{}}
	for _, z := range want.Zones {
		name, ok := a.d.subnetOf(z.Subnet)
		if !ok {
			return "", nil, api.Errorf(http.StatusBadRequest, "InvalidSubnet", "Load balancers can't be in subnet '%s' here", z.Subnet)
		}
		l.Subnets = append(l.Subnets, name)
		public, _, _ := a.d.ec2.Allocation(z.Allocation)
		l.Fixed[name] = lb.Fixed{Private: z.Private, Public: public}
	}
	for _, x := range want.Listeners {
		l.Listeners = append(l.Listeners, forwarding(x, groups[x.TargetGroup]))
	}
	if err := a.d.nameIsFree(l); err != nil {
		return "", nil, api.Errorf(http.StatusBadRequest, "DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists", l.Name)
	}
	// Addresses are this load balancer's before anything is led to them.
	placed, err := a.d.balancers.Place(ctx, l)
	if err != nil {
		return "", nil, err
	}
	allocations := map[string]string{}
	for i, z := range want.Zones {
		allocations[l.Subnets[i]] = z.Allocation
	}
	if err := a.d.putBalancerInterfaces(ctx, l, placed, allocations); err != nil {
		return "", nil, err
	}
	made, err := a.d.balancers.Ensure(ctx, l)
	if err != nil {
		return "", nil, err
	}
	if err := a.d.admitClients(ctx, l); err != nil {
		return "", nil, err
	}
	zones := slices.Clone(want.Zones)
	for i, at := range made.Addrs {
		zones[i].IP = at.Called()
	}
	a.d.refreshHosts()
	return made.DNSName, zones, nil
}

// forwarding is a listener with the group that it forwards to, in the network's
// terms.
func forwarding(x elb.Listener, g elb.TargetGroup) lb.Listener {
	out := lb.Listener{
		Port: uint16(x.Port), Protocol: x.Protocol, HideClient: !g.Attributes.PreserveClient, Sticky: g.Attributes.Sticky,
		Drain: g.Attributes.Drain, EndDrained: g.Attributes.EndDrained, EndUnhealthy: g.Attributes.EndUnhealthy, Idle: x.Idle,
		Check: lb.HealthCheck{
			Protocol: g.Check.Protocol, Path: g.Check.Path, Interval: g.Check.Interval, Timeout: g.Check.Timeout,
			Healthy: int(g.Check.Healthy), Unhealthy: int(g.Check.Unhealthy), OK: 399,
		},
	}
	if g.Attributes.ProxyProtocol {
		out.ProxyProtocol = 2
	}
	if port, err := strconv.ParseUint(g.Check.Port, 10, 16); err == nil {
		out.Check.Port = uint16(port) // else the traffic's
	}
	for _, t := range g.Registered {
		out.Targets = append(out.Targets, lb.Target{ID: t.ID, Addr: netip.AddrPortFrom(t.Addr, uint16(t.Port)), Zone: t.Zone})
	}
	return out
}

// Unmake implements elb.Network.
func (a apiBalancers) Unmake(ctx context.Context, l elb.LoadBalancer) error {
	defer a.d.refreshHosts()
	id := apiID(l)
	return errors.Join(a.d.balancers.Delete(ctx, id), a.d.ec2.DeleteInterfaces(ctx, a.d.balancerInterfaces(id)...))
}

// Health implements elb.Network.
func (a apiBalancers) Health(l elb.LoadBalancer, x elb.Listener) []elb.Target {
	return a.d.targetsOf(apiID(l), uint16(x.Port), x.Protocol)
}

// Instance implements elb.Network.
func (a apiBalancers) Instance(id string) (netip.Addr, string, bool) {
	i, ok := a.d.ec2.Instance(id)
	return i.PrivateIP, i.Zone, ok && i.State == ec2.Running
}

// Subnet implements elb.Network.
func (a apiBalancers) Subnet(id string) (vpc, zone string, ok bool) { return a.d.ec2.SubnetPlace(id) }

// Block implements elb.Network.
func (a apiBalancers) Block(subnet string) netip.Prefix {
	p, _ := a.d.ec2.SubnetRange(subnet)
	return p
}

// Group implements elb.Network.
func (a apiBalancers) Group(id string) (vpc string, ok bool) { return a.d.ec2.SecurityGroupVPC(id) }

// Allocation implements elb.Network.
func (a apiBalancers) Allocation(id string) bool {
	_, _, ok := a.d.ec2.Allocation(id)
	return ok
}

// ZoneOf implements elb.Network.
func (a apiBalancers) ZoneOf(addr netip.Addr) (string, bool) {
	s, ok := a.d.network.SubnetOf(addr)
	return s.Zone, ok
}
