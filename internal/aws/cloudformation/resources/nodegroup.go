package resources

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/engine/template"
)

// nodegroupLimit is how long EKS may take with a node group.
const nodegroupLimit = 35 * time.Minute

// nodegroupParts are the properties that CreateNodegroup takes as they are.
var nodegroupParts = []string{
	"ClusterName", "NodegroupName", "NodeRole", "Subnets", "AmiType", "CapacityType", "DiskSize", "InstanceTypes", "Labels", "LaunchTemplate",
	"NodeRepairConfig", "ReleaseVersion", "RemoteAccess", "ScalingConfig", "Taints", "UpdateConfig", "Version", "WarmPoolConfig",
}

func createNodegroup(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	name := j.name("NodegroupName")
	id := text(p, "ClusterName") + "/" + name
	if j.PhysicalID == "" {
		in := &eks.CreateNodegroupInput{Tags: eksTags(p)}
		if err := into(in, p, nodegroupParts...); err != nil {
			return Made{}, err
		}
		in.NodegroupName, in.ClientRequestToken = &name, j.token()
		if _, err := call[eks.CreateNodegroupOutput](ctx, j, "eks", "CreateNodegroup", in); err != nil {
			found, e := nodegroup(ctx, j, id)
			if !exists(err) || e != nil || !j.mine(found.CreatedAt) {
				return Made{}, err
			}
		}
		j.initiated(id)
	}
	n, err := activeNodegroup(ctx, j, id)
	if err != nil {
		return Made{ID: id}, err
	}
	return Made{id, nodegroupAttributes(n)}, nil
}

func nodegroupAttributes(n *types.Nodegroup) map[string]any {
	return map[string]any{
		"Arn": aws.ToString(n.NodegroupArn), "ClusterName": aws.ToString(n.ClusterName), "NodegroupName": aws.ToString(n.NodegroupName),
		"Id": aws.ToString(n.ClusterName) + "/" + aws.ToString(n.NodegroupName),
	}
}

