package vpc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

// other is a second VPC, with a cluster and a node of its own.
type other struct {
	id, gateway string
	subnets     []string
	eks         *eks.Client
	kubectl     string // a line's beginning
}

var otherCluster = aws.String("other")

// second kills the daemon while two VPCs have running nodes: pods in both go on reaching
// what they may reach, all the while, and not one another.
func (h *house) second(t *testing.T) {
	o := h.makeOther(t)
	host := h.Host(t) // whose kubeconfig has both clusters
	at := map[string]string{"one": "kubectl ", "two": o.kubectl}
	address := map[string]string{}
	for name, kubectl := range at {
		for _, pod := range []string{"near", "caller"} {
			host.Must(t, fmt.Sprintf(kubectl+"apply -f - <<'EOF'\n"+anywhere+"EOF", pod), "created")
		}
		host.Must(t, kubectl+"wait --for=condition=Ready pod/near pod/caller --timeout=180s")
		address[name] = host.Must(t, kubectl+"get pod near -o jsonpath={.status.podIP}", ".")
	}
	if !strings.HasPrefix(address["one"], "10.0.") || !strings.HasPrefix(address["two"], "10.80.") {
		t.Fatalf("the pods' addresses are %v", address)
	}
	apart := func(t *testing.T, client string) {
		t.Helper()
		for from, kubectl := range at {
			for to, address := range address {
				line := kubectl + "exec " + client + " -- timeout 3 wget -qO- http://" + address + "/"
				if from == to {
					host.Must(t, line, "hello")
				} else {
					host.Refused(t, line, "wget: can't connect to remote host")
				}
			}
			host.Must(t, kubectl+"exec "+client+" -- sh -c '"+door+"'")
			host.Must(t, kubectl+"exec "+client+" -- nslookup sts.us-west-2.amazonaws.com 169.254.169.253", "198.18.0.2")
		}
	}
	apart(t, "caller")

	var watched []lab.Part
	for name, kubectl := range at {
		watched = append(watched, lab.Part{Name: "what pods of VPC " + name + " meet", Test: func(t *testing.T) {
			host.Must(t, kubectl+"exec caller -- sh -c '"+fmt.Sprintf(keepTrying, address[name])+"'", "failed 0 of ")
		}})
	}
	lab.Together(t, append(watched, lab.Part{Name: "the kill", Test: func(t *testing.T) {
		time.Sleep(3 * time.Second)
		h.killDaemon(t)
	}})...)

	apart(t, "caller")
	for _, kubectl := range at { // and what begins now
		host.Must(t, kubectl+"get nodes", " Ready ")
		host.Must(t, fmt.Sprintf(kubectl+"apply -f - <<'EOF'\n"+anywhere+"EOF", "late"), "created")
		host.Must(t, kubectl+"wait --for=condition=Ready pod/late --timeout=180s")
	}
	apart(t, "late")
	host.Must(t, "kubectl delete pod near caller late --timeout=180s")
	h.removeOther(t, o)
}

// anywhere is a pod that answers HTTP.
const anywhere = `
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: busybox, command: ` + serve + `}]
`

// door reaches the front door, outside of every VPC; keepTrying a server and the door for
// 20 seconds.
const (
	door       = "nc -w 2 198.18.0.2 443 -e /bin/true"
	keepTrying = `bad=0; all=0; end=$(($(date +%%s)+20)); while [ $(date +%%s) -lt $end ]; do all=$((all+1)); ` +
		`timeout 3 wget -qO- http://%s/ >/dev/null && ` + door + ` || bad=$((bad+1)); usleep 100000; done; echo failed $bad of $all`
)

// killDaemon kills it as nothing else does, and waits until its keeper has another.
func (h *house) killDaemon(t *testing.T) {
	t.Helper()
	daemon := func() control.Process {
		var s control.Status
		if out, err := h.Command("status", "-o", "json").Output(); err != nil || json.Unmarshal(out, &s) != nil {
			return control.Process{}
		}
		i := slices.IndexFunc(s.Processes, func(p control.Process) bool { return p.Name == "eksact" })
		return append(s.Processes, control.Process{})[max(i, 0)]
	}
	was := daemon()
	if was.Pid == 0 {
		t.Fatal("the daemon is not among the processes")
	}
	began := time.Now()
	if err := syscall.Kill(was.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for now := daemon(); now.Pid == 0 || now.Pid == was.Pid; now = daemon() {
		if time.Since(began) > lab.Busy*20*time.Second {
			t.Fatalf("long after the kill it is %+v, was %+v", now, was)
		}
		time.Sleep(50 * time.Millisecond)
	}
	got(h.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}))
	t.Logf("the daemon runs again, and answers, %.2f s after the kill", time.Since(began).Seconds())
}

