package autoscaling

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// adopt takes in the group's instances that are not recorded as its members: the launch
// was carried out, and the process ended before it was recorded.
func (d *driver) adopt(ctx context.Context, g *Group) error {
	var found []Machine
	stop := d.s.Machines.WatchMachines(func(m Machine) {
		_, known := g.member(m.ID)
		if !known && m.Tags[groupTag] == d.name && (m.State == "running" || m.State == "pending") {
			found = append(found, m)
		}
	})
	stop()
	for _, m := range found {
		if _, held := d.s.holding(m.ID); held {
			continue
		}
		if err := d.s.rewriteAny(ctx, d.name, func(_ *store.Tx, now *Group) error {
			if now.ID == d.id {
				now.Members = append(now.Members, d.s.memberOf(m, now, types.LifecycleStatePending))
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// memberOf is an instance as a member.
func (s *Service) memberOf(m Machine, g *Group, state types.LifecycleState) Member {
	return Member{
		ID: m.ID, Zone: m.Zone, Subnet: m.Subnet, Type: m.Type, Image: m.Image, State: state, Protected: g.ProtectNew, Joined: s.Now(),
		Template: Template{m.Tags["aws:ec2launchtemplate:id"], g.Template.Name, m.Tags["aws:ec2launchtemplate:version"]},
	}
}

// launch launches one more instance: in the best subnet, or the next that will do.
func (d *driver) launch(ctx context.Context, g *Group) error {
	kinds := g.Types
	if len(kinds) == 0 {
		kinds = []string{""}
	}
	var failed error
	n := g.staying()
	for _, kind := range kinds {
		for _, subnet := range whereTo(g, func(id string) string { _, zone, _ := d.s.Machines.SubnetPlace(id); return zone }) {
			out, err := linked[ec2.RunInstancesOutput](ctx, d.s, g, "RunInstances", d.s.launch(g, subnet, kind))
			if ctx.Err() != nil {
				return nil // the instance, if there is one, is found by its tag
			}
			if err != nil {
				failed = err
				continue
			}
			return d.joined(ctx, aws.ToString(out.Instances[0].InstanceId), n)
		}
	}
	return d.noLaunch(ctx, g, n, failed)
}

// launching begins what an activity of a launch is called.
const launching = "Launching a new EC2 instance"

func (d *driver) cause(n, desired int32) string {
	return fmt.Sprintf("At %s a user request or a change of the group changed the desired capacity to %d.  At %s an instance was started in response to a difference between desired and actual capacity, increasing the capacity from %d to %d.",
		d.s.stamp(), desired, d.s.stamp(), n, n+1)
}

// joined records an instance that was launched.
func (d *driver) joined(ctx context.Context, id string, n int32) error {
	machine, _ := d.s.Machines.Machine(id)
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := d.s.groups.In(tx).Get(d.name)
		if !ok || g.ID != d.id {
			return fmt.Errorf("group %s is gone; its instance %s is left", d.name, id)
		}
		g = g.copied()
		a := d.s.newActivity(&g, launching+": "+id, d.cause(n, g.Desired))
		a.Subnet, a.Zone = machine.Subnet, machine.Zone
		d.s.putActivity(tx, a)
		m := d.s.memberOf(machine, &g, types.LifecycleStatePending)
		m.Activity = a.ID
		g.Members = append(g.Members, m)
		d.s.groups.In(tx).Put(g.Name, g)
		return nil
	})
}

// noLaunch records that no instance could be launched. It returns the reason: to be tried
// again.
func (d *driver) noLaunch(ctx context.Context, g *Group, n int32, failure error) error {
	err := d.s.Store.Update(ctx, func(tx *store.Tx) error {
		a := d.s.newActivity(g, launching, d.cause(n, g.Desired))
		a.End, a.Status = a.Start, types.ScalingActivityStatusCodeFailed
		a.Message = api.Message(failure) + " Launching EC2 instance failed."
		d.s.putActivity(tx, a)
		return nil
	})
	if err != nil {
		return err
	}
	return failure
}
