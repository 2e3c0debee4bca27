package netns

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make network namespaces: run the tests as root")
	}
}

// loUp brings the loopback device of the current namespace up.
func loUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, _ := unix.NewIfreq("lo")
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

func TestASocketBelongsToItsNamespace(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "a")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	defer Delete(path)
	if err := Do(path, loUp); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, "inside")
		c.Close()
	}()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Fatal("the listener answers outside its namespace")
	}
	c, err := Dial(path)(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, _ := io.ReadAll(c); string(got) != "inside" {
		t.Errorf("read %q", got)
	}
}

func TestDeleteLeavesNothing(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "a")
	for range 2 { // twice: Create adopts what is there
		if err := Create(path); err != nil {
			t.Fatal(err)
		}
	}
	if !Exists(path) {
		t.Fatal("not made")
	}
	for range 2 {
		if err := Delete(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("stat: %v", err)
	}
}

func TestDoNamesTheMissingNamespace(t *testing.T) {
	if err := Do("/nonexistent/ns", func() error { return nil }); err == nil {
		t.Error("no error")
	}
}
