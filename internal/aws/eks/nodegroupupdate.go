package eks

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/store"
)

// UpdateNodegroupConfig changes sizes, labels, taints and how updates go. Run carries it
// out, on the nodes that there are too.
func (s *Service) UpdateNodegroupConfig(ctx context.Context, in *eks.UpdateNodegroupConfigInput) (*eks.UpdateNodegroupConfigOutput, error) {
	n, err := s.findNodegroup(in.ClusterName, in.NodegroupName)
	if err != nil {
		return nil, err
	}
	if err := refuseNodegroupParts(n.Cluster, &eks.CreateNodegroupInput{NodeRepairConfig: in.NodeRepairConfig, WarmPoolConfig: in.WarmPoolConfig}); err != nil {
		return nil, err
	}
	if in.ScalingConfig == nil && in.Labels == nil && in.Taints == nil && in.UpdateConfig == nil && in.NodeRepairConfig == nil {
		return nil, n.invalid("No changes needed for the nodegroup config provided")
	}
	asked := *in
	asked.ClientRequestToken = nil
	u, err := s.startNodegroupUpdate(ctx, n, Update{
		Type: string(types.UpdateTypeConfigUpdate), Token: aws.ToString(in.ClientRequestToken), Digest: digestOf(asked), Params: configParams(in),
	}, func(n *Nodegroup, u *Update) error { return n.reconfigure(in, u) })
	if err != nil {
		return nil, err
	}
	return &eks.UpdateNodegroupConfigOutput{Update: updateView(u)}, nil
}

// reconfigure makes the record what a request wants, and notes for its nodes what changed.
func (n *Nodegroup) reconfigure(in *eks.UpdateNodegroupConfigInput, u *Update) error {
	if err := n.setScaling(in.ScalingConfig); err != nil {
		return err
	}
	if err := n.setUpdating(in.UpdateConfig); err != nil {
		return err
	}
	marks := &Marks{}
	if l := in.Labels; l != nil {
		if err := checkLabels(*n, l.AddOrUpdateLabels); err != nil {
			return err
		}
		n.Labels = maps.Clone(n.Labels)
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		maps.Copy(n.Labels, l.AddOrUpdateLabels)
		for _, key := range l.RemoveLabels {
			delete(n.Labels, key)
		}
		marks.SetLabels, marks.DropLabels = l.AddOrUpdateLabels, l.RemoveLabels
	}
	if t := in.Taints; t != nil {
		set, err := taintsOf(*n, t.AddOrUpdateTaints)
		if err != nil {
			return err
		}
		drop, err := taintsOf(*n, t.RemoveTaints)
		if err != nil {
			return err
		}
		n.Taints = slices.DeleteFunc(slices.Clone(n.Taints), func(have Taint) bool {
			return slices.ContainsFunc(append(drop, set...), func(o Taint) bool { return o.Key == have.Key && o.Effect == have.Effect })
		})
		n.Taints = append(n.Taints, set...)
		marks.SetTaints, marks.DropTaints = set, drop
	}
	if in.Labels != nil || in.Taints != nil {
		u.Marks = marks
	}
	return nil
}

func configParams(in *eks.UpdateNodegroupConfigInput) (all []Param) {
	add := func(kind types.UpdateParamType, value any) {
		if text, is := value.(string); is {
			all = append(all, Param{string(kind), text})
			return
		}
		data, _ := json.Marshal(value) // plain data
		all = append(all, Param{string(kind), string(data)})
	}
	number := func(kind types.UpdateParamType, n *int32) {
		if n != nil {
			add(kind, strconv.Itoa(int(*n)))
		}
	}
	if c := in.ScalingConfig; c != nil {
		number(types.UpdateParamTypeMinSize, c.MinSize)
		number(types.UpdateParamTypeMaxSize, c.MaxSize)
		number(types.UpdateParamTypeDesiredSize, c.DesiredSize)
	}
	if l := in.Labels; l != nil {
		if len(l.AddOrUpdateLabels) > 0 {
			add(types.UpdateParamTypeLabelsToAdd, l.AddOrUpdateLabels)
		}
		if len(l.RemoveLabels) > 0 {
			add(types.UpdateParamTypeLabelsToRemove, l.RemoveLabels)
		}
	}
	if t := in.Taints; t != nil {
		if len(t.AddOrUpdateTaints) > 0 {
			add(types.UpdateParamTypeTaintsToAdd, shownTaints(t.AddOrUpdateTaints))
		}
		if len(t.RemoveTaints) > 0 {
			add(types.UpdateParamTypeTaintsToRemove, shownTaints(t.RemoveTaints))
		}
	}
	if c := in.UpdateConfig; c != nil {
		number(types.UpdateParamTypeMaxUnavailable, c.MaxUnavailable)
		number(types.UpdateParamTypeMaxUnavailablePercentage, c.MaxUnavailablePercentage)
		if c.UpdateStrategy != "" {
			add(types.UpdateParamTypeUpdateStrategy, string(c.UpdateStrategy))
		}
	}
	return all
}

