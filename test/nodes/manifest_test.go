package nodes

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

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
	lab.NeedAWS(t, "1")
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
	refused := func(text string, want ...string) {
		t.Helper()
		write(text)
		out, err := l.Command("up", "-f", file).CombinedOutput()
		if err == nil {
			t.Errorf("up made a cluster of a file that it is to refuse:\n%s", out)
		}
		lab.Has(t, "up", string(out), want...)
	}
	refused(strings.Replace(clusterFile, "name: eks-pod-identity-agent", "name: foo", 1), file+":17:17: addons[0].name: Addon foo specified is not supported in 1.37 kubernetes version")
	if out, err := l.Command("status").CombinedOutput(); err == nil {
		t.Errorf("a file that is refused leaves a daemon:\n%s", out)
	}

	// Who has an entry must be there, which needs an account.
	withUser := strings.Replace(clusterFile, "iam:\n", "    - {principalARN: 'arn:aws:iam::111122223333:user/viewer', kubernetesGroups: [viewers]}\niam:\n", 1)
	refused(withUser, "the account is up", file+":12:22: accessConfig.accessEntries[1].principalARN: there is no arn:aws:iam::111122223333:user/viewer", "hint: eval \"$(eksact env)\"; aws iam create-user --user-name viewer")
	early := l.Host(t).AWS(t, "1")
	early.Must(t, "aws eks list-clusters --query clusters", "[]")
	early.Must(t, "aws iam create-user --user-name viewer")
	write(withUser)
	l.Up(t, "-f", file)
	sh := l.Host(t).AWS(t, "1")
	sh.Must(t, "kubectl get nodes -l tier=web -o wide", " Ready ")
	sh.Must(t, "kubectl get nodes -o jsonpath='{.items[0].spec.taints}'", `"effect":"PreferNoSchedule"`)
	sh.Must(t, "aws ec2 describe-instances --query 'Reservations[].Instances[].[InstanceType,PublicIpAddress]' --output text", "t3.large", "198.18.")
	sh.Must(t, "aws eks describe-cluster --name blue --query cluster.[accessConfig.authenticationMode,tags,resourcesVpcConfig.endpointPrivateAccess,logging.clusterLogging[0]]", `"API"`, `"team": "a"`, "true", `"audit"`)
	sh.Must(t, "aws eks list-access-entries --cluster-name blue", "role/eksctl-blue-cluster-ServiceRole", "role/eksctl-blue-nodegroup-pool-NodeInstanceRole")
	sh.Must(t, "kubectl get serviceaccount s3 -n apps -o yaml", "eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/eksctl-blue-addon-iamserviceaccount-apps-s3-Role1")
	sh.Must(t, "aws eks list-addons --cluster-name blue", "coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni")
	sh.Must(t, "aws eks list-access-entries --cluster-name blue", "user/viewer")
	l.Up(t, "-f", file) // once more changes nothing

	// A file that has become another is not passed over; what calls have changed is told.
	refused(strings.NewReplacer("privateAccess: true", "privateAccess: false", "tier: web", "tier: db").Replace(withUser),
		file+":6:57: vpc.clusterEndpoints.privateAccess: the file says false, and there is true", "labels.tier: the file says db, and there is web", "hint: what is there is not changed by a file: aws eks update-cluster-config")
	refused(strings.Replace(withUser, "region: us-west-2", "region: eu-west-1", 1), file+":3:32: metadata.region: the account was made in us-west-2, and can't be moved to eu-west-1", "hint: eksact down --purge")
	sh.Must(t, "aws eks update-nodegroup-config --cluster-name blue --nodegroup-name pool --labels addOrUpdateLabels={tier=mid}")
	l.Up(t, "--hosts")
	pushByName(t, l, sh)
	write(withUser)
	if out, err := l.Command("up", "-f", file).CombinedOutput(); err != nil {
		t.Errorf("what a call has changed stops up: %v\n%s", err, out)
	} else {
		lab.Has(t, "up", string(out), "eksact: warning: "+file+":", "labels.tier: the file says web, and there is mid", "Ready in")
	}
	sh.Must(t, "kubectl get nodes --no-headers | wc -l", "1")
}

// pushByName pushes an image from the host to the name that ECR gives a repository, as
// any client of a registry would.
func pushByName(t *testing.T, l *lab.Lab, sh lab.Terminal) {
	t.Helper()
	uri := sh.Must(t, "aws ecr create-repository --repository-name app --query repository.repositoryUri --output text")
	password := sh.Must(t, "aws ecr get-login-password")
	bundle, err := os.ReadFile(filepath.Join(l.State, "trust.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	image, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(strings.TrimSpace(uri) + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	err = remote.Write(to, image, remote.WithContext(t.Context()), remote.WithAuth(&authn.Basic{Username: "AWS", Password: strings.TrimSpace(password)}),
		remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}))
	if err != nil {
		t.Fatalf("push to %s: %v", to, err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath("crane"); err != nil {
		t.Log("crane is not on PATH: not tried")
	} else {
		sh.Must(t, "aws ecr get-login-password | "+path+" auth login -u AWS --password-stdin "+to.Context().RegistryStr()+" && "+path+" copy "+to.String()+" "+to.Context().Tag("v2").String())
	}
	sh.Must(t, "aws ecr describe-images --repository-name app --query imageDetails[].[imageDigest,imageTags[0]] --output text", digest.String(), "v1")
}
