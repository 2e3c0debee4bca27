package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path"
	"strconv"
	"time"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// balancers gives one cluster's Services their load balancers: the network makes
// them, the ELB API shows them, the hosts file names them.
type balancers struct {
	d *Daemon
	k *cluster
}

func (b balancers) id(name string) string { return b.k.record.ID + "/" + name }

// Ensure implements cloud.Balancers.
func (b balancers) Ensure(ctx context.Context, want cloud.Balancer) (string, error) {
	l := lb.LoadBalancer{
		ID: b.id(want.Name), Cluster: b.k.record.ID, Name: want.Name, Scheme: lb.InternetFacing, SourceRanges: want.SourceRanges,
		HealthCheck: lb.HealthCheck{Port: want.HealthPort, Path: want.HealthPath},
	}
	if want.Internal {
		l.Scheme = lb.Internal
	}
	for _, p := range want.Ports {
		l.Ports = append(l.Ports, lb.Port{Port: p.Port, NodePort: p.NodePort, Protocol: p.Protocol})
	}
	for _, t := range want.Targets {
		l.Targets = append(l.Targets, t.Addr)
	}
	made, err := b.d.balancers.Ensure(ctx, l)
	if err != nil {
		return "", err
	}
	if err := b.admit(ctx, want, made); err != nil {
		return "", err
	}
	if err := b.d.showBalancer(ctx, l, made, want.Tags); err != nil {
		return "", err
	}
	b.d.refreshHosts()
	return made.DNSName, nil
}

// Delete implements cloud.Balancers.
func (b balancers) Delete(ctx context.Context, name string) error {
	defer b.d.refreshHosts()
	return errors.Join(b.d.balancers.Delete(ctx, b.id(name)), b.d.elb.Delete(ctx, name), b.dismiss(ctx, name))
}

// Host implements cloud.Balancers.
func (b balancers) Host(name string) (string, bool) {
	r, ok := b.d.balancers.Get(b.id(name))
	return r.DNSName, ok
}

// deleteBalancersOf removes the load balancers of a cluster that is deleted:
// what they lead to is gone.
func (d *Daemon) deleteBalancersOf(ctx context.Context, id string) error {
	var failed error
	for _, l := range d.balancers.List() {
		if l.Cluster == id {
			failed = errors.Join(failed, d.balancers.Delete(ctx, l.ID), d.elb.Delete(ctx, l.Name), d.deleteBalancerInterfaces(ctx, l.ID))
		}
	}
	return failed
}

// showBalancer lists a load balancer in the ELB API, with a target group for each
// of its ports.
func (d *Daemon) showBalancer(ctx context.Context, l lb.LoadBalancer, made lb.Result, tags map[string]string) error {
	shown := elb.LoadBalancer{
		Name: l.Name, ID: lb.Suffix(l.ID), DNSName: made.DNSName, Scheme: l.Scheme, State: string(elbtypes.LoadBalancerStateEnumActive),
		VPC: d.config.vpcID(), CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Tags: tags,
	}
	if old, ok := d.elb.Get(l.Name); ok {
		shown.CreatedAt = old.CreatedAt
	}
	if zone, ok := d.zoneOf(l.Scheme, made.Addrs[0]); ok {
		shown.Zones = []elb.Zone{zone}
	}
	var groups []elb.TargetGroup
	for _, p := range l.Ports {
		protocol, port := orTCP(p.Protocol), strconv.Itoa(int(p.Port))
		suffix := lb.Suffix(l.ID + "/" + protocol + "/" + port)
		group := elb.TargetGroup{
			Name: fmt.Sprintf("k8s-%.12s-%s", l.Name, suffix[:10]), ID: suffix, Protocol: protocol, Port: int32(p.NodePort),
			VPC: d.config.vpcID(), TargetType: string(elbtypes.TargetTypeEnumInstance), Check: check(l.HealthCheck), Tags: tags,
		}
		group.Targets = d.targetsOf(l.ID, group.Port)
		groups = append(groups, group)
		shown.Listeners = append(shown.Listeners, elb.Listener{
			ID: lb.Suffix(l.ID + "/listener/" + protocol + "/" + port), Protocol: protocol, Port: int32(p.Port), TargetGroup: group.Name,
		})
	}
	return d.elb.Put(ctx, shown, groups...)
}

func orTCP(protocol string) string {
	if protocol == "" {
		return string(elbtypes.ProtocolEnumTcp)
	}
	return protocol
}

// zoneOf is where a balancer has its address. A public one's is in no subnet's
// range; its interface is in the first public subnet.
func (d *Daemon) zoneOf(scheme string, address netip.Addr) (elb.Zone, bool) {
	for _, s := range d.network.Subnets {
		if scheme == lb.Internal && s.Prefix.Contains(address) || scheme == lb.InternetFacing && s.Public {
			return elb.Zone{Name: s.Zone, Subnet: d.config.subnetID(s.Name), IP: address}, true
		}
	}
	return elb.Zone{}, false
}

// check is a health check as the ELB API shows it.
func check(c lb.HealthCheck) elb.Check {
	c = c.Defaults()
	out := elb.Check{
		Protocol: string(elbtypes.ProtocolEnumTcp), Port: "traffic-port", Path: c.Path, Interval: c.Interval, Timeout: c.Timeout,
		Healthy: int32(c.Healthy), Unhealthy: int32(c.Unhealthy),
	}
	if c.Path != "" {
		out.Protocol = string(elbtypes.ProtocolEnumHttp)
	}
	if c.Port != 0 {
		out.Port = strconv.Itoa(int(c.Port))
	}
	return out
}

// showHealth tells the ELB API how a balancer's targets fare.
func (d *Daemon) showHealth(ctx context.Context, id string) {
	shown, ok := d.elb.Get(path.Base(id))
	if !ok {
		return // being made: it is shown with its health
	}
	for _, l := range shown.Listeners {
		g, ok := d.elb.TargetGroup(l.TargetGroup)
		if !ok {
			continue
		}
		if err := d.elb.SetTargets(ctx, g.Name, d.targetsOf(id, g.Port)); err != nil && ctx.Err() == nil {
			slog.Error("the health of a load balancer's targets can't be shown", "balancer", id, "error", err)
		}
	}
}

// targetsOf are a balancer's targets on one of its ports, by instance.
func (d *Daemon) targetsOf(id string, port int32) []elb.Target {
	var all []elb.Target
	for _, t := range d.balancers.Health(id) {
		out := elb.Target{Port: port, State: string(t.State)}
		for _, i := range d.ec2.Instances() {
			if i.PrivateIP == t.Addr {
				out.ID, out.Zone = i.ID, i.Zone
			}
		}
		if out.ID == "" {
			continue // an instance that is gone; Kubernetes forgets the node too
		}
		switch t.State {
		case lb.Initial:
			out.Reason = string(elbtypes.TargetHealthReasonEnumInitialHealthChecking)
			out.Description = "Initial health checks in progress"
		case lb.Unhealthy:
			out.Reason = string(elbtypes.TargetHealthReasonEnumFailedHealthChecks)
			out.Description = "Health checks failed: " + t.Reason
		}
		all = append(all, out)
	}
	return all
}
