package nodes

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/test/lab"
)

// pool is a managed node group, made with the AWS SDK on a cluster that had no nodes.
type pool struct {
	*lab.Lab
	sh          lab.Terminal // kubectl
	clusters    *eks.Client
	machines    *ec2.Client
	groups      *autoscaling.Client
	roles       *iam.Client
	image       string // that was pushed to ECR
	clusterName *string
	name        *string
}

// TestNodegroup makes a managed node group of a launch template, changes its size, kills a
// node of it, and deletes it.
func TestNodegroup(t *testing.T) {
	l := lab.New(t)
	l.Images(t, "test/images/busybox.yaml")
	l.Up(t, "--nodes", "0")
	config := l.Config(t)
	p := &pool{
		Lab: l, sh: l.Host(t), clusters: eks.NewFromConfig(config), machines: ec2.NewFromConfig(config), groups: autoscaling.NewFromConfig(config), roles: iam.NewFromConfig(config),
		clusterName: aws.String("cluster"), name: aws.String("pool"),
	}
	p.image = pushed(t, l, config)
	p.create(t)
	p.node(t)

	// Two, with pods that tolerate the taint on both, then one: the pods move.
	p.pods(t)
	p.metadata(t)
	p.pull(t)
	p.resize(t, 2)
	p.sh.Must(t, "kubectl scale deployment web --replicas 4 && kubectl rollout status deployment web --timeout 180s", "successfully rolled out")
	p.resize(t, 1)
	p.sh.Must(t, "kubectl rollout status deployment web --timeout 180s", "successfully rolled out")
	p.sh.Soon(t, 20*time.Second, "echo $(kubectl get nodes --no-headers | wc -l) node, $(kubectl get pods --no-headers -l app=web | grep -c Running) pods", "1 node, 4 pods")
	acts, err := p.groups.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{})
	must(t, err)
	var said []string
	for _, a := range acts.Activities {
		said = append(said, string(a.StatusCode)+" "+*a.Description)
	}
	lab.Has(t, "DescribeScalingActivities", strings.Join(said, "\n"), "Successful Terminating EC2 instance: i-", "Successful Launching a new EC2 instance: i-")

	p.relabel(t)
	p.replaced(t)
	p.remove(t)
}

// create makes the group's role and launch template, then the group.
func (p *pool) create(t *testing.T) {
	ctx := t.Context()
	made, err := p.roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: p.name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	must(t, err)
	for _, name := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"} {
		_, err := p.roles.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: p.name, PolicyArn: aws.String("arn:aws:iam::aws:policy/" + name)})
		must(t, err)
	}
	template, err := p.machines.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: p.name, LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
		MetadataOptions: &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Int32(1), HttpTokens: ec2types.LaunchTemplateHttpTokensStateRequired},
	}})
	must(t, err)
	subnets, err := p.machines.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("tag:kubernetes.io/role/internal-elb"), Values: []string{"1"}}}})
	must(t, err)
	in := eks.CreateNodegroupInput{ClusterName: p.clusterName, NodegroupName: p.name, NodeRole: made.Role.Arn}
	for _, s := range subnets.Subnets {
		in.Subnets = append(in.Subnets, *s.SubnetId)
	}
	refused := func(change func(*eks.CreateNodegroupInput), wants string) {
		t.Helper()
		asked := in
		change(&asked)
		_, err := p.clusters.CreateNodegroup(ctx, &asked)
		var invalid *types.InvalidParameterException
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), wants) {
			t.Errorf("%v, want %s", err, wants)
		}
	}
	refused(func(in *eks.CreateNodegroupInput) { in.CapacityType = types.CapacityTypesSpot }, "capacityType SPOT is not supported by eksact")
	refused(func(in *eks.CreateNodegroupInput) {
		in.RemoteAccess = &types.RemoteAccessConfig{Ec2SshKey: aws.String("k")}
	}, "remoteAccess is not supported by eksact")

	began := time.Now()
	in.ScalingConfig = &types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(3), DesiredSize: aws.Int32(1)}
	in.Labels, in.Tags = map[string]string{"team": "blue"}, map[string]string{"cost": "blue"}
	in.Taints = []types.Taint{{Key: aws.String("dedicated"), Value: aws.String("blue"), Effect: types.TaintEffectNoSchedule}}
	in.InstanceTypes, in.LaunchTemplate = []string{"m5.large"}, &types.LaunchTemplateSpecification{Id: template.LaunchTemplate.LaunchTemplateId}
	ami := types.AMITypesAl2023X8664Standard
	if runtime.GOARCH == "arm64" {
		in.InstanceTypes, ami = []string{"m6g.large"}, types.AMITypesAl2023Arm64Standard
		in.AmiType = ami
	}
	out, err := p.clusters.CreateNodegroup(ctx, &in)
	must(t, err)
	if n := out.Nodegroup; n.Status != types.NodegroupStatusCreating || n.AmiType != ami || n.CapacityType != types.CapacityTypesOnDemand {
		t.Errorf("the node group begins as %s %s %s", n.Status, n.AmiType, n.CapacityType)
	}
	var used *types.ResourceInUseException
	if _, err := p.clusters.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: p.clusterName}); !errors.As(err, &used) || !strings.Contains(err.Error(), "Cluster has nodegroups attached") {
		t.Errorf("the cluster's deletion: %v", err)
	}
	p.active(t)
	t.Logf("ACTIVE %.1f s after the call", time.Since(began).Seconds())
}

