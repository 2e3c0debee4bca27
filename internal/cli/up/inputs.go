package up

import (
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/engine/clusterconfig"
)

// What EKS is asked for the parts of a file. Subnets and roles that are made first are
// added by who makes them.

func clusterInput(m *clusterconfig.Config) *eks.CreateClusterInput {
	in := &eks.CreateClusterInput{
		Name: &m.Name, Tags: m.Tags, Version: given(m.Version),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPublicAccess: m.Public, EndpointPrivateAccess: m.Private, PublicAccessCidrs: m.PublicCIDRs},
		// eksctl's default since 0.184; the API's is CONFIG_MAP.
		AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApiAndConfigMap, BootstrapClusterCreatorAdminPermissions: m.CreatorAdmin},
	}
	if m.Mode != "" {
		in.AccessConfig.AuthenticationMode = ekstypes.AuthenticationMode(m.Mode)
	}
	if len(m.LogTypes) > 0 {
		setup := ekstypes.LogSetup{Enabled: aws.Bool(true)}
		for _, t := range m.LogTypes {
			setup.Types = append(setup.Types, ekstypes.LogType(t))
		}
		in.Logging = &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{setup}}
	}
	return in
}

// given is nil of a text that is not.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func addonInput(m *clusterconfig.Config, x clusterconfig.Addon) *eks.CreateAddonInput {
	in := &eks.CreateAddonInput{
		ClusterName: &m.Name, AddonName: &x.Name, ResolveConflicts: ekstypes.ResolveConflicts(x.Conflicts), Tags: x.Tags,
		ConfigurationValues: given(x.Values), ServiceAccountRoleArn: given(x.RoleARN),
	}
	if x.Version != "latest" {
		in.AddonVersion = given(x.Version)
	}
	return in
}

// sizesOf a node group: what is not said follows from what is, as in eksctl.
func sizesOf(n clusterconfig.Nodegroup) (least, most, desired int32) {
	desired = 2
	switch {
	case n.Desired != nil:
		desired = *n.Desired
	case n.Min != nil:
		desired = *n.Min
	case n.Max != nil:
		desired = min(desired, *n.Max)
	}
	least, most = desired, desired
	if n.Min != nil {
		least = *n.Min
	}
	if n.Max != nil {
		most = *n.Max
	}
	return least, max(most, 1), desired
}

var taintEffects = map[string]ekstypes.TaintEffect{"NoSchedule": ekstypes.TaintEffectNoSchedule, "NoExecute": ekstypes.TaintEffectNoExecute, "PreferNoSchedule": ekstypes.TaintEffectPreferNoSchedule}

func nodegroupInput(m *clusterconfig.Config, n clusterconfig.Nodegroup) *eks.CreateNodegroupInput {
	least, most, desired := sizesOf(n)
	in := &eks.CreateNodegroupInput{
		ClusterName: &m.Name, NodegroupName: &n.Name, InstanceTypes: n.Types,
		ScalingConfig: &ekstypes.NodegroupScalingConfig{MinSize: &least, MaxSize: &most, DesiredSize: &desired},
		Labels:        map[string]string{"alpha.eksctl.io/cluster-name": m.Name, "alpha.eksctl.io/nodegroup-name": n.Name},
		Tags:          map[string]string{"alpha.eksctl.io/cluster-name": m.Name, "alpha.eksctl.io/nodegroup-name": n.Name},
	}
	if len(in.InstanceTypes) == 0 {
		in.InstanceTypes = []string{instanceType()} // eksctl's default
	}
	maps.Copy(in.Labels, n.Labels)
	maps.Copy(in.Tags, n.Tags)
	if n.Disk > 0 {
		in.DiskSize = &n.Disk
	}
	if n.Unavailable != nil || n.UnavailablePercent != nil {
		in.UpdateConfig = &ekstypes.NodegroupUpdateConfig{MaxUnavailable: n.Unavailable, MaxUnavailablePercentage: n.UnavailablePercent}
	}
	for _, t := range n.Taints {
		in.Taints = append(in.Taints, ekstypes.Taint{Key: aws.String(t.Key), Value: given(t.Value), Effect: taintEffects[t.Effect]})
	}
	return in
}

func entryInput(m *clusterconfig.Config, e clusterconfig.AccessEntry) *eks.CreateAccessEntryInput {
	return &eks.CreateAccessEntryInput{
		ClusterName: &m.Name, PrincipalArn: aws.String(e.Principal), KubernetesGroups: e.Groups, Tags: e.Tags, Type: given(e.Type), Username: given(e.Username),
	}
}

func policyInput(m *clusterconfig.Config, e clusterconfig.AccessEntry, p clusterconfig.AccessPolicy) *eks.AssociateAccessPolicyInput {
	return &eks.AssociateAccessPolicyInput{
		ClusterName: &m.Name, PrincipalArn: aws.String(e.Principal), PolicyArn: aws.String(p.ARN), AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeType(p.Scope), Namespaces: p.Namespaces},
	}
}
