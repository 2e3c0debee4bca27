package fleettest

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
)

// Group implements eks.Fleet.
func (f *Fleet) Group(name string) (eks.FleetGroup, bool) {
	g, ok := f.Groups.Group(name)
	out := eks.FleetGroup{Desired: g.Desired}
	for _, m := range g.Members {
		version, _ := strconv.ParseInt(m.Template.Version, 10, 64)
		out.Members = append(out.Members, eks.FleetMember{ID: m.ID, State: string(m.State), Hook: m.Hook, Version: version})
	}
	return out, ok
}

// WatchGroups implements eks.Fleet.
func (f *Fleet) WatchGroups(fn func(name string)) (stop func()) {
	return f.Groups.WatchGroups(func(name string, _, _ *autoscaling.Group) { fn(name) })
}

// LaunchFailures implements eks.Fleet.
func (f *Fleet) LaunchFailures(group string) (int, string) { return f.Groups.LaunchFailures(group) }

// NodeImage implements eks.Images, as NodeRelease and TypeArch do.
func (f *Fleet) NodeImage(version, arch string) string { return f.EC2.NodeImage(version, arch) }

func (f *Fleet) NodeRelease() string { return f.EC2.NodeRelease() }

func (f *Fleet) TypeArch(name string) (string, bool) { return ec2.TypeArch(name) }

// Nodes are nodes that are ready at once and whose pods go when they are told to. It
// implements eks.Nodes.
type Nodes struct {
	mu       sync.Mutex
	Admitted []string
	Drained  []string
	Marked   map[string]eks.Marks
	// Stuck are pods that can't be evicted.
	Stuck []string
	// Unready keeps nodes from becoming ready.
	Unready error
}

// Look reads what happened.
func (n *Nodes) Look(t testing.TB, fn func(*Nodes)) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	fn(n)
}

func (n *Nodes) Admit(_ context.Context, _ eks.Cluster, role string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Admitted = append(n.Admitted, role)
	return nil
}

func (n *Nodes) Dismiss(_ context.Context, _ eks.Cluster, role string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Admitted = slices.DeleteFunc(n.Admitted, func(r string) bool { return r == role })
	return nil
}

func (n *Nodes) AwaitReady(context.Context, eks.Cluster, string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Unready
}

func (n *Nodes) Drain(_ context.Context, _ eks.Cluster, instance string, force bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.Stuck) > 0 && !force {
		return &eks.EvictionError{Pods: n.Stuck}
	}
	n.Drained = append(n.Drained, instance)
	return nil
}

func (n *Nodes) Mark(_ context.Context, _ eks.Cluster, instance string, change eks.Marks) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.Marked == nil {
		n.Marked = map[string]eks.Marks{}
	}
	n.Marked[instance] = change
	return nil
}
