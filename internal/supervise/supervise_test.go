package supervise

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
)

// The supervisor reaps every child of its process, so it gets one of its own:
// this test binary, run again.
func TestMain(m *testing.M) {
	switch os.Getenv("SUPERVISE_TEST") {
	case "supervisor":
		s, err := New()
		if err != nil {
			panic(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: os.Args[1], Net: "unix"})
		if err != nil {
			panic(err)
		}
		if err := s.Serve(l); err != nil {
			panic(err)
		}
	case "greeter": // serves the socket it was given
		l, err := net.FileListener(os.NewFile(3, "socket"))
		if err != nil {
			panic(err)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(c, "%d", os.Getpid())
			c.Close()
		}
	default:
		os.Exit(m.Run())
	}
}

func startSupervisor(t *testing.T) (Client, *exec.Cmd) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sv")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], filepath.Join(dir, "s"))
	cmd.Env = append(os.Environ(), "SUPERVISE_TEST=supervisor")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); os.RemoveAll(dir) })
	c := Client{filepath.Join(dir, "s")}
	eventually(t, "the supervisor answers", func() bool { _, err := c.List(); return err == nil })
	return c, cmd
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

func sleeper(name string) Spec {
	return Spec{Name: name, Path: "/bin/sleep", Argv: []string{"sleep", "600"}}
}

func only(t *testing.T, c Client) State {
	t.Helper()
	all, err := c.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("list: %v, %v", all, err)
	}
	return all[0]
}

func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestAProcessThatIsKilledRunsAgain(t *testing.T) {
	c, _ := startSupervisor(t)
	if err := c.Ensure(sleeper("a")); err != nil {
		t.Fatal(err)
	}
	first := only(t, c)
	if err := c.Kill("a", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() bool { s := only(t, c); return s.Pid != 0 && s.Pid != first.Pid })
	if s := only(t, c); s.Restarts != 1 || s.LastExit != "signal: killed" {
		t.Errorf("state %+v", s)
	}
}

func TestEnsureLeavesTheSameSpecAloneAndReplacesAnother(t *testing.T) {
	c, _ := startSupervisor(t)
	for range 2 {
		if err := c.Ensure(sleeper("a")); err != nil {
			t.Fatal(err)
		}
	}
	first := only(t, c)
	other := sleeper("a")
	other.Argv = []string{"sleep", "601"}
	if err := c.Ensure(other); err != nil {
		t.Fatal(err)
	}
	if s := only(t, c); s.Pid == first.Pid || s.Pid == 0 || alive(first.Pid) {
		t.Errorf("before %+v, after %+v", first, s)
	}
}

func TestStopGivesTimeThenKills(t *testing.T) {
	c, _ := startSupervisor(t)
	deaf := Spec{Name: "deaf", Path: "/bin/sh", Argv: []string{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}, StopAfter: 100 * time.Millisecond}
	if err := c.Ensure(deaf); err != nil {
		t.Fatal(err)
	}
	pid := only(t, c).Pid
	if err := c.Stop("deaf"); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("still there")
	}
	if all, _ := c.List(); len(all) != 0 {
		t.Errorf("list %v", all)
	}
	if err := c.Stop("deaf"); err != nil {
		t.Errorf("stopping again: %v", err)
	}
}

func TestAMissingProgramIsAnErrorAtOnce(t *testing.T) {
	c, _ := startSupervisor(t)
	err := c.Ensure(Spec{Name: "x", Path: "/nonexistent", Argv: []string{"x"}})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("err %v", err)
	}
}

