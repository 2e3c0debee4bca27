package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How long the load goes on after each kill: of a program that has a part in answers,
// and of one that has none. What came of the latter later would be seen after the next.
const (
	long  = 5 * time.Second
	short = 2 * time.Second
)

// victim is a program to be killed, and what callers may see of it.
type victim struct {
	name  string
	pause time.Duration
	// calls of the Kubernetes API that may fail: those under way at that moment.
	// The AWS API's may not: its clients send again what was cut.
	mayFail []string
}

// unasked is what the API server answers when the daemon dies under a question about a token:
// it asks again after a connection that was reset, not after a broken pipe.
const unasked = "401 Unauthorized"

var victims = []victim{
	{name: "eksact", pause: long, mayFail: []string{unasked}},
	// A write that etcd had been given and not answered: it may have been applied
	// or not, which the API server says in this way, whatever its connection met with.
	{name: "etcd", pause: long, mayFail: []string{"500 rpc error: code = Unavailable desc = "}},
	{name: "kube-apiserver", pause: long, mayFail: []string{cut}},
	{name: "kube-controller-manager", pause: short},
	{name: "kube-scheduler", pause: short},
	{name: "kubelet", pause: short},
	{name: "containerd", pause: short},
	{name: "kube-proxy", pause: short},
	{name: "eksact", pause: long, mayFail: []string{unasked}}, // once more, after all else has been started anew
}

func TestKillsUnderLoad(t *testing.T) {
	m := newMachine(t)
	m.Images(t, "test/images/busybox.yaml")
	t.Logf("up: %.1f s", m.up().Seconds())

	c := newCallers(m, "load")
	c.pod(m, "long", 30, "sleep", nap)
	c.pod(m, "deaf", 300, deaf...)
	c.awaitRunning(m, "long", "deaf")
	lives, process := c.lives(m), sleeper()
	if process == "" {
		t.Fatal("the long-running pod's process is not found")
	}

	c.start(t.Context())
	time.Sleep(2 * time.Second)
	for _, v := range victims {
		c.killOne(m, v)
	}
	c.halt()

	c.everythingIsThere(m)
	for name, life := range c.lives(m) {
		if lives[name] != life {
			t.Errorf("pod %s was %s, is %s", name, lives[name], life)
		}
	}
	if now := sleeper(); now != process {
		t.Errorf("the long-running pod's process was %s, is %q", process, now)
	}
	t.Logf("acknowledged and there: %d roles, %d ConfigMaps; %d pods run on as they were", len(c.roles), len(c.configMaps), len(lives))

	nodeIsKilled(m, c)
	keeperIsKilled(m, c)
	clusterComesAndGoes(m, c)

	grace := int64(300)
	if err := c.kube.CoreV1().Pods("default").Delete(t.Context(), "deaf", metav1.DeleteOptions{GracePeriodSeconds: &grace}); err != nil {
		t.Fatal(err)
	}
	m.down("with pods, one of them terminating and deaf to SIGTERM")

	m.up()
	m.kill("containerd")
	m.kill("etcd")
	m.kill("kube-apiserver")
	m.kill("eksact")
	m.down("a moment after containerd, etcd, the API server and the daemon were killed")

	m.up()
	if err := syscall.Kill(parent(m.process("eksact").Pid), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	m.down("while the keeper hangs")
}

// killOne kills a program under load, and looks at what its callers saw.
func (c *callers) killOne(m *machine, v victim) {
	m.t.Helper()
	killed := time.Now()
	was := m.kill(v.name)
	back := m.awaitRestart(was)
	time.Sleep(v.pause - time.Since(killed))
	until := time.Now()
	aws, kube := c.between(awsAPI, killed, until), c.between(kubeAPI, killed, until)
	m.t.Logf("kill -9 %-24s runs again after %4d ms\n    AWS         %s\n    Kubernetes  %s", v.name, back.Milliseconds(), aws, kube)
	for _, api := range []seen{aws, kube} {
		if api.calls == 0 {
			m.t.Errorf("%s: nobody called", v.name)
		}
		if api.broken["REFUSED"] > 0 {
			m.t.Errorf("%s: %d connections were refused", v.name, api.broken["REFUSED"])
		}
	}
	for what, n := range aws.failures {
		m.t.Errorf("%s: %d AWS calls failed: %s", v.name, n, what)
	}
	for what, n := range kube.failures {
		if !allowed(what, v.mayFail) || n > kubeCallers {
			m.t.Errorf("%s: %d Kubernetes calls failed: %s", v.name, n, what)
		}
	}
}

func allowed(what string, kinds []string) bool {
	for _, k := range kinds {
		if strings.HasPrefix(what, k) {
			return true
		}
	}
	return false
}

// everythingIsThere reads all that was acknowledged.
func (c *callers) everythingIsThere(m *machine) {
	m.t.Helper()
	if len(c.roles) == 0 || len(c.configMaps) == 0 {
		m.t.Fatalf("%d roles, %d ConfigMaps were acknowledged", len(c.roles), len(c.configMaps))
	}
	if err := c.listRoles(m.t.Context(), ""); err != nil {
		m.t.Errorf("roles: %v", err)
	}
	if err := c.listConfigMaps(m.t.Context(), ""); err != nil {
		m.t.Errorf("ConfigMaps: %v", err)
	}
}

// nodeIsKilled kills a node's init: all that ran on the node ends, and the node
// comes back with its pods.
func nodeIsKilled(m *machine, c *callers) {
	m.t.Helper()
	ran := m.onNode()
	proxy := m.process("kube-proxy")
	was := m.kill("node")
	began := time.Now()
	m.eventually(10*time.Second, "all that ran on the node has ended", func() bool {
		for _, pid := range ran {
			if alive(pid) {
				return false
			}
		}
		return true
	})
	ended := time.Since(began)
	m.awaitRestart(was)
	m.up() // returns when the node has renewed its lease since
	m.t.Logf("kill -9 of the node's init: %d processes ended within %d ms, ready again after %.1f s", len(ran), ended.Milliseconds(), time.Since(began).Seconds())
	c.awaitRunning(m, "long", "deaf")
	m.eventually(10*time.Second, "kube-proxy runs on the node again", func() bool {
		p := m.process("kube-proxy")
		return p.Pid != 0 && p.Started.After(proxy.Started)
	})
	c.everythingIsThere(m)
}

// keeperIsKilled kills the root of all: everything ends, and `up` resumes.
func keeperIsKilled(m *machine, c *callers) {
	m.t.Helper()
	keeper := parent(m.process("eksact").Pid)
	ran := m.onNode()
	for _, p := range m.status().Processes {
		if !strings.Contains(p.Name, "/") {
			ran = append(ran, p.Pid)
		}
	}
	began := time.Now()
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		m.t.Fatalf("killing the keeper (%d): %v", keeper, err)
	}
	// At once, so that what has not ended yet would be in the way.
	took := m.up()
	for _, pid := range ran {
		if alive(pid) {
			command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			m.t.Errorf("process %d outlives its keeper: %q", pid, command)
		}
	}
	m.t.Logf("kill -9 of the keeper: %d processes ended, up again %.1f s after (up took %.1f s)", len(ran), time.Since(began).Seconds(), took.Seconds())
	c.awaitRunning(m, "long", "deaf")
	c.everythingIsThere(m)
}

func parent(pid int) (parent int) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ") // then the state and the parent
	if fields := strings.Fields(rest); len(fields) > 1 {
		parent, _ = strconv.Atoi(fields[1])
	}
	return parent
}
