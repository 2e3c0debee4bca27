package eks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// How long EKS waits: for nodes to join, and for their pods to go.
const (
	joinLimit  = 20 * time.Minute
	drainLimit = 15 * time.Minute
	// lastFailure is how many launches may fail until a creation fails.
	lastFailure = 3
)

// runNodegroups drives every node group until ctx ends, and returns when nothing of it
// runs any more.
func (s *Service) runNodegroups(ctx context.Context) {
	if s.Fleet == nil {
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	var mu sync.Mutex
	drivers := map[string]*nodegroupDriver{} // by the Auto Scaling group's name
	stop := s.nodegroups.Watch(func(_ string, old, new *Nodegroup) {
		mu.Lock()
		defer mu.Unlock()
		if old != nil && (new == nil || new.ID != old.ID) {
			if d := drivers[old.Group]; d != nil {
				delete(drivers, old.Group)
				d.end()
			}
		}
		if new == nil || ctx.Err() != nil {
			return
		}
		d := drivers[new.Group]
		if d == nil {
			d = &nodegroupDriver{s: s, key: nodegroupKey(new.Cluster, new.Name), id: new.ID, wake: newWake(), draining: map[string]bool{}}
			d.live, d.end = context.WithCancel(ctx)
			drivers[new.Group] = d
			running.Go(d.run)
		}
		d.nudge()
	})
	defer stop()
	defer s.Fleet.WatchGroups(func(name string) {
		mu.Lock()
		defer mu.Unlock()
		if d := drivers[name]; d != nil {
			d.nudge()
		}
	})()
	<-ctx.Done()
}

// nodegroupDriver moves one node group on.
type nodegroupDriver struct {
	s       *Service
	key, id string
	wake
	live context.Context
	end  context.CancelFunc

	drains   sync.WaitGroup
	mu       sync.Mutex
	draining map[string]bool // instances
}

func (d *nodegroupDriver) run() {
	defer d.end()
	defer d.drains.Wait()
	ctx, pause := d.live, firstRetry
	for ctx.Err() == nil {
		n, ok := d.s.nodegroups.Get(d.key)
		if !ok || n.ID != d.id {
			return
		}
		err := d.s.WaitServing(ctx, n.Cluster)
		if err == nil {
			d.drainWaiting(n)
			err = d.step(ctx, n)
		}
		wait := time.Minute
		if err != nil && ctx.Err() == nil {
			d.s.Log.Warn("eks: nodegroup", "cluster", n.Cluster, "name", n.Name, "status", n.Status, "error", err)
			wait, pause = pause, min(2*pause, lastRetry)
		} else {
			pause = firstRetry
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

// parts are what the node group is made of, of its cluster as it is.
func (d *nodegroupDriver) parts(n Nodegroup) (parts, error) {
	c, ok := d.s.clusters.Get(n.Cluster)
	if !ok || c.Facts == nil {
		return parts{}, noCluster(n.Cluster)
	}
	return parts{d.s, c, n}, nil
}

func (s *Service) group(n Nodegroup) (FleetGroup, bool) {
	if s.Fleet == nil {
		return FleetGroup{}, false
	}
	return s.Fleet.Group(n.Group)
}

// step does what the record asks for. It returns what is to be tried again.
func (d *nodegroupDriver) step(ctx context.Context, n Nodegroup) error {
	p, err := d.parts(n)
	if err != nil {
		return err
	}
	switch types.NodegroupStatus(n.Status) {
	case types.NodegroupStatusCreating:
		return d.create(ctx, p)
	case types.NodegroupStatusActive, types.NodegroupStatusDegraded:
		return d.watchHealth(ctx, n)
	case types.NodegroupStatusUpdating:
		return d.update(ctx, p)
	case types.NodegroupStatusDeleting:
		return d.delete(ctx, p)
	}
	return nil // what failed waits for DeleteNodegroup
}

// create makes what a node group consists of, each part if it isn't there, and waits for
// its nodes.
func (d *nodegroupDriver) create(ctx context.Context, p parts) error {
	failure := d.make(ctx, &p)
	if ctx.Err() != nil {
		return nil // the daemon stops: the record still says CREATING
	}
	issues := nodegroupIssues(p.n, failure)
	return d.change(ctx, func(n *Nodegroup) {
		if n.Status != string(types.NodegroupStatusCreating) {
			return
		}
		if n.Status, n.Issues = string(types.NodegroupStatusActive), nil; failure != nil {
			n.Status, n.Issues = string(types.NodegroupStatusCreateFailed), issues
		}
		n.ModifiedAt = d.s.Now()
	})
}

func (d *nodegroupDriver) make(ctx context.Context, p *parts) error {
	if err := d.s.admit(ctx, p.c, p.n.Role); err != nil {
		return err
	}
	if err := p.profile(ctx); err != nil {
		return err
	}
	if p.n.Made == "" {
		id, version, err := p.template(ctx)
		if err != nil {
			return err
		}
		p.n.Made, p.n.Wanted = id, version
		if err := d.change(ctx, func(n *Nodegroup) { n.Made, n.Wanted = id, version }); err != nil {
			return err
		}
	}
	if err := p.scaling(ctx); err != nil {
		return err
	}
	return d.awaitNodes(ctx, p.c, p.n, p.n.Desired, func(FleetMember) bool { return true })
}

// admit lets instances of a role be nodes: by an access entry where the cluster's mode
// counts those, else in aws-auth.
func (s *Service) admit(ctx context.Context, c Cluster, role string) error {
	if entry, err := s.EnsureNodeEntry(ctx, c.Name, role); entry || err != nil {
		return err
	}
	return s.Nodes.Admit(ctx, c, role)
}

// awaitNodes returns when so many instances that count are in service, and ready as nodes,
// and none are on their way out.
func (d *nodegroupDriver) awaitNodes(ctx context.Context, c Cluster, n Nodegroup, want int32, counts func(FleetMember) bool) error {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	seen, _ := d.s.Fleet.LaunchFailures(n.Group)
	ready := map[string]bool{}
	for {
		g, _ := d.s.Fleet.Group(n.Group)
		inService, leaving := int32(0), 0
		for _, m := range g.Members {
			switch {
			case strings.HasPrefix(m.State, "Terminat"):
				leaving++
			case m.State == "InService" && counts(m):
				if !ready[m.ID] {
					if err := d.s.Nodes.AwaitReady(ctx, c, m.ID); err != nil {
						if d.gone(n, m.ID) {
							continue
						}
						return &nodeFailure{err, []string{m.ID}}
					}
					ready[m.ID] = true
				}
				inService++
			}
		}
		if inService == want && leaving == 0 {
			return nil
		}
		if now, why := d.s.Fleet.LaunchFailures(n.Group); now >= seen+lastFailure || now < seen && now >= lastFailure {
			return &launchFailure{why}
		} else if now < seen {
			seen = 0
		}
		if err := d.pause(ctx); err != nil {
			return &nodeFailure{err, nil}
		}
	}
}

// gone says whether an instance is no longer of the group.
func (d *nodegroupDriver) gone(n Nodegroup, id string) bool {
	g, _ := d.s.Fleet.Group(n.Group)
	for _, m := range g.Members {
		if m.ID == id {
			return strings.HasPrefix(m.State, "Terminat")
		}
	}
	return true
}

// pause waits for a change of the group. A record that asks for something else now ends
// the wait.
func (d *nodegroupDriver) pause(ctx context.Context) error {
	again := time.NewTimer(time.Second)
	defer again.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.wake:
	case <-again.C:
	}
	n, ok := d.s.nodegroups.Get(d.key)
	if !ok || n.ID != d.id {
		return errors.New("the nodegroup is gone")
	}
	d.drainWaiting(n)
	if n.Status == string(types.NodegroupStatusDeleting) {
		d.nudge()
		return errors.New("the nodegroup is being deleted")
	}
	return nil
}

// nodeFailure says that nodes did not join; launchFailure that there are no instances.
type nodeFailure struct {
	err       error
	instances []string
}

func (e *nodeFailure) Error() string { return "Instances failed to join the kubernetes cluster" }
func (e *nodeFailure) Unwrap() error { return e.err }

type launchFailure struct{ why string }

func (e *launchFailure) Error() string { return e.why }

// nodegroupIssues is a failure as a node group's health shows it.
func nodegroupIssues(n Nodegroup, err error) []Issue {
	if err == nil {
		return nil
	}
	i := Issue{Code: string(types.NodegroupIssueCodeInternalFailure), Message: api.Message(err), ResourceIDs: []string{n.Name}}
	var node *nodeFailure
	var launch *launchFailure
	var eviction *EvictionError
	switch {
	case errors.As(err, &node):
		i.Code, i.ResourceIDs = string(types.NodegroupIssueCodeNodeCreationFailure), node.instances
	case errors.As(err, &launch):
		i.Code, i.ResourceIDs = string(types.NodegroupIssueCodeAsgInstanceLaunchFailures), []string{n.Group}
		if strings.Contains(launch.why, "not enough free addresses") {
			i.Code = string(types.NodegroupIssueCodeInsufficientFreeAddresses)
		}
	case errors.As(err, &eviction):
		i.Code = string(types.NodegroupIssueCodePodEvictionFailure)
	case api.Code(err) == "AccessDenied" || api.Code(err) == "UnauthorizedOperation" || api.Code(err) == "AccessDeniedException":
		i.Code = string(types.NodegroupIssueCodeAccessDenied)
	case strings.Contains(api.Code(err), "LaunchTemplate"):
		i.Code = string(types.NodegroupIssueCodeEc2LaunchTemplateNotFound)
	}
	return []Issue{i}
}

// watchHealth makes a node group DEGRADED while its launches fail or its group is gone.
func (d *nodegroupDriver) watchHealth(ctx context.Context, n Nodegroup) error {
	var issues []Issue
	if _, there := d.s.Fleet.Group(n.Group); !there {
		issues = []Issue{{string(types.NodegroupIssueCodeAutoScalingGroupNotFound), fmt.Sprintf("Couldn't find the Auto Scaling group associated with the managed node group: %s", n.Group), []string{n.Group}}}
	} else if failures, why := d.s.Fleet.LaunchFailures(n.Group); failures >= lastFailure {
		issues = nodegroupIssues(n, &launchFailure{why})
	}
	status := types.NodegroupStatusActive
	if issues != nil {
		status = types.NodegroupStatusDegraded
	}
	return d.change(ctx, func(now *Nodegroup) {
		if s := types.NodegroupStatus(now.Status); s == types.NodegroupStatusActive || s == types.NodegroupStatusDegraded {
			now.Status, now.Issues = string(status), issues
		}
	})
}

// delete takes everything of a node group away, its record last.
func (d *nodegroupDriver) delete(ctx context.Context, p parts) error {
	done, err := p.remove(ctx)
	if err != nil {
		return errors.Join(err, d.change(ctx, func(n *Nodegroup) { n.Issues = nodegroupIssues(*n, err) }))
	}
	if !done {
		return nil // the group's end wakes
	}
	if !d.s.roleUsed(p.n) {
		if err := d.s.dismiss(ctx, p.c, p.n.Role); err != nil {
			return err
		}
	}
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		if now, ok := d.s.nodegroups.In(tx).Get(d.key); !ok || now.ID != d.id {
			return nil
		}
		for key, u := range d.s.updates.In(tx).List(p.n.Cluster + "/") {
			if u.Nodegroup == p.n.Name {
				d.s.updates.In(tx).Delete(key)
			}
		}
		d.s.nodegroups.In(tx).Delete(d.key)
		return nil
	})
}

// roleUsed says whether another node group of the cluster has the same role.
func (s *Service) roleUsed(n Nodegroup) bool {
	for _, other := range s.NodegroupsOf(n.Cluster) {
		if other.ID != n.ID && other.Role == n.Role {
			return true
		}
	}
	return false
}

// dismiss takes a role's right to be nodes away, that admit gave.
func (s *Service) dismiss(ctx context.Context, c Cluster, role string) error {
	return errors.Join(s.removeNodeEntry(ctx, c.Name, role), s.Nodes.Dismiss(ctx, c, role))
}

// change rewrites the record, if it is still this node group's and fn makes a difference.
func (d *nodegroupDriver) change(ctx context.Context, fn func(*Nodegroup)) error {
	return rewrite(ctx, d.s.Store, d.s.nodegroups, d.key, func(n *Nodegroup) bool { return n.ID == d.id }, fn)
}
