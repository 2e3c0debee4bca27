package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// showBalancer lists a load balancer in the ELB APIs: a Network Load Balancer with
// a target group for each of its ports.
func (d *Daemon) showBalancer(ctx context.Context, want cloud.Balancer, l lb.LoadBalancer, made lb.Result, allocations map[string]string) error {
	d.showing.Lock()
	defer d.showing.Unlock()
	shown := elb.LoadBalancer{
		Name: l.Name, ID: lb.Suffix(l.ID), DNSName: made.DNSName, Scheme: l.Scheme, State: string(elbtypes.LoadBalancerStateEnumActive),
		VPC: d.vpcAt(l), CreatedAt: time.Now().UTC().Truncate(time.Millisecond), CrossZone: l.CrossZone, Tags: want.Tags, Groups: l.Groups,
	}
	if old, ok := d.elb.Get(l.Name); ok {
		shown.CreatedAt = old.CreatedAt
	}
	for _, a := range made.Addrs {
		shown.Zones = append(shown.Zones, elb.Zone{
			Name: a.Zone, Subnet: d.config.subnetID(a.Subnet), IP: a.Called(), Allocation: allocations[a.Subnet], Private: l.Fixed[a.Subnet].Private,
		})
	}
	if want.Classic {
		shown.Groups = []string{d.classicGroup(l.ID)} // its own; see groupOf
		return d.showClassic(ctx, want, l, shown)
	}
	var groups []elb.TargetGroup
	for i, x := range l.Listeners {
		port := strconv.Itoa(int(x.Port))
		group := d.groupOf(want, l, i)
		groups = append(groups, group)
		shown.Listeners = append(shown.Listeners, elb.Listener{
			ID: lb.Suffix(l.ID + "/listener/" + x.Protocol + "/" + port), Protocol: x.Protocol, Port: int32(x.Port), TargetGroup: group.Name, Idle: x.Idle,
		})
	}
	return d.elb.Put(ctx, shown, groups...)
}

// vpcAt is the id of a load balancer's VPC.
func (d *Daemon) vpcAt(l lb.LoadBalancer) string {
	for _, v := range d.ec2.Running() {
		if v.CIDRs[0] == l.Range {
			return v.ID
		}
	}
	return d.config.vpcID()
}

// showClassic lists a Classic Load Balancer.
func (d *Daemon) showClassic(ctx context.Context, want cloud.Balancer, l lb.LoadBalancer, shown elb.LoadBalancer) error {
	first := l.Listeners[0]
	shown.Classic = &elb.Classic{
		Check: check(first.Check), Instances: d.targetsOf(l.ID, first.Port, first.Protocol), Idle: l.Idle, Drain: first.Drain, ProxyProtocol: first.ProxyProtocol != 0,
	}
	for i, x := range l.Listeners {
		shown.Listeners = append(shown.Listeners, elb.Listener{Protocol: x.Protocol, Port: int32(x.Port), InstancePort: int32(want.Listeners[i].TargetPort)})
	}
	return d.elb.Put(ctx, shown)
}

// groupOf is the target group of a listener, named as AWS's controllers name it.
func (d *Daemon) groupOf(want cloud.Balancer, l lb.LoadBalancer, i int) elb.TargetGroup {
	x, w := l.Listeners[i], want.Listeners[i]
	kind := elbtypes.TargetTypeEnumInstance
	if w.Pods {
		kind = elbtypes.TargetTypeEnumIp
	}
	suffix := lb.Suffix(fmt.Sprint(l.ID, "/", x.Protocol, "/", x.Port, "/", w.TargetPort, "/", kind))
	namespace, name, _ := strings.Cut(want.Service, "/")
	plain := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "-", ""), ".", "") }
	return elb.TargetGroup{
		Name: fmt.Sprintf("k8s-%.8s-%.8s-%.10s", plain(namespace), plain(name), suffix), ID: suffix,
		// A port by name has no number that all targets share; AWS's controller says 1.
		Protocol: x.Protocol, Port: max(int32(w.TargetPort), 1), VPC: d.vpcAt(l), TargetType: string(kind), Check: check(x.Check), Tags: want.Tags,
		Targets: d.targetsOf(l.ID, x.Port, x.Protocol),
		Attributes: elb.Attributes{
			Drain: x.Drain, EndDrained: x.EndDrained, EndUnhealthy: x.EndUnhealthy, PreserveClient: !x.HideClient, ProxyProtocol: x.ProxyProtocol != 0, Sticky: x.Sticky,
		},
	}
}

// check is a health check as the ELB API shows it.
func check(c lb.HealthCheck) elb.Check {
	out := elb.Check{
		Protocol: c.Protocol, Port: "traffic-port", Path: c.Path, Interval: c.Interval, Timeout: c.Timeout,
		Healthy: int32(c.Healthy), Unhealthy: int32(c.Unhealthy),
	}
	if c.Port != 0 {
		out.Port = strconv.Itoa(int(c.Port))
	}
	return out
}

// showHealth tells the ELB API how a balancer's targets fare, and the hosts file
// which addresses its name has now.
func (d *Daemon) showHealth(ctx context.Context, id string) {
	d.refreshHosts()
	d.showing.Lock()
	defer d.showing.Unlock()
	l, ok := d.balancers.Find(id)
	if !ok {
		return
	}
	shown, ok := d.elb.Get(l.Name)
	if !ok {
		return // being made: it is shown with its health
	}
	if shown.ByAPI {
		if err := d.elb.Refresh(ctx, shown.Name); err != nil && ctx.Err() == nil {
			slog.Error("the health of a load balancer's targets can't be shown", "balancer", id, "error", err)
		}
		return
	}
	for i, x := range l.Listeners {
		targets := d.targetsOf(id, x.Port, x.Protocol)
		var err error
		switch {
		case shown.Classic == nil && i < len(shown.Listeners):
			err = d.elb.SetTargets(ctx, shown.Listeners[i].TargetGroup, targets)
		case i == 0:
			err = d.elb.SetInstances(ctx, l.Name, targets)
		}
		if err != nil && ctx.Err() == nil {
			slog.Error("the health of a load balancer's targets can't be shown", "balancer", id, "error", err)
		}
	}
}

// targetsOf are a listener's targets with their health, in the ELB API's words.
func (d *Daemon) targetsOf(id string, port uint16, protocol string) []elb.Target {
	var all []elb.Target
	for _, t := range d.balancers.Health(id, port, protocol) {
		out := elb.Target{ID: t.ID, Port: int32(t.Addr.Port()), Zone: t.Zone, State: string(t.State)}
		switch t.State {
		case lb.Initial:
			out.Reason = string(elbtypes.TargetHealthReasonEnumInitialHealthChecking)
			out.Description = "Initial health checks in progress"
		case lb.Unhealthy:
			out.Reason = string(elbtypes.TargetHealthReasonEnumFailedHealthChecks)
			out.Description = "Health checks failed: " + t.Reason
		case lb.Draining:
			out.Reason = string(elbtypes.TargetHealthReasonEnumDeregistrationInProgress)
			out.Description = "Target deregistration is in progress"
		case lb.Unused:
			out.Reason = string(elbtypes.TargetHealthReasonEnumNotInUse)
			out.Description = "Target is in an Availability Zone that is not enabled for the load balancer"
		}
		all = append(all, out)
	}
	return all
}
