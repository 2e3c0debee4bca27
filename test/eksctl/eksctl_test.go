package eksctl

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

const account = "111122223333"

// TestEksctl runs what a user of eksctl runs. The workshop's cluster.yaml has the range that
// up's own VPC has by default: here that has another.
func TestEksctl(t *testing.T) {
	lab.Need(t)
	path, err := exec.LookPath("eksctl")
	if err != nil {
		t.Skip("eksctl is not on PATH: put a release of https://github.com/eksctl-io/eksctl there, of 0.230, and this test runs it")
	}
	l := lab.Start(t, "--cluster", "first", "--vpc-cidr", "10.64.0.0/16")
	sh := l.Laptop().AWS(t, "2")
	t.Logf("%s %s", path, sh.Must(t, "eksctl version"))
	sh.Must(t, `aws iam create-role --role-name dev --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"`+account+`"}}]}'`)
	// Clusters beside one another, for eksctl's own waits are most of the time: 30 s before it
	// looks at a cluster's stack, six times 20 s until it takes an API server for ready.
	var made sync.WaitGroup
	for name, run := range map[string]func(*testing.T, lab.Terminal){"the workshop's cluster": workshop, "a cluster with managed nodes": managed} {
		made.Go(func() {
			t.Run(name, func(t *testing.T) { run(t, sh.After("export KUBECONFIG="+t.TempDir()+"/config")) })
		})
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T, lab.Terminal)
	}{{"the cluster", cluster}, {"service accounts", serviceAccounts}, {"add-ons", addons}, {"who may come", identities}, {"Pod Identity", podIdentity}, {"nodes", nodes}} {
		t.Run(part.name, func(t *testing.T) { part.run(t, sh) })
	}
	made.Wait()
	// Each took its own with it.
	sh.Must(t, "eksctl get cluster", "first")
	sh.Must(t, `aws ec2 describe-vpcs --query 'length(Vpcs)' && aws cloudformation list-stacks --query 'length(StackSummaries[?StackStatus!=`+"`DELETE_COMPLETE`"+`])'`, "1\n0")
}

// gone runs a line that must succeed and not print a word.
func gone(t *testing.T, sh lab.Terminal, line, word string) {
	t.Helper()
	if out := sh.Must(t, line); strings.Contains(out, word) {
		t.Errorf("$ %s\n%s\nstill has %s", line, out, word)
	}
}

func cluster(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "eksctl get cluster --name first -o yaml", "Status: ACTIVE", `Version: "1.37"`)
	sh.Must(t, "eksctl utils update-cluster-vpc-config --cluster first --private-access=true --public-access=true --approve", "privateAccess=true")
	sh.Must(t, "aws eks describe-cluster --name first --query cluster.resourcesVpcConfig", `"endpointPrivateAccess": true`)
	sh.Must(t, "eksctl utils update-cluster-endpoints --cluster first --private-access=true --public-access=true --approve")
	sh.Must(t, "eksctl utils update-cluster-logging --cluster first --disable-types scheduler --approve", "scheduler")
	sh.Must(t, "aws eks describe-cluster --name first --query 'cluster.logging.clusterLogging[?!enabled].types[]' --output text", "scheduler")
}

