package autoscaling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/store"
)

// How long a driver waits after a failure before it tries again.
const (
	firstRetry = 2 * time.Second
	lastRetry  = time.Minute
)

// Run drives every group until ctx ends and returns when nothing of it runs any more.
func (s *Service) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	var mu sync.Mutex
	drivers := map[string]*driver{} // by group ID
	stop := s.groups.Watch(func(_ string, _, new *Group) {
		if new == nil || ctx.Err() != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		d := drivers[new.ID]
		if d == nil {
			d = &driver{s: s, name: new.Name, id: new.ID, wake: make(chan struct{}, 1)}
			drivers[new.ID] = d
			running.Go(func() {
				d.run(ctx)
				mu.Lock()
				defer mu.Unlock()
				delete(drivers, d.id)
			})
		}
		d.nudge()
	})
	defer stop()
	defer s.Machines.WatchMachines(func(m Machine) {
		if g, ok := s.holding(m.ID); ok {
			mu.Lock()
			defer mu.Unlock()
			if d := drivers[g.ID]; d != nil {
				d.nudge()
			}
		}
	})()
	<-ctx.Done()
}

// driver moves one group on.
type driver struct {
	s        *Service
	name, id string
	wake     chan struct{}
	adopted  bool // what an earlier process launched and didn't record
}

func (d *driver) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run takes one step after another, and waits when there is none to take.
func (d *driver) run(ctx context.Context) {
	pause := firstRetry
	for ctx.Err() == nil {
		g, ok := d.s.groups.Get(d.name)
		if !ok || g.ID != d.id {
			return
		}
		moved, err := d.step(ctx, g.copied())
		wait := d.untilDeadline()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.s.Log.Warn("autoscaling: group", "name", d.name, "error", err)
			wait, pause = min(wait, pause), min(2*pause, lastRetry)
		case moved:
			pause = firstRetry
			continue
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-again.C:
		}
		again.Stop()
	}
}

// untilDeadline is how long until some instance has waited for a hook long enough.
func (d *driver) untilDeadline() time.Duration {
	wait := time.Hour
	g, _ := d.s.groups.Get(d.name)
	for i := range g.Members {
		if m := &g.Members[i]; m.waits() {
			wait = min(wait, max(m.Deadline.Sub(d.s.Now()), time.Millisecond))
		}
	}
	return wait
}

// step does the first thing that is to be done. It answers false if there is nothing.
func (d *driver) step(ctx context.Context, g Group) (moved bool, err error) {
	if !d.adopted {
		if err := d.adopt(ctx, &g); err != nil {
			return false, err
		}
		d.adopted = true
		return true, nil
	}
	var failed error
	for i := range g.Members {
		moved, err := d.tend(ctx, &g, g.Members[i])
		if moved && err == nil {
			return true, nil
		}
		failed = errors.Join(failed, err)
	}
	switch n := g.staying(); {
	case g.Deleting && len(g.Members) == 0:
		moved, err = false, d.s.remove(ctx, g)
	case n < g.Desired && g.runs(processLaunch):
		moved, err = true, d.launch(ctx, &g)
	case n > g.Desired && (g.runs(processTerminate) || g.Deleting):
		moved, err = d.shrink(ctx)
	}
	return moved, errors.Join(failed, err)
}

// remove deletes the record of a group without members.
func (s *Service) remove(ctx context.Context, g Group) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		if now, ok := s.groups.In(tx).Get(g.Name); ok && now.ID == g.ID && len(now.Members) == 0 {
			s.groups.In(tx).Delete(g.Name)
		}
		for key, a := range s.activities.List("") {
			if s.Now().Sub(a.Start) > keptFor {
				s.activities.In(tx).Delete(key)
			}
		}
		return nil
	})
}

