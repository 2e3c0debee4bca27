package uplink

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces: run the tests as root")
	}
	if os.Getenv("EKSACT_INTEGRATION") == "" {
		t.Skip("set EKSACT_INTEGRATION=1, as make test-integration does")
	}
}

// eventually waits for a packet to have been noted.
func (h *Host) eventually(want string) {
	h.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, s := range h.Sent() {
			if strings.Contains(s, want) {
				return
			}
		}
	}
	h.t.Errorf("no packet %q was noted, but %q", want, h.Sent())
}

// What a process on the Host sends is noted: by UDP, by TCP, by asking for a name.
func TestEveryPacketIsNoted(t *testing.T) {
	needRoot(t)
	h := New(t)
	if sent := h.Sent(); len(sent) != 0 {
		t.Fatalf("before anything was sent: %q", sent)
	}
	// A process of another program, as the product's are.
	probe := exec.Command("python3", "-c", `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", ("198.51.100.1", 4444))
t = socket.socket(); t.settimeout(0.2)
try: t.connect(("198.51.100.2", 443))
except OSError: pass`)
	if out, err := h.Here(probe).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.eventually("udp to 198.51.100.1:4444")
	h.eventually("tcp to 198.51.100.2:443")

	_ = netns.Do(h.Path(), func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := (&net.Resolver{PreferGo: true, Dial: netns.Dial(h.Path())}).LookupHost(ctx, "name.example")
		return err
	})
	h.eventually("asking for name.example")
}

func TestWhatStaysOnTheMachineIsNotNoted(t *testing.T) {
	needRoot(t)
	h := New(t)
	l, err := netns.Listen(h.Path(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := netns.Dial(h.Path())(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	h.CheckNothingSent()
}

// A start, and what people do first, on the machine and in the VPC: nothing
// leaves. The walkthrough holds itself to the same.
func TestNothingLeavesUnasked(t *testing.T) {
	needRoot(t)
	program, err := filepath.Abs("../../bin/eksact")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "status").CombinedOutput(); err == nil {
		t.Skipf("eksact runs on this machine already (eksact down ends it):\n%s", out)
	}
	h, state := New(t), t.TempDir()
	eksact := func(args ...string) string {
		t.Helper()
		out, err := h.Here(exec.Command(program, args...)).CombinedOutput()
		if err != nil {
			t.Fatalf("eksact %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	t.Cleanup(func() { eksact("down", "--purge", "--state-dir", state) })
	eksact("up", "--timeout", "4m", "--state-dir", state)
	exports := eksact("env", "--state-dir", state)
	for _, line := range []string{
		"aws sts get-caller-identity", "aws iam list-roles", "aws eks describe-cluster --name cluster",
		"kubectl get nodes", "kubectl get pods --all-namespaces", "kubectl auth whoami",
		"kubectl create configmap a --from-literal=b=c",
	} {
		if out, err := h.Here(exec.Command("bash", "-c", exports+line)).CombinedOutput(); err != nil {
			t.Errorf("$ %s\n%s%v", line, out, err)
		}
	}
	for _, place := range [][]string{nil, {"--laptop"}} {
		args := append([]string{"shell", "--state-dir", state}, place...)
		eksact(append(args, "--", "bash", "-c", "aws sts get-caller-identity && kubectl get nodes && aws eks list-clusters")...)
	}
	eksact("down", "--state-dir", state)
	h.CheckNothingSent()
}