// node looks at the node that the group made.
func (p *pool) node(t *testing.T) {
	node := p.sh.Must(t, "kubectl get nodes -o jsonpath='{.items[*].metadata.name}'", "compute.internal")
	p.sh.Must(t, "kubectl get node "+node+" --show-labels", " Ready ", "team=blue", "eks.amazonaws.com/nodegroup=pool", "eks.amazonaws.com/capacityType=ON_DEMAND", "eks.amazonaws.com/nodegroup-image=ami-")
	p.sh.Must(t, "kubectl get node "+node+" -o jsonpath='{.spec.taints}'", `"effect":"NoSchedule"`, `"key":"dedicated"`, `"value":"blue"`)
	i := p.instance(t)
	tags := map[string]string{}
	for _, tag := range i.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if *i.PrivateDnsName != node || tags["eks:cluster-name"] != "cluster" || tags["eks:nodegroup-name"] != "pool" || tags["kubernetes.io/cluster/cluster"] != "owned" || !strings.HasPrefix(tags["aws:autoscaling:groupName"], "eks-pool-") {
		t.Errorf("node %s is instance %s with the tags %v", node, *i.PrivateDnsName, tags)
	}
	p.sh.Must(t, "kubectl get configmap -n kube-system aws-auth -o yaml", "role/pool")
}

// instance is the one that runs.
func (p *pool) instance(t *testing.T) ec2types.Instance {
	t.Helper()
	out, err := p.machines.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}}})
	must(t, err)
	if len(out.Reservations) != 1 {
		t.Fatalf("%d instances run", len(out.Reservations))
	}
	return out.Reservations[0].Instances[0]
}

// asks is how a pod asks for a token of the metadata service: BusyBox's wget can't put.
const asks = `kubectl exec deploy/web -- sh -c 'printf "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nConnection: close\r\n\r\n" | timeout 2 nc 169.254.169.254 80'`

// metadata: at the launch template's hop limit of 1 an answer does not reach a pod; at 2 it
// does.
func (p *pool) metadata(t *testing.T) {
	i := p.instance(t)
	if limit := aws.ToInt32(i.MetadataOptions.HttpPutResponseHopLimit); limit != 1 {
		t.Errorf("the instance's hop limit is %d, of the launch template 1", limit)
	}
	if out := p.sh.Refused(t, asks, "command terminated with exit code 143"); strings.Contains(out, "HTTP/1.1") { // timeout ended it
		t.Errorf("with a hop limit of 1 a pod is answered:\n%s", out)
	}
	_, err := p.machines.ModifyInstanceMetadataOptions(t.Context(), &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: i.InstanceId, HttpPutResponseHopLimit: aws.Int32(2)})
	must(t, err)
	p.sh.Soon(t, 10*time.Second, asks, "HTTP/1.1 200 OK")
}

// pull: a pod's image is pulled from ECR as the node's role, and not without
// ecr:BatchGetImage.
func (p *pool) pull(t *testing.T) {
	ctx := t.Context()
	pod := func(name string) string {
		return fmt.Sprintf(`kubectl run %s --image %s --restart Never --overrides '{"spec":{"tolerations":[{"operator":"Exists"}],"terminationGracePeriodSeconds":0}}' --command -- sh -c 'cat /pushed; sleep 300'`, name, p.image)
	}
	_, err := p.roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: p.name, PolicyName: aws.String("no-pull"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecr:BatchGetImage","Resource":"*"}]}`)})
	must(t, err)
	p.sh.Must(t, pod("refused"), "pod/refused created")
	p.sh.Soon(t, 30*time.Second, "kubectl get events --field-selector involvedObject.name=refused,reason=Failed -o jsonpath='{.items[*].message}'", p.image, "pull access denied")
	lab.Has(t, "eksact trail", p.Eksact(t, "trail", "--errors", "--event", "BatchGetImage", "-o", "json"), "BatchGetImage", "assumed-role/pool/i-", "is not authorized to perform: ecr:BatchGetImage")
	_, err = p.roles.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: p.name, PolicyName: aws.String("no-pull")})
	must(t, err)
	p.sh.Must(t, pod("pulled")+" && kubectl wait --for=condition=Ready pod/pulled --timeout=180s || { kubectl describe pod pulled; false; }")
	p.sh.Must(t, "kubectl logs pulled", "by docker push")
	p.sh.Must(t, "kubectl delete pod refused pulled --force", "deleted")
}

