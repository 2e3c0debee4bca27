package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/kube/evict"
)

// fleet shows Auto Scaling's groups, and EC2's images and types, to EKS.
type fleet struct{ d *Daemon }

// Group implements eks.Fleet.
func (f fleet) Group(name string) (eks.FleetGroup, bool) {
	g, ok := f.d.scaling.Group(name)
	out := eks.FleetGroup{Desired: g.Desired}
	for _, m := range g.Members {
		version, _ := strconv.ParseInt(m.Template.Version, 10, 64) // EC2 wrote it
		out.Members = append(out.Members, eks.FleetMember{ID: m.ID, State: string(m.State), Hook: m.Hook, Version: version})
	}
	return out, ok
}

// WatchGroups implements eks.Fleet.
func (f fleet) WatchGroups(fn func(name string)) (stop func()) {
	return f.d.scaling.WatchGroups(func(name string, _, _ *autoscaling.Group) { fn(name) })
}

// LaunchFailures implements eks.Fleet.
func (f fleet) LaunchFailures(group string) (int, string) { return f.d.scaling.LaunchFailures(group) }

// NodeImage implements eks.Images.
func (f fleet) NodeImage(version, arch string) string { return f.d.ec2.NodeImage(version, arch) }

// NodeRelease implements eks.Images.
func (f fleet) NodeRelease() string { return f.d.ec2.NodeRelease() }

// TypeArch implements eks.Images.
func (f fleet) TypeArch(name string) (string, bool) { return ec2.TypeArch(name) }

// Arch implements eks.Images.
func (f fleet) Arch() string { return arch() }

// kubeNodes is what EKS asks about nodes, of Kubernetes.
type kubeNodes struct{ d *Daemon }

// Admit implements eks.Nodes.
func (n kubeNodes) Admit(ctx context.Context, c eks.Cluster, role string) error {
	k, err := n.d.clusterNamed(c.Name)
	if err != nil {
		return err
	}
	return k.plane.EnsureNodeRole(ctx, role)
}

// Dismiss implements eks.Nodes.
func (n kubeNodes) Dismiss(ctx context.Context, c eks.Cluster, role string) error {
	k, err := n.d.clusterNamed(c.Name)
	if err != nil {
		return err
	}
	return k.plane.RemoveNodeRole(ctx, role)
}

// named finds a cluster that runs, and an instance's node in it; "" of one that is gone.
func (n kubeNodes) named(c eks.Cluster, instance string) (*cluster, string, error) {
	k, err := n.d.clusterNamed(c.Name)
	if err != nil {
		return nil, "", err
	}
	i, _ := n.d.ec2.Instance(instance)
	return k, i.PrivateDNS, nil
}

// AwaitReady implements eks.Nodes. The wait ends with the instance.
func (n kubeNodes) AwaitReady(ctx context.Context, c eks.Cluster, instance string) error {
	k, name, err := n.named(c, instance)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer n.d.ec2.WatchInstances(func(id string, _, i *ec2.Instance) {
		if id == instance && (i == nil || i.State != ec2.Running && i.State != ec2.Pending) {
			cancel()
		}
	})()
	i, _ := n.d.ec2.Instance(instance)
	return k.awaitNode(ctx, name, i.LaunchTime)
}

// Drain implements eks.Nodes.
func (n kubeNodes) Drain(ctx context.Context, c eks.Cluster, instance string, force bool) error {
	k, name, err := n.named(c, instance)
	if err != nil || name == "" {
		return err
	}
	err = evict.Drain(ctx, k.client, name, force)
	var left *evict.LeftError
	if errors.As(err, &left) {
		return &eks.EvictionError{Pods: left.Pods}
	}
	return err
}

// Mark implements eks.Nodes.
func (n kubeNodes) Mark(ctx context.Context, c eks.Cluster, instance string, change eks.Marks) error {
	k, name, err := n.named(c, instance)
	if err != nil || name == "" {
		return err
	}
	nodes := k.client.CoreV1().Nodes()
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		node, err := nodes.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		mark(node, change)
		_, err = nodes.Update(ctx, node, metav1.UpdateOptions{FieldManager: "eks"})
		return err
	})
	if err != nil {
		return fmt.Errorf("labels and taints of node %s: %w", name, err)
	}
	return nil
}

func mark(node *corev1.Node, change eks.Marks) {
	for _, key := range change.DropLabels {
		delete(node.Labels, key)
	}
	for key, value := range change.SetLabels {
		metav1.SetMetaDataLabel(&node.ObjectMeta, key, value)
	}
	same := func(t corev1.Taint) func(eks.Taint) bool {
		return func(o eks.Taint) bool { return o.Key == t.Key && eks.KubernetesEffect(o.Effect) == string(t.Effect) }
	}
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return slices.ContainsFunc(change.DropTaints, same(t)) || slices.ContainsFunc(change.SetTaints, same(t))
	})
	for _, t := range change.SetTaints {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(eks.KubernetesEffect(t.Effect))})
	}
}
