package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/clusterconfig"
	"github.com/eksact/eksact/internal/hint"
)

// readManifest reads an eksctl ClusterConfig, and sets what the account and its network
// are made with. Ranges that the flags say count more.
func readManifest(path string, c *daemon.Config, r *ranges) (*clusterconfig.Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := clusterconfig.Parse(data)
	if err != nil {
		var lines []string
		for line := range strings.SplitSeq(err.Error(), "\n") {
			lines = append(lines, path+":"+line)
		}
		return nil, hint.New(strings.Join(lines, "\n"), "eksctl's schema is at https://eksctl.io/usage/schema/; what eksact makes of it is in docs/LIMITS.md")
	}
	c.Cluster, c.Nodes = m.Name, 0
	if m.Region != "" {
		c.Region = m.Region
	}
	if m.VPC.IsValid() && r.vpc == "" {
		r.vpc = m.VPC.String()
	}
	return m, nil
}

// fromManifest makes what a file asks for and isn't there; what is there stays as it is.
func fromManifest(ctx context.Context, client *control.Client, o options, m *clusterconfig.Config) error {
	var clusters []control.Cluster
	if err := client.Call(ctx, "/clusters", nil, &clusters); err != nil {
		return err
	}
	if !slices.ContainsFunc(clusters, func(c control.Cluster) bool { return c.Name == m.Name }) {
		if err := asAdmin(ctx, client, o, func(a account) error { return a.clusterOf(ctx, m) }); err != nil {
			return err
		}
	}
	if _, err := awaitActive(ctx, client, m.Name); err != nil {
		return err
	}
	err := asAdmin(ctx, client, o, func(a account) error {
		for _, step := range []func(context.Context, *clusterconfig.Config) error{a.addonsOf, a.nodegroupsOf, a.entriesOf, a.rolesOf} {
			if err := step(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := serviceAccounts(ctx, client, o.config, m); err != nil {
		return err
	}
	nodes := 0
	for _, n := range m.Nodegroups {
		_, _, desired := sizesOf(n)
		nodes += int(desired)
	}
	return awaitNodes(ctx, client, m.Name, nodes)
}

// there says that something exists, as each service says it.
func there(err error) bool {
	var e interface{ ErrorCode() string }
	return errors.As(err, &e) && slices.Contains([]string{"EntityAlreadyExists", "ResourceInUseException"}, e.ErrorCode())
}

// made is nil of what was made, or was there.
func made(_ any, err error) error {
	if there(err) {
		return nil
	}
	return err
}

func (a account) clusterOf(ctx context.Context, m *clusterconfig.Config) error {
	role, err := a.role(ctx, "eksctl-"+m.Name+"-cluster-ServiceRole", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
	if err != nil {
		return err
	}
	subnets, err := a.subnets(ctx)
	if err != nil {
		return err
	}
	in := &eks.CreateClusterInput{
		Name: &m.Name, RoleArn: &role, Tags: m.Tags,
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: subnets, EndpointPublicAccess: m.Public, EndpointPrivateAccess: m.Private, PublicAccessCidrs: m.PublicCIDRs},
		// eksctl's default since 0.184; the API's is CONFIG_MAP.
		AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApiAndConfigMap, BootstrapClusterCreatorAdminPermissions: m.CreatorAdmin},
	}
	if m.Mode != "" {
		in.AccessConfig.AuthenticationMode = ekstypes.AuthenticationMode(m.Mode)
	}
	if m.Version != "" {
		in.Version = &m.Version
	}
	if len(m.LogTypes) > 0 {
		setup := ekstypes.LogSetup{Enabled: aws.Bool(true)}
		for _, t := range m.LogTypes {
			setup.Types = append(setup.Types, ekstypes.LogType(t))
		}
		in.Logging = &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{setup}}
	}
	return made(a.eks.CreateCluster(ctx, in))
}

// addonsOf are those of the file, and of the default ones those that it doesn't name.
func (a account) addonsOf(ctx context.Context, m *clusterconfig.Config) error {
	all := slices.Clone(m.Addons)
	for _, name := range []string{"vpc-cni", "coredns", "kube-proxy"} {
		if !slices.ContainsFunc(all, func(x clusterconfig.Addon) bool { return x.Name == name }) {
			all = append(all, clusterconfig.Addon{Name: name})
		}
	}
	for _, x := range all {
		in := &eks.CreateAddonInput{ClusterName: &m.Name, AddonName: &x.Name, ResolveConflicts: ekstypes.ResolveConflicts(x.Conflicts), Tags: x.Tags}
		for to, from := range map[**string]string{&in.AddonVersion: x.Version, &in.ConfigurationValues: x.Values, &in.ServiceAccountRoleArn: x.RoleARN} {
			if from != "" && from != "latest" {
				*to = aws.String(from)
			}
		}
		if err := made(a.eks.CreateAddon(ctx, in)); err != nil {
			return err
		}
	}
	return nil
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

// nodegroupsOf makes the node groups, all of them managed.
func (a account) nodegroupsOf(ctx context.Context, m *clusterconfig.Config) error {
	for _, n := range m.Nodegroups {
		in, err := a.nodegroupOf(ctx, m, n)
		if err != nil {
			return err
		}
		if err := made(a.eks.CreateNodegroup(ctx, in)); err != nil {
			return fmt.Errorf("node group %s: %w", n.Name, err)
		}
	}
	return nil
}

func (a account) nodegroupOf(ctx context.Context, m *clusterconfig.Config, n clusterconfig.Nodegroup) (*eks.CreateNodegroupInput, error) {
	place := ec2types.Filter{Name: aws.String("tag:kubernetes.io/role/elb"), Values: []string{"1"}}
	if n.Private {
		place.Name = aws.String("tag:kubernetes.io/role/internal-elb")
	}
	subnets, err := a.subnets(ctx, place)
	if err != nil {
		return nil, err
	}
	role := n.RoleARN
	if role == "" {
		policies := n.Policies
		if len(policies) == 0 {
			for _, p := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly", "AmazonSSMManagedInstanceCore"} {
				policies = append(policies, "arn:aws:iam::aws:policy/"+p)
			}
		}
		name := roleName("eksctl-"+m.Name+"-nodegroup-"+n.Name, "NodeInstanceRole")
		if role, err = a.roleWith(ctx, name, serviceTrust("ec2.amazonaws.com"), policies, "", nil); err != nil {
			return nil, err
		}
	}
	least, most, desired := sizesOf(n)
	in := &eks.CreateNodegroupInput{
		ClusterName: &m.Name, NodegroupName: &n.Name, NodeRole: &role, Subnets: subnets, InstanceTypes: n.Types,
		ScalingConfig: &ekstypes.NodegroupScalingConfig{MinSize: &least, MaxSize: &most, DesiredSize: &desired},
		Labels:        map[string]string{"alpha.eksctl.io/cluster-name": m.Name, "alpha.eksctl.io/nodegroup-name": n.Name},
		Tags:          map[string]string{"alpha.eksctl.io/cluster-name": m.Name, "alpha.eksctl.io/nodegroup-name": n.Name},
	}
	if len(in.InstanceTypes) == 0 {
		in.InstanceTypes = []string{instanceType()} // eksctl's default
	}
	for k, v := range n.Labels {
		in.Labels[k] = v
	}
	for k, v := range n.Tags {
		in.Tags[k] = v
	}
	if n.Disk > 0 {
		in.DiskSize = &n.Disk
	}
	if n.Unavailable != nil || n.UnavailablePercent != nil {
		in.UpdateConfig = &ekstypes.NodegroupUpdateConfig{MaxUnavailable: n.Unavailable, MaxUnavailablePercentage: n.UnavailablePercent}
	}
	effects := map[string]ekstypes.TaintEffect{"NoSchedule": ekstypes.TaintEffectNoSchedule, "NoExecute": ekstypes.TaintEffectNoExecute, "PreferNoSchedule": ekstypes.TaintEffectPreferNoSchedule}
	for _, t := range n.Taints {
		taint := ekstypes.Taint{Key: aws.String(t.Key), Effect: effects[t.Effect]}
		if t.Value != "" {
			taint.Value = aws.String(t.Value)
		}
		in.Taints = append(in.Taints, taint)
	}
	return in, nil
}

func (a account) entriesOf(ctx context.Context, m *clusterconfig.Config) error {
	for _, e := range m.AccessEntries {
		in := &eks.CreateAccessEntryInput{ClusterName: &m.Name, PrincipalArn: aws.String(e.Principal), KubernetesGroups: e.Groups, Tags: e.Tags}
		if e.Type != "" {
			in.Type = aws.String(e.Type)
		}
		if e.Username != "" {
			in.Username = aws.String(e.Username)
		}
		if err := made(a.eks.CreateAccessEntry(ctx, in)); err != nil {
			return err
		}
		for _, p := range e.Policies {
			_, err := a.eks.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
				ClusterName: &m.Name, PrincipalArn: in.PrincipalArn, PolicyArn: aws.String(p.ARN), AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeType(p.Scope), Namespaces: p.Namespaces},
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