// makeOther makes the VPC, as plain as one can be that nodes join from, and its cluster
// with the first one's roles.
func (h *house) makeOther(t *testing.T) *other {
	t.Helper()
	ctx := t.Context()
	o := &other{eks: eks.NewFromConfig(h.config(t))}
	o.id = *got(h.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.80.0.0/16")})).Vpc.VpcId
	o.gateway = *got(h.ec2.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{})).InternetGateway.InternetGatewayId
	got(h.ec2.AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{VpcId: &o.id, InternetGatewayId: &o.gateway}))
	table := got(h.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: where("vpc-id", o.id)})).RouteTables[0].RouteTableId
	got(h.ec2.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: &o.gateway}))
	for zone, block := range map[string]string{"us-west-2a": "10.80.0.0/19", "us-west-2b": "10.80.32.0/19"} {
		id := got(h.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &o.id, CidrBlock: &block, AvailabilityZone: &zone})).Subnet.SubnetId
		got(h.ec2.ModifySubnetAttribute(ctx, &ec2.ModifySubnetAttributeInput{SubnetId: id, MapPublicIpOnLaunch: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}}))
		o.subnets = append(o.subnets, *id)
	}
	first := got(o.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("cluster")})).Cluster
	c := got(o.eks.CreateCluster(ctx, &eks.CreateClusterInput{Name: otherCluster, RoleArn: first.RoleArn, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: o.subnets}})).Cluster
	o.kubectl = "kubectl --context " + *c.Arn + " "
	fast := func(w *eks.ClusterActiveWaiterOptions) { w.MinDelay, w.MaxDelay = 500*time.Millisecond, time.Second }
	if err := eks.NewClusterActiveWaiter(o.eks, fast).Wait(ctx, &eks.DescribeClusterInput{Name: otherCluster}, lab.Busy*time.Minute); err != nil {
		t.Fatal(err)
	}
	role := h.host.Must(t, `aws iam list-roles --query "Roles[?contains(RoleName,'NodeInstanceRole')].Arn" --output text`, ":role/")
	got(o.eks.CreateNodegroup(ctx, &eks.CreateNodegroupInput{
		ClusterName: otherCluster, NodegroupName: aws.String("nodes"), NodeRole: &role, Subnets: o.subnets,
		ScalingConfig: &ekstypes.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(1), DesiredSize: aws.Int32(1)},
	}))
	ready := func(w *eks.NodegroupActiveWaiterOptions) { w.MinDelay, w.MaxDelay = 500*time.Millisecond, time.Second }
	if err := eks.NewNodegroupActiveWaiter(o.eks, ready).Wait(ctx, &eks.DescribeNodegroupInput{ClusterName: otherCluster, NodegroupName: aws.String("nodes")}, lab.Busy*2*time.Minute); err != nil {
		t.Fatal(err)
	}
	return o
}

// removeOther deletes all of it, as far as EC2 lets it go.
func (h *house) removeOther(t *testing.T, o *other) {
	t.Helper()
	ctx := t.Context()
	h.Host(t).Must(t, o.kubectl+"delete poddisruptionbudget --namespace kube-system --all")
	got(o.eks.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: otherCluster, NodegroupName: aws.String("nodes")}))
	gone := func(w *eks.NodegroupDeletedWaiterOptions) { w.MinDelay, w.MaxDelay = 500*time.Millisecond, time.Second }
	if err := eks.NewNodegroupDeletedWaiter(o.eks, gone).Wait(ctx, &eks.DescribeNodegroupInput{ClusterName: otherCluster, NodegroupName: aws.String("nodes")}, lab.Busy*2*time.Minute); err != nil {
		t.Fatal(err)
	}
	got(o.eks.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: otherCluster}))
	deleted := func(w *eks.ClusterDeletedWaiterOptions) { w.MinDelay, w.MaxDelay = 500*time.Millisecond, time.Second }
	if err := eks.NewClusterDeletedWaiter(o.eks, deleted).Wait(ctx, &eks.DescribeClusterInput{Name: otherCluster}, lab.Busy*time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, id := range o.subnets {
		got(h.ec2.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &id}))
	}
	got(h.ec2.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{VpcId: &o.id, InternetGatewayId: &o.gateway}))
	got(h.ec2.DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: &o.gateway}))
	got(h.ec2.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &o.id}))
	if all := got(h.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})).Vpcs; len(all) != 1 {
		t.Errorf("%d VPCs are left", len(all))
	}
}
