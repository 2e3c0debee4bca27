package eks

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Nodegroup is the record of a managed node group.
type Nodegroup struct {
	Cluster, Name string
	ID            string // a UUID, the last part of its ARN
	Status        string // a types.NodegroupStatus
	CreatedAt     time.Time
	ModifiedAt    time.Time

	Version, Release  string // "1.37", "1.37.2-20260801"
	AMIType           string
	Types             []string // of instances; none: the launch template's
	Disk              int32    // GiB; 0: the launch template's
	Role              string
	Subnets           []string
	Labels            map[string]string
	Taints            []Taint
	Min, Max, Desired int32
	Unavailable       Unavailable
	Strategy          string    // a types.NodegroupUpdateStrategies
	Source            *Template `json:",omitempty"` // its launch template, as given
	Tags              map[string]string
	Issues            []Issue

	// What it is made of: an Auto Scaling group and a launch template of EKS's own, of
	// which its instances are to have this version.
	Group, Made string
	Wanted      int64
	// Update is the id of the update in progress while UPDATING.
	Update string `json:",omitempty"`

	Token, Digest string
}

// Template is a launch template, and which of its versions.
type Template struct{ ID, Name, Version string }

// Taint is one of a node group's nodes.
type Taint struct{ Key, Value, Effect string } // the effect as EKS spells it: "NO_SCHEDULE"

// Unavailable is how many nodes may be missing at a time during an update.
type Unavailable struct{ Count, Percent int32 }

// of is how many of so many nodes these are, at least one.
func (u Unavailable) of(nodes int32) int32 {
	if u.Percent > 0 {
		return max(1, nodes*u.Percent/100)
	}
	return max(1, u.Count)
}

// mostNodegroups is EKS's quota for a cluster.
const mostNodegroups = 30

func nodegroupKey(cluster, name string) string { return cluster + "/" + name }

// CreateNodegroup records a node group that is CREATING; Run makes what it consists of.
func (s *Service) CreateNodegroup(ctx context.Context, in *eks.CreateNodegroupInput) (*eks.CreateNodegroupOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	n, err := s.draftNodegroup(ctx, c, in)
	if err != nil {
		return nil, err
	}
	asked := *in
	asked.ClientRequestToken = nil
	n.Token, n.Digest = aws.ToString(in.ClientRequestToken), digestOf(asked)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, c.Name, "CreateNodegroup"); err != nil {
			return err
		}
		count := 0
		for _, old := range s.nodegroups.In(tx).List(c.Name + "/") {
			count++
			switch {
			case n.Token != "" && old.Token == n.Token && old.Digest == n.Digest:
				n = old
				return nil
			case old.Name == n.Name:
				return nodegroupInUse(n, "NodeGroup already exists with name %s and cluster name %s", n.Name, c.Name)
			}
		}
		if count >= mostNodegroups {
			return limitExceeded(c.Name, "Nodegroup limit exceeded for cluster %s.", c.Name)
		}
		s.nodegroups.In(tx).Put(nodegroupKey(c.Name, n.Name), n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.CreateNodegroupOutput{Nodegroup: s.nodegroupView(n)}, nil
}

