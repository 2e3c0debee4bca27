package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
)

// machine is this machine with an eksact of the test's own on it.
type machine struct {
	t     *testing.T
	state string
}

var program, _ = filepath.Abs("../../bin/eksact")

// newMachine makes sure that eksact can be started here, and that none is left
// at the end.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getenv("EKSACT_INTEGRATION") == "" {
		t.Skip("a real cluster takes root and minutes: set EKSACT_INTEGRATION=1, as make test-integration does")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for nodes and networks: run the tests as root")
	}
	if out, err := exec.Command(program, "status").CombinedOutput(); err == nil {
		t.Skipf("eksact runs on this machine already (eksact down ends it):\n%s", out)
	}
	m := &machine{t: t, state: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			m.keepLogs()
		}
		m.eksact("down", "--purge")
	})
	return m
}

// keepLogs copies the logs to where EKSACT_TEST_LOGS says, for who looks into a
// failure.
func (m *machine) keepLogs() {
	dir := os.Getenv("EKSACT_TEST_LOGS")
	if dir == "" {
		m.t.Log("set EKSACT_TEST_LOGS to a folder to keep the logs of a failure")
		return
	}
	line := fmt.Sprintf("mkdir -p %[2]s && cd %[1]s && cp -r --parents logs clusters/*/logs nodes/*/log %[2]s", m.state, dir)
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		m.t.Logf("keeping the logs: %v\n%s", err, out)
	}
}

// eksact runs a command and returns what it says, and how long it took.
func (m *machine) eksact(args ...string) (string, time.Duration) {
	m.t.Helper()
	began := time.Now()
	out, err := exec.Command(program, append(args, "--state-dir", m.state)...).CombinedOutput()
	took := time.Since(began)
	if err != nil {
		m.t.Fatalf("eksact %s: %v after %v\n%s", strings.Join(args, " "), err, took, out)
	}
	return string(out), took
}

// down stops everything, within the time that is promised.
func (m *machine) down(when string) {
	m.t.Helper()
	out, took := m.eksact("down")
	m.t.Logf("down, %s: %.1f s\n%s", when, took.Seconds(), out)
	if took > 15*time.Second {
		m.t.Errorf("down, %s, took %v: want less than 15 s", when, took)
	}
}

func (m *machine) status() (s control.Status) {
	m.t.Helper()
	out, _ := m.eksact("status", "-o", "json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		m.t.Fatalf("status: %v\n%s", err, out)
	}
	return s
}

// process finds a program by the end of its name: "etcd", "/kubelet".
func (m *machine) process(name string) control.Process {
	m.t.Helper()
	for _, p := range m.status().Processes {
		if p.Name == name || strings.HasSuffix(p.Name, "/"+name) || strings.HasPrefix(p.Name, name+"@") || name == "node" && strings.HasPrefix(p.Name, "node-") {
			return p
		}
	}
	return control.Process{}
}

// hostPid is the pid, here, of a process that status tells of: one on a node is
// told by its pid there.
func (m *machine) hostPid(p control.Process) int {
	m.t.Helper()
	if !strings.Contains(p.Name, "/") {
		return p.Pid
	}
	for _, pid := range m.onNode() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "NSpid:" && fields[len(fields)-1] == strconv.Itoa(p.Pid) && len(fields) == 3 {
				return pid
			}
		}
	}
	m.t.Fatalf("no process is %s (pid %d there)", p.Name, p.Pid)
	return 0
}

// onNode lists the processes of the node, its pods' included: init and all that
// came from it.
func (m *machine) onNode() []int {
	m.t.Helper()
	all := []int{m.process("node").Pid}
	for i := 0; i < len(all); i++ {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, thread := range threads {
			data, _ := os.ReadFile(thread)
			for _, field := range strings.Fields(string(data)) {
				if child, err := strconv.Atoi(field); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// kill ends a program by force and returns it as it was.
func (m *machine) kill(name string) control.Process {
	m.t.Helper()
	p := m.process(name)
	if p.Pid == 0 {
		m.t.Fatalf("%s does not run", name)
	}
	pid := m.hostPid(p)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		m.t.Fatalf("killing %s (%d): %v", name, pid, err)
	}
	return p
}

// awaitRestart returns when what was killed runs again.
func (m *machine) awaitRestart(was control.Process) (took time.Duration) {
	m.t.Helper()
	_, name, inside := strings.Cut(was.Name, "/")
	if !inside {
		name = was.Name
	}
	began := time.Now()
	m.eventually(10*time.Second, was.Name+" runs again", func() bool {
		now := m.process(name)
		return now.Pid != 0 && now.Pid != was.Pid
	})
	if now := m.process(name); now.Restarts != was.Restarts+1 {
		m.t.Errorf("%s: %d restarts are counted, want %d", was.Name, now.Restarts, was.Restarts+1)
	}
	return time.Since(began)
}

func (m *machine) eventually(within time.Duration, what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	m.t.Fatalf("not within %v: %s", within, what)
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
