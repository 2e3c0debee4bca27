package eks_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/fleettest"
	"github.com/eksact/eksact/internal/engine/nodeconfig"
)

// estate is an account with a cluster and machines, behind a front door.
type estate struct {
	*doortest.Door
	fleet *fleettest.Fleet
	nodes *fleettest.Nodes
	c     *awseks.Client
	ec2   *awsec2.Client
	role  string
}

func newEstate(t *testing.T, mode types.AuthenticationMode) *estate {
	t.Helper()
	a := doortest.New(t)
	e := &estate{fleet: fleettest.New(t, a), nodes: &fleettest.Nodes{}}
	clusters := eks.New(eks.Deps{
		Store: a.Store, Place: doortest.Place, Runtime: quick{}, Roles: a.IAM, Network: e.fleet.EC2, Now: time.Now, PatchVersions: map[string]string{"1.37": "1.37.2"},
		Fleet: e.fleet, Images: e.fleet, Nodes: e.nodes, Sessions: a.STS,
	})
	e.Door = a.Open(t, e.fleet.EC2.Service(), e.fleet.Groups.Service(), clusters.Service())
	e.fleet.Groups.UseDoor(e.Handler)
	clusters.UseDoor(e.Handler)
	e.fleet.Run(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { clusters.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	e.c, e.ec2 = awseks.NewFromConfig(e.Admin), awsec2.NewFromConfig(e.Admin)
	i := awsiam.NewFromConfig(e.Admin)
	for name, service := range map[string]string{"plane": "eks.amazonaws.com", "node": "ec2.amazonaws.com"} {
		out, err := i.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`)})
		if err != nil {
			t.Fatal(err)
		}
		if name == "node" {
			e.role = *out.Role.Arn
		}
	}
	_, err := e.c.CreateCluster(t.Context(), &awseks.CreateClusterInput{
		Name: aws.String(fleettest.Cluster), RoleArn: aws.String(strings.Replace(e.role, "node", "plane", 1)), ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: fleettest.Subnets},
		AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: mode},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := clusters.WaitServing(t.Context(), fleettest.Cluster); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *estate) input(name string, change ...func(*awseks.CreateNodegroupInput)) *awseks.CreateNodegroupInput {
	in := &awseks.CreateNodegroupInput{
		ClusterName: aws.String(fleettest.Cluster), NodegroupName: &name, NodeRole: &e.role, Subnets: fleettest.Subnets, InstanceTypes: []string{"m5.large"},
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(0), MaxSize: aws.Int32(3), DesiredSize: aws.Int32(2)},
		Labels:        map[string]string{"team": "a"}, Taints: []types.Taint{{Key: aws.String("only"), Value: aws.String("b"), Effect: types.TaintEffectNoSchedule}},
		Tags: map[string]string{"cost": "c"},
	}
	for _, fn := range change {
		fn(in)
	}
	return in
}

func (e *estate) describe(t *testing.T, name string) *types.Nodegroup {
	t.Helper()
	out, err := e.c.DescribeNodegroup(t.Context(), &awseks.DescribeNodegroupInput{ClusterName: aws.String(fleettest.Cluster), NodegroupName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Nodegroup
}

// becomes waits until a node group has a status.
func (e *estate) becomes(t *testing.T, name string, want types.NodegroupStatus) *types.Nodegroup {
	t.Helper()
	var n *types.Nodegroup
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if n = e.describe(t, name); n.Status == want {
			return n
		}
	}
	g, _ := e.fleet.Group(*n.Resources.AutoScalingGroups[0].Name)
	t.Fatalf("nodegroup %s is %s, not %s: %+v; %+v", name, n.Status, want, n.Health.Issues, g)
	return nil
}

func (e *estate) members(t *testing.T, n *types.Nodegroup) (ids []string) {
	t.Helper()
	g, ok := e.fleet.Group(*n.Resources.AutoScalingGroups[0].Name)
	if !ok {
		t.Fatal("there is no group")
	}
	for _, m := range g.Members {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

// updated waits for an update, and says how it ended.
func (e *estate) updated(t *testing.T, name string, u *types.Update) *types.Update {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		out, err := e.c.DescribeUpdate(t.Context(), &awseks.DescribeUpdateInput{Name: aws.String(fleettest.Cluster), NodegroupName: &name, UpdateId: u.Id})
		if err != nil {
			t.Fatal(err)
		}
		if out.Update.Status != types.UpdateStatusInProgress {
			return out.Update
		}
	}
	t.Fatalf("update %s does not end", *u.Id)
	return nil
}

func TestNodegroupsLife(t *testing.T) {
	e := newEstate(t, types.AuthenticationModeApiAndConfigMap)
	ctx, must, cluster := t.Context(), doortest.Must(t), aws.String(fleettest.Cluster)
	out, err := e.c.CreateNodegroup(ctx, e.input("ng"))
	if err != nil || out.Nodegroup.Status != types.NodegroupStatusCreating || out.Nodegroup.AmiType != types.AMITypesAl2023X8664Standard || *out.Nodegroup.ReleaseVersion != "1.37.2-20260801" {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = e.c.CreateNodegroup(ctx, e.input("ng"))
	doortest.Refused(t, err, "ResourceInUseException", "NodeGroup already exists with name ng and cluster name cluster")
	n := e.becomes(t, "ng", types.NodegroupStatusActive)
	ids := e.members(t, n)
	if len(ids) != 2 || len(n.Health.Issues) != 0 {
		t.Fatalf("%v in %+v", ids, n)
	}
	i, _ := e.fleet.EC2.Instance(ids[0])
	for k, v := range map[string]string{
		"eks:cluster-name": "cluster", "eks:nodegroup-name": "ng", "kubernetes.io/cluster/cluster": "owned", "k8s.io/cluster-autoscaler/enabled": "true",
		"aws:autoscaling:groupName": *n.Resources.AutoScalingGroups[0].Name, "cost": "",
	} {
		if i.Tags[k] != v {
			t.Errorf("tag %s is %q, not %q", k, i.Tags[k], v)
		}
	}
	data, _ := base64.StdEncoding.DecodeString(i.UserData)
	said, err := nodeconfig.Parse(data)
	if err != nil || said.Cluster != "cluster" || string(said.CA) != "pem" || !strings.HasSuffix(said.Endpoint, ".eks.amazonaws.com") || said.Labels["team"] != "a" ||
		said.Labels["eks.amazonaws.com/nodegroup"] != "ng" || said.Labels["eks.amazonaws.com/capacityType"] != "ON_DEMAND" || said.Labels["eks.amazonaws.com/nodegroup-image"] != i.Image ||
		len(said.Taints) != 1 || said.Taints[0].String() != "only=b:NoSchedule" {
		t.Errorf("user data %+v, %v", said, err)
	}
	described, err := e.c.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: cluster})
	if err != nil || !slices.Equal(i.Groups, []string{*described.Cluster.ResourcesVpcConfig.ClusterSecurityGroupId}) || !strings.Contains(i.ProfileARN, ":instance-profile/eks-") || !i.TokensOnly || i.HopLimit != 2 {
		t.Errorf("instance %+v, %v", i, err)
	}
	entry, err := e.c.DescribeAccessEntry(ctx, &awseks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: &e.role})
	if err != nil || *entry.AccessEntry.Type != "EC2_LINUX" {
		t.Errorf("the role's entry: %+v, %v", entry, err)
	}
	_, err = e.c.DeleteCluster(ctx, &awseks.DeleteClusterInput{Name: cluster})
	doortest.Refused(t, err, "ResourceInUseException", "Cluster has nodegroups attached")

	// Fewer, other labels, and none that is reserved.
	update, err := e.c.UpdateNodegroupConfig(ctx, &awseks.UpdateNodegroupConfigInput{
		ClusterName: cluster, NodegroupName: aws.String("ng"), ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: aws.Int32(1)},
		Labels: &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"more": "x"}, RemoveLabels: []string{"team"}},
		Taints: &types.UpdateTaintsPayload{RemoveTaints: []types.Taint{{Key: aws.String("only"), Value: aws.String("b"), Effect: types.TaintEffectNoSchedule}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.c.UpdateNodegroupConfig(ctx, &awseks.UpdateNodegroupConfigInput{ClusterName: cluster, NodegroupName: aws.String("ng"), ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: aws.Int32(1)}})
	if err != nil { // it may have ended already
		doortest.Refused(t, err, "ResourceInUseException", "Nodegroup cannot be updated as it is currently not in Active State")
	}
	if u := e.updated(t, "ng", update.Update); u.Status != types.UpdateStatusSuccessful || u.Type != types.UpdateTypeConfigUpdate || len(u.Params) != 4 {
		t.Errorf("update %+v", u)
	}
	n = e.becomes(t, "ng", types.NodegroupStatusActive)
	left := e.members(t, n)
	if len(left) != 1 || n.Labels["more"] != "x" || n.Labels["team"] != "" || len(n.Taints) != 0 {
		t.Errorf("left are %v of %+v", left, n)
	}
	e.nodes.Look(t, func(nodes *fleettest.Nodes) {
		if len(nodes.Drained) != 1 || slices.Contains(left, nodes.Drained[0]) || nodes.Marked[left[0]].SetLabels["more"] != "x" || len(nodes.Marked[left[0]].DropTaints) != 1 {
			t.Errorf("drained %v, marked %v", nodes.Drained, nodes.Marked)
		}
	})

	// One that ends is replaced, with the new labels.
	must(e.ec2.TerminateInstances(ctx, &awsec2.TerminateInstancesInput{InstanceIds: left}))
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if now := e.members(t, n); len(now) == 1 && now[0] != left[0] {
			i, _ = e.fleet.EC2.Instance(now[0])
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is not replaced")
		}
	}
	data, _ = base64.StdEncoding.DecodeString(i.UserData)
	if said, err = nodeconfig.Parse(data); err != nil || said.Labels["more"] != "x" || said.Labels["team"] != "" || len(said.Taints) != 0 {
		t.Errorf("a new node's user data: %+v, %v", said, err)
	}

	arn := n.NodegroupArn
	must(e.c.TagResource(ctx, &awseks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"more": "t"}}))
	if n = e.describe(t, "ng"); n.Tags["more"] != "t" || n.Tags["cost"] != "c" {
		t.Errorf("tags %v", n.Tags)
	}
	must(e.c.DeleteNodegroup(ctx, &awseks.DeleteNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("ng")}))
	waiter := awseks.NewNodegroupDeletedWaiter(e.c, func(o *awseks.NodegroupDeletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 50*time.Millisecond
	})
	if err := waiter.Wait(ctx, &awseks.DescribeNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("ng")}, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	templates, err := e.ec2.DescribeLaunchTemplates(ctx, &awsec2.DescribeLaunchTemplatesInput{})
	if err != nil || len(templates.LaunchTemplates) != 0 {
		t.Errorf("left are %+v, %v", templates, err)
	}
	profiles, err := awsiam.NewFromConfig(e.Admin).ListInstanceProfiles(ctx, &awsiam.ListInstanceProfilesInput{})
	if err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("left are %+v, %v", profiles, err)
	}
	if _, err = e.c.DescribeAccessEntry(ctx, &awseks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: &e.role}); err == nil {
		t.Error("the role's entry is left")
	}
	must(e.c.DeleteCluster(ctx, &awseks.DeleteClusterInput{Name: cluster}))
}

func TestRollOut(t *testing.T) {
	for _, strategy := range []types.NodegroupUpdateStrategies{types.NodegroupUpdateStrategiesDefault, types.NodegroupUpdateStrategiesMinimal} {
		t.Run(string(strategy), func(t *testing.T) { rollOut(t, strategy) })
	}
}

func rollOut(t *testing.T, strategy types.NodegroupUpdateStrategies) {
	e := newEstate(t, types.AuthenticationModeConfigMap)
	ctx, must, cluster, name := t.Context(), doortest.Must(t), aws.String(fleettest.Cluster), aws.String("ng")
	own := base64.StdEncoding.EncodeToString([]byte("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {kubelet: {config: {maxPods: 7}}}\n"))
	made, err := e.ec2.CreateLaunchTemplate(ctx, &awsec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("mine"), LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
		InstanceType: "m5.large", UserData: &own, TagSpecifications: []ec2types.LaunchTemplateTagSpecificationRequest{{ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("mine")}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	id := made.LaunchTemplate.LaunchTemplateId
	must(e.c.CreateNodegroup(ctx, e.input("ng", func(in *awseks.CreateNodegroupInput) {
		in.InstanceTypes, in.LaunchTemplate, in.UpdateConfig = nil, &types.LaunchTemplateSpecification{Id: id}, &types.NodegroupUpdateConfig{MaxUnavailable: aws.Int32(1), UpdateStrategy: strategy}
	})))
	n := e.becomes(t, "ng", types.NodegroupStatusActive)
	before := e.members(t, n)
	i, _ := e.fleet.EC2.Instance(before[0])
	data, _ := base64.StdEncoding.DecodeString(i.UserData)
	if said, err := nodeconfig.Parse(data); err != nil || said.MaxPods != 7 || said.Labels["eks.amazonaws.com/sourceLaunchTemplateVersion"] != "1" || i.Tags["Name"] != "mine" || i.Tags["eks:nodegroup-name"] != "ng" {
		t.Errorf("%+v, %v; %v", said, err, i.Tags)
	}
	e.nodes.Look(t, func(nodes *fleettest.Nodes) {
		if !slices.Equal(nodes.Admitted, []string{e.role}) {
			t.Errorf("admitted are %v", nodes.Admitted)
		}
	})
	must(e.ec2.CreateLaunchTemplateVersion(ctx, &awsec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: id, SourceVersion: aws.String("1"), LaunchTemplateData: &ec2types.RequestLaunchTemplateData{InstanceType: "m5.xlarge"}}))
	roll := func(version string, force bool) *types.Update {
		t.Helper()
		out, err := e.c.UpdateNodegroupVersion(ctx, &awseks.UpdateNodegroupVersionInput{ClusterName: cluster, NodegroupName: name, Force: force, LaunchTemplate: &types.LaunchTemplateSpecification{Id: id, Version: &version}})
		if err != nil {
			t.Fatal(err)
		}
		return e.updated(t, "ng", out.Update)
	}
	e.nodes.Look(t, func(nodes *fleettest.Nodes) { nodes.Stuck = []string{"web-0"} })
	if u := roll("2", false); u.Status != types.UpdateStatusFailed || u.Errors[0].ErrorCode != types.ErrorCodePodEvictionFailure || !strings.Contains(*u.Errors[0].ErrorMessage, "web-0") {
		t.Errorf("with a pod that can't be evicted: %+v", u)
	}
	e.becomes(t, "ng", types.NodegroupStatusActive)
	if u := roll("2", true); u.Status != types.UpdateStatusSuccessful {
		t.Errorf("by force: %+v", u)
	}
	n = e.becomes(t, "ng", types.NodegroupStatusActive)
	after := e.members(t, n)
	if len(after) != 2 || *n.LaunchTemplate.Version != "2" || slices.ContainsFunc(after, func(id string) bool { return slices.Contains(before, id) }) {
		t.Errorf("%v, then %v; %+v", before, after, n.LaunchTemplate)
	}
	for _, id := range after {
		if i, _ := e.fleet.EC2.Instance(id); i.Type != "m5.xlarge" {
			t.Errorf("%s is of type %s", id, i.Type)
		}
	}
	if u := roll("2", false); u.Status != types.UpdateStatusSuccessful || !slices.Equal(e.members(t, n), after) {
		t.Errorf("once more: %+v", u)
	}
	listed, err := e.c.ListUpdates(ctx, &awseks.ListUpdatesInput{Name: cluster, NodegroupName: name})
	if err != nil || len(listed.UpdateIds) != 3 {
		t.Errorf("updates %+v, %v", listed, err)
	}
	must(e.c.DeleteNodegroup(ctx, &awseks.DeleteNodegroupInput{ClusterName: cluster, NodegroupName: name}))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := e.c.DescribeNodegroup(ctx, &awseks.DescribeNodegroupInput{ClusterName: cluster, NodegroupName: name}); err != nil {
			doortest.Refused(t, err, "ResourceNotFoundException", "No node group found for name: ng.")
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is not deleted")
		}
	}
	e.nodes.Look(t, func(nodes *fleettest.Nodes) {
		if len(nodes.Admitted) != 0 {
			t.Errorf("still admitted are %v", nodes.Admitted)
		}
	})
}

func TestNodegroupsThatFail(t *testing.T) {
	e := newEstate(t, types.AuthenticationModeConfigMap)
	ctx, cluster := t.Context(), aws.String(fleettest.Cluster)
	e.nodes.Look(t, func(n *fleettest.Nodes) { n.Unready = errors.New("no lease") })
	doortest.Must(t)(e.c.CreateNodegroup(ctx, e.input("silent")))
	if n := e.becomes(t, "silent", types.NodegroupStatusCreateFailed); n.Health.Issues[0].Code != types.NodegroupIssueCodeNodeCreationFailure || *n.Health.Issues[0].Message != "Instances failed to join the kubernetes cluster" || len(n.Health.Issues[0].ResourceIds) != 1 {
		t.Errorf("health %+v", n.Health.Issues)
	}
	e.nodes.Look(t, func(n *fleettest.Nodes) { n.Unready = nil })
	for _, id := range fleettest.Subnets {
		e.fleet.Fill(id, true)
	}
	doortest.Must(t)(e.c.CreateNodegroup(ctx, e.input("crowded")))
	if n := e.becomes(t, "crowded", types.NodegroupStatusCreateFailed); n.Health.Issues[0].Code != types.NodegroupIssueCodeInsufficientFreeAddresses || !strings.Contains(*n.Health.Issues[0].Message, "There are not enough free addresses in subnet") {
		t.Errorf("health %+v", n.Health.Issues)
	}
	doortest.Must(t)(e.c.DeleteNodegroup(ctx, &awseks.DeleteNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("crowded")}))
}

func TestNodegroupRefusals(t *testing.T) {
	e := newEstate(t, types.AuthenticationModeConfigMap)
	for _, test := range []struct {
		change     func(*awseks.CreateNodegroupInput)
		code, text string
	}{
		{func(in *awseks.CreateNodegroupInput) { in.ClusterName = aws.String("none") }, "ResourceNotFoundException", "No cluster found for name: none."},
		{func(in *awseks.CreateNodegroupInput) { in.NodegroupName = aws.String("-x") }, "InvalidParameterException", "The nodegroup name"},
		{func(in *awseks.CreateNodegroupInput) { in.RemoteAccess = &types.RemoteAccessConfig{} }, "InvalidParameterException", "remoteAccess is not supported by eksact"},
		{func(in *awseks.CreateNodegroupInput) { in.CapacityType = types.CapacityTypesSpot }, "InvalidParameterException", "capacityType SPOT is not supported by eksact"},
		{func(in *awseks.CreateNodegroupInput) { in.AmiType = types.AMITypesBottlerocketX8664 }, "InvalidParameterException", "amiType BOTTLEROCKET_x86_64 is not supported by eksact"},
		{func(in *awseks.CreateNodegroupInput) { in.AmiType = types.AMITypesAl2023Arm64Standard }, "InvalidParameterException", "[m5.large] is not a valid instance type for requested amiType AL2023_ARM_64_STANDARD"},
		{func(in *awseks.CreateNodegroupInput) { in.InstanceTypes = []string{"m6g.large"} }, "InvalidParameterException", "this machine is x86_64"},
		{func(in *awseks.CreateNodegroupInput) { in.InstanceTypes = []string{"m5.large", "m6g.large"} }, "InvalidParameterException", "share one architecture"},
		{func(in *awseks.CreateNodegroupInput) { in.InstanceTypes = []string{"m5.huge"} }, "InvalidParameterException", "do not exist: [m5.huge]"},
		{func(in *awseks.CreateNodegroupInput) { in.ScalingConfig.MinSize = aws.Int32(3) }, "InvalidParameterException", "Minimum capacity 3 can't be greater than desired size 2"},
		{func(in *awseks.CreateNodegroupInput) { in.ScalingConfig.MaxSize = aws.Int32(1) }, "InvalidParameterException", "desired capacity 2 can't be greater than max size 1"},
		{func(in *awseks.CreateNodegroupInput) { in.Labels = map[string]string{"kubernetes.io/x": "y"} }, "InvalidParameterException", "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]"},
		{func(in *awseks.CreateNodegroupInput) { in.Labels = map[string]string{"a b": "y"} }, "InvalidParameterException", `Label key "a b" is not one that Kubernetes takes`},
		{func(in *awseks.CreateNodegroupInput) { in.Taints[0].Key = aws.String("a b") }, "InvalidParameterException", `Taint key "a b" is not one that Kubernetes takes`},
		{func(in *awseks.CreateNodegroupInput) { in.Taints[0].Key = aws.String("k8s.io/x") }, "InvalidParameterException", "Taint cannot contain reserved prefixes ["},
		{func(in *awseks.CreateNodegroupInput) { in.Taints[0].Effect = "NEVER" }, "InvalidParameterException", "NEVER"},
		{func(in *awseks.CreateNodegroupInput) {
			in.NodeRole = aws.String(strings.Replace(e.role, "node", "plane", 1))
		}, "InvalidParameterException", "Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole"},
		{func(in *awseks.CreateNodegroupInput) { in.NodeRole = aws.String(e.role + "x") }, "InvalidParameterException", "could not be assumed because it does not exist"},
		{func(in *awseks.CreateNodegroupInput) { in.Subnets = []string{"subnet-1"} }, "InvalidParameterException", "The subnet ID 'subnet-1' does not exist"},
		{func(in *awseks.CreateNodegroupInput) { in.Version = aws.String("1.36") }, "InvalidParameterException", "version 1.36 is not supported by eksact"},
		{func(in *awseks.CreateNodegroupInput) { in.ReleaseVersion = aws.String("1.37.0-20200101") }, "InvalidParameterException", "Requested release version 1.37.0-20200101 is not valid for kubernetes version 1.37."},
		{func(in *awseks.CreateNodegroupInput) {
			in.LaunchTemplate = &types.LaunchTemplateSpecification{Id: aws.String("lt-1")}
		}, "InvalidParameterException", "lt-1, does not exist"},
		{func(in *awseks.CreateNodegroupInput) {
			in.UpdateConfig = &types.NodegroupUpdateConfig{MaxUnavailable: aws.Int32(1), MaxUnavailablePercentage: aws.Int32(1)}
		}, "InvalidParameterException", "Only one of maxUnavailable and maxUnavailablePercentage"},
	} {
		_, err := e.c.CreateNodegroup(t.Context(), e.input("r", test.change))
		doortest.Refused(t, err, test.code, test.text)
	}
	passing := awseks.NewFromConfig(e.User(t, "passing", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["eks:*","iam:CreateServiceLinkedRole"],"Resource":"*"}]}`))
	_, err := passing.CreateNodegroup(t.Context(), e.input("r"))
	doortest.Refused(t, err, "AccessDeniedException", "iam:PassRole")
	tagging := awseks.NewFromConfig(e.User(t, "tagging", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["eks:CreateNodegroup","iam:*"],"Resource":"*"}]}`))
	_, err = tagging.CreateNodegroup(t.Context(), e.input("r"))
	doortest.Refused(t, err, "AccessDeniedException", "eks:TagResource")
}