func TestCallersWaitWhileTheirServerRestarts(t *testing.T) {
	c, _ := startSupervisor(t)
	l, err := c.Listen(Socket{Name: "g", Network: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	greeter := Spec{Name: "greeter", Path: os.Args[0], Argv: os.Args[:1], Env: append(os.Environ(), "SUPERVISE_TEST=greeter"), Sockets: []string{"g"}}
	if err := c.Ensure(greeter); err != nil {
		t.Fatal(err)
	}
	greet := func() string {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		defer conn.Close()
		text, _ := io.ReadAll(bufio.NewReader(conn))
		return string(text)
	}
	before := greet()
	pid, _ := strconv.Atoi(before)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server is gone", func() bool { return !alive(pid) })
	if after := greet(); after == before || after == "" {
		t.Errorf("before %s, after %q", before, after)
	}
}

func TestNothingOutlivesTheSupervisor(t *testing.T) {
	c, cmd := startSupervisor(t)
	if err := c.Ensure(sleeper("a")); err != nil {
		t.Fatal(err)
	}
	pid := only(t, c).Pid
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is gone", func() bool { return !alive(pid) })
}

func TestShutdownEndsAll(t *testing.T) {
	c, cmd := startSupervisor(t)
	if err := c.Ensure(sleeper("a")); err != nil {
		t.Fatal(err)
	}
	pid := only(t, c).Pid
	if err := c.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the supervisor ended with %v", err)
	}
	if alive(pid) {
		t.Error("the child is still there")
	}
}

// Everything at once, for the race detector; and whatever came of it, Shutdown
// leaves no process.
func TestManyChangesAtOnce(t *testing.T) {
	c, cmd := startSupervisor(t)
	mark := strconv.Itoa(os.Getpid()*1000 + 7)
	spec := func(name string, i int) Spec {
		return Spec{Name: name, Path: "/bin/sleep", Argv: []string{"sleep", mark + "." + strconv.Itoa(i%3)}, StopAfter: time.Second}
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 30 {
				name := "p" + strconv.Itoa((w+i)%4)
				switch i % 5 {
				case 0, 1:
					if err := c.Ensure(spec(name, w+i)); err != nil && !strings.Contains(err.Error(), "two changes at once") {
						t.Error(err)
					}
				case 2:
					_ = c.Kill(name, syscall.SIGKILL) // it may not run
				case 3:
					if _, err := c.List(); err != nil {
						t.Error(err)
					}
				case 4:
					if err := c.Stop(name); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := c.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the supervisor ended with %v", err)
	}
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		if command, _ := os.ReadFile(path); strings.Contains(string(command), "sleep\x00"+mark) {
			t.Errorf("%s lives on: %q", path, command)
		}
	}
}

func TestASandboxedProcessIsPid1InTheNetworkItWasGiven(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for namespaces: run the tests as root")
	}
	c, _ := startSupervisor(t)
	dir := t.TempDir()
	ns := filepath.Join(dir, "ns")
	if err := netns.Create(ns); err != nil {
		t.Fatal(err)
	}
	defer netns.Delete(ns)
	out := filepath.Join(dir, "out")
	spec := Spec{Name: "box", Path: "/bin/sh", Argv: []string{"sh", "-c", "echo pid $$; readlink /proc/self/ns/net; exec sleep 600"}, NetNS: ns, Sandbox: true, Log: out}
	if err := c.Ensure(spec); err != nil {
		t.Fatal(err)
	}
	var want syscall.Stat_t
	if err := syscall.Stat(ns, &want); err != nil {
		t.Fatal(err)
	}
	expect := fmt.Sprintf("pid 1\nnet:[%d]\n", want.Ino)
	eventually(t, "it says where it is", func() bool { b, _ := os.ReadFile(out); return string(b) == expect })
}

func TestPausesGrowAndStartOver(t *testing.T) {
	pause := time.Duration(0)
	for _, want := range []time.Duration{50, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
		pause = nextPause(pause, 0)
		if pause != want*time.Millisecond {
			t.Fatalf("pause %v, want %v ms", pause, want)
		}
	}
	if got := nextPause(pause, time.Minute); got != firstPause {
		t.Errorf("after a steady run: %v", got)
	}
}

func TestALogIsCutAndItsPastKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprint(f, "old lines")
	trim(path, 4)
	fmt.Fprint(f, "new")
	now, _ := os.ReadFile(path)
	past, _ := os.ReadFile(path + ".1")
	if string(now) != "new" || string(past) != "old lines" {
		t.Errorf("now %q, past %q", now, past)
	}
}