// relabel changes labels and taints of nodes that run.
func (p *pool) relabel(t *testing.T) {
	_, err := p.clusters.UpdateNodegroupConfig(t.Context(), &eks.UpdateNodegroupConfigInput{
		ClusterName: p.clusterName, NodegroupName: p.name, Labels: &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"team": "green"}},
		Taints: &types.UpdateTaintsPayload{RemoveTaints: []types.Taint{{Key: aws.String("dedicated"), Value: aws.String("blue"), Effect: types.TaintEffectNoSchedule}}},
	})
	must(t, err)
	p.active(t)
	if out := p.sh.Must(t, "kubectl get nodes -o jsonpath='{.items[0].metadata.labels.team}{.items[0].spec.taints}'", "green"); strings.Contains(out, "dedicated") {
		t.Errorf("the taint is left: %s", out)
	}
}

// replaced ends an instance, for which the group launches another, of the launch template.
func (p *pool) replaced(t *testing.T) {
	was := *p.instance(t).InstanceId
	began := time.Now()
	out, err := p.machines.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{was}})
	must(t, err)
	if s := out.TerminatingInstances[0].CurrentState.Name; s != ec2types.InstanceStateNameShuttingDown {
		t.Errorf("the instance is %s", s)
	}
	soon(t, time.Minute, func() (bool, string) {
		all, err := p.groups.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{})
		must(t, err)
		for _, i := range all.AutoScalingInstances {
			if *i.InstanceId != was && *i.LifecycleState == "InService" {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", all.AutoScalingInstances)
	})
	p.sh.Soon(t, time.Minute, "kubectl get nodes --no-headers -l team=green | grep -v NotReady | wc -l", "1")
	t.Logf("replaced after %.1f s", time.Since(began).Seconds())
	if limit := aws.ToInt32(p.instance(t).MetadataOptions.HttpPutResponseHopLimit); limit != 1 {
		t.Errorf("the new instance's hop limit is %d", limit)
	}
	if out := p.sh.Must(t, "kubectl get nodes -l team=green -o jsonpath='{.items[0].spec.taints}'"); strings.Contains(out, "dedicated") {
		t.Errorf("the new node has the taints %s", out)
	}
}

// remove deletes the group, and looks for what is left of it.
func (p *pool) remove(t *testing.T) {
	ctx := t.Context()
	began := time.Now()
	out, err := p.clusters.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: p.clusterName, NodegroupName: p.name})
	must(t, err)
	if out.Nodegroup.Status != types.NodegroupStatusDeleting {
		t.Errorf("the node group is %s", out.Nodegroup.Status)
	}
	must(t, eks.NewNodegroupDeletedWaiter(p.clusters, func(o *eks.NodegroupDeletedWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second, time.Second }).
		Wait(ctx, &eks.DescribeNodegroupInput{ClusterName: p.clusterName, NodegroupName: p.name}, lab.Busy*2*time.Minute))
	t.Logf("deleted after %.1f s", time.Since(began).Seconds())
	groups, err := p.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	must(t, err)
	templates, err := p.machines.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{})
	must(t, err)
	profiles, err := p.roles.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{})
	must(t, err)
	if n := []int{len(groups.AutoScalingGroups), len(templates.LaunchTemplates), len(profiles.InstanceProfiles)}; fmt.Sprint(n) != "[0 1 0]" {
		t.Errorf("groups, launch templates and profiles are left: %v", n) // the one that the user made stays
	}
	if out := p.sh.Must(t, "kubectl get nodes 2>&1; kubectl get configmap -n kube-system aws-auth -o yaml", "No resources found"); strings.Contains(out, "role/pool") {
		t.Errorf("the role's mapping is left:\n%s", out)
	}
}

// active waits as the SDK does, but looks more often.
func (p *pool) active(t *testing.T) {
	t.Helper()
	must(t, eks.NewNodegroupActiveWaiter(p.clusters, func(o *eks.NodegroupActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 300*time.Millisecond, 300*time.Millisecond
	}).
		Wait(context.WithoutCancel(t.Context()), &eks.DescribeNodegroupInput{ClusterName: p.clusterName, NodegroupName: p.name}, lab.Busy*90*time.Second))
}

func (p *pool) resize(t *testing.T, to int32) {
	t.Helper()
	began := time.Now()
	out, err := p.clusters.UpdateNodegroupConfig(t.Context(), &eks.UpdateNodegroupConfigInput{ClusterName: p.clusterName, NodegroupName: p.name, ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: &to}})
	must(t, err)
	if out.Update.Type != types.UpdateTypeConfigUpdate || len(out.Update.Params) == 0 {
		t.Errorf("the update is %+v", out.Update)
	}
	p.active(t)
	t.Logf("%d nodes after %.1f s", to, time.Since(began).Seconds())
}

// soon asks again and again until it is so.
func soon(t *testing.T, limit time.Duration, ask func() (bool, string)) {
	t.Helper()
	for end := time.Now().Add(lab.Busy * limit); ; time.Sleep(200 * time.Millisecond) {
		done, is := ask()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %s it is %s", lab.Busy*limit, is)
		}
	}
}

// pods are a deployment that tolerates the node group's taint and ends at once.
func (p *pool) pods(t *testing.T) {
	t.Helper()
	p.sh.Must(t, `cat > web.yaml <<'EOF'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{key: dedicated, operator: Exists}]
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]
EOF
kubectl apply -f web.yaml && kubectl rollout status deployment web --timeout 180s`, "deployment.apps/web created")
}
