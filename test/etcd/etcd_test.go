package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/eksact/eksact/test/lab"
)

const endpoint = "https://127.0.0.1:23790"

func TestDataInAnEtcdElsewhere(t *testing.T) {
	l := lab.New(t)
	keys := makeKeys(t)
	flags := []string{"up", "--nodes", "0", "--etcd-endpoints", endpoint, "--etcd-cacert", keys.ca, "--etcd-cert", keys.cert, "--etcd-key", keys.key}

	refused(t, l, flags, "etcd at "+endpoint+": ", "connection refused")
	etcd := startEtcd(t, keys)
	refused(t, l, flags[:5], "etcd at "+endpoint+": ", "certificate signed by unknown authority")
	refused(t, l, flags[:7], "etcd at "+endpoint+": ", "tls: ")

	l.Eksact(t, flags...)
	host := l.Host(t)
	admin := host.AWS(t, "2")
	admin.Must(t, `aws iam create-role --role-name kept --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'`, "role/kept")
	host.Must(t, "kubectl create secret generic kept --from-literal=word=plainly", "created")
	if n := etcd.count(t, "/eksact/aws/"); n == 0 {
		t.Error("the AWS half's records are not in the etcd given")
	}
	if n := etcd.count(t, "/eksact/kube/"); n == 0 {
		t.Error("the cluster's objects are not in the etcd given")
	}
	if _, err := os.Stat(filepath.Join(l.State, "etcd")); err == nil {
		t.Error("an etcd of its own was begun beside it")
	}

	l.Down(t)
	// The flags are remembered; the data is where it was.
	l.Up(t)
	admin.Must(t, "aws iam get-role --role-name kept --query Role.Arn --output text", "role/kept")
	host.Must(t, "kubectl get secret kept -o jsonpath={.data.word} | base64 -d", "plainly")
	l.Down(t)
	if n := etcd.count(t, "/eksact/"); n == 0 {
		t.Error("down deleted what is in an etcd that is not its own")
	}
}

// refused runs an up that must say what is wrong and leave nothing behind.
func refused(t *testing.T, l *lab.Lab, flags []string, wants ...string) {
	t.Helper()
	out, err := l.Command(flags...).CombinedOutput()
	if err == nil {
		t.Fatalf("eksact %q was not refused:\n%s", flags, out)
	}
	lab.Has(t, "eksact up", string(out), append(wants, "hint: look at --etcd-endpoints")...)
	for _, trace := range l.Left() {
		t.Errorf("left after a refused up: %s", trace)
	}
}

// server is an etcd that eksact knows nothing of but its address.
type server struct{ client *clientv3.Client }

func startEtcd(t *testing.T, k keys) *server {
	t.Helper()
	cmd := exec.Command(filepath.Join(lab.Programs(t), "etcd"), "--name=elsewhere", "--data-dir="+t.TempDir(),
		"--listen-client-urls="+endpoint, "--advertise-client-urls="+endpoint,
		"--listen-peer-urls=http://127.0.0.1:23791", "--initial-advertise-peer-urls=http://127.0.0.1:23791", "--initial-cluster=elsewhere=http://127.0.0.1:23791",
		"--client-cert-auth", "--trusted-ca-file="+k.ca, "--cert-file="+k.cert, "--key-file="+k.key, "--log-level=error")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(k.authority)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop(), TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s := &server{client}
	s.count(t, "/") // it answers
	return s
}

// count is the number of keys below a prefix.
func (s *server) count(t *testing.T, prefix string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got, err := s.client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		t.Fatalf("the etcd elsewhere does not answer: %v", err)
	}
	return got.Count
}
