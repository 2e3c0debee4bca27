package eks_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// Access entries over the wire: principals with paths in the URL's path, an empty list
// of groups that is not none, the SDK's error types.
func TestSDKOfAccessEntries(t *testing.T) {
	a := newAccount(t)
	a.network(t)
	ctx, client, name := t.Context(), awseks.NewFromConfig(a.aws), aws.String("cluster")
	if _, err := client.CreateCluster(ctx, &awseks.CreateClusterInput{
		Name: name, RoleArn: aws.String("arn:aws:iam::111122223333:role/eks"), ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}},
		AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi},
	}); err != nil {
		t.Fatal(err)
	}
	fast := func(o *awseks.ClusterActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}
	if err := awseks.NewClusterActiveWaiter(client, fast).Wait(ctx, &awseks.DescribeClusterInput{Name: name}, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	arn := aws.String("arn:aws:iam::111122223333:role/team a+b/dev")
	_, err := client.CreateAccessEntry(ctx, &awseks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: arn})
	var invalid *types.InvalidParameterException
	if !errors.As(err, &invalid) || *invalid.ClusterName != "cluster" {
		t.Errorf("a path with a space: %v", err)
	}
	arn = aws.String("arn:aws:iam::111122223333:role/team=a+b/dev@x")
	made, err := client.CreateAccessEntry(ctx, &awseks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: arn, KubernetesGroups: []string{"a"}})
	if err != nil || made.AccessEntry.CreatedAt.Year() < 2026 || *made.AccessEntry.Username != "arn:aws:sts::111122223333:assumed-role/dev@x/{{SessionName}}" {
		t.Fatalf("%+v, %v", made, err)
	}
	updated, err := client.UpdateAccessEntry(ctx, &awseks.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: arn, KubernetesGroups: []string{}})
	if err != nil || updated.AccessEntry.KubernetesGroups == nil || len(updated.AccessEntry.KubernetesGroups) != 0 {
		t.Errorf("%+v, %v", updated, err)
	}
	policy := aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")
	scope := &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"dev-*"}}
	associated, err := client.AssociateAccessPolicy(ctx, &awseks.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: arn, PolicyArn: policy, AccessScope: scope})
	if err != nil || *associated.PrincipalArn != *arn || !slices.Equal(associated.AssociatedAccessPolicy.AccessScope.Namespaces, scope.Namespaces) {
		t.Errorf("%+v, %v", associated, err)
	}
	list, err := client.ListAccessEntries(ctx, &awseks.ListAccessEntriesInput{ClusterName: name, AssociatedPolicyArn: policy})
	if err != nil || !slices.Equal(list.AccessEntries, []string{*arn}) {
		t.Errorf("%+v, %v", list, err)
	}
	if out, err := client.ListAssociatedAccessPolicies(ctx, &awseks.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: arn}); err != nil || len(out.AssociatedAccessPolicies) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := client.DisassociateAccessPolicy(ctx, &awseks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: arn, PolicyArn: policy}); err != nil {
		t.Error(err)
	}
	if _, err := client.DeleteAccessEntry(ctx, &awseks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: arn}); err != nil {
		t.Error(err)
	}
	_, err = client.DescribeAccessEntry(ctx, &awseks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: arn})
	var gone *types.ResourceNotFoundException
	if !errors.As(err, &gone) {
		t.Errorf("%v", err)
	}
}