// tend moves one member on.
func (d *driver) tend(ctx context.Context, g *Group, m Member) (moved bool, err error) {
	machine, there := d.s.Machines.Machine(m.ID)
	alive := there && (machine.State == "running" || machine.State == "pending")
	gone := !there || machine.State == "terminated"
	change := func(fn func(*store.Tx, *Group, *Member)) (bool, error) { return true, d.change(ctx, m, fn) }
	switch m.State {
	case types.LifecycleStatePending, types.LifecycleStatePendingProceed:
		switch {
		case !alive || m.Unhealthy:
			return d.replace(ctx, g, m, alive)
		case machine.State == "running":
			return change(func(tx *store.Tx, g *Group, m *Member) { d.arrive(tx, g, m) })
		}
	case types.LifecycleStatePendingWait, types.LifecycleStateTerminatingWait:
		if !alive || !d.s.Now().Before(m.Deadline) {
			return change(func(_ *store.Tx, g *Group, m *Member) {
				result := abandon
				if i := slices.IndexFunc(g.Hooks, func(h Hook) bool { return h.Name == m.Hook }); i >= 0 && alive {
					result = g.Hooks[i].Default
				}
				m.finish(result)
			})
		}
	case types.LifecycleStateInService:
		if !m.Unhealthy && alive {
			return false, nil
		}
		if m.Unhealthy || g.runs(processHealth) {
			return d.replace(ctx, g, m, alive)
		}
	case types.LifecycleStateTerminating, types.LifecycleStateTerminatingProceed:
		if gone {
			return change(func(tx *store.Tx, g *Group, m *Member) {
				d.s.endActivity(tx, g, m.Activity, types.ScalingActivityStatusCodeSuccessful, "")
				g.Members = slices.DeleteFunc(g.Members, func(o Member) bool { return o.ID == m.ID })
			})
		}
		if hook, waits := g.next(&m, Terminating); waits && alive {
			return change(func(_ *store.Tx, _ *Group, m *Member) { d.hold(m, hook, types.LifecycleStateTerminatingWait) })
		}
		if machine.State != "shutting-down" {
			_, err := linked[ec2.TerminateInstancesOutput](ctx, d.s, g, "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: []string{m.ID}})
			return false, err
		}
	}
	return false, nil
}

// hold has a member wait for a hook.
func (d *driver) hold(m *Member, h Hook, state types.LifecycleState) {
	now := d.s.Now()
	m.State, m.Hook, m.Token = state, h.Name, uuid.NewString()
	m.Deadline, m.Latest = now.Add(time.Duration(h.Heartbeat)*time.Second), now.Add(h.limit())
}

// arrive puts a member that runs into service, after its hooks.
func (d *driver) arrive(tx *store.Tx, g *Group, m *Member) {
	if hook, waits := g.next(m, Launching); waits {
		d.hold(m, hook, types.LifecycleStatePendingWait)
		return
	}
	m.State, m.Passed = types.LifecycleStateInService, nil
	d.s.endActivity(tx, g, m.Activity, types.ScalingActivityStatusCodeSuccessful, "")
}

// replace begins to take a member out that is not healthy.
func (d *driver) replace(ctx context.Context, g *Group, m Member, alive bool) (bool, error) {
	if !g.runs(processReplace) || !g.runs(processTerminate) {
		if m.Unhealthy {
			return false, nil
		}
		return true, d.change(ctx, m, func(_ *store.Tx, _ *Group, m *Member) { m.Unhealthy = true })
	}
	why := "an EC2 health check indicating it has been terminated or stopped."
	if alive {
		why = "a user health-check."
	}
	return true, d.change(ctx, m, func(tx *store.Tx, g *Group, m *Member) {
		m.Unhealthy = true
		if m.State != types.LifecycleStateInService {
			d.s.endActivity(tx, g, m.Activity, types.ScalingActivityStatusCodeFailed, "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "+why)
		}
		d.s.leave(tx, g, m, "At "+d.s.stamp()+" an instance was taken out of service in response to "+why)
	})
}

// leave begins to take a member out, and records that.
func (s *Service) leave(tx *store.Tx, g *Group, m *Member, cause string) Activity {
	a := s.newActivity(g, "Terminating EC2 instance: "+m.ID, cause)
	a.Subnet, a.Zone = m.Subnet, m.Zone
	s.putActivity(tx, a)
	m.State, m.Activity, m.Passed = types.LifecycleStateTerminating, a.ID, nil
	m.Hook, m.Token = "", ""
	return a
}

// shrink takes one member too many out.
func (d *driver) shrink(ctx context.Context) (moved bool, err error) {
	err = d.s.rewriteAny(ctx, d.name, func(tx *store.Tx, g *Group) error {
		moved = false
		n := g.staying()
		if n <= g.Desired || g.ID != d.id {
			return nil
		}
		id, ok := victim(g)
		if !ok && !g.Deleting {
			return nil
		}
		if !ok { // a group that goes takes all with it
			i := slices.IndexFunc(g.Members, func(m Member) bool { return !m.leaving() })
			id = g.Members[i].ID
		}
		m, _ := g.member(id)
		d.s.leave(tx, g, m, fmt.Sprintf("At %s a user request or a change of the group changed the desired capacity to %d.  At %s an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from %d to %d.  At %s instance %s was selected for termination.",
			d.s.stamp(), g.Desired, d.s.stamp(), n, n-1, d.s.stamp(), id))
		moved = true
		return nil
	})
	return moved, err
}

// rewriteAny changes a group's record, also of one that is being deleted.
func (s *Service) rewriteAny(ctx context.Context, name string, fn func(*store.Tx, *Group) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(nameOf(name))
		if !ok {
			return noGroup(name)
		}
		g = g.copied()
		if err := fn(tx, &g); err != nil {
			return err
		}
		s.groups.In(tx).Put(g.Name, g)
		return nil
	})
}

// change rewrites a member, if it is still in the state it was seen in.
func (d *driver) change(ctx context.Context, seen Member, fn func(*store.Tx, *Group, *Member)) error {
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := d.s.groups.In(tx).Get(d.name)
		if !ok || g.ID != d.id {
			return nil
		}
		g = g.copied()
		m, ok := g.member(seen.ID)
		if !ok || m.State != seen.State {
			return nil
		}
		fn(tx, &g, m)
		d.s.groups.In(tx).Put(g.Name, g)
		return nil
	})
}