// serviceAccounts is step 5 of the workshop. A stack that is not complete at eksctl's first
// look costs 30 s.
func serviceAccounts(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "eksctl utils associate-iam-oidc-provider --cluster first --approve --region us-west-2", "created IAM Open ID Connect provider")
	began := time.Now()
	sh.Must(t, "eksctl create iamserviceaccount --name aws-s3-read --namespace default --cluster first --attach-policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess --approve --region us-west-2", "created serviceaccount")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("create iamserviceaccount took %v", took)
	} else {
		t.Logf("create iamserviceaccount took %v", took.Round(time.Millisecond))
	}
	role := "arn:aws:iam::" + account + ":role/eksctl-first-addon-iamserviceaccount-default--Role1-"
	sh.Must(t, "kubectl describe serviceaccount aws-s3-read", "eks.amazonaws.com/role-arn: "+role)
	sh.Must(t, "eksctl get iamserviceaccount --cluster first", "aws-s3-read", role)
	// The role is for tokens of this account alone.
	assume := "aws sts assume-role-with-web-identity --role-session-name pod --role-arn $(kubectl get serviceaccount aws-s3-read -o jsonpath='{.metadata.annotations.eks\\.amazonaws\\.com/role-arn}') --web-identity-token $(kubectl create token --audience sts.amazonaws.com "
	sh.Must(t, assume+"aws-s3-read)", ":assumed-role/eksctl-first-addon-iamserviceaccount-default--Role1-")
	sh.Refused(t, assume+"default)", "(AccessDenied)")
	sh.Must(t, "eksctl delete iamserviceaccount --cluster first --name aws-s3-read --wait", "deleted serviceaccount")
	sh.Refused(t, "kubectl get serviceaccount aws-s3-read", "NotFound")
}

func identities(t *testing.T, sh lab.Terminal) {
	const dev = "--cluster first --arn arn:aws:iam::" + account + ":role/dev"
	sh.Must(t, "eksctl create iamidentitymapping "+dev+" --username dev --group viewers", "adding identity")
	sh.Must(t, "eksctl get iamidentitymapping --cluster first", "role/dev", "viewers")
	sh.Must(t, "eksctl delete iamidentitymapping "+dev, "removing identity")
	sh.Must(t, "eksctl utils update-authentication-mode --cluster first --authentication-mode API_AND_CONFIG_MAP", "successfully updated")
	const entry = "--cluster first --principal-arn arn:aws:iam::" + account + ":role/dev"
	sh.Must(t, "eksctl create accessentry "+entry+" --kubernetes-groups viewers --kubernetes-username dev", "created access entry")
	sh.Must(t, "eksctl get accessentry "+entry+" -o yaml", "viewers")
	sh.Must(t, "eksctl delete accessentry "+entry)
	gone(t, sh, "eksctl get accessentry --cluster first", "role/dev")
}

func podIdentity(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "eksctl create addon --cluster first --name eks-pod-identity-agent --wait", "active")
	const of = "--cluster first --namespace default --service-account-name reader"
	sh.Must(t, "eksctl create podidentityassociation "+of+" --permission-policy-arns arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "created pod identity association")
	sh.Must(t, "eksctl get podidentityassociation --cluster first", "reader", "eksctl-first-podidentityrole-default-reader-Role1-")
	sh.Must(t, "eksctl delete podidentityassociation "+of)
	gone(t, sh, "eksctl get podidentityassociation --cluster first", "reader")
}

func addons(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "eksctl utils describe-addon-versions --kubernetes-version 1.37 --name vpc-cni", "vpc-cni")
	sh.Must(t, "eksctl create addon --cluster first --name metrics-server", "creating addon: metrics-server")
	sh.Soon(t, 90*time.Second, "kubectl top nodes", "MEMORY(%)", "ip-10-64-")
	sh.Must(t, "eksctl get addon --cluster first", "metrics-server", "vpc-cni")
	sh.Must(t, "eksctl delete addon --cluster first --name metrics-server", "deleted addon")
	sh.Soon(t, 20*time.Second, "kubectl get deployment -n kube-system metrics-server 2>&1 || true", "NotFound")
}

// nodes changes a node group that eksctl did not make, as it allows.
func nodes(t *testing.T, sh lab.Terminal) {
	sh.Must(t, "eksctl get nodegroup --cluster first", "ng")
	sh.Must(t, "eksctl scale nodegroup --cluster first --name ng --nodes 2", "initiated scaling of nodegroup")
	sh.Soon(t, time.Minute, "kubectl get nodes --no-headers | grep -c ' Ready'", "2")
}
