package irsa

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/kube/gc"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/supervise"
)

// A supervisor reaps every child of its process, so it gets a process of its own:
// this test binary, run again.
func TestMain(m *testing.M) {
	socket := os.Getenv("IRSA_TEST_SUPERVISOR")
	if socket == "" {
		os.Exit(m.Run())
	}
	s, err := supervise.New()
	if err != nil {
		panic(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		panic(err)
	}
	if err := s.Serve(l); err != nil {
		panic(err)
	}
}

// machine runs an etcd and API servers, which all end with the test.
type machine struct {
	dir    string
	keeper supervise.Client
	etcd   supervise.Spec
	bin    string
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces: run the tests as root")
	}
	bin := os.Getenv("EKSACT_PROGRAMS")
	if bin == "" {
		bin, _ = filepath.Abs("../../bin")
	}
	if _, err := os.Stat(filepath.Join(bin, controlplane.APIServer)); err != nil {
		t.Skipf("needs the Kubernetes components in bin/ or $EKSACT_PROGRAMS: run make (%v)", err)
	}
	dir, err := os.MkdirTemp("", "irsa") // short: the path of a unix socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{dir: dir, keeper: supervise.Client{Path: filepath.Join(dir, "keeper")}, bin: bin}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "IRSA_TEST_SUPERVISOR="+m.keeper.Path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// It dies with the thread that started it, which must not be one that goes with a
	// network namespace.
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		<-ended
	}()
	must(t, <-started)
	t.Cleanup(func() {
		defer close(ended)
		m.keeper.Shutdown()
		if cmd.Wait() != nil {
			cmd.Process.Kill()
		}
	})
	for _, err := m.keeper.List(); err != nil; _, err = m.keeper.List() {
		time.Sleep(5 * time.Millisecond)
	}
	client, peer := "unix://"+filepath.Join(dir, "etcd.sock"), "unix://"+filepath.Join(dir, "peer.sock")
	m.etcd = supervise.Spec{
		Name: "etcd", Path: filepath.Join(bin, "etcd"), Log: filepath.Join(dir, "etcd.log"), StopAfter: 5 * time.Second,
		Argv: []string{"etcd", "--data-dir=" + filepath.Join(dir, "etcd"), "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer},
	}
	must(t, m.keeper.Ensure(m.etcd))
	t.Cleanup(func() { must(t, m.keeper.Stop("etcd")) })
	return m
}

// plane is one cluster's API server; it has no controllers.
type plane struct {
	controlplane.Config
	m      *machine
	pki    *pki.Bundle
	api    *controlplane.Plane
	client kubernetes.Interface
}

const issuerOf = "https://oidc.eks.%s.amazonaws.com/id/"

// cluster starts an API server whose issuer is at the region's host.
func (m *machine) cluster(t testing.TB, name, region string) *plane {
	t.Helper()
	id := strings.ToUpper(name)
	p := &plane{m: m, Config: controlplane.Config{
		Name: name, EndpointHost: id + ".gr7." + region + ".eks.amazonaws.com",
		Issuer: strings.Replace(issuerOf, "%s", region, 1) + id, Version: controlplane.Version,
		Private: []netip.Addr{netip.MustParseAddr("10.0.64.10")}, Public: []netip.Addr{netip.MustParseAddr("198.18.1.1")},
		ServiceCIDR: netip.MustParsePrefix("172.20.0.0/16"), NetNS: filepath.Join(m.dir, "netns-"+name),
		Etcd: "unix://" + filepath.Join(m.dir, "etcd.sock"), EtcdPrefix: "/eksact/kube/" + name,
		Webhooks: "127.0.0.1:21362", IdentityWebhook: "127.0.0.1:23443", Dir: filepath.Join(m.dir, name),
		Program: func(program string) string { return filepath.Join(m.bin, program) },
		Socket:  "api-" + name, GC: gc.Default,
	}}
	place(t, p.NetNS, p.Private[0].String()+"/32")
	var err error
	p.pki, err = p.Prepare(time.Now())
	must(t, err)
	must(t, m.keeper.Keep(p.ListenSocket()))
	p.run(t)
	t.Cleanup(func() { must(t, m.keeper.Stop(p.SpecName(controlplane.APIServer))) })
	p.api, err = p.Open(p.pki)
	must(t, err)
	p.client = p.api.Client()
	p.ready(t)
	return p
}

// place makes a network namespace with an address on its loopback device.
func place(t testing.TB, path, address string) {
	t.Helper()
	must(t, netns.Create(path))
	t.Cleanup(func() { netns.Delete(path) })
	must(t, netns.Do(path, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(lo, a); err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	}))
}

// run starts the API server, anew if it is to run otherwise than before.
func (p *plane) run(t testing.TB) {
	t.Helper()
	specs := p.Specs(p.pki)
	at := slices.IndexFunc(specs, func(s supervise.Spec) bool { return s.Name == p.SpecName(controlplane.APIServer) })
	must(t, p.m.keeper.Ensure(specs[at]))
}

func (p *plane) ready(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := p.api.WaitReady(ctx, nil); err != nil {
		data, _ := os.ReadFile(p.Log(controlplane.APIServer))
		t.Fatalf("%v\n%s", err, data[max(0, len(data)-4000):])
	}
}

// account makes a service account, and its namespace.
func (p *plane) account(t testing.TB, namespace, name string, annotations map[string]string) {
	t.Helper()
	_, err := p.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, err = p.client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}, metav1.CreateOptions{})
	must(t, err)
}

// token is one that the API server makes; "" is its own audience.
func (p *plane) token(t testing.TB, namespace, name, audience string, bound *authenticationv1.BoundObjectReference) string {
	t.Helper()
	seconds := int64(600)
	q := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds, BoundObjectRef: bound}}
	if audience != "" {
		q.Spec.Audiences = []string{audience}
	}
	out, err := p.client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, q, metav1.CreateOptions{})
	must(t, err)
	return out.Status.Token
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