func shownTaints(in []types.Taint) (all []map[string]string) {
	for _, t := range in {
		all = append(all, map[string]string{"key": aws.ToString(t.Key), "value": aws.ToString(t.Value), "effect": string(t.Effect)})
	}
	return all
}

// UpdateNodegroupVersion has a node group's nodes replaced that are not of the launch
// template's version that is asked for. Of images there is one release.
func (s *Service) UpdateNodegroupVersion(ctx context.Context, in *eks.UpdateNodegroupVersionInput) (*eks.UpdateNodegroupVersionOutput, error) {
	n, err := s.findNodegroup(in.ClusterName, in.NodegroupName)
	if err != nil {
		return nil, err
	}
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	wanted := n
	if err := s.setVersion(c, &wanted, in.Version, in.ReleaseVersion); err != nil {
		return nil, err
	}
	params := []Param{{string(types.UpdateParamTypeVersion), wanted.Version}, {string(types.UpdateParamTypeReleaseVersion), wanted.Release}}
	if in.LaunchTemplate != nil {
		if n.Source == nil {
			return nil, n.invalid("You cannot specify a launch template with nodegroup %s because it was not created with one.", n.Name)
		}
		given := *in.LaunchTemplate
		if err := s.setSource(ctx, &wanted, &given); err != nil {
			return nil, err
		}
		if wanted.Source.ID != n.Source.ID {
			return nil, n.invalid("Nodegroup %s was created with launch template %s; another can't be used.", n.Name, n.Source.ID)
		}
		params = append(params, Param{string(types.UpdateParamTypeLaunchTemplateName), wanted.Source.Name}, Param{string(types.UpdateParamTypeLaunchTemplateVersion), wanted.Source.Version})
	}
	asked := *in
	asked.ClientRequestToken = nil
	u, err := s.startNodegroupUpdate(ctx, n, Update{
		Type: string(types.UpdateTypeVersionUpdate), Token: aws.ToString(in.ClientRequestToken), Digest: digestOf(asked), Params: params, Source: wanted.Source, Force: in.Force,
	}, func(n *Nodegroup, u *Update) error { return nil })
	if err != nil {
		return nil, err
	}
	return &eks.UpdateNodegroupVersionOutput{Update: updateView(u)}, nil
}

// startNodegroupUpdate records an update of a node group that rests.
func (s *Service) startNodegroupUpdate(ctx context.Context, n Nodegroup, u Update, change func(*Nodegroup, *Update) error) (Update, error) {
	u.ID, u.Cluster, u.Nodegroup, u.Status, u.CreatedAt = uuid.NewString(), n.Cluster, n.Name, string(types.UpdateStatusInProgress), s.Now()
	return u, s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, n.Cluster, "UpdateNodegroup"); err != nil {
			return err
		}
		if old, err := repeated(s.updates.In(tx).List(n.Cluster+"/"), u); old != nil || err != nil {
			if old != nil {
				u = *old
			}
			return err
		}
		now, ok := s.nodegroups.In(tx).Get(nodegroupKey(n.Cluster, n.Name))
		if !ok {
			return noNodegroup(n.Cluster, n.Name)
		}
		if status := types.NodegroupStatus(now.Status); status != types.NodegroupStatusActive && status != types.NodegroupStatusDegraded {
			return nodegroupInUse(now, "Nodegroup cannot be updated as it is currently not in Active State")
		}
		if err := change(&now, &u); err != nil {
			return err
		}
		now.Status, now.Update, now.ModifiedAt = string(types.NodegroupStatusUpdating), u.ID, s.Now()
		s.nodegroups.In(tx).Put(nodegroupKey(now.Cluster, now.Name), now)
		s.updates.In(tx).Put(updateKey(u.Cluster, u.ID), u)
		return nil
	})
}
