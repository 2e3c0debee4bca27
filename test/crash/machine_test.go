package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

// machine is a lab whose programs can be killed.
type machine struct {
	*lab.Lab
	t *testing.T
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	return &machine{lab.New(t), t}
}

// up starts or resumes, and returns how long that took.
func (m *machine) up(flags ...string) time.Duration {
	m.t.Helper()
	began := time.Now()
	m.Eksact(m.t, append([]string{"up", "--timeout", "3m"}, flags...)...)
	return time.Since(began)
}

// down stops everything and leaves nothing.
func (m *machine) down(when string) {
	m.t.Helper()
	began := time.Now()
	m.Down(m.t)
	lab.Figure(m.t, "down, "+when, time.Since(began), 15*time.Second)
}

func (m *machine) status() (s control.Status) {
	m.t.Helper()
	out := m.Eksact(m.t, "status", "-o", "json")
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
	if err := syscall.Kill(p.Pid, syscall.SIGKILL); err != nil {
		m.t.Fatalf("killing %s (%d): %v", name, p.Pid, err)
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
	for end := time.Now().Add(lab.Busy * within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	m.t.Fatalf("not within %v: %s", lab.Busy*within, what)
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
