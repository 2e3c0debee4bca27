package listen

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain doubles as the child: with EKSACT_TEST_CHILD set it takes the socket
// over and answers one connection.
func TestMain(m *testing.M) {
	if os.Getenv("EKSACT_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	l, err := Inherited()
	switch {
	case err != nil:
		fmt.Println("error:", err)
	case l == nil:
		fmt.Println("none")
	default:
		conn, err := l.Accept()
		if err != nil {
			fmt.Println("error:", err)
			break
		}
		_, left := os.LookupEnv("LISTEN_FDS")
		fmt.Fprintf(conn, "pid %d, LISTEN_FDS left: %v\n", os.Getpid(), left)
		conn.Close()
		fmt.Println("served")
	}
}

// child runs this test binary again with the given environment and descriptor 3.
func child(t *testing.T, fd3 *os.File, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, "EKSACT_TEST_CHILD=1")
	cmd.Stderr = os.Stderr
	if fd3 != nil {
		cmd.ExtraFiles = []*os.File{fd3}
	}
	return cmd
}

func socket(t *testing.T) (*net.TCPListener, *os.File) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); f.Close() })
	return l, f
}

// TestQueued connects before any server runs: the kernel must hold the
// connection until the child takes over, twice in a row.
func TestQueued(t *testing.T) {
	l, f := socket(t)
	for range 2 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		out, err := child(t, f, "LISTEN_FDS=1", "LISTEN_FDNAMES=https").Output()
		if err != nil || strings.TrimSpace(string(out)) != "served" {
			t.Fatalf("child: %q, %v", out, err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(line, "LISTEN_FDS left: false\n") {
			t.Errorf("child answered %q: its environment still has LISTEN_FDS", line)
		}
	}
}

func TestRefused(t *testing.T) {
	_, tcp := socket(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	udpFile, err := udp.File()
	if err != nil {
		t.Fatal(err)
	}
	defer udpFile.Close()

	for _, tc := range []struct {
		name string
		fd3  *os.File
		env  []string
		want string
	}{
		{"no variable", nil, nil, "none"},
		{"zero", nil, []string{"LISTEN_FDS=0"}, "none"},
		{"meant for another", tcp, []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, "none"},
		{"two sockets", tcp, []string{"LISTEN_FDS=2"}, "error: LISTEN_FDS=2"},
		{"not a number", tcp, []string{"LISTEN_FDS=x"}, "error: LISTEN_FDS=x"},
		{"not a socket", file, []string{"LISTEN_FDS=1"}, "no listening socket"},
		{"not TCP", udpFile, []string{"LISTEN_FDS=1"}, "no listening socket"},
	} {
		out, err := child(t, tc.fd3, tc.env...).Output()
		if err != nil || !strings.Contains(string(out), tc.want) {
			t.Errorf("%s: child said %q (%v), want %q", tc.name, out, err, tc.want)
		}
	}
}
