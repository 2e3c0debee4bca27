package ec2

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

// place is the lab with two nodes.
type place struct {
	*lab.Lab
	admin lab.Terminal // kubectl
	ec2   *ec2.Client
	vpcID string
	nodes []control.Node
}

func TestEC2(t *testing.T) {
	p := &place{Lab: lab.Start(t, "--nodes", "2")}
	p.admin, p.ec2 = p.Host(t), ec2.NewFromConfig(p.config(t))
	p.vpcID = *got(p.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})).Vpcs[0].VpcId
	var s control.Status
	if err := json.Unmarshal([]byte(p.Eksact(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	p.nodes = s.Clusters[0].Nodes
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"the VPC is as eksctl makes it", p.vpc},
		{"packets obey the route tables", p.routes},
		{"a new subnet is real", p.subnet},
		{"a rebooted instance is a node again", p.reboot},
		{"a stopped instance is started again", p.stop},
		{"a terminated instance is no node", p.terminate},
	} {
		t.Run(part.name, part.test)
	}
}

func (p *place) vpc(t *testing.T) {
	for _, major := range []string{"1", "2"} {
		c := p.Host(t).AWS(t, major)
		c.Must(t, `aws ec2 describe-nat-gateways --filter Name=state,Values=available --query 'NatGateways[].[State,NatGatewayAddresses[0].PublicIp]' --output text`, "available", "198.18.0.3")
		c.Must(t, `aws ec2 describe-route-tables --query 'RouteTables[].Routes[].[DestinationCidrBlock,State]' --output text`, "0.0.0.0/0\tactive", "10.0.0.0/16\tactive")
		c.Must(t, `aws ec2 describe-instance-types --instance-types m5.large --query 'InstanceTypes[].[VCpuInfo.DefaultVCpus,MemoryInfo.SizeInMiB]' --output text`, "2\t8192")
		c.Refused(t, `aws ec2 create-subnet --vpc-id `+p.vpcID+` --cidr-block 10.0.0.0/24`, "InvalidSubnet.Conflict")
		c.Refused(t, `aws ec2 delete-vpc --dry-run --vpc-id vpc-1`, "DryRunOperation")
	}
}

// from types a line in an instance's network.
func (p *place) from(instance string) lab.Terminal {
	return p.admin.After("inside() { nsenter --net=" + filepath.Join(lab.RunDir, "netns", instance) + ` "$@"; }`)
}

const call = `curl -sk -o /dev/null -w '%{http_code}' --max-time 5 https://198.18.0.2/`

func (p *place) routes(t *testing.T) {
	node, shell, ctx := p.from(p.nodes[0].ID), p.Shell(), t.Context()
	node.Must(t, "inside "+call)
	shell.Must(t, call)
	subnet := *p.instance(t, p.nodes[0].ID).SubnetId
	everywhere := aws.String("0.0.0.0/0")
	table := got(p.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: where("association.subnet-id", subnet)})).RouteTables[0].RouteTableId
	nat := got(p.ec2.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{})).NatGateways[0].NatGatewayId
	igw := got(p.ec2.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{})).InternetGateways[0].InternetGatewayId
	public := got(p.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: where("route.gateway-id", *igw)})).RouteTables[0].RouteTableId

	got(p.ec2.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere}))
	node.Refused(t, "inside "+call)
	shell.Must(t, call)
	got(p.ec2.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: everywhere, NatGatewayId: nat}))
	node.Must(t, "inside "+call)

	// Without its own way out a NAT gateway is none.
	got(p.ec2.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: public, DestinationCidrBlock: everywhere}))
	shell.Refused(t, call)
	node.Refused(t, "inside "+call)
	got(p.ec2.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: public, DestinationCidrBlock: everywhere, GatewayId: igw}))
	shell.Must(t, call)
	node.Must(t, "inside "+call)
}

func (p *place) subnet(t *testing.T) {
	ctx := t.Context()
	n := got(p.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &p.vpcID, CidrBlock: aws.String("10.0.200.0/24"), AvailabilityZone: aws.String("us-west-2a")})).Subnet
	if *n.AvailableIpAddressCount != 251 {
		t.Errorf("%d addresses are free", *n.AvailableIpAddressCount)
	}
	const knock = "inside bash -c '</dev/tcp/10.0.200.1/9' 2>&1"
	p.from(p.nodes[0].ID).Refused(t, knock, "Connection refused")
	got(p.ec2.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: n.SubnetId}))
	p.from(p.nodes[0].ID).Refused(t, knock, "Network is unreachable")
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

