package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/images/build"
	"github.com/eksact/eksact/internal/kube/controlplane"
)

// policySwitches are those who enforce clusters' NetworkPolicies.
type policySwitches struct {
	mu  sync.Mutex
	all map[string][]*policySwitch // by cluster
}

type policySwitch struct {
	set func(ctx context.Context, enabled bool) error
}

// NetworkPolicyEnabled says whether a cluster's NetworkPolicies are to be enforced:
// unless its vpc-cni add-on was configured not to.
func (d *Daemon) NetworkPolicyEnabled(cluster string) bool {
	return d.eks.NetworkPolicyEnabled(cluster)
}

// WatchNetworkPolicy calls set when a cluster's NetworkPolicies are to be enforced
// from now on, or no more. Set returns when that is so: the add-on's update ends
// then, and fails with set's error. Called while the cluster is started, the watch
// misses no change after NetworkPolicyEnabled.
func (d *Daemon) WatchNetworkPolicy(cluster string, set func(ctx context.Context, enabled bool) error) (stop func()) {
	s := &policySwitch{set}
	d.policySwitches.mu.Lock()
	defer d.policySwitches.mu.Unlock()
	if d.policySwitches.all == nil {
		d.policySwitches.all = map[string][]*policySwitch{}
	}
	d.policySwitches.all[cluster] = append(d.policySwitches.all[cluster], s)
	return func() {
		d.policySwitches.mu.Lock()
		defer d.policySwitches.mu.Unlock()
		var rest []*policySwitch
		for _, other := range d.policySwitches.all[cluster] {
			if other != s {
				rest = append(rest, other)
			}
		}
		d.policySwitches.all[cluster] = rest
	}
}

func (d *Daemon) switchNetworkPolicy(ctx context.Context, cluster string, enabled bool) error {
	d.policySwitches.mu.Lock()
	all := d.policySwitches.all[cluster]
	d.policySwitches.mu.Unlock()
	var failed error
	for _, s := range all {
		failed = errors.Join(failed, s.set(ctx, enabled))
	}
	return failed
}

// SetAddon implements eks.Runtime.
func (r runtime) SetAddon(ctx context.Context, c eks.Cluster, a eks.AddonWish) error {
	switch a.Name {
	case eks.VPCCNI:
		return errors.Join(r.d.setNodeAccount(ctx, c, a.Role), r.d.switchNetworkPolicy(ctx, c.Name, a.Settings["enableNetworkPolicy"] != "false"))
	case eks.KubeProxy:
		return nil // it runs on every node, and has nothing to set
	case eks.CoreDNS:
		return r.d.setCoreDNS(ctx, c, a)
	case eks.MetricsServer:
		return r.d.setMetricsServer(ctx, c, a)
	case eks.PodIdentityAgent:
		return r.d.switchAgents(c.Name, true)
	}
	return fmt.Errorf("no add-on %s is known", a.Name)
}

// setNodeAccount gives the VPC CNI's service account its role.
func (d *Daemon) setNodeAccount(ctx context.Context, c eks.Cluster, role string) error {
	plane, err := d.planeOf(c)
	if err != nil {
		return err
	}
	return plane.ApplyNodeAccount(ctx, role)
}

func (d *Daemon) setCoreDNS(ctx context.Context, c eks.Cluster, a eks.AddonWish) error {
	plane, err := d.planeOf(c)
	if err != nil {
		return err
	}
	dns := controlplane.CoreDNS{Image: build.CoreDNS}
	if n, ok := a.Settings["replicaCount"].(float64); ok {
		dns.Replicas = int(n)
	}
	dns.Corefile, _ = a.Settings["corefile"].(string)
	return conflicts(plane.ApplyCoreDNS(ctx, dns, controlplane.Conflicts(a.Conflicts)))
}

func (d *Daemon) setMetricsServer(ctx context.Context, c eks.Cluster, a eks.AddonWish) error {
	plane, err := d.planeOf(c)
	if err != nil {
		return err
	}
	m := controlplane.MetricsServer{Image: build.MetricsServer}
	if n, ok := a.Settings["replicas"].(float64); ok {
		m.Replicas = int(n)
	}
	return conflicts(plane.ApplyMetricsServer(ctx, m, controlplane.Conflicts(a.Conflicts)))
}

// conflicts is an error in EKS's terms.
func conflicts(err error) error {
	var conflict *controlplane.ConflictError
	if errors.As(err, &conflict) {
		return &eks.ConflictError{Fields: conflict.Fields}
	}
	return err
}

// RemoveAddon implements eks.Runtime.
func (r runtime) RemoveAddon(ctx context.Context, c eks.Cluster, name string) error {
	if name == eks.PodIdentityAgent {
		return r.d.switchAgents(c.Name, false)
	}
	plane, err := r.d.planeOf(c)
	switch {
	case err != nil:
		return err
	case name == eks.CoreDNS:
		return plane.RemoveCoreDNS(ctx)
	case name == eks.MetricsServer:
		return plane.RemoveMetricsServer(ctx)
	}
	return fmt.Errorf("the software of %s can't be removed", name)
}

func (d *Daemon) planeOf(c eks.Cluster) (*controlplane.Plane, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.clusters[c.Name]; k != nil && k.plane != nil {
		return k.plane, nil
	}
	return nil, fmt.Errorf("cluster %s does not run", c.Name)
}
