package up

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/daemon/control"
)

// account is the admin's view of the account, by the AWS API: the cluster is
// made as any user of it would make one.
type account struct {
	iam *iam.Client
	eks *eks.Client
	ec2 *ec2.Client
}

func dial(keys control.Credentials, url, region string) account {
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}, nil
	})
	return account{
		iam: iam.New(iam.Options{Region: region, BaseEndpoint: &url, Credentials: provider}),
		eks: eks.New(eks.Options{Region: region, BaseEndpoint: &url, Credentials: provider}),
		ec2: ec2.New(ec2.Options{Region: region, BaseEndpoint: &url, Credentials: provider}),
	}
}

// firstCluster makes a cluster with nodes when the account has none. One whose
// making was cut short is gone on with, and given the nodes that it lacks. Only what
// is made is asked of the AWS API, as the admin: a policy may forbid the admin
// anything, and an account that is whole must come up all the same.
func firstCluster(ctx context.Context, client *control.Client, o options) error {
	var clusters []control.Cluster
	if err := client.Call(ctx, "/clusters", nil, &clusters); err != nil {
		return err
	}
	if len(clusters) > 0 && (len(clusters) > 1 || clusters[0].Name != o.config.Cluster) {
		return nil
	}
	if len(clusters) == 0 {
		err := asAdmin(ctx, client, o, func(a account) error { return a.createCluster(ctx, o.config.Cluster) })
		if err != nil {
			return err
		}
	}
	cluster, err := awaitActive(ctx, client, o.config.Cluster)
	if err != nil {
		return err
	}
	nodes := o.config.Nodes
	for _, n := range cluster.Nodegroups {
		if n.Name == nodegroup && !o.nodesAsked { // what calls have made of it is right
			nodes = min(nodes, int(n.Desired))
		}
	}
	if len(clusters) > 0 && len(cluster.Nodes) >= nodes {
		return nil
	}
	err = asAdmin(ctx, client, o, func(a account) error {
		if err := a.addons(ctx, o.config.Cluster); err != nil || len(cluster.Nodes) >= nodes {
			return err
		}
		return a.nodes(ctx, cluster, int32(nodes))
	})
	if err != nil {
		return err
	}
	return awaitNodes(ctx, client, o.config.Cluster, nodes)
}

func (a account) createCluster(ctx context.Context, name string) error {
	role, err := a.role(ctx, clusterRole(name), "eks.amazonaws.com", "AmazonEKSClusterPolicy")
	if err != nil {
		return err
	}
	ids, err := a.subnets(ctx)
	if err != nil {
		return err
	}
	_, err = a.eks.CreateCluster(ctx, &eks.CreateClusterInput{
		Name:               &name,
		RoleArn:            &role,
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: ids},
		Logging: &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{
			Enabled: aws.Bool(true), Types: ekstypes.LogType("").Values(),
		}}},
	})
	return err
}

// subnets are those that the account was made with, as far as more filters let them
// through.
func (a account) subnets(ctx context.Context, more ...ec2types.Filter) (ids []string, err error) {
	out, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
		Filters: append(more, ec2types.Filter{Name: aws.String("tag:eksact/default"), Values: []string{"true"}}),
	})
	if err != nil {
		return nil, err
	}
	for _, s := range out.Subnets {
		ids = append(ids, aws.ToString(s.SubnetId))
	}
	return ids, nil
}

