package vpc

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/test/lab"
)

func (h *house) vpc(t *testing.T) {
	for _, major := range []string{"1", "2"} {
		t.Run("by version "+major+" of the AWS CLI", func(t *testing.T) {
			c := h.Host(t).AWS(t, major)
			c.Must(t, `aws ec2 describe-nat-gateways --filter Name=state,Values=available --query 'NatGateways[].[State,NatGatewayAddresses[0].PublicIp]' --output text`, "available", "198.18.0.3")
			c.Must(t, `aws ec2 describe-route-tables --query 'RouteTables[].Routes[].[DestinationCidrBlock,State]' --output text`, "0.0.0.0/0\tactive", "10.0.0.0/16\tactive")
			c.Must(t, `aws ec2 describe-instance-types --instance-types m5.large --query 'InstanceTypes[].[VCpuInfo.DefaultVCpus,MemoryInfo.SizeInMiB]' --output text`, "2\t8192")
			c.Refused(t, `aws ec2 create-subnet --vpc-id `+h.vpcID+` --cidr-block 10.0.0.0/24`, "InvalidSubnet.Conflict")
			c.Refused(t, `aws ec2 delete-vpc --dry-run --vpc-id vpc-1`, "DryRunOperation")
		})
	}
}

// from types a line in an instance's network.
func (h *house) from(instance string) lab.Terminal {
	return h.host.After("inside() { nsenter --net=" + filepath.Join(lab.RunDir, "netns", instance) + ` "$@"; }`)
}

const call = `curl -sSk -o /dev/null -w '%{http_code}' --max-time 20 https://198.18.0.2/`

// refused is what it says where there is no way.
const refused = "curl: (7)"

// noCall is one that is not to arrive.
var noCall = strings.Replace(call, "max-time 20", "max-time 3", 1)

func (h *house) routes(t *testing.T) {
	node, shell, ctx := h.from(h.nodes[0].ID), h.shell, t.Context()
	node.Must(t, "inside "+call)
	shell.Must(t, call)
	subnet := *h.instance(t, h.nodes[0].ID).SubnetId
	everywhere := aws.String("0.0.0.0/0")
	table := got(h.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: where("association.subnet-id", subnet)})).RouteTables[0].RouteTableId
	nat := got(h.ec2.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{})).NatGateways[0].NatGatewayId
	igw := got(h.ec2.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{})).InternetGateways[0].InternetGatewayId
	public := got(h.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: where("route.gateway-id", *igw)})).RouteTables[0].RouteTableId

	got(h.ec2.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere}))
	node.Refused(t, "inside "+noCall, refused)
	shell.Must(t, call)
	h.byHand(t, h.nodes[0].ID)
	got(h.ec2.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere, NatGatewayId: nat}))
	node.Must(t, "inside "+call)

	// Without its own way out a NAT gateway is none.
	got(h.ec2.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: public, DestinationCidrBlock: everywhere}))
	shell.Refused(t, noCall, refused)
	node.Refused(t, "inside "+noCall, refused)
	got(h.ec2.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: public, DestinationCidrBlock: everywhere, GatewayId: igw}))
	shell.Must(t, call)
	node.Must(t, "inside "+call)
}

func (h *house) subnet(t *testing.T) {
	ctx := t.Context()
	n := got(h.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &h.vpcID, CidrBlock: aws.String("10.0.200.0/24"), AvailabilityZone: aws.String("us-west-2a")})).Subnet
	if *n.AvailableIpAddressCount != 251 {
		t.Errorf("%d addresses are free", *n.AvailableIpAddressCount)
	}
	const knock = "inside bash -c '</dev/tcp/10.0.200.1/9' 2>&1"
	h.from(h.nodes[0].ID).Refused(t, knock, "Connection refused")
	got(h.ec2.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: n.SubnetId}))
	h.from(h.nodes[0].ID).Refused(t, knock, "Network is unreachable")
}

const daemonSet = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: probe}
spec:
  selector: {matchLabels: {app: probe}}
  template:
    metadata: {labels: {app: probe}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: probe, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "100000"]}]
