package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/aws/eks"
)

// waitReady returns when every cluster serves, every node has renewed its lease
// and the cluster's DNS has become ready, all after their own last start: what
// an API server shows first is the state before it stopped.
func (d *Daemon) waitReady(ctx context.Context, _ struct{}) (struct{}, error) {
	for name, c := range d.eks.Clusters() {
		if c.Status == eks.Deleting || c.Status == eks.Failed {
			continue
		}
		if err := d.eks.WaitServing(ctx, name); err != nil {
			return struct{}{}, err
		}
		d.mu.Lock()
		k := d.clusters[name]
		d.mu.Unlock()
		if k == nil {
			continue
		}
		if err := d.waitNodes(ctx, k); err != nil {
			return struct{}{}, fmt.Errorf("cluster %s: %w", name, err)
		}
	}
	return struct{}{}, nil
}

func (d *Daemon) waitNodes(ctx context.Context, k *cluster) error {
	names := d.instancesOf(k.record.Name)
	if len(names) == 0 {
		return nil
	}
	starts := map[string]time.Time{}
	for _, s := range d.processes() {
		if id, ok := strings.CutPrefix(s.Name, "node-"); ok {
			starts[id] = s.Started
		}
	}
	last := time.Time{}
	err := d.timeline.Do("Nodes ready", func() error {
		for _, i := range names {
			last = later(last, starts[i.ID])
			if err := k.awaitNode(ctx, i.PrivateDNS, starts[i.ID]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.timeline.Do("Cluster DNS ready", func() error { return k.awaitDNS(ctx, starts) })
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

const pollEvery = 50 * time.Millisecond

// poll calls done until it answers true. What it last lacked is in the error
// when ctx ends first.
func poll(ctx context.Context, done func() (bool, string)) error {
	for {
		ok, lacks := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", lacks, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

func (k *cluster) awaitNode(ctx context.Context, name string, start time.Time) error {
	return poll(ctx, func() (bool, string) {
		n, err := k.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Sprintf("node %s has not joined (%v)", name, err)
		}
		lease, err := k.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			// A kubelet that made its Node makes its lease ten seconds later. Until
			// then the status that it posted is its sign of life.
			if !postedAfter(n, start) {
				return false, fmt.Sprintf("node %s has not posted its status", name)
			}
		case err != nil:
			return false, fmt.Sprintf("the lease of node %s can't be read (%v)", name, err)
		case lease.Spec.RenewTime == nil || lease.Spec.RenewTime.Time.Before(start):
			return false, fmt.Sprintf("node %s has not renewed its lease", name)
		}
		if !ready(n) {
			return false, fmt.Sprintf("node %s is not ready (%v)", name, notReady(n))
		}
		return true, ""
	})
}

// postedAfter reports whether the node's condition was posted after t, which
// Kubernetes tells in whole seconds.
func postedAfter(n *corev1.Node, t time.Time) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && !c.LastHeartbeatTime.Time.Before(t.Truncate(time.Second))
	})
}

func notReady(n *corev1.Node) string {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Message
		}
	}
	return "no condition yet"
}

// awaitDNS returns when a pod of the cluster's DNS is ready whose containers
// started after its node did.
func (k *cluster) awaitDNS(ctx context.Context, starts map[string]time.Time) error {
	first := time.Time{}
	for _, s := range starts {
		if first.IsZero() || s.Before(first) {
			first = s
		}
	}
	return poll(ctx, func() (bool, string) {
		pods, err := k.client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
		if err != nil {
			return false, fmt.Sprintf("its pods can't be listed (%v)", err)
		}
		for _, p := range pods.Items {
			if p.DeletionTimestamp == nil && startedAfter(&p, first) && podReady(&p) {
				return true, ""
			}
		}
		return false, "no pod of the cluster's DNS is ready"
	})
}

// startedAfter reports whether all containers run and started after t, which
// Kubernetes tells in whole seconds.
func startedAfter(p *corev1.Pod, t time.Time) bool {
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running == nil || c.State.Running.StartedAt.Time.Before(t.Truncate(time.Second)) {
			return false
		}
	}
	return len(p.Status.ContainerStatuses) > 0
}

func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
