// Package planetest gives tests the ground that control planes stand on: a supervisor,
// an etcd, and network namespaces. It needs root and the Kubernetes components in bin/ or
// $EKSACT_PROGRAMS, and skips tests that lack them. Only tests import it.
//
// A test package that uses it has Main as its TestMain.
package planetest

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/kube/gc"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/supervise"
)

// supervisorSocket makes a test binary a supervisor that serves it.
const supervisorSocket = "PLANETEST_SUPERVISOR"

// Main is a test package's TestMain. A supervisor reaps every child of its process, so
// it gets a process of its own: the test binary, run again.
func Main(m *testing.M) {
	socket := os.Getenv(supervisorSocket)
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

// Ground is where control planes are started. All on it ends with the test.
type Ground struct {
	Dir    string // short, for the path of a unix socket is
	Keeper supervise.Client
	Etcd   supervise.Spec // not started yet
	bin    string
}

// New makes the ground, with a supervisor that runs.
func New(t testing.TB) *Ground {
	t.Helper()
	bin := programs(t)
	dir, err := os.MkdirTemp("", "cp")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	g := &Ground{Dir: dir, Keeper: supervise.Client{Path: filepath.Join(dir, "keeper")}, bin: bin}
	client, peer := g.etcdURL(), "unix://"+filepath.Join(dir, "peer.sock")
	g.Etcd = supervise.Spec{
		Name: "etcd", Path: filepath.Join(bin, "etcd"), Log: filepath.Join(dir, "etcd.log"), StopAfter: 5 * time.Second,
		Argv: []string{"etcd", "--data-dir=" + filepath.Join(dir, "etcd"), "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer},
	}
	g.supervise(t)
	return g
}

func (g *Ground) etcdURL() string { return "unix://" + filepath.Join(g.Dir, "etcd.sock") }

// programs finds the upstream components, or says how to have them.
func programs(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces: run the tests as root")
	}
	bin := os.Getenv("EKSACT_PROGRAMS")
	if bin == "" {
		bin = filepath.Join(root(t), "bin")
	}
	if _, err := os.Stat(filepath.Join(bin, controlplane.APIServer)); err != nil {
		t.Skipf("needs the Kubernetes components in bin/ or $EKSACT_PROGRAMS: run make (%v)", err)
	}
	return bin
}

// root is the project's, above the test's directory.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	return dir
}

func (g *Ground) supervise(t testing.TB) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), supervisorSocket+"="+g.Keeper.Path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// It dies with the thread that started it, which must not be one that goes with a
	// network namespace.
	started, release := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		<-release
	}()
	must(t, <-started)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		defer close(release)
		g.Keeper.Shutdown()
		if <-ended != nil {
			cmd.Process.Kill()
		}
	})
	for _, err := g.Keeper.List(); err != nil; _, err = g.Keeper.List() {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the supervisor ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Config is a cluster's, whose id is the name and whose namespace is made.
func (g *Ground) Config(t testing.TB, name, id, region string) controlplane.Config {
	t.Helper()
	c := controlplane.Config{
		Name: name, EndpointHost: id + ".gr7." + region + ".eks.amazonaws.com",
		Issuer: "https://oidc.eks." + region + ".amazonaws.com/id/" + id, Version: controlplane.Version,
		Private: []netip.Addr{netip.MustParseAddr("10.0.64.10")}, Public: []netip.Addr{netip.MustParseAddr("198.18.1.1")},
		ServiceCIDR: netip.MustParsePrefix("172.20.0.0/16"), NetNS: filepath.Join(g.Dir, "netns-"+name),
		Etcd: g.etcdURL(), EtcdPrefix: "/eksact/kube/" + name, Webhooks: "127.0.0.1:21362", Dir: filepath.Join(g.Dir, name),
		Program: func(program string) string { return filepath.Join(g.bin, program) },
		Socket:  "api-" + name, GC: gc.Default,
	}
	Place(t, c.NetNS, c.Private[0].String()+"/32")
	return c
}

// Place makes a network namespace with an address on its loopback device: there is
// nobody outside to reach.
func Place(t testing.TB, path, address string) {
	t.Helper()
	must(t, netns.Create(path))
	t.Cleanup(func() { netns.Delete(path) })
	Address(t, path, address)
}

// Address adds one to the loopback device of a network namespace, which is up then.
func Address(t testing.TB, path, address string) {
	t.Helper()
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

// Await returns when a cluster's API server is ready; else its log is shown.
func Await(t testing.TB, c controlplane.Config, p *controlplane.Plane) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	err := p.WaitReady(ctx, func(waiting string) { t.Logf("%5.2f s  waiting for %s", time.Since(began).Seconds(), waiting) })
	if err != nil {
		data, _ := os.ReadFile(c.Log(controlplane.APIServer))
		t.Fatalf("%v\n%s", err, data[max(0, len(data)-4000):])
	}
	t.Logf("%5.2f s  ready", time.Since(began).Seconds())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