// addons puts the default networking software into EKS's hands, as eksctl does, if
// nothing of the cluster is yet.
func (a account) addons(ctx context.Context, cluster string) error {
	have, err := a.eks.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: &cluster})
	if err != nil || len(have.Addons) > 0 {
		return err
	}
	for name, values := range map[string]*string{
		"vpc-cni": aws.String(`{"enableNetworkPolicy":"true"}`), "coredns": nil, "kube-proxy": nil,
	} {
		_, err := a.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: &cluster, AddonName: &name, ConfigurationValues: values})
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitActive waits until a cluster is made.
func awaitActive(ctx context.Context, client *control.Client, name string) (control.Cluster, error) {
	for {
		var all []control.Cluster
		if err := client.Call(ctx, "/clusters", nil, &all); err != nil {
			return control.Cluster{}, err
		}
		i := slices.IndexFunc(all, func(c control.Cluster) bool { return c.Name == name })
		if i < 0 {
			return control.Cluster{}, fmt.Errorf("cluster %q was deleted while it was waited for", name)
		}
		switch c := all[i]; ekstypes.ClusterStatus(c.Status) {
		case ekstypes.ClusterStatusActive, ekstypes.ClusterStatusUpdating:
			return c, nil
		case ekstypes.ClusterStatusCreating:
		default:
			return c, fmt.Errorf("cluster %q is %s%s", name, c.Status, issues(c))
		}
		select {
		case <-ctx.Done():
			return control.Cluster{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func issues(c control.Cluster) string {
	if c.Issues == "" {
		return ""
	}
	return ": " + c.Issues
}

// nodegroup is the name of the node group that up makes.
const nodegroup = "ng"

// mostNodes is how many nodes the node group may be given later.
const mostNodes = 10

// nodes makes the node group, as eksctl makes a managed one, or lets it have more nodes.
func (a account) nodes(ctx context.Context, c control.Cluster, want int32) error {
	for _, n := range c.Nodegroups {
		if n.Name != nodegroup {
			continue
		}
		if n.Desired >= want { // what is missing is on its way
			return nil
		}
		_, err := a.eks.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{
			ClusterName: &c.Name, NodegroupName: aws.String(nodegroup), ScalingConfig: &ekstypes.NodegroupScalingConfig{DesiredSize: &want, MaxSize: aws.Int32(max(want, mostNodes))},
		})
		return err
	}
	role, err := a.role(ctx, "eksctl-"+c.Name+"-nodegroup-"+nodegroup+"-NodeInstanceRole", "ec2.amazonaws.com",
		"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly", "AmazonSSMManagedInstanceCore")
	if err != nil {
		return err
	}
	subnets, err := a.subnets(ctx, ec2types.Filter{Name: aws.String("tag:kubernetes.io/role/internal-elb"), Values: []string{"1"}})
	if err != nil {
		return err
	}
	labels := map[string]string{"alpha.eksctl.io/cluster-name": c.Name, "alpha.eksctl.io/nodegroup-name": nodegroup}
	_, err = a.eks.CreateNodegroup(ctx, &eks.CreateNodegroupInput{
		ClusterName: &c.Name, NodegroupName: aws.String(nodegroup), NodeRole: &role, Subnets: subnets, InstanceTypes: []string{instanceType()}, Labels: labels, Tags: labels,
		ScalingConfig: &ekstypes.NodegroupScalingConfig{MinSize: aws.Int32(0), MaxSize: aws.Int32(max(want, mostNodes)), DesiredSize: &want},
	})
	return err
}

// instanceType is the size of up's nodes, for this machine's processor.
func instanceType() string {
	if runtime.GOARCH == "arm64" {
		return "m6g.large"
	}
	return "m5.large"
}

// awaitNodes waits until there are so many machines, which may not be ready yet.
func awaitNodes(ctx context.Context, client *control.Client, name string, want int) error {
	for {
		var all []control.Cluster
		if err := client.Call(ctx, "/clusters", nil, &all); err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(c control.Cluster) bool { return c.Name == name })
		if i < 0 || len(all[i].Nodes) >= want {
			return nil
		}
		for _, n := range all[i].Nodegroups {
			if n.Issues != "" {
				return fmt.Errorf("node group %q of cluster %q is %s: %s", n.Name, name, n.Status, n.Issues)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// role makes a role that a service may assume, with AWS managed policies, if it
// is not there, and returns its ARN.
func (a account) role(ctx context.Context, name, service string, policies ...string) (string, error) {
	var arns []string
	for _, policy := range policies {
		arns = append(arns, "arn:aws:iam::aws:policy/"+policy)
	}
	return a.roleWith(ctx, name, serviceTrust(service), arns, "", nil)
}
