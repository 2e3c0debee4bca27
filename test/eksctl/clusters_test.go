package eksctl

import (
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// workshop makes the cluster of the workshop's file, which has a VPC, a node group of its
// own kind and logs, changes its node groups and deletes it.
func workshop(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "eksctl create cluster -f cluster.yaml --kubeconfig $KUBECONFIG --timeout 5m", `EKS cluster "cluster" in "us-west-2" region is ready`)
	// Its kubeconfig is the one that eksctl wrote.
	sh.Must(t, "kubectl get nodes -l alpha.eksctl.io/nodegroup-name=ng -o wide", " Ready ", " 10.0.")
	sh.Must(t, "kubectl wait -n kube-system --for=condition=Available --timeout=90s deployment/coredns", "condition met")
	sh.Must(t, "aws eks describe-cluster --name cluster --query 'cluster.logging.clusterLogging[?enabled].types[]' --output text", "api", "audit", "authenticator", "controllerManager", "scheduler")
	sh.Must(t, "eksctl get cluster --name cluster", "ACTIVE", "EKS")
	sh.Must(t, "eksctl get addon --cluster cluster", "coredns", "kube-proxy", "metrics-server", "vpc-cni")
	// What eksctl made it can add to. Pods have addresses of the VPC, reach one another and names.
	sh.Must(t, "eksctl create nodegroup --cluster cluster --name more --nodes 1 --node-private-networking --timeout 2m", `created 1 managed nodegroup(s) in cluster "cluster"`)
	sh.Must(t, "eksctl get nodegroup --cluster cluster", "ng", "more")
	sh.Must(t, "eksctl scale nodegroup --cluster cluster --name more --nodes 2 --nodes-max 2", "initiated scaling of nodegroup")
	sh.Soon(t, time.Minute, "kubectl get nodes -l alpha.eksctl.io/nodegroup-name=more --no-headers | grep -c ' Ready'", "2")
	sh.Must(t, "kubectl wait -n kube-system --for=condition=Available --timeout=120s deployment/metrics-server", "condition met")
	// A load balancer in this VPC, which is there to the end: the deletion takes it along.
	sh.Must(t, "kubectl expose deployment metrics-server -n kube-system --name front --type LoadBalancer --port 443 --target-port 10251", "exposed")
	sh.Soon(t, time.Minute, "curl --silent --show-error --insecure --max-time 5 https://$(kubectl get service front -n kube-system -o jsonpath='{.status.loadBalancer.ingress[0].hostname}')/livez", "ok")
	sh.Must(t, "aws eks wait nodegroup-active --cluster-name cluster --nodegroup-name more")
	sh.Must(t, "eksctl delete nodegroup --cluster cluster --name more --wait --disable-eviction", `deleted 1 nodegroup(s) from cluster "cluster"`)
	sh.Must(t, "kubectl get service front -n kube-system -o jsonpath='{.status.loadBalancer.ingress[0].hostname}'", "elb.amazonaws.com")
	remove(t, sh, "cluster")
	for _, kind := range []string{"elb describe-load-balancers --query LoadBalancerDescriptions", "elbv2 describe-load-balancers --query LoadBalancers"} {
		sh.Must(t, "aws "+kind, "[]")
	}
}

const managedCluster = `apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: two, region: us-west-2, version: "1.37"}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {name: reader, namespace: default}
    attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
accessConfig:
  authenticationMode: API_AND_CONFIG_MAP
  accessEntries:
  - principalARN: arn:aws:iam::` + account + `:role/dev
    kubernetesGroups: [viewers]
managedNodeGroups:
- {name: managed, instanceType: m5.large, desiredCapacity: 1, privateNetworking: true}
`

// managed makes a cluster with a managed node group, a role of a service account and an
// access entry, in a VPC with eksctl's own default range.
func managed(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "cat > two.yaml <<'EOF'\n"+managedCluster+"EOF\neksctl create cluster -f two.yaml --kubeconfig $KUBECONFIG --timeout 5m", `EKS cluster "two" in "us-west-2" region is ready`)
	sh.Must(t, "kubectl get nodes -l eks.amazonaws.com/nodegroup=managed -o wide", " Ready ", " 192.168.")
	sh.Must(t, "kubectl get serviceaccount reader -o yaml", "eks.amazonaws.com/role-arn: arn:aws:iam::"+account+":role/eksctl-two-addon-iamserviceaccount-default-re")
	sh.Must(t, "eksctl get accessentry --cluster two", "role/dev")
	remove(t, sh, "two")
}

// remove deletes a cluster. Disruption budgets would hold the last nodes' drains up, as on EKS.
func remove(t *testing.T, sh lab.Terminal, name string) {
	sh.Must(t, "kubectl delete poddisruptionbudget --namespace kube-system --all", "deleted")
	sh.Must(t, "eksctl delete cluster --name "+name+" --wait --disable-nodegroup-eviction", "all cluster resources were deleted")
	sh.Refused(t, "aws eks describe-cluster --name "+name, "ResourceNotFoundException")
}
