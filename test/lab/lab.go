package lab

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// RunDir is where sockets and locks are, the default: one eksact runs on a
// machine at a time.
const RunDir = "/run/eksact"

// Lab is one eksact with folders of its own.
type Lab struct {
	State string // folder of all that is kept
	// On makes commands run elsewhere than on this machine (package uplink).
	On func(*exec.Cmd) *exec.Cmd

	t      testing.TB
	before traces
}

// New makes a lab in which nothing runs yet. It is brought down when the test
// ends.
func New(t testing.TB) *Lab {
	t.Helper()
	Need(t)
	if out, err := exec.Command(Program(t), "status").CombinedOutput(); err == nil {
		t.Fatalf("eksact runs on this machine already; eksact down ends it\n%s", out)
	}
	state := filepath.Join(t.TempDir(), "state")
	l := &Lab{State: state, t: t, before: look(state)}
	watch := guard(t, l.Command("down", "--purge").Args)
	t.Cleanup(func() {
		if t.Failed() {
			l.keepLogs()
		}
		l.Down(t, "--purge")
		watch.dismiss()
	})
	return l
}

// Start makes a lab and its cluster. The flags are up's.
func Start(t testing.TB, flags ...string) *Lab {
	t.Helper()
	l := New(t)
	l.Up(t, flags...)
	return l
}

// Need skips a test that was not asked for, and fails one that can't be run.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("EKSACT_INTEGRATION") == "" {
		t.Skip("runs the real eksact, which takes root: set EKSACT_INTEGRATION=1, as make test-integration does")
	}
	if os.Geteuid() != 0 {
		t.Fatal("needs root for nodes and networks: run the tests as root")
	}
}

// Program is the path of the eksact under test.
func Program(t testing.TB) string { return filepath.Join(Programs(t), "eksact") }

// Programs is the folder of the programs under test: EKSACT_PROGRAMS, or bin/.
func Programs(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("EKSACT_PROGRAMS"); dir != "" {
		return dir
	}
	return filepath.Join(Root(t), "bin")
}

// Root is the repository's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test's folder")
	return ""
}

// Command is eksact with arguments, in this lab.
func (l *Lab) Command(args ...string) *exec.Cmd {
	flags := []string{"--state-dir", l.State, "--run-dir", RunDir}
	// Ours go before a command's own arguments.
	for i, a := range args {
		if a == "--" {
			return l.place(exec.Command(Program(l.t), append(append(args[:i:i], flags...), args[i:]...)...))
		}
	}
	return l.place(exec.Command(Program(l.t), append(args[:len(args):len(args)], flags...)...))
}

func (l *Lab) place(cmd *exec.Cmd) *exec.Cmd {
	if l.On == nil {
		return cmd
	}
	return l.On(cmd)
}

// Eksact runs eksact, which must succeed, and returns what it printed.
func (l *Lab) Eksact(t testing.TB, args ...string) string {
	t.Helper()
	out, err := l.Command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("$ eksact %s\n%s\n%v", strings.Join(args, " "), out, err)
	}
	return string(out)
}

// Images builds images, whose specs are files, below the repository's folder if they are
// not elsewhere, for the lab's nodes.
// What is fetched and made for one is kept for the tests to come, as a user's is.
func (l *Lab) Images(t testing.TB, specs ...string) {
	t.Helper()
	kept, cache := filepath.Join(os.TempDir(), "eksact-test-images"), filepath.Join(l.State, "cache")
	for _, dir := range []string{kept, l.State} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(kept, cache); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	args := []string{"image", "build"}
	for _, spec := range specs {
		if !filepath.IsAbs(spec) {
			spec = filepath.Join(Root(t), spec)
		}
		args = append(args, spec)
	}
	l.Eksact(t, args...)
}

// Up starts the lab and says how long that took.
func (l *Lab) Up(t testing.TB, flags ...string) {
	t.Helper()
	began := time.Now()
	l.Eksact(t, append([]string{"up", "--timeout", "3m"}, flags...)...)
	t.Logf("up after %.1f s", time.Since(began).Seconds())
}

// Down ends what runs, and fails the test when something is left of it.
func (l *Lab) Down(t testing.TB, flags ...string) {
	t.Helper()
	ours := l.places()
	began := time.Now()
	out, err := l.Command(append([]string{"down"}, flags...)...).CombinedOutput()
	if err != nil {
		t.Errorf("$ eksact down %s\n%s\n%v", strings.Join(flags, " "), out, err)
	}
	t.Logf("down after %.1f s\n%s", time.Since(began).Seconds(), out)
	for _, trace := range l.left(ours) {
		t.Errorf("left after eksact down: %s", trace)
	}
}

// keepLogs saves the logs of a test that failed: down --purge deletes them.
func (l *Lab) keepLogs() {
	archive := filepath.Join(os.TempDir(), "eksact-"+strings.ReplaceAll(l.t.Name(), "/", "-")+".tar.gz")
	if _, err := os.Stat(l.State); err != nil {
		return // nothing ran
	}
	tar := exec.Command("sh", "-c", `tar -czf "$0" $(find . -name '*.log' -not -path './nodes/*/containerd/*')`, archive)
	tar.Dir = l.State
	if err := tar.Run(); err != nil {
		l.t.Logf("the logs can't be kept: %v", err)
		return
	}
	l.t.Logf("the logs are in %s", archive)
}
