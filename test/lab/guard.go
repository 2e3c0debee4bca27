package lab

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// watchman is a process that outlives the test's and runs a command when that
// ends without having dismissed it: killed, or by a panic or a time-out, after
// which no cleanup of the testing package runs.
type watchman struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func guard(t testing.TB, argv []string) *watchman {
	t.Helper()
	// read fails at the end of its input: when the test's end of the pipe is gone.
	cmd := exec.Command("sh", append([]string{"-c", `read done || exec "$@"`, "sh"}, argv...)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &watchman{cmd, in}
}

func (w *watchman) dismiss() {
	io.WriteString(w.in, "done\n")
	w.cmd.Wait()
}