// draftNodegroup is the node group that a request asks for.
func (s *Service) draftNodegroup(ctx context.Context, c Cluster, in *eks.CreateNodegroupInput) (Nodegroup, error) {
	n := Nodegroup{
		Cluster: c.Name, Name: aws.ToString(in.NodegroupName), ID: uuid.NewString(), Status: string(types.NodegroupStatusCreating), CreatedAt: s.Now(), ModifiedAt: s.Now(),
		Role: aws.ToString(in.NodeRole), Subnets: in.Subnets, Labels: in.Labels, Types: in.InstanceTypes, Disk: aws.ToInt32(in.DiskSize), Tags: api.WithSystemTags(ctx, in.Tags),
		Min: 1, Max: 2, Desired: 2, Unavailable: Unavailable{Count: 1}, Strategy: string(types.NodegroupUpdateStrategiesDefault),
	}
	n.Group = "eks-" + n.Name + "-" + n.ID
	if s.Fleet == nil {
		return n, unsupported(c.Name, "CreateNodegroup", "there are no machines")
	}
	for _, check := range []func() error{
		func() error { return n.setParts(in) },
		func() error { return s.checkNodeRole(ctx, n) },
		func() error { return s.checkNodeSubnets(c, n) },
		func() error { return s.setVersion(c, &n, in.Version, in.ReleaseVersion) },
		func() error { return s.setSource(ctx, &n, in.LaunchTemplate) },
		func() error { return s.setTypes(ctx, &n, in.AmiType) },
		func() error { return s.ensureLinkedRole(ctx, n) },
	} {
		if err := check(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// setParts are those that can be judged without the account.
func (n *Nodegroup) setParts(in *eks.CreateNodegroupInput) error {
	for _, check := range []func() error{
		func() error { return checkNodegroupName(*n) },
		func() error { return refuseNodegroupParts(n.Cluster, in) },
		func() error { return checkTags(n.Cluster, in.Tags) },
		func() error { return n.setScaling(in.ScalingConfig) },
		func() error { return n.setUpdating(in.UpdateConfig) },
		func() error { return checkLabels(*n, in.Labels) },
		func() (err error) { n.Taints, err = taintsOf(*n, in.Taints); return err },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// refuseNodegroupParts names the first thing asked for that isn't there.
func refuseNodegroupParts(cluster string, in *eks.CreateNodegroupInput) error {
	switch {
	case in.RemoteAccess != nil:
		return unsupported(cluster, "remoteAccess", "there is no SSH on nodes")
	case in.CapacityType != "" && in.CapacityType != types.CapacityTypesOnDemand:
		return unsupported(cluster, "capacityType "+string(in.CapacityType), "all capacity of this machine is on demand")
	case in.NodeRepairConfig != nil && aws.ToBool(in.NodeRepairConfig.Enabled):
		return unsupported(cluster, "nodeRepairConfig", "nodes' programs are restarted by their keepers, and nothing more is repaired")
	case in.WarmPoolConfig != nil:
		return unsupported(cluster, "warmPoolConfig", "there are no warm pools")
	}
	return nil
}

func (n *Nodegroup) setScaling(in *types.NodegroupScalingConfig) error {
	if in == nil {
		return nil
	}
	for _, set := range []struct{ to, from *int32 }{{&n.Min, in.MinSize}, {&n.Max, in.MaxSize}, {&n.Desired, in.DesiredSize}} {
		if set.from != nil {
			*set.to = *set.from
		}
	}
	switch {
	case n.Min < 0 || n.Max < 1:
		return n.invalid("The sizes of a nodegroup can't be negative, and its maximum must be at least 1")
	case n.Min > n.Desired:
		return n.invalid("Minimum capacity %d can't be greater than desired size %d", n.Min, n.Desired)
	case n.Desired > n.Max:
		return n.invalid("desired capacity %d can't be greater than max size %d", n.Desired, n.Max)
	}
	return nil
}

func (n *Nodegroup) setUpdating(in *types.NodegroupUpdateConfig) error {
	if in == nil {
		return nil
	}
	if in.MaxUnavailable != nil && in.MaxUnavailablePercentage != nil {
		return n.invalid("Only one of maxUnavailable and maxUnavailablePercentage can be specified")
	}
	switch {
	case in.MaxUnavailable != nil:
		if *in.MaxUnavailable < 1 || *in.MaxUnavailable > 100 {
			return n.invalid("maxUnavailable must be between 1 and 100")
		}
		n.Unavailable = Unavailable{Count: *in.MaxUnavailable}
	case in.MaxUnavailablePercentage != nil:
		if *in.MaxUnavailablePercentage < 1 || *in.MaxUnavailablePercentage > 100 {
			return n.invalid("maxUnavailablePercentage must be between 1 and 100")
		}
		n.Unavailable = Unavailable{Percent: *in.MaxUnavailablePercentage}
	}
	if in.UpdateStrategy != "" {
		n.Strategy = string(in.UpdateStrategy)
	}
	return nil
}

// DescribeNodegroup shows one node group.
func (s *Service) DescribeNodegroup(_ context.Context, in *eks.DescribeNodegroupInput) (*eks.DescribeNodegroupOutput, error) {
	n, err := s.findNodegroup(in.ClusterName, in.NodegroupName)
	if err != nil {
		return nil, err
	}
	return &eks.DescribeNodegroupOutput{Nodegroup: s.nodegroupView(n)}, nil
}

// ListNodegroups names a cluster's node groups, in order.
func (s *Service) ListNodegroups(_ context.Context, in *eks.ListNodegroupsInput) (*eks.ListNodegroupsOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range s.nodegroups.List(c.Name + "/") {
		names = append(names, n.Name)
	}
	cut, next, err := page(names, digestOf([]any{"ListNodegroups", c.ID}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &eks.ListNodegroupsOutput{Nodegroups: list(cut), NextToken: next}, nil
}

// DeleteNodegroup marks the node group DELETING; Run drains its nodes and ends them.
func (s *Service) DeleteNodegroup(ctx context.Context, in *eks.DeleteNodegroupInput) (*eks.DeleteNodegroupOutput, error) {
	n, err := s.findNodegroup(in.ClusterName, in.NodegroupName)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		var ok bool
		if n, ok = s.nodegroups.In(tx).Get(nodegroupKey(n.Cluster, n.Name)); !ok {
			return noNodegroup(*in.ClusterName, *in.NodegroupName)
		}
		if types.NodegroupStatus(n.Status) == types.NodegroupStatusUpdating {
			return nodegroupInUse(n, "Nodegroup %s currently has update in progress", n.Name)
		}
		n.Status, n.ModifiedAt = string(types.NodegroupStatusDeleting), s.Now()
		s.nodegroups.In(tx).Put(nodegroupKey(n.Cluster, n.Name), n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.DeleteNodegroupOutput{Nodegroup: s.nodegroupView(n)}, nil
}

// NodegroupsOf returns the records of a cluster's node groups, by name.
func (s *Service) NodegroupsOf(cluster string) (all []Nodegroup) {
	for _, n := range s.nodegroups.List(cluster + "/") {
		all = append(all, n)
	}
	return all
}

func (s *Service) findNodegroup(cluster, name *string) (Nodegroup, error) {
	c, err := s.find(cluster)
	if err != nil {
		return Nodegroup{}, err
	}
	n, ok := s.nodegroups.Get(nodegroupKey(c.Name, aws.ToString(name)))
	if !ok {
		return n, noNodegroup(c.Name, aws.ToString(name))
	}
	return n, nil
}

func noNodegroup(cluster, name string) error {
	return &types.ResourceNotFoundException{ClusterName: named(cluster), NodegroupName: named(name), Message: aws.String("No node group found for name: " + name + ".")}
}

func nodegroupInUse(n Nodegroup, format string, args ...any) error {
	return &types.ResourceInUseException{ClusterName: named(n.Cluster), NodegroupName: named(n.Name), Message: text(format, args)}
}

func (n *Nodegroup) invalid(format string, args ...any) error {
	return &types.InvalidParameterException{ClusterName: named(n.Cluster), NodegroupName: named(n.Name), Message: text(format, args)}
}
