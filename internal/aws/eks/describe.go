package eks

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/store"
)

// DescribeCluster shows one cluster.
func (s *Service) DescribeCluster(_ context.Context, in *eks.DescribeClusterInput) (*eks.DescribeClusterOutput, error) {
	c, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	return &eks.DescribeClusterOutput{Cluster: s.view(c)}, nil
}

// ListClusters names the clusters, in order.
func (s *Service) ListClusters(_ context.Context, in *eks.ListClustersInput) (*eks.ListClustersOutput, error) {
	for _, include := range in.Include {
		if include != "all" {
			return nil, invalidParameter("", "include must be all: there are no other kinds of clusters to ask for.")
		}
	}
	var names []string
	for name := range s.clusters.List("") {
		names = append(names, name)
	}
	cut, next, err := page(names, digestOf([]any{"ListClusters", in.Include}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &eks.ListClustersOutput{Clusters: list(cut), NextToken: next}, nil
}

// DeleteCluster marks the cluster DELETING; Run does the rest.
func (s *Service) DeleteCluster(ctx context.Context, in *eks.DeleteClusterInput) (*eks.DeleteClusterOutput, error) {
	if _, err := s.find(in.Name); err != nil {
		return nil, err
	}
	var c Cluster
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		name := *in.Name
		var ok bool
		if c, ok = s.clusters.In(tx).Get(name); !ok {
			return noCluster(name)
		}
		switch {
		case c.Status == Deleting:
			return nil
		case c.Status == Updating:
			return inUse(name, "Cannot delete because cluster %s currently has update %s in progress", name, c.Update)
		case c.Status == Active && c.DeletionProtection:
			return invalidRequest(name, "Cannot delete cluster %s because deletion protection is enabled. Disable it with UpdateClusterConfig first.", name)
		}
		for range s.nodegroups.In(tx).List(name + "/") {
			return inUse(name, "Cluster has nodegroups attached")
		}
		c.Status = Deleting
		s.clusters.In(tx).Put(name, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.DeleteClusterOutput{Cluster: s.view(c)}, nil
}

// DescribeUpdate shows one update of a cluster, or of one of its add-ons or node groups.
func (s *Service) DescribeUpdate(_ context.Context, in *eks.DescribeUpdateInput) (*eks.DescribeUpdateOutput, error) {
	c, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.checkSubject(c.Name, in.NodegroupName, in.AddonName, in.CapabilityName); err != nil {
		return nil, err
	}
	id := aws.ToString(in.UpdateId)
	u, ok := s.updates.Get(updateKey(c.Name, id))
	if !ok || u.Addon != aws.ToString(in.AddonName) || u.Nodegroup != aws.ToString(in.NodegroupName) {
		return nil, notFound(c.Name, "No update found for ID: %s", id)
	}
	return &eks.DescribeUpdateOutput{Update: updateView(u)}, nil
}

// ListUpdates lists the ids of the updates of a cluster, add-on or node group, oldest first.
func (s *Service) ListUpdates(_ context.Context, in *eks.ListUpdatesInput) (*eks.ListUpdatesOutput, error) {
	c, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.checkSubject(c.Name, in.NodegroupName, in.AddonName, in.CapabilityName); err != nil {
		return nil, err
	}
	// The keys sort by time; the id follows after the last space.
	const stamp = "2006-01-02T15:04:05.000000000Z"
	var keys []string
	for _, u := range s.updates.List(c.Name + "/") {
		if u.Addon == aws.ToString(in.AddonName) && u.Nodegroup == aws.ToString(in.NodegroupName) {
			keys = append(keys, u.CreatedAt.UTC().Format(stamp)+" "+u.ID)
		}
	}
	slices.Sort(keys)
	cut, next, err := page(keys, digestOf([]any{"ListUpdates", c.ID, in.AddonName, in.NodegroupName}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, key := range cut {
		ids = append(ids, key[len(stamp)+1:])
	}
	return &eks.ListUpdatesOutput{UpdateIds: ids, NextToken: next}, nil
}

// checkSubject refuses to look for updates of what the cluster doesn't have.
func (s *Service) checkSubject(cluster string, nodegroup, addon, capability *string) error {
	switch {
	case nodegroup != nil:
		_, err := s.findNodegroup(&cluster, nodegroup)
		return err
	case addon != nil:
		_, err := s.findAddon(&cluster, addon)
		return err
	case capability != nil:
		return notFound(cluster, "No capability: %s found in cluster: %s", *capability, cluster)
	}
	return nil
}

// find returns the named cluster.
func (s *Service) find(name *string) (Cluster, error) {
	if err := checkName("name", aws.ToString(name)); err != nil {
		return Cluster{}, err
	}
	c, ok := s.clusters.Get(*name)
	if !ok {
		return Cluster{}, noCluster(*name)
	}
	return c, nil
}