func (p *place) reboot(t *testing.T) {
	p.Eksact(t, "image", "build", filepath.Join(lab.Root(t), "test/images/busybox.yaml"))
	file := filepath.Join(t.TempDir(), "probe.yaml")
	if err := os.WriteFile(file, []byte(daemonSet), 0o600); err != nil {
		t.Fatal(err)
	}
	n := p.nodes[0]
	p.admin.Must(t, "kubectl apply -f "+file+" && kubectl rollout status daemonset/probe --timeout=60s")
	pod := p.admin.Must(t, podOn(n.Name, ".items[0].metadata.name"), "probe-")
	got(p.ec2.RebootInstances(t.Context(), &ec2.RebootInstancesInput{InstanceIds: []string{n.ID}}))
	took := p.admin.Soon(t, 60*time.Second, podOn(n.Name, ".items[0].metadata.name} {.items[0].status.containerStatuses[0].restartCount} {.items[0].status.containerStatuses[0].ready"), pod+" 1 true")
	t.Logf("the pod ran again %.1f s after the reboot", took.Seconds())
	if state := p.instance(t, n.ID).State.Name; state != types.InstanceStateNameRunning {
		t.Errorf("the instance is %s", state)
	}
	p.admin.Must(t, "kubectl wait --for=condition=Ready node/"+n.Name+" --timeout=30s")
	if out := got(p.ec2.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: &n.ID})); out.Output == nil {
		t.Error("the console has no output")
	}
}

func (p *place) stop(t *testing.T) {
	n, ctx := p.nodes[1], t.Context()
	kubelet := "inside curl -sk -o /dev/null --max-time 5 --noproxy '*' https://" + n.Address + ":10250/"
	p.from(p.nodes[0].ID).Must(t, kubelet)
	if c := got(p.ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{n.ID}})).StoppingInstances[0]; c.CurrentState.Name != types.InstanceStateNameStopping {
		t.Errorf("%+v", c)
	}
	p.until(t, n.ID, types.InstanceStateNameStopped)
	_, err := p.ec2.RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: []string{n.ID}})
	if err == nil || !strings.Contains(err.Error(), "IncorrectInstanceState") {
		t.Errorf("a stopped instance was rebooted: %v", err)
	}
	p.admin.Must(t, "kubectl get node "+n.Name)
	p.from(p.nodes[0].ID).Refused(t, kubelet)
	got(p.ec2.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{n.ID}}))
	p.until(t, n.ID, types.InstanceStateNameRunning)
	took := p.admin.Soon(t, 60*time.Second, podOn(n.Name, ".items[0].status.containerStatuses[0].restartCount} {.items[0].status.containerStatuses[0].ready"), "1 true")
	t.Logf("the pod ran again %.1f s after the start", took.Seconds())
}

func (p *place) terminate(t *testing.T) {
	n, ctx := p.nodes[1], t.Context()
	got(p.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{n.ID}}))
	p.until(t, n.ID, types.InstanceStateNameTerminated)
	p.admin.Soon(t, 30*time.Second, "kubectl get node "+n.Name+" 2>&1 || true", "NotFound")
	p.admin.Must(t, "kubectl get nodes", p.nodes[0].Name)
	if out := p.Eksact(t, "status", "-o", "json"); strings.Contains(out, n.ID) {
		t.Errorf("the instance is still in the status:\n%s", out)
	}
}

func (p *place) instance(t *testing.T, id string) types.Instance {
	t.Helper()
	return got(p.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})).Reservations[0].Instances[0]
}

// until waits for an instance's state.
func (p *place) until(t *testing.T, id string, want types.InstanceStateName) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); p.instance(t, id).State.Name != want; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("instance %s is %s, want %s", id, p.instance(t, id).State.Name, want)
		}
	}
}

// config is the admin's, as eksact env says it.
func (p *place) config(t *testing.T) aws.Config {
	t.Helper()
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^export (\w+)='?([^'\n]*)'?$`).FindAllStringSubmatch(p.Eksact(t, "env"), -1) {
		env[m[1]] = m[2]
	}
	endpoint := lab.Plain(env["AWS_ENDPOINT_URL"])
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}

func where(filter string, values ...string) []types.Filter {
	return []types.Filter{{Name: &filter, Values: values}}
}

// got is the answer of a call that must succeed.
func got[T any](out T, err error) T {
	if err != nil {
		panic(err)
	}
	return out
}
