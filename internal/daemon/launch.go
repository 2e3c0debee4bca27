package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/node/keep"
	"github.com/eksact/eksact/internal/programs"
	"github.com/eksact/eksact/internal/supervise"
)

// Running reports whether a keeper lives behind the run directory.
func Running(runDir string) bool {
	path := keep.Lock(runDir)
	if _, err := os.Stat(path); err != nil {
		return false
	}
	lock := flock.New(path)
	free, err := lock.TryLock()
	if err != nil {
		return false
	}
	if free {
		lock.Unlock()
	}
	return !free
}

// Exclusive keeps other starts and ends away until release is called.
func Exclusive(runDir string) (release func(), err error) {
	if err := os.MkdirAll(runDir, 0o711); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(runDir, "up.lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", lock.Path(), err)
	}
	if !ok {
		return nil, hint.New("another eksact up or down is at work on this machine", "wait for it to end; eksact status shows how far it is")
	}
	return func() { lock.Unlock() }, nil
}

// Launch starts the keeper, and it the daemon, and returns when the daemon
// answers. What ran before is left alone.
func Launch(ctx context.Context, c Config) error {
	set, err := programs.Locate(c.StateDir)
	if err != nil {
		return err
	}
	if Running(c.RunDir) {
		return awaitDaemon(ctx, c, nil)
	}
	if err := os.MkdirAll(c.state("logs"), 0o750); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	first, err := json.Marshal(daemonSpec(c, self))
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.state("logs/keeper.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer log.Close()
	keeper := exec.Command(set.Path("eksact-node"), "keep", "--run-dir", c.RunDir, "--first", string(first))
	keeper.Dir = "/"
	keeper.Stderr, keeper.Stdout = log, log
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	keepDescriptors()
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- keeper.Wait() }()
	return awaitDaemon(ctx, c, ended)
}

// EndStrays kills all that eksact started here, the keeper included. After a
// keeper was killed that is what has not ended yet: its children die with it, but
// not at once, and hold sockets and files that are about to be opened. The caller
// keeps others away (Exclusive).
func EndStrays() error {
	tree, err := cgroup.Open()
	if err != nil {
		return nil // without control groups nothing was started; the checks say what to do
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		pids := tree.Processes(keep.Cgroup)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes of an earlier start do not end: %v", pids)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func daemonSpec(c Config, self string) supervise.Spec {
	return supervise.Spec{
		Name:      "eksact",
		Path:      self,
		Argv:      []string{"eksact", "serve", "--state-dir", c.StateDir, "--run-dir", c.RunDir},
		Env:       append(os.Environ(), "GOGC=200"),
		Dir:       "/",
		Log:       c.state("logs/eksact.log"),
		StopAfter: 2 * time.Second,
	}
}

// awaitDaemon returns when the daemon answers, or with the reason why it won't.
func awaitDaemon(ctx context.Context, c Config, keeperEnded <-chan error) error {
	client := control.Dial(c.RunDir)
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		if err := client.Call(ctx, "/ping", nil, nil); err == nil {
			return nil
		}
		select {
		case err := <-keeperEnded:
			return hint.Wrap(fmt.Errorf("the keeper ended at once: %v", err), "its log is "+c.state("logs/keeper.log"))
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return hint.Wrap(errors.New("the daemon does not answer"), "its log is "+c.state("logs/eksact.log"))
		case <-time.After(5 * time.Millisecond):
		}
	}
}
