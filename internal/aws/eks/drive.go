package eks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/store"
)

// How long a driver waits after a failure before it tries again.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Run drives every cluster until ctx ends and returns when nothing of it runs
// any more.
func (s *Service) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { s.runNodegroups(ctx) })
	drivers := map[string]*driver{} // by cluster ID; used by the watcher alone
	stop := s.clusters.Watch(func(_ string, old, new *Cluster) {
		if old != nil && (new == nil || new.ID != old.ID) {
			if d := drivers[old.ID]; d != nil {
				delete(drivers, old.ID)
				d.end()
				d.nudge()
			}
		}
		if new == nil || ctx.Err() != nil {
			return
		}
		d := drivers[new.ID]
		if d == nil {
			d = &driver{s: s, name: new.Name, id: new.ID, wake: newWake()}
			d.live, d.end = context.WithCancel(ctx)
			drivers[new.ID] = d
			group.Go(func() { d.run(ctx) })
		}
		if new.Status == Deleting {
			d.end()
		}
		d.nudge()
	})
	<-ctx.Done()
	stop()
}

// driver moves one cluster on.
type driver struct {
	s    *Service
	name string
	id   string

	wake                    // something of the record changed
	live context.Context    // ends with Run's, or when the cluster is to be deleted
	end  context.CancelFunc // of live
}

// run looks at the record, does what it asks for, and waits for a change. What
// failed is tried again after a pause that grows.
func (d *driver) run(ctx context.Context) {
	defer d.s.setServing(d.id, false)
	defer d.end()
	defer d.s.addons.Watch(func(key string, _, _ *Addon) {
		if strings.HasPrefix(key, d.name+"/") {
			d.nudge()
		}
	})()
	pause := firstRetry
	for ctx.Err() == nil {
		c, ok := d.s.clusters.Get(d.name)
		if !ok || c.ID != d.id {
			return
		}
		err := d.step(ctx, c)
		if err == nil || ctx.Err() != nil {
			pause = firstRetry
			select {
			case <-ctx.Done():
			case <-d.wake:
			}
			continue
		}
		d.s.Log.Warn("eks: cluster", "name", c.Name, "status", c.Status, "error", err)
		d.rest(ctx, c, pause)
		pause = min(2*pause, lastRetry)
	}
}

// rest waits for the pause to end, or for the record to ask for something else
// than what has just failed.
func (d *driver) rest(ctx context.Context, tried Cluster, pause time.Duration) {
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			return
		case <-d.wake:
			now, ok := d.s.clusters.Get(d.name)
			if !ok || now.ID != d.id || now.Status != tried.Status || now.Update != tried.Update {
				return
			}
		}
	}
}

// step does what the record asks for. It returns what is to be tried again.
func (d *driver) step(ctx context.Context, c Cluster) error {
	switch c.Status {
	case Creating:
		return d.create(ctx, c)
	case Active:
		if err := d.serve(ctx, c); err != nil || !d.s.Serving(d.name) {
			return err
		}
		return d.addons(ctx, c)
	case Updating:
		return d.update(ctx, c)
	case Deleting:
		return d.remove(ctx, c)
	}
	return nil // FAILED waits for DeleteCluster
}

// create starts a new cluster: it ends ACTIVE or FAILED.
func (d *driver) create(ctx context.Context, c Cluster) error {
	facts, err := d.start(c)
	if d.live.Err() != nil {
		return nil // being deleted, or the daemon stops: the record still says CREATING
	}
	if err == nil {
		d.s.setServing(d.id, true)
	}
	return d.change(ctx, func(c *Cluster) {
		if c.Status != Creating {
			return
		}
		if err != nil {
			d.s.Log.Warn("eks: creating a cluster", "name", c.Name, "error", err)
			c.Status, c.Issues = Failed, []Issue{issueOf(c.Name, err)}
			return
		}
		c.Status, c.Facts, c.Issues = Active, &facts, nil
	})
}

// serve starts an existing cluster, once in the life of this process.
func (d *driver) serve(ctx context.Context, c Cluster) error {
	if d.s.Serving(d.name) {
		return nil
	}
	facts, err := d.start(c)
	if d.live.Err() != nil {
		return nil
	}
	if err == nil {
		d.s.setServing(d.id, true)
	}
	return errors.Join(err, d.change(ctx, func(c *Cluster) {
		if err != nil {
			c.Issues = []Issue{issueOf(c.Name, err)}
			return
		}
		c.Facts, c.Issues = &facts, nil
	}))
}

func (d *driver) start(c Cluster) (Facts, error) {
	err := d.s.Network.PutSecurityGroup(d.live, c.ClusterSecurityGroup, c.VPC,
		"eks-cluster-sg-"+c.Name+"-"+groupSuffix(c.ID),
		"EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
		map[string]string{
			"Name":                            "eks-cluster-sg-" + c.Name + "-" + groupSuffix(c.ID),
			"aws:eks:cluster-name":            c.Name,
			"kubernetes.io/cluster/" + c.Name: "owned",
		})
	if err != nil {
		return Facts{}, fmt.Errorf("creating the cluster security group: %w", err)
	}
	return d.s.Runtime.Start(d.live, c)
}

