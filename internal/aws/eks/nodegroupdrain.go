package eks

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// drainWaiting drains the nodes whose instances wait for it before they end.
func (d *nodegroupDriver) drainWaiting(n Nodegroup) {
	g, _ := d.s.Fleet.Group(n.Group)
	for _, m := range g.Members {
		if m.Hook != drainHook || !strings.HasPrefix(m.State, "Terminating") {
			continue
		}
		d.mu.Lock()
		busy := d.draining[m.ID]
		d.draining[m.ID] = true
		d.mu.Unlock()
		if busy {
			continue
		}
		d.drains.Go(func() {
			d.drain(n, m.ID)
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.draining, m.ID)
		})
	}
}

// drain empties an instance's node, as far as that can be done in time, and lets the
// instance end.
func (d *nodegroupDriver) drain(n Nodegroup, instance string) {
	c, ok := d.s.clusters.Get(n.Cluster)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(d.live, drainLimit)
	defer cancel()
	if err := d.s.Nodes.Drain(ctx, c, instance, false); err != nil && d.live.Err() == nil {
		d.s.Log.Warn("eks: a node is not drained", "nodegroup", n.Name, "instance", instance, "error", err)
	}
	if d.live.Err() != nil {
		return
	}
	_, err := d.s.manage(d.live, "autoscaling", "CompleteLifecycleAction", &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: &n.Group, LifecycleHookName: aws.String(drainHook), InstanceId: &instance, LifecycleActionResult: aws.String("CONTINUE"),
	})
	if err != nil && d.live.Err() == nil {
		d.s.Log.Warn("eks: an instance is not let go", "nodegroup", n.Name, "instance", instance, "error", err)
	}
}
