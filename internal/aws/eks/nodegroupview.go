package eks

import (
	"context"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// nodegroupView is the node group as the API shows it.
func (s *Service) nodegroupView(n Nodegroup) *types.Nodegroup {
	v := &types.Nodegroup{
		NodegroupName: aws.String(n.Name), NodegroupArn: aws.String(s.nodegroupID(n)), ClusterName: aws.String(n.Cluster), Status: types.NodegroupStatus(n.Status),
		CreatedAt: aws.Time(n.CreatedAt), ModifiedAt: aws.Time(n.ModifiedAt), Version: aws.String(n.Version), ReleaseVersion: aws.String(n.Release),
		AmiType: types.AMITypes(n.AMIType), CapacityType: types.CapacityTypesOnDemand, NodeRole: aws.String(n.Role), Subnets: list(n.Subnets),
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(n.Min), MaxSize: aws.Int32(n.Max), DesiredSize: aws.Int32(n.Desired)},
		UpdateConfig:  &types.NodegroupUpdateConfig{UpdateStrategy: types.NodegroupUpdateStrategies(n.Strategy)},
		Health:        &types.NodegroupHealth{Issues: []types.Issue{}}, Labels: map[string]string{}, Tags: map[string]string{},
	}
	maps.Copy(v.Labels, n.Labels)
	maps.Copy(v.Tags, n.Tags)
	if n.Unavailable.Percent > 0 {
		v.UpdateConfig.MaxUnavailablePercentage = aws.Int32(n.Unavailable.Percent)
	} else {
		v.UpdateConfig.MaxUnavailable = aws.Int32(n.Unavailable.Count)
	}
	if len(n.Types) > 0 {
		v.InstanceTypes = n.Types
	}
	if n.Disk > 0 {
		v.DiskSize = aws.Int32(n.Disk)
	}
	for _, t := range n.Taints {
		taint := types.Taint{Key: aws.String(t.Key), Effect: types.TaintEffect(t.Effect)}
		if t.Value != "" {
			taint.Value = aws.String(t.Value)
		}
		v.Taints = append(v.Taints, taint)
	}
	if n.Source != nil {
		v.LaunchTemplate = &types.LaunchTemplateSpecification{Id: aws.String(n.Source.ID), Name: aws.String(n.Source.Name), Version: aws.String(n.Source.Version)}
	}
	if _, ok := s.group(n); ok {
		v.Resources = &types.NodegroupResources{AutoScalingGroups: []types.AutoScalingGroup{{Name: aws.String(n.Group)}}}
	}
	for _, i := range n.Issues {
		v.Health.Issues = append(v.Health.Issues, types.Issue{Code: types.NodegroupIssueCode(i.Code), Message: aws.String(i.Message), ResourceIds: list(i.ResourceIDs)})
	}
	return v
}

func (s *Service) nodegroupID(n Nodegroup) string {
	return s.arnOf("nodegroup/" + nodegroupKey(n.Cluster, n.Name) + "/" + n.ID)
}

// nodegroupARNs is a node group's, or a pattern for one that is not there.
func (s *Service) nodegroupARNs(cluster, name *string) []string {
	if cluster == nil || name == nil {
		return nil
	}
	n, ok := s.nodegroups.Get(nodegroupKey(*cluster, *name))
	if !ok {
		n = Nodegroup{Cluster: *cluster, Name: *name, ID: "*"}
	}
	return []string{s.nodegroupID(n)}
}

func (s *Service) addNodegroups(svc *api.Service) {
	api.Add(svc, "CreateNodegroup", s.CreateNodegroup, func(_ context.Context, in *eks.CreateNodegroupInput) []string { return s.arns(in.ClusterName) })
	api.WithNeeds(svc, "CreateNodegroup", func(_ context.Context, in *eks.CreateNodegroupInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "eks:TagResource", Resources: s.nodegroupARNs(in.ClusterName, in.NodegroupName)}}
	})
	api.Add(svc, "DescribeNodegroup", s.DescribeNodegroup, func(_ context.Context, in *eks.DescribeNodegroupInput) []string {
		return s.nodegroupARNs(in.ClusterName, in.NodegroupName)
	})
	api.Add(svc, "ListNodegroups", s.ListNodegroups, func(_ context.Context, in *eks.ListNodegroupsInput) []string { return s.arns(in.ClusterName) })
	api.Add(svc, "UpdateNodegroupConfig", s.UpdateNodegroupConfig, func(_ context.Context, in *eks.UpdateNodegroupConfigInput) []string {
		return s.nodegroupARNs(in.ClusterName, in.NodegroupName)
	})
	api.Add(svc, "UpdateNodegroupVersion", s.UpdateNodegroupVersion, func(_ context.Context, in *eks.UpdateNodegroupVersionInput) []string {
		return s.nodegroupARNs(in.ClusterName, in.NodegroupName)
	})
	api.Add(svc, "DeleteNodegroup", s.DeleteNodegroup, func(_ context.Context, in *eks.DeleteNodegroupInput) []string {
		return s.nodegroupARNs(in.ClusterName, in.NodegroupName)
	})
}