// update carries out the update in progress, on a cluster that serves. One that
// can't be started fails its update: it could not be deleted otherwise.
func (d *driver) update(ctx context.Context, c Cluster) error {
	key := updateKey(c.Name, c.Update)
	u, ok, err := d.wanted(ctx, key)
	if !ok || err != nil {
		return err
	}
	failure := d.serve(ctx, c)
	if failure == nil {
		switch types.UpdateType(u.Type) {
		case types.UpdateTypeLoggingUpdate:
			failure = d.s.Runtime.SetLogging(d.live, c, u.Logging)
		case types.UpdateTypeEndpointAccessUpdate:
			failure = d.s.Runtime.SetAccess(d.live, c, *u.Access)
		case types.UpdateTypeAccessConfigUpdate:
			// Before the mode counts it: the creator is never without access.
			failure = d.s.enterCreator(d.live, c)
		}
	}
	if d.live.Err() != nil {
		return nil // the daemon stops: to be done again
	}
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		c, ok := d.s.clusters.In(tx).Get(d.name)
		if !ok || c.ID != d.id || c.Status != Updating {
			return nil
		}
		c.Status, c.Update = Active, ""
		if failure != nil {
			u.Status = string(types.UpdateStatusFailed)
			u.Errors = []UpdateError{{string(types.ErrorCodeUnknown), failure.Error()}}
		} else {
			u.Status = string(types.UpdateStatusSuccessful)
			u.apply(&c)
		}
		d.s.clusters.In(tx).Put(c.Name, c)
		d.s.updates.In(tx).Put(key, u)
		return nil
	})
}

// wanted reads the update in progress. It does so in a transaction because
// memory shows the tables of one commit one after another: the cluster may be
// UPDATING a moment before the update's record is there. An update that was
// never recorded ends.
func (d *driver) wanted(ctx context.Context, key string) (u Update, ok bool, err error) {
	err = d.s.Store.Update(ctx, func(tx *store.Tx) error {
		if u, ok = d.s.updates.In(tx).Get(key); ok {
			return nil
		}
		if c, there := d.s.clusters.In(tx).Get(d.name); there && c.ID == d.id && c.Status == Updating {
			c.Status, c.Update = Active, ""
			d.s.clusters.In(tx).Put(d.name, c)
		}
		return nil
	})
	return u, ok, err
}

// apply makes the update's wishes the cluster's.
func (u *Update) apply(c *Cluster) {
	switch types.UpdateType(u.Type) {
	case types.UpdateTypeLoggingUpdate:
		c.Logging = u.Logging
	case types.UpdateTypeEndpointAccessUpdate:
		c.setAccessTo(*u.Access)
	case types.UpdateTypeAccessConfigUpdate:
		c.AuthenticationMode = u.AuthenticationMode
	case types.UpdateTypeDeletionProtectionUpdate:
		c.DeletionProtection = u.DeletionProtection
	case types.UpdateTypeUpgradePolicyUpdate:
		c.SupportType = u.SupportType
	}
}

// remove takes everything of the cluster away, its record last.
func (d *driver) remove(ctx context.Context, c Cluster) error {
	err := d.s.Runtime.Stop(ctx, c)
	if err == nil {
		d.s.setServing(d.id, false)
		err = d.s.Network.RemoveSecurityGroup(ctx, c.ClusterSecurityGroup)
	}
	if err == nil {
		err = d.s.dropEntries(ctx, d.name)
	}
	if err != nil {
		return errors.Join(err, d.change(ctx, func(c *Cluster) { c.Issues = []Issue{issueOf(c.Name, err)} }))
	}
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		if now, ok := d.s.clusters.In(tx).Get(d.name); !ok || now.ID != d.id {
			return nil
		}
		for key := range d.s.updates.In(tx).List(d.name + "/") {
			d.s.updates.In(tx).Delete(key)
		}
		for key := range d.s.addons.In(tx).List(d.name + "/") {
			d.s.addons.In(tx).Delete(key)
		}
		d.s.removeAssociations(tx, d.name)
		d.s.clusters.In(tx).Delete(d.name)
		return nil
	})
}

// change rewrites the record, if it is still this cluster's and fn makes a
// difference.
func (d *driver) change(ctx context.Context, fn func(*Cluster)) error {
	return rewrite(ctx, d.s.Store, d.s.clusters, d.name, func(c *Cluster) bool { return c.ID == d.id }, fn)
}

// issueOf is a failure as a cluster's health shows it.
func issueOf(cluster string, err error) Issue {
	return Issue{Code: string(types.ClusterIssueCodeInternalFailure), Message: err.Error(), ResourceIDs: []string{cluster}}
}

// groupSuffix is the number that ends a cluster security group's name.
func groupSuffix(id string) string {
	n := uint64(0)
	fmt.Sscanf(id[:7], "%X", &n)
	return fmt.Sprint(n)
}

// Serving says whether the cluster's control plane has started in this process
// and was not stopped since.
func (s *Service) Serving(name string) bool {
	c, ok := s.clusters.Get(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.serving[c.ID]
}

func (s *Service) setServing(id string, serving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving[id] == serving {
		return
	}
	if serving {
		s.serving[id] = true
	} else {
		delete(s.serving, id)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// WaitServing returns when the cluster's control plane has started in this
// process, or with what keeps it from that: it is gone, being deleted, or FAILED.
func (s *Service) WaitServing(ctx context.Context, name string) error {
	wake := newWake()
	defer s.clusters.Watch(func(key string, _, _ *Cluster) {
		if key == name {
			wake.nudge()
		}
	})()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		c, ok := s.clusters.Get(name)
		switch {
		case !ok:
			return noCluster(name)
		case c.Status == Failed:
			return fmt.Errorf("cluster %s is FAILED%s", name, because(c.Issues))
		case c.Status == Deleting:
			return fmt.Errorf("cluster %s is being deleted", name)
		case c.Status != Creating && s.Serving(name):
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for cluster %s: %w%s", name, context.Cause(ctx), because(c.Issues))
		case <-wake:
		case <-changed:
		}
	}
}

func because(issues []Issue) string {
	if len(issues) == 0 {
		return ""
	}
	return ": " + issues[0].Message
}
