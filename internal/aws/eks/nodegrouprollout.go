package eks

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/store"
)

// update carries out the update in progress.
func (d *nodegroupDriver) update(ctx context.Context, p parts) error {
	var u Update
	var ok bool
	// In a transaction: the record may be UPDATING before the update's is in memory.
	err := d.s.Store.Update(ctx, func(tx *store.Tx) error {
		u, ok = d.s.updates.In(tx).Get(updateKey(p.n.Cluster, p.n.Update))
		return nil
	})
	if err != nil || !ok {
		return err
	}
	var failure error
	if types.UpdateType(u.Type) == types.UpdateTypeVersionUpdate {
		failure = d.rollOut(ctx, &p, u)
	} else {
		failure = d.reconfigure(ctx, &p, u)
	}
	if ctx.Err() != nil {
		return nil // the daemon stops: to be done again
	}
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		n, ok := d.s.nodegroups.In(tx).Get(d.key)
		if !ok || n.ID != d.id || n.Update != u.ID {
			return nil
		}
		n.Status, n.Update, n.ModifiedAt = string(types.NodegroupStatusActive), "", d.s.Now()
		if u.Status = string(types.UpdateStatusSuccessful); failure != nil {
			u.Status = string(types.UpdateStatusFailed)
			issue := nodegroupIssues(n, failure)[0]
			u.Errors = []UpdateError{{updateCode(issue.Code), issue.Message}}
		} else if u.Source != nil {
			n.Source = u.Source
		}
		d.s.nodegroups.In(tx).Put(d.key, n)
		d.s.updates.In(tx).Put(updateKey(n.Cluster, u.ID), u)
		return nil
	})
}

// updateCode is a health issue's code as an update's errors have it.
func updateCode(issue string) string {
	for _, known := range types.ErrorCode("").Values() {
		if string(known) == issue {
			return issue
		}
	}
	if issue == string(types.NodegroupIssueCodeAsgInstanceLaunchFailures) {
		return string(types.ErrorCodeNodeCreationFailure)
	}
	return string(types.ErrorCodeUnknown)
}

// reconfigure gives nodes their labels and taints, those to come too, and the group its
// sizes.
func (d *nodegroupDriver) reconfigure(ctx context.Context, p *parts, u Update) error {
	if u.Marks != nil {
		if err := d.newVersion(ctx, p); err != nil {
			return err
		}
		g, _ := d.s.Fleet.Group(p.n.Group)
		for _, m := range g.Members {
			if err := d.s.Nodes.Mark(ctx, p.c, m.ID, *u.Marks); err != nil && !d.gone(p.n, m.ID) {
				return err
			}
		}
	}
	if err := p.resize(ctx, 0, u.Marks != nil); err != nil {
		return err
	}
	return d.awaitNodes(ctx, p.c, p.n, p.n.Desired, func(FleetMember) bool { return true })
}

// newVersion makes a version of EKS's own launch template for instances to come.
func (d *nodegroupDriver) newVersion(ctx context.Context, p *parts) error {
	_, version, err := p.template(ctx)
	if err != nil {
		return err
	}
	p.n.Wanted = version
	return d.change(ctx, func(n *Nodegroup) { n.Wanted = version })
}

// rollOut replaces the nodes that are not of the launch template's version asked for:
// batch by batch, of as many as may be missing. By the default strategy new ones come
// first; by the minimal one old ones go first.
// https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html
func (d *nodegroupDriver) rollOut(ctx context.Context, p *parts, u Update) error {
	if changed := u.Source != nil && (p.n.Source == nil || *u.Source != *p.n.Source); changed {
		p.n.Source = u.Source
		if err := d.newVersion(ctx, p); err != nil {
			return err
		}
		// A crash before the end finds it done, and goes on with the nodes.
		if err := d.change(ctx, func(n *Nodegroup) { n.Source = u.Source }); err != nil {
			return err
		}
	}
	if err := p.resize(ctx, 0, true); err != nil {
		return err
	}
	minimal := p.n.Strategy == string(types.NodegroupUpdateStrategiesMinimal)
	for {
		old := d.outdated(p.n)
		if len(old) == 0 {
			break
		}
		batch := old[:min(len(old), int(p.n.Unavailable.of(p.n.Desired)))]
		failure := d.replace(ctx, p, batch, minimal, u.Force)
		if failure != nil {
			return errors.Join(failure, p.resize(context.WithoutCancel(ctx), 0, false))
		}
	}
	if err := p.resize(ctx, 0, false); err != nil {
		return err
	}
	return d.awaitNodes(ctx, p.c, p.n, p.n.Desired, func(FleetMember) bool { return true })
}

// outdated are the instances that are not of the wanted version.
func (d *nodegroupDriver) outdated(n Nodegroup) (ids []string) {
	g, _ := d.s.Fleet.Group(n.Group)
	for _, m := range g.Members {
		if m.Version != n.Wanted && !strings.HasPrefix(m.State, "Terminat") {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// replace has new nodes in the place of some.
func (d *nodegroupDriver) replace(ctx context.Context, p *parts, batch []string, minimal, force bool) error {
	more := int32(len(batch))
	if !minimal {
		if err := p.resize(ctx, more, false); err != nil {
			return err
		}
		if err := d.awaitNodes(ctx, p.c, p.n, p.n.Desired+more, func(FleetMember) bool { return true }); err != nil {
			return err
		}
	}
	for _, id := range batch {
		limit, cancel := context.WithTimeout(ctx, drainLimit)
		err := d.s.Nodes.Drain(limit, p.c, id, force)
		cancel()
		if err != nil && !d.gone(p.n, id) {
			return err
		}
		_, err = d.s.manage(ctx, "autoscaling", "TerminateInstanceInAutoScalingGroup", &autoscaling.TerminateInstanceInAutoScalingGroupInput{
			InstanceId: aws.String(id), ShouldDecrementDesiredCapacity: aws.Bool(!minimal),
		})
		if err != nil && !d.gone(p.n, id) {
			return err
		}
	}
	if err := p.resize(ctx, 0, false); err != nil {
		return err
	}
	return d.awaitNodes(ctx, p.c, p.n, p.n.Desired, func(FleetMember) bool { return true })
}
