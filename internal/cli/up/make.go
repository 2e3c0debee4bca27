package up

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/engine/clusterconfig"
)

// there says that something exists, as each service says it.
func there(err error) bool {
	return has(err, "EntityAlreadyExists", "ResourceInUseException")
}

// has says whether an API answered with one of the codes.
func has(err error, codes ...string) bool {
	var e interface{ ErrorCode() string }
	return errors.As(err, &e) && slices.Contains(codes, e.ErrorCode())
}

// made is nil of what was made, or was there.
func made(_ any, err error) error {
	if there(err) {
		return nil
	}
	return err
}

func (a account) clusterOf(ctx context.Context, m *manifest) error {
	role, err := a.role(ctx, clusterRole(m.Name), "eks.amazonaws.com", "AmazonEKSClusterPolicy")
	if err != nil {
		return err
	}
	subnets, err := a.subnets(ctx)
	if err != nil {
		return err
	}
	in := clusterInput(m.Config)
	in.RoleArn, in.ResourcesVpcConfig.SubnetIds = &role, subnets
	return m.located("metadata.name", made(a.eks.CreateCluster(ctx, in)))
}

func clusterRole(cluster string) string { return "eksctl-" + cluster + "-cluster-ServiceRole" }

// addonsOf are those of the file, and of the default ones that there are for the
// cluster's version those that it doesn't name.
func (a account) addonsOf(ctx context.Context, m *manifest) error {
	all := slices.Clone(m.Addons)
	for _, name := range []string{"vpc-cni", "coredns", "kube-proxy"} {
		in := &eks.CreateAddonInput{AddonName: &name}
		if m.judge.Addon(m.Version, in) == nil && !slices.ContainsFunc(all, func(x clusterconfig.Addon) bool { return x.Name == name }) {
			all = append(all, clusterconfig.Addon{Item: clusterconfig.Item{Path: "addons"}, Name: name})
		}
	}
	for _, x := range all {
		if m.isThere("addon/" + x.Name) {
			continue
		}
		if err := made(a.eks.CreateAddon(ctx, addonInput(m.Config, x))); err != nil {
			return m.located(x.Path, err)
		}
	}
	return nil
}

// nodegroupsOf makes the node groups, all of them managed.
func (a account) nodegroupsOf(ctx context.Context, m *manifest) error {
	for _, n := range m.Nodegroups {
		if m.isThere("nodegroup/" + n.Name) {
			continue
		}
		if err := a.nodegroupOf(ctx, m, n); err != nil {
			return m.located(n.Path, err)
		}
	}
	return nil
}

func (a account) nodegroupOf(ctx context.Context, m *manifest, n clusterconfig.Nodegroup) error {
	place := ec2types.Filter{Name: aws.String("tag:kubernetes.io/role/elb"), Values: []string{"1"}}
	if n.Private {
		place.Name = aws.String("tag:kubernetes.io/role/internal-elb")
	}
	subnets, err := a.subnets(ctx, place)
	if err != nil {
		return err
	}
	role := n.RoleARN
	if role == "" {
		if role, err = a.roleWith(ctx, nodeRole(m.Config, n), serviceTrust("ec2.amazonaws.com"), nodePolicies(n), "", nil); err != nil {
			return err
		}
	}
	in := nodegroupInput(m.Config, n)
	in.NodeRole, in.Subnets = &role, subnets
	return made(a.eks.CreateNodegroup(ctx, in))
}

func nodeRole(m *clusterconfig.Config, n clusterconfig.Nodegroup) string {
	return roleName("eksctl-"+m.Name+"-nodegroup-"+n.Name, "NodeInstanceRole")
}

// nodePolicies are eksctl's where the file names none.
func nodePolicies(n clusterconfig.Nodegroup) []string {
	policies := slices.Clone(n.Policies)
	if len(policies) == 0 {
		for _, p := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly", "AmazonSSMManagedInstanceCore"} {
			policies = append(policies, "arn:aws:iam::aws:policy/"+p)
		}
	}
	return policies
}

func (a account) entriesOf(ctx context.Context, m *manifest) error {
	for _, e := range m.AccessEntries {
		if !m.isThere("entry/" + e.Principal) {
			if err := made(a.eks.CreateAccessEntry(ctx, entryInput(m.Config, e))); err != nil {
				return m.located(e.Path, err)
			}
		}
		if len(e.Policies) == 0 {
			continue
		}
		have, err := a.policiesOf(ctx, m.Name, e.Principal)
		if err != nil {
			return m.located(e.Path, err)
		}
		for _, p := range e.Policies {
			if _, there := have[p.ARN]; there {
				continue // with another scope it was told of
			}
			if _, err := a.eks.AssociateAccessPolicy(ctx, policyInput(m.Config, e, p)); err != nil {
				return m.located(p.Path, err)
			}
		}
	}
	return nil
}
