package eks

import "context"

// What node groups need of others. All of it may be missing: there are no node groups
// then.

// Fleet is what EKS sees of Auto Scaling without calling it.
type Fleet interface {
	// Group is an Auto Scaling group.
	Group(name string) (FleetGroup, bool)
	// WatchGroups calls fn with the name of each group that there is and that changes. It
	// must be quick.
	WatchGroups(fn func(name string)) (stop func())
	// LaunchFailures counts the launches that failed since one succeeded, and says why the
	// last did.
	LaunchFailures(group string) (count int, why string)
}

// FleetGroup is an Auto Scaling group as EKS sees it.
type FleetGroup struct {
	Desired int32
	Members []FleetMember
}

// FleetMember is an instance of a group.
type FleetMember struct {
	ID      string
	State   string // as Auto Scaling spells it: "InService"
	Hook    string // that it waits for
	Version int64  // of the launch template that it was launched of
}

// Images is what EKS asks of EC2 about images and types.
type Images interface {
	// NodeImage is the image of nodes of a version, for an architecture.
	NodeImage(version, arch string) string
	// NodeRelease is the date of the images, "20260801".
	NodeRelease() string
	// TypeArch is the architecture of a type of instances, "x86_64".
	TypeArch(name string) (arch string, ok bool)
	// Arch is what machines here are.
	Arch() string
}

// Nodes is what happens to nodes within their cluster.
type Nodes interface {
	// Admit lets instances with a role be nodes by aws-auth, Dismiss no more.
	Admit(ctx context.Context, c Cluster, role string) error
	Dismiss(ctx context.Context, c Cluster, role string) error
	// AwaitReady returns when an instance's node is ready.
	AwaitReady(ctx context.Context, c Cluster, instance string) error
	// Drain cordons an instance's node and evicts its pods; an *EvictionError names those
	// that could not be until ctx ended. With force they are deleted.
	Drain(ctx context.Context, c Cluster, instance string, force bool) error
	// Mark changes labels and taints of an instance's node.
	Mark(ctx context.Context, c Cluster, instance string, change Marks) error
}

// Marks are changes of a node's labels and taints.
type Marks struct {
	SetLabels  map[string]string
	DropLabels []string
	SetTaints  []Taint
	DropTaints []Taint
}

// EvictionError are pods that could not be evicted.
type EvictionError struct{ Pods []string }

func (e *EvictionError) Error() string {
	return "Reached max retries while trying to evict pods from nodes in node group: " + joined(e.Pods)
}
