package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/eksact/eksact/test/lab"
)

func TestCommandLine(t *testing.T) {
	lab.Need(t)
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			l := lab.New(t)
			testscript.RunT(single{t}, testscript.Params{
				Files:               []string{script},
				RequireExplicitExec: true,
				Setup:               func(env *testscript.Env) error { return setUp(t, l, env) },
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits":  exits,
					"median": median,
					"clean":  func(s *testscript.TestScript, _ bool, _ []string) { clean(s, l) },
				},
			})
		})
	}
}

// single is a test that runs by itself: there is one eksact on a machine.
type single struct{ *testing.T }

func (s single) Parallel()     {}
func (s single) Verbose() bool { return testing.Verbose() }
func (s single) Run(_ string, fn func(testscript.T)) {
	fn(s)
}

// setUp lets scripts say just eksact: it is first in the PATH, with the lab's
// folders, and may be run by whoever has no rights.
func setUp(t *testing.T, l *lab.Lab, env *testscript.Env) error {
	bin := filepath.Join(env.WorkDir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for dir := env.WorkDir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	// The checkout's folder may be root's alone.
	anyones := filepath.Join(env.WorkDir, "eksact")
	if out, err := exec.Command("cp", lab.Program(t), anyones).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	for name, program := range map[string]string{"eksact": lab.Program(t), "anyones-eksact": anyones} {
		wrapper := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" --state-dir %s --run-dir %s\n", program, l.State, lab.RunDir)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(wrapper), 0o755); err != nil {
			return err
		}
	}
	env.Setenv("PATH", bin+":"+env.Getenv("PATH")+":/usr/sbin:/sbin")
	env.Setenv("STATE", l.State)
	env.Setenv("EKSACT", lab.Program(t))
	env.Setenv("ROOT", lab.Root(t))
	return nil
}

// exits N COMMAND…: the command must end with that status, soon when it is one of
// refusal.
func exits(s *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 || not {
		s.Fatalf("usage: exits STATUS COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	s.Check(err)
	began := time.Now()
	err = s.Exec(args[1], args[2:]...)
	got := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		s.Check(err)
	}
	if got != want {
		s.Fatalf("exit status %d, want %d\n%s%s", got, want, s.ReadFile("stdout"), s.ReadFile("stderr"))
	}
	if took := time.Since(began); want != 0 && took > lab.Busy*10*time.Second {
		s.Fatalf("refused only after %s", took)
	}
}

// median N GOAL COMMAND…: runs it N times and tells the median of the times taken,
// beside its goal.
func median(s *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	s.Check(err)
	limit, err := time.ParseDuration(args[1])
	s.Check(err)
	var took []time.Duration
	for range n {
		began := time.Now()
		s.Check(s.Exec(args[2], args[3:]...))
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	s.Logf("%s: median %s, longest %s of %d", strings.Join(args[2:], " "), took[n/2].Round(time.Millisecond), took[n-1].Round(time.Millisecond), n)
	if took[n/2] > limit { // see lab.Figure
		s.Logf("MISSED is the goal of %s", limit)
	}
	if took[n/2] > 10*limit {
		s.Fatalf("median %s, ten times the goal of %s", took[n/2], limit)
	}
}

// clean checks that nothing was left of what was tried.
func clean(s *testscript.TestScript, l *lab.Lab) {
	if left := l.Left(); len(left) > 0 {
		s.Fatalf("left behind: %q", left)
	}
	if entries, err := os.ReadDir(l.State); err == nil {
		s.Fatalf("the state directory was made: %v", entries)
	}
}

// TestInterrupted ends an up as Ctrl-C does, while it makes a cluster.
func TestInterrupted(t *testing.T) {
	l := lab.New(t)
	up := l.Command("up", "--nodes", "0")
	var said strings.Builder
	up.Stdout, up.Stderr = &said, &said
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(lab.Busy * 20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(l.State, "clusters/*/logs/kube-apiserver.log")); len(found) > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no control plane was begun")
		}
	}
	if err := up.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := up.Wait()
	if up.ProcessState.ExitCode() != 3 {
		t.Errorf("it ended with %v", err)
	}
	lab.Has(t, "eksact up, interrupted", said.String(), "eksact: interrupted: what had been started is ended again", "hint: eksact up starts anew")
	for _, trace := range l.Left() {
		t.Errorf("left after the interrupt: %s", trace)
	}
	// It goes on where it was cut off.
	l.Up(t, "--nodes", "0")
	lab.Has(t, "eksact status", l.Eksact(t, "status"), "ACTIVE")
}
