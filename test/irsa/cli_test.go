package irsa

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/kube/controlplane/planetest"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/node/podagent"
)

// authority is one for amazonaws.com alone, as the daemon's is, with a certificate for
// all of its names.
func authority(t *testing.T) (ca []byte, config *tls.Config) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if signer == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		must(t, err)
		cert, err := x509.ParseCertificate(der)
		must(t, err)
		return cert, key
	}
	root, key := make(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "eksact AWS endpoints"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"amazonaws.com", "localhost"},
	}, nil, nil)
	leaf, leafKey := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"sts.us-west-2.amazonaws.com", "s3.us-west-2.amazonaws.com", "*.s3.us-west-2.amazonaws.com"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, root.Raw}, PrivateKey: leafKey}},
	}
}

// inside is a network namespace where AWS's names lead to a front door, by certificates
// of an authority that nobody knows.
type inside struct{ namespace, hosts, trust string }

func (m *machine) inside(t *testing.T, door http.Handler) inside {
	t.Helper()
	dir := t.TempDir()
	ca, config := authority(t)
	x := inside{filepath.Join(dir, "netns-pod"), filepath.Join(dir, "hosts"), filepath.Join(dir, "ca.crt")}
	must(t, os.WriteFile(x.trust, ca, 0o644))
	must(t, os.WriteFile(x.hosts, []byte("127.0.0.2 sts.us-west-2.amazonaws.com s3.us-west-2.amazonaws.com "+bucket+".s3.us-west-2.amazonaws.com\n"), 0o644))
	planetest.Place(t, x.namespace, "127.0.0.2/32")
	l, err := netns.Listen(x.namespace, "tcp", "127.0.0.2:443")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go front.Serve(ctx, l, config, door, slog.New(slog.DiscardHandler), time.Second)
	return x
}

// run runs a line with what the webhook gives every pod with an identity, and more.
func (x inside) run(t *testing.T, line string, more ...string) (string, error) {
	cmd := exec.Command("nsenter", "--net="+x.namespace, "unshare", "-m", "sh", "-c", "mount --bind "+x.hosts+" /etc/hosts && exec "+line)
	cmd.Env = append(more, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "AWS_STS_REGIONAL_ENDPOINTS=regional", "AWS_DEFAULT_REGION=us-west-2", "AWS_REGION=us-west-2",
		"AWS_CA_BUNDLE="+x.trust, "NODE_EXTRA_CA_CERTS="+x.trust)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// bucketsOf is S3 in an account.
func bucketsOf(t testing.TB, a *doortest.Account) *api.Service {
	t.Helper()
	buckets, err := s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM})
	must(t, err)
	must(t, buckets.Open(t.Context()))
	return buckets.Service()
}

// bucket is one that there is for a role that readsBuckets.
const bucket = "workshop-data"

// readsBuckets lets a role read buckets, of which there is one then.
func readsBuckets(t testing.TB, d *doortest.Door, role string) {
	t.Helper()
	_, err := awsiam.NewFromConfig(d.Admin).AttachRolePolicy(t.Context(), &awsiam.AttachRolePolicyInput{RoleName: &role, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")})
	must(t, err)
	_, err = awss3.NewFromConfig(d.Admin, func(o *awss3.Options) { o.UsePathStyle = true }).CreateBucket(t.Context(), &awss3.CreateBucketInput{
		Bucket: aws.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"},
	})
	must(t, err)
}

const agentAddress = "169.254.170.23"

// identified runs a node's agent, and returns what the webhook gives a pod that has a
// token for it.
func (x inside) identified(t *testing.T, a *auth, token string) (variables []string) {
	t.Helper()
	planetest.Address(t, x.namespace, agentAddress+"/32")
	l, err := netns.Listen(x.namespace, "tcp", agentAddress+":80")
	must(t, err)
	keys, err := a.node.Credentials.Retrieve(t.Context())
	must(t, err)
	client := &podagent.Client{Cluster: "mine", Region: "us-west-2", URL: a.URL, HTTP: a.Client, Keys: func(context.Context) (aws.Credentials, error) { return keys, nil }}
	server := &http.Server{Handler: &podagent.Agent{Fetch: client.Fetch, Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	file := filepath.Join(t.TempDir(), "eks-pod-identity-token")
	must(t, os.WriteFile(file, []byte(token), 0o600))
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://" + agentAddress + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + file}
}

// Debian's AWS CLI, with what the webhook gives a pod and nothing else, where AWS's
// names lead to a front door.
func TestTheCLIInAPod(t *testing.T) {
	t.Parallel()
	cli := "/usr/bin/aws"
	if _, err := os.Stat(cli); err != nil {
		t.Skip("needs Debian's awscli")
	}
	m := newMachine(t)
	p := m.cluster(t, "mine", "us-west-2")
	p.account(t, "default", "reader", nil)
	p.account(t, "default", "someone", nil)
	a := openAccount(t, p, nil)
	in := m.inside(t, a.Handler)

	provider := a.provider(t, p, strings.Repeat("0", 40))
	arn := a.role(t, "reader", provider, p, "system:serviceaccount:default:reader")
	readsBuckets(t, a.Door, "reader")

	file := filepath.Join(t.TempDir(), "token")
	as := func(account, line string) (string, error) {
		must(t, os.WriteFile(file, []byte(p.token(t, "default", account, forSTS, nil)), 0o600))
		return in.run(t, cli+" "+line, "AWS_ROLE_ARN="+arn, "AWS_WEB_IDENTITY_TOKEN_FILE="+file)
	}
	for _, c := range []struct {
		account, line string
		good          bool
		want          string
	}{
		{"reader", "sts get-caller-identity", true, "assumed-role/reader/botocore-session-"},
		{"reader", "s3 ls", true, "workshop-data"},
		{"reader", "s3 cp /etc/hosts s3://workshop-data/hosts", false, "(AccessDenied) when calling the PutObject operation: User: arn:aws:sts::111122223333:assumed-role/reader/botocore-session-"},
		{"someone", "s3 ls", false, "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: " + denied},
	} {
		if out, err := as(c.account, c.line); (err == nil) != c.good || !strings.Contains(out, c.want) {
			t.Errorf("as %s: aws %s: %v\n%s", c.account, c.line, err, out)
		}
	}
}

// SDKs of today with Pod Identity: they read the variables, ask the agent, and trust the
// authority.
func TestSDKsWithPodIdentity(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("python3", "-c", "import botocore.utils; print(botocore.utils.ContainerMetadataFetcher._ALLOWED_HOSTS)").CombinedOutput(); err != nil || !strings.Contains(string(out), agentAddress) {
		t.Skipf("needs a boto3 that knows Pod Identity (pip install boto3): %v %s", err, out)
	}
	m := newMachine(t)
	p := m.cluster(t, "mine", "us-west-2")
	p.account(t, "default", "reader", nil)
	a := openAuth(t, p)
	_, token := p.shell(t, "my-shell", "reader")
	a.all["default/reader"] = eks.Association{Cluster: "mine", ID: "a-1", Namespace: "default", ServiceAccount: "reader", RoleARN: a.trusted(t, "pods", pods, both, "")}
	x := m.inside(t, a.Handler)
	variables := x.identified(t, a, token(forPods))
	lines := []string{`python3 -c 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'`}
	if _, err := exec.LookPath("aws"); err == nil {
		lines = append(lines, "aws sts get-caller-identity")
	}
	for _, line := range lines {
		if out, err := x.run(t, line, variables...); err != nil || !strings.Contains(out, sessionRole+"pods/eks-mine-my-shell-") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}
