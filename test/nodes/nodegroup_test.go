package nodes

import (
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// TestNodegroup makes a managed node group with the AWS CLI on a cluster without nodes,
// changes its size, kills a node of it, and deletes it.
func TestNodegroup(t *testing.T) {
	l := lab.New(t)
	l.Images(t, "test/images/busybox.yaml")
	l.Up(t, "--nodes", "0")
	sh := l.Host(t).AWS(t, "1") // Debian's version 2 is older than update strategies
	sh.Must(t, `aws iam create-role --role-name pool --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'`, `"RoleName": "pool"`)
	sh.Must(t, "for p in AmazonEKSWorkerNodePolicy AmazonEKS_CNI_Policy AmazonEC2ContainerRegistryReadOnly; do aws iam attach-role-policy --role-name pool --policy-arn arn:aws:iam::aws:policy/$p || exit 1; done")
	subnets := strings.Join(strings.Fields(sh.Must(t, "aws ec2 describe-subnets --filters Name=tag:kubernetes.io/role/internal-elb,Values=1 --query 'Subnets[].SubnetId' --output text", "subnet-")), " ")
	const group = "--cluster-name cluster --nodegroup-name pool"
	create := "aws eks create-nodegroup " + group + " --node-role arn:aws:iam::111122223333:role/pool --subnets " + subnets
	sh.Refused(t, create+" --capacity-type SPOT", "InvalidParameterException", "capacityType SPOT is not supported by eksact")
	sh.Refused(t, create+" --remote-access ec2SshKey=k", "remoteAccess is not supported by eksact")

	began := time.Now()
	sh.Must(t, create+" --scaling-config minSize=1,maxSize=3,desiredSize=1 --instance-types m5.large --labels team=blue --taints key=dedicated,value=blue,effect=NO_SCHEDULE --tags cost=blue",
		`"status": "CREATING"`, `"amiType": "AL2023_x86_64_STANDARD"`, `"capacityType": "ON_DEMAND"`)
	sh.Refused(t, "aws eks delete-cluster --name cluster", "ResourceInUseException", "Cluster has nodegroups attached")
	active(t, sh)
	t.Logf("ACTIVE %.1f s after the call", time.Since(began).Seconds())
	node := sh.Must(t, "kubectl get nodes -o jsonpath='{.items[*].metadata.name}'", "compute.internal")
	sh.Must(t, "kubectl get node "+node+" --show-labels", " Ready ", "team=blue", "eks.amazonaws.com/nodegroup=pool", "eks.amazonaws.com/capacityType=ON_DEMAND", "eks.amazonaws.com/nodegroup-image=ami-")
	sh.Must(t, "kubectl get node "+node+" -o jsonpath='{.spec.taints}'", `"effect":"NoSchedule"`, `"key":"dedicated"`, `"value":"blue"`)
	sh.Must(t, "aws ec2 describe-instances --filters Name=private-dns-name,Values="+node+" --query 'Reservations[0].Instances[0].Tags' --output text",
		"eks:cluster-name\tcluster", "eks:nodegroup-name\tpool", "kubernetes.io/cluster/cluster\towned", "aws:autoscaling:groupName\teks-pool-")
	sh.Must(t, "kubectl get configmap -n kube-system aws-auth -o yaml", "role/pool")

	// Two, with pods that tolerate the taint on both, then one: the pods move.
	pods(t, sh)
	resize(t, sh, 2)
	sh.Must(t, "kubectl scale deployment web --replicas 4 && kubectl rollout status deployment web --timeout 60s", "successfully rolled out")
	resize(t, sh, 1)
	sh.Must(t, "kubectl rollout status deployment web --timeout 60s && kubectl get nodes --no-headers | wc -l", "successfully rolled out")
	if out := sh.Must(t, "kubectl get nodes --no-headers | wc -l; kubectl get pods --no-headers | grep -c Running"); strings.Join(strings.Fields(out), " ") != "1 4" {
		t.Errorf("nodes and running pods: %s", out)
	}
	sh.Must(t, "kubectl get events --field-selector reason=Killing -o name; aws autoscaling describe-scaling-activities --query 'Activities[].[StatusCode,Description]' --output text", "Successful\tTerminating EC2 instance: i-", "Successful\tLaunching a new EC2 instance: i-")

	// Labels and taints change on nodes that run.
	sh.Must(t, "aws eks update-nodegroup-config "+group+" --labels addOrUpdateLabels={team=green},removeLabels=[] --taints 'removeTaints=[{key=dedicated,value=blue,effect=NO_SCHEDULE}]'", `"type": "ConfigUpdate"`)
	active(t, sh)
	sh.Must(t, "kubectl get nodes -o jsonpath='{.items[0].metadata.labels.team}{.items[0].spec.taints}'", "green")

	// A node that ends is replaced.
	id := sh.Must(t, "aws autoscaling describe-auto-scaling-instances --query 'AutoScalingInstances[0].InstanceId' --output text", "i-")
	sh.Must(t, "aws ec2 terminate-instances --instance-ids "+id, `"shutting-down"`)
	took := sh.Soon(t, time.Minute, "kubectl get nodes --no-headers -l team=green | grep -v NotReady | wc -l; aws autoscaling describe-auto-scaling-instances --query \"AutoScalingInstances[?InstanceId!='"+id+"'].LifecycleState\" --output text | xargs", "1\nInService")
	t.Logf("replaced after %.1f s", took.Seconds())
	sh.Must(t, "kubectl get nodes -l team=green -o jsonpath='{.items[0].spec.taints}'")

	began = time.Now()
	sh.Must(t, "aws eks delete-nodegroup "+group+" && aws eks wait nodegroup-deleted "+group, `"status": "DELETING"`)
	t.Logf("deleted after %.1f s (the CLI looks every 30)", time.Since(began).Seconds())
	sh.Must(t, "aws autoscaling describe-auto-scaling-groups --query AutoScalingGroups; kubectl get nodes 2>&1", "[]", "No resources found")
	if out := sh.Must(t, "kubectl get configmap -n kube-system aws-auth -o yaml; aws ec2 describe-launch-templates --query LaunchTemplates; aws iam list-instance-profiles --query InstanceProfiles"); strings.Contains(out, "pool") {
		t.Errorf("left is\n%s", out)
	}
}

// active waits for the node group; the CLI's own waiter looks every 30 s.
func active(t *testing.T, sh lab.Terminal) {
	t.Helper()
	sh.Soon(t, 90*time.Second, "aws eks describe-nodegroup --cluster-name cluster --nodegroup-name pool --query nodegroup.status --output text", "ACTIVE")
	sh.Must(t, "aws eks wait nodegroup-active --cluster-name cluster --nodegroup-name pool")
}

func resize(t *testing.T, sh lab.Terminal, to int) {
	t.Helper()
	began, size := time.Now(), string(rune('0'+to))
	sh.Must(t, "aws eks update-nodegroup-config --cluster-name cluster --nodegroup-name pool --scaling-config desiredSize="+size, `"ConfigUpdate"`, `"DesiredSize"`)
	active(t, sh)
	t.Logf("%d nodes after %.1f s", to, time.Since(began).Seconds())
}

// pods are a deployment that tolerates the node group's taint and ends at once.
func pods(t *testing.T, sh lab.Terminal) {
	t.Helper()
	sh.Must(t, `cat > web.yaml <<'EOF'
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
kubectl apply -f web.yaml`, "deployment.apps/web created")
}
