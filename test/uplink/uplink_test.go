package uplink

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/test/lab"
)

// A test that is killed leaves the files that name its namespaces.
func TestAKilledTestIsSweptUpAfter(t *testing.T) {
	lab.Need(t)
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-1", prefix, ended.Process.Pid))
	if err := netns.Create(filepath.Join(left, "host")); err != nil {
		t.Fatal(err)
	}
	first := New(t)
	second := New(t)
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s is still there", left)
	}
	for _, h := range []*Host{first, second} {
		if !netns.Exists(h.Path()) {
			t.Errorf("%s, which is in use, was removed", h.Path())
		}
	}
}

// What a process on the Host sends is noted: by UDP, by TCP, by asking for a name.
func TestEveryPacketIsNoted(t *testing.T) {
	lab.Need(t)
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
	h.Await("udp to 198.51.100.1:4444")
	h.Await("tcp to 198.51.100.2:443")

	_ = netns.Do(h.Path(), func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := (&net.Resolver{PreferGo: true, Dial: netns.Dial(h.Path())}).LookupHost(ctx, "name.example")
		return err
	})
	h.Await("asking for name.example")
}

func TestWhatStaysOnTheMachineIsNotNoted(t *testing.T) {
	lab.Need(t)
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
