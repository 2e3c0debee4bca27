package nodes

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eksact/eksact/test/lab"
)

const clusterFile = `apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: blue, region: us-west-2, tags: {team: a}}
vpc:
  cidr: 10.0.0.0/16
  clusterEndpoints: {publicAccess: true, privateAccess: true}
cloudWatch: {clusterLogging: {enableTypes: [audit]}}
accessConfig:
  authenticationMode: API
  accessEntries:
    - principalARN: arn:aws:iam::111122223333:role/eksctl-blue-cluster-ServiceRole
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: s3, namespace: apps}
      attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
addons: [{name: eks-pod-identity-agent}]
managedNodeGroups:
  - {name: pool, instanceType: t3.large, desiredCapacity: 1, privateNetworking: false, labels: {tier: web}, taints: [{key: soft, value: s, effect: PreferNoSchedule}]}
`

// TestManifest makes a cluster of an eksctl file, whose node is in a public subnet.
func TestManifest(t *testing.T) {
	l := lab.New(t)
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(clusterFile + "fargateProfiles: []\n")
	if out, err := l.Command("up", "-f", file).CombinedOutput(); err == nil {
		t.Error("a part of the file was ignored")
	} else {
		lab.Has(t, "up", string(out), file+":20:1: fargateProfiles is not supported by eksact")
	}
	write(clusterFile)
	l.Up(t, "-f", file)
	sh := l.Host(t).AWS(t, "1")
	sh.Must(t, "kubectl get nodes -l tier=web -o wide", " Ready ")
	sh.Must(t, "kubectl get nodes -o jsonpath='{.items[0].spec.taints}'", `"effect":"PreferNoSchedule"`)
	sh.Must(t, "aws ec2 describe-instances --query 'Reservations[].Instances[].[InstanceType,PublicIpAddress]' --output text", "t3.large", "198.18.")
	sh.Must(t, "aws eks describe-cluster --name blue --query cluster.[accessConfig.authenticationMode,tags,resourcesVpcConfig.endpointPrivateAccess,logging.clusterLogging[0]]", `"API"`, `"team": "a"`, "true", `"audit"`)
	sh.Must(t, "aws eks list-access-entries --cluster-name blue", "role/eksctl-blue-cluster-ServiceRole", "role/eksctl-blue-nodegroup-pool-NodeInstanceRole")
	sh.Must(t, "kubectl get serviceaccount s3 -n apps -o yaml", "eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/eksctl-blue-addon-iamserviceaccount-apps-s3-Role1")
	sh.Must(t, "aws eks list-addons --cluster-name blue", "coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni")
	l.Up(t, "-f", file) // once more changes nothing
	sh.Must(t, "kubectl get nodes --no-headers | wc -l", "1")
}