`

// podOn is how a node's pod is asked for.
func podOn(node, path string) string {
	return "kubectl get pods -l app=probe --field-selector spec.nodeName=" + node + " -o jsonpath='{" + path + "}'"
}

func (h *house) reboot(t *testing.T) {
	n := h.nodes[0]
	h.apply(t, daemonSet)
	h.host.Must(t, "kubectl rollout status daemonset/probe --timeout=180s")
	pod := h.host.Must(t, podOn(n.Name, ".items[0].metadata.name"), "probe-")
	got(h.ec2.RebootInstances(t.Context(), &ec2.RebootInstancesInput{InstanceIds: []string{n.ID}}))
	took := h.host.Soon(t, 60*time.Second, podOn(n.Name, ".items[0].metadata.name} {.items[0].status.containerStatuses[0].restartCount} {.items[0].status.containerStatuses[0].ready"), pod+" 1 true")
	t.Logf("the pod ran again %.1f s after the reboot", took.Seconds())
	if state := h.instance(t, n.ID).State.Name; state != types.InstanceStateNameRunning {
		t.Errorf("the instance is %s", state)
	}
	h.host.Must(t, "kubectl wait --for=condition=Ready node/"+n.Name+" --timeout=180s")
	if out := got(h.ec2.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: &n.ID})); out.Output == nil {
		t.Error("the console has no output")
	}
}

// lone keeps the nodes' Auto Scaling group from replacing those that stop or end.
func (h *house) lone(t *testing.T) {
	h.Host(t).AWS(t, "2").Must(t, "aws autoscaling suspend-processes --scaling-processes Launch ReplaceUnhealthy --auto-scaling-group-name "+
		"$(aws autoscaling describe-auto-scaling-groups --query 'AutoScalingGroups[0].AutoScalingGroupName' --output text)")
}

func (h *house) stop(t *testing.T) {
	n, ctx := h.nodes[1], t.Context()
	h.lone(t)
	kubelet := "inside curl -sSk -o /dev/null --max-time 20 --noproxy '*' https://" + n.Address + ":10250/"
	h.from(h.nodes[0].ID).Must(t, kubelet)
	if c := got(h.ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{n.ID}})).StoppingInstances[0]; c.CurrentState.Name != types.InstanceStateNameStopping {
		t.Errorf("%+v", c)
	}
	h.until(t, n.ID, types.InstanceStateNameStopped)
	_, err := h.ec2.RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: []string{n.ID}})
	if err == nil || !strings.Contains(err.Error(), "IncorrectInstanceState") {
		t.Errorf("a stopped instance was rebooted: %v", err)
	}
	h.host.Must(t, "kubectl get node "+n.Name)
	h.from(h.nodes[0].ID).Refused(t, strings.Replace(kubelet, "max-time 20", "max-time 3", 1), refused)
	got(h.ec2.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{n.ID}}))
	h.until(t, n.ID, types.InstanceStateNameRunning)
	took := h.host.Soon(t, 60*time.Second, podOn(n.Name, ".items[0].status.containerStatuses[0].restartCount} {.items[0].status.containerStatuses[0].ready"), "1 true")
	t.Logf("the pod ran again %.1f s after the start", took.Seconds())
}

func (h *house) terminate(t *testing.T) {
	n, ctx := h.nodes[1], t.Context()
	got(h.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{n.ID}}))
	h.until(t, n.ID, types.InstanceStateNameTerminated)
	h.host.Soon(t, 30*time.Second, "kubectl get node "+n.Name+" 2>&1 || true", "NotFound")
	h.host.Must(t, "kubectl get nodes", h.nodes[0].Name)
	if out := h.Eksact(t, "status", "-o", "json"); strings.Contains(out, n.ID) {
		t.Errorf("the instance is still in the status:\n%s", out)
	}
}

func (h *house) instance(t *testing.T, id string) types.Instance {
	t.Helper()
	return got(h.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})).Reservations[0].Instances[0]
}

// until waits for an instance's state.
func (h *house) until(t *testing.T, id string, want types.InstanceStateName) {
	t.Helper()
	for limit := time.Now().Add(lab.Busy * 30 * time.Second); h.instance(t, id).State.Name != want; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("instance %s is %s, want %s", id, h.instance(t, id).State.Name, want)
		}
	}
}

func where(filter string, values ...string) []types.Filter {
	return []types.Filter{{Name: &filter, Values: values}}
}