// nodegroup is the one of a physical id, CLUSTER/NAME.
func nodegroup(ctx context.Context, j *Job, id string) (*types.Nodegroup, error) {
	cluster, name, _ := strings.Cut(id, "/")
	out, err := call[eks.DescribeNodegroupOutput](ctx, j, "eks", "DescribeNodegroup", &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	if err != nil {
		return nil, err
	}
	return out.Nodegroup, nil
}

func activeNodegroup(ctx context.Context, j *Job, id string) (n *types.Nodegroup, err error) {
	return n, until(ctx, nodegroupLimit, func() (done bool, err error) {
		if n, err = nodegroup(ctx, j, id); err != nil {
			return false, err
		}
		if n.Status == types.NodegroupStatusCreateFailed || n.Status == types.NodegroupStatusDeleteFailed {
			return false, errors.New("the nodegroup failed: " + nodegroupHealth(n))
		}
		return n.Status == types.NodegroupStatusActive || n.Status == types.NodegroupStatusDegraded, nil
	})
}

func nodegroupHealth(n *types.Nodegroup) string {
	var said []string
	for _, i := range n.Health.Issues {
		said = append(said, string(i.Code)+": "+aws.ToString(i.Message))
	}
	return strings.Join(said, "; ")
}

// updateNodegroup makes one update after the other, as EKS wants it.
func updateNodegroup(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	cluster, name, _ := strings.Cut(j.PhysicalID, "/")
	differs := func(properties ...string) bool {
		return slices.ContainsFunc(properties, func(x string) bool { return !template.Equal(j.Old[x], p[x]) })
	}
	if differs("ScalingConfig", "Labels", "Taints", "UpdateConfig", "NodeRepairConfig", "WarmPoolConfig") {
		in := &eks.UpdateNodegroupConfigInput{}
		if err := into(in, p, "ScalingConfig", "UpdateConfig", "NodeRepairConfig", "WarmPoolConfig"); err != nil {
			return Made{}, err
		}
		in.ClusterName, in.NodegroupName, in.Labels, in.ClientRequestToken = &cluster, &name, changedLabels(j.Old, p), j.token()
		var err error
		if in.Taints, err = changedTaints(j.Old, p); err != nil {
			return Made{}, err
		}
		out, err := call[eks.UpdateNodegroupConfigOutput](ctx, j, "eks", "UpdateNodegroupConfig", in)
		if err == nil {
			err = nodegroupUpdated(ctx, j, cluster, name, out.Update.Id)
		}
		if err != nil && !j.settled(err) {
			return Made{}, err
		}
	}
	if differs("Version", "ReleaseVersion", "LaunchTemplate") {
		in := &eks.UpdateNodegroupVersionInput{}
		if err := into(in, p, "Version", "ReleaseVersion", "LaunchTemplate"); err != nil {
			return Made{}, err
		}
		in.ClusterName, in.NodegroupName, in.ClientRequestToken = &cluster, &name, aws.String(*j.token()+"-version")
		if force := flag(p, "ForceUpdateEnabled"); force != nil {
			in.Force = *force
		}
		out, err := call[eks.UpdateNodegroupVersionOutput](ctx, j, "eks", "UpdateNodegroupVersion", in)
		if err != nil {
			return Made{}, err
		}
		if err := nodegroupUpdated(ctx, j, cluster, name, out.Update.Id); err != nil {
			return Made{}, err
		}
	}
	return Made{}, retag(ctx, j, text(j.After.Attributes, "Arn"))
}

// changedLabels is nil if none changes.
func changedLabels(before, now map[string]any) *types.UpdateLabelsPayload {
	u := &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{}}
	old, wanted := object(before, "Labels"), object(now, "Labels")
	for k := range wanted {
		if v, had := old[k]; !had || !template.Equal(v, wanted[k]) {
			u.AddOrUpdateLabels[k] = text(wanted, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, still := wanted[k]; !still {
			u.RemoveLabels = append(u.RemoveLabels, k)
		}
	}
	if len(u.AddOrUpdateLabels)+len(u.RemoveLabels) == 0 {
		return nil
	}
	return u
}

// changedTaints is nil if none changes.
func changedTaints(before, now map[string]any) (*types.UpdateTaintsPayload, error) {
	if template.Equal(before["Taints"], now["Taints"]) {
		return nil, nil
	}
	var had, wanted struct{ Taints []types.Taint }
	if err := errors.Join(into(&had, before, "Taints"), into(&wanted, now, "Taints")); err != nil {
		return nil, err
	}
	same := func(a types.Taint) func(types.Taint) bool {
		return func(b types.Taint) bool { return aws.ToString(a.Key) == aws.ToString(b.Key) && a.Effect == b.Effect }
	}
	u := &types.UpdateTaintsPayload{AddOrUpdateTaints: wanted.Taints}
	for _, t := range had.Taints {
		if !slices.ContainsFunc(wanted.Taints, same(t)) {
			u.RemoveTaints = append(u.RemoveTaints, t)
		}
	}
	return u, nil
}

// nodegroupUpdated waits for an update of a node group.
func nodegroupUpdated(ctx context.Context, j *Job, cluster, name string, id *string) error {
	return awaitUpdate(ctx, j, nodegroupLimit, &eks.DescribeUpdateInput{Name: &cluster, NodegroupName: &name, UpdateId: id})
}

func deleteNodegroup(ctx context.Context, j *Job) error {
	cluster, name, _ := strings.Cut(j.PhysicalID, "/")
	if err := do(ctx, j, "eks", step{"DeleteNodegroup", &eks.DeleteNodegroupInput{ClusterName: &cluster, NodegroupName: &name}}); err != nil {
		return err
	}
	return until(ctx, nodegroupLimit, func() (bool, error) {
		n, err := nodegroup(ctx, j, j.PhysicalID)
		if gone(err) {
			return true, nil
		}
		if err == nil && n.Status == types.NodegroupStatusDeleteFailed {
			return false, errors.New("the nodegroup is not deleted: " + nodegroupHealth(n))
		}
		return false, err
	})
}
