package netpol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/test/lab"
)

// yard is a cluster of two nodes with a few pods: servers echo on TCP 80.
type yard struct {
	*lab.Lab
	host  lab.Terminal
	nodes []control.Node
}

const pods = `
apiVersion: v1
kind: List
items:
- &pod
  apiVersion: v1
  kind: Pod
  metadata: {name: server-0, labels: {app: server}}
  spec: &spec
    nodeName: %[1]s
    terminationGracePeriodSeconds: 0
    containers: [{name: c, image: busybox, command: ["nc", "-ll", "-p", "80", "-e", "cat"]}]
- {apiVersion: v1, kind: Pod, metadata: {name: server-1, labels: {app: server}}, spec: {<<: *spec, nodeName: %[2]s}}
- {apiVersion: v1, kind: Pod, metadata: {name: client-0, labels: {app: client}}, spec: {<<: *spec, nodeName: %[1]s}}
- {apiVersion: v1, kind: Pod, metadata: {name: client-1, labels: {app: client}}, spec: {<<: *spec, nodeName: %[2]s}}
`

func newYard(t *testing.T) *yard {
	y := &yard{Lab: lab.Start(t, "--nodes", "2")}
	y.host = y.Host(t)
	y.nodes = y.status(t).Clusters[0].Nodes
	y.Images(t, "test/images/busybox.yaml")
	y.apply(t, fmt.Sprintf(pods, y.nodes[0].Name, y.nodes[1].Name))
	y.host.Must(t, "kubectl wait --for=condition=Ready pod --all --timeout=180s")
	return y
}

func (y *yard) status(t testing.TB) control.Status {
	t.Helper()
	var s control.Status
	if err := json.Unmarshal([]byte(y.Eksact(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// apply makes objects, and does not wait for what follows from them.
func (y *yard) apply(t testing.TB, text string) {
	t.Helper()
	file := filepath.Join(y.State, "objects.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	y.host.Must(t, "kubectl apply --server-side --force-conflicts -f "+file)
}

// enforced waits until all that was said holds.
func (y *yard) enforced(t testing.TB) { t.Helper(); y.Eksact(t, "netpol", "wait") }

// clear takes all policies away.
func (y *yard) clear(t testing.TB) {
	t.Helper()
	y.host.Must(t, "kubectl delete networkpolicy --all")
	y.enforced(t)
}

// lease is what a node's CNI wrote about a pod's address.
type lease struct {
	Pod      string
	NetNS    string
	Released *time.Time
	addr     netip.Addr
	node     control.Node
}

// pod finds a pod that has an address.
func (y *yard) pod(t testing.TB, name string) lease {
	t.Helper()
	for _, n := range y.nodes {
		files, _ := filepath.Glob(filepath.Join(y.State, "nodes", n.ID, "cni-state", "*"))
		for _, file := range files {
			addr, err := netip.ParseAddr(filepath.Base(file))
			text, readErr := os.ReadFile(file)
			l := lease{addr: addr, node: n}
			if errors.Join(err, readErr) != nil || json.Unmarshal(text, &l) != nil || l.Released != nil || l.Pod != "default/"+name {
				continue
			}
			return l
		}
	}
	t.Fatalf("pod %s has no address", name)
	return lease{}
}

// netNS is the file of a pod's namespace as the host sees it: in its node's /run.
func (y *yard) netNS(t testing.TB, l lease) string {
	t.Helper()
	// A symbolic link would lead out of the node: /var/run is one.
	return fmt.Sprintf("/proc/%d/root%s", y.pid(t, "node-"+l.node.ID), strings.TrimPrefix(l.NetNS, "/var"))
}

func (y *yard) pid(t testing.TB, program string) int {
	t.Helper()
	for _, p := range y.status(t).Processes {
		if p.Name == program && p.Pid != 0 {
			return p.Pid
		}
	}
	t.Fatalf("%s does not run", program)
	return 0
}

// dial opens a connection from a pod to port 80 of another.
func (y *yard) dial(t testing.TB, from, to string, patience time.Duration) (net.Conn, error) {
	t.Helper()
	l, target := y.pod(t, from), y.pod(t, to)
	return dial(y.netNS(t, l), target.addr, patience)
}

func dial(ns string, to netip.Addr, patience time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return netns.Dial(ns)(ctx, "tcp4", netip.AddrPortFrom(to, 80).String())
}

// silence is how long nothing must come back for a packet to count as dropped.
const silence = 300 * time.Millisecond

// patience is how long an answer may take, on a busy machine too.
const patience = 20 * time.Second

// open is whether packets from a pod reach another, which answers, or refuses, in time.
func (y *yard) open(t testing.TB, from, to string, within time.Duration) bool {
	t.Helper()
	conn, err := y.dial(t, from, to, within)
	if err == nil {
		conn.Close()
	}
	return arrived(t, err)
}

func arrived(t testing.TB, err error) bool {
	t.Helper()
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, syscall.ECONNREFUSED):
		return true
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	t.Errorf("a packet could not be sent: %v", err)
	return false
}

// expect checks who reaches whom: "client-0>server-1" and so on.
func (y *yard) expect(t testing.TB, when string, want bool, flows ...string) {
	t.Helper()
	within := silence
	if want {
		within = patience
	}
	for _, f := range flows {
		from, to, _ := strings.Cut(f, ">")
		if got := y.open(t, from, to, within); got != want {
			t.Errorf("%s: %s is open: %v, want %v", when, f, got, want)
		}
	}
}

// echoes is whether an open connection carries a byte there and back.
func echoes(c net.Conn, patience time.Duration) bool {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("x\n")); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 2))
	return err == nil
}

// policy selects pods of a label and lets in who the rules say.
func policy(name, app, ingress string) string {
	return fmt.Sprintf(`
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: %s, namespace: default}
spec: {podSelector: {matchLabels: {app: %s}}, policyTypes: [Ingress], ingress: %s}
`, name, app, ingress)
}

const denyAll = `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
`
