package up

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

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
// making was cut short is gone on with, and given the nodes that it lacks.
func firstCluster(ctx context.Context, client *control.Client, o options) error {
	var keys control.Credentials
	if err := client.Call(ctx, "/credentials", nil, &keys); err != nil {
		return err
	}
	a := dial(keys, o.config.URL(), o.config.Region)
	names, err := a.eks.ListClusters(ctx, &eks.ListClustersInput{})
	if err != nil {
		return err
	}
	if len(names.Clusters) > 0 && (len(names.Clusters) > 1 || names.Clusters[0] != o.config.Cluster) {
		return nil
	}
	if len(names.Clusters) == 0 {
		if err := a.createCluster(ctx, o.config.Cluster); err != nil {
			return err
		}
	}
	if err := a.awaitActive(ctx, o.config.Cluster); err != nil {
		return err
	}
	var status control.Status
	if err := client.Call(ctx, "/status", struct{}{}, &status); err != nil {
		return err
	}
	for _, c := range status.Clusters {
		if c.Name == o.config.Cluster && len(c.Nodes) >= o.config.Nodes {
			return nil
		}
	}
	profile, err := a.nodeProfile(ctx, o.config.Cluster)
	if err != nil {
		return err
	}
	return client.Call(ctx, "/nodes", control.Launch{
		Cluster: o.config.Cluster, Count: o.config.Nodes, NodeGroup: "ng", InstanceType: "m5.large", Profile: profile,
	}, nil)
}

func (a account) createCluster(ctx context.Context, name string) error {
	role, err := a.role(ctx, "eksctl-"+name+"-cluster-ServiceRole", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
	if err != nil {
		return err
	}
	subnets, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("tag:eksact/default"), Values: []string{"true"}}},
	})
	if err != nil {
		return err
	}
	var ids []string
	for _, s := range subnets.Subnets {
		ids = append(ids, aws.ToString(s.SubnetId))
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

func (a account) awaitActive(ctx context.Context, name string) error {
	for {
		out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
		if err != nil {
			return err
		}
		switch status := out.Cluster.Status; status {
		case ekstypes.ClusterStatusActive, ekstypes.ClusterStatusUpdating:
			return nil
		case ekstypes.ClusterStatusCreating:
		default:
			return fmt.Errorf("cluster %q is %s%s", name, status, issues(out.Cluster.Health))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func issues(h *ekstypes.ClusterHealth) string {
	if h == nil {
		return ""
	}
	text := ""
	for _, issue := range h.Issues {
		text += ": " + aws.ToString(issue.Message)
	}
	return text
}

// nodeProfile makes the role and instance profile of the nodes, as eksctl names
// them.
func (a account) nodeProfile(ctx context.Context, cluster string) (string, error) {
	role, name := "eksctl-"+cluster+"-nodegroup-ng-NodeInstanceRole", "eksctl-"+cluster+"-nodegroup-ng-NodeInstanceProfile"
	_, err := a.role(ctx, role, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly", "AmazonSSMManagedInstanceCore")
	if err != nil {
		return "", err
	}
	_, err = a.iam.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: &name})
	if err != nil && !exists(err) {
		return "", err
	}
	profile, err := a.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	if err != nil {
		return "", err
	}
	if len(profile.InstanceProfile.Roles) > 0 {
		return name, nil
	}
	_, err = a.iam.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role})
	return name, err
}

// role makes a role that a service may assume, with AWS managed policies, if it
// is not there, and returns its ARN.
func (a account) role(ctx context.Context, name, service string, policies ...string) (string, error) {
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}]}`, service)
	_, err := a.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil && !exists(err) {
		return "", err
	}
	for _, policy := range policies {
		path := "arn:aws:iam::aws:policy/"
		_, err := a.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: aws.String(path + policy)})
		if err != nil {
			return "", err
		}
	}
	out, err := a.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Role.Arn), nil
}

func exists(err error) bool {
	var e *iamtypes.EntityAlreadyExistsException
	return errors.As(err, &e)
}
