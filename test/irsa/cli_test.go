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
	"net/http/httptest"
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

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/netns"
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

// Debian's AWS CLI, with what the webhook gives a pod and nothing else, where AWS's
// names lead to a front door.
func TestTheCLIInAPod(t *testing.T) {
	cli := "/usr/bin/aws"
	if _, err := os.Stat(cli); err != nil {
		t.Skip("needs Debian's awscli")
	}
	m := newMachine(t)
	p := m.cluster(t, "mine", "us-west-2")
	p.account(t, "default", "reader", nil)
	p.account(t, "default", "someone", nil)
	a := openAccount(t, p, nil)
	buckets, err := s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM})
	must(t, err)
	must(t, buckets.Open(t.Context()))
	ca, config := authority(t)
	namespace := filepath.Join(m.dir, "netns-pod")
	place(t, namespace, "127.0.0.2/32")
	l, err := netns.Listen(namespace, "tcp", "127.0.0.2:443")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	door := a.Front(t, buckets.Service())
	go front.Serve(ctx, l, config, door, slog.New(slog.DiscardHandler), time.Second)

	provider := a.provider(t, p, strings.Repeat("0", 40))
	arn := a.role(t, "reader", provider, p, "system:serviceaccount:default:reader")
	_, err = awsiam.NewFromConfig(a.Admin).AttachRolePolicy(t.Context(), &awsiam.AttachRolePolicyInput{RoleName: aws.String("reader"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")})
	must(t, err)
	admin := a.Admin
	server := httptest.NewServer(door)
	defer server.Close()
	admin.BaseEndpoint = &server.URL
	_, err = awss3.NewFromConfig(admin, func(o *awss3.Options) { o.UsePathStyle = true }).CreateBucket(t.Context(), &awss3.CreateBucketInput{
		Bucket: aws.String("workshop-data"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"},
	})
	must(t, err)

	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	hosts := file("hosts", "127.0.0.2 sts.us-west-2.amazonaws.com s3.us-west-2.amazonaws.com workshop-data.s3.us-west-2.amazonaws.com\n")
	trust := file("ca.crt", string(ca))
	in := func(account, line string) (string, error) {
		cmd := exec.Command("nsenter", "--net="+namespace, "unshare", "-m", "sh", "-c", "mount --bind "+hosts+" /etc/hosts && exec "+cli+" "+line)
		cmd.Env = []string{
			"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + filepath.Join(dir, account), "AWS_STS_REGIONAL_ENDPOINTS=regional", "AWS_DEFAULT_REGION=us-west-2", "AWS_REGION=us-west-2",
			"AWS_ROLE_ARN=" + arn, "AWS_WEB_IDENTITY_TOKEN_FILE=" + file("token-"+account, p.token(t, "default", account, forSTS, nil)), "AWS_CA_BUNDLE=" + trust,
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, c := range []struct {
		account, line string
		good          bool
		want          string
	}{
		{"reader", "sts get-caller-identity", true, "assumed-role/reader/botocore-session-"},
		{"reader", "s3 ls", true, "workshop-data"},
		{"reader", "s3 cp " + hosts + " s3://workshop-data/hosts", false, "(AccessDenied) when calling the PutObject operation: User: arn:aws:sts::111122223333:assumed-role/reader/botocore-session-"},
		{"someone", "s3 ls", false, "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: " + denied},
	} {
		if out, err := in(c.account, c.line); (err == nil) != c.good || !strings.Contains(out, c.want) {
			t.Errorf("as %s: aws %s: %v\n%s", c.account, c.line, err, out)
		}
	}
}
