package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/hosts"
	"github.com/eksact/eksact/internal/node/keep"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc"
)

// stages is the order in which programs are stopped: those that start others
// first, etcd last. Stopped the other way round, an API server would wait for
// its etcd until it is killed. Their patience (supervise.Spec.StopAfter) adds up
// to less than 15 s.
var stages = []struct {
	name     string
	programs []string
}{
	{"Stopping the daemon", []string{"eksact"}},
	{"Stopping nodes and controllers", []string{"node", "kube-controller-manager", "kube-scheduler"}},
	{"Stopping API servers", []string{"kube-apiserver"}},
	{"Stopping etcd", []string{"etcd", "etcd-relay"}},
}

// programOf is the program behind a process's name: "kube-apiserver@cluster" is
// a kube-apiserver, "node-i-0abc" a node.
func programOf(process string) string {
	program, _, _ := strings.Cut(process, "@")
	if strings.HasPrefix(program, "node-") {
		return "node"
	}
	return program
}

// TearDown ends everything and removes what was made, save the data. It needs
// no daemon, and repeats what an earlier one left unfinished. With purge the
// data goes too.
func TearDown(ctx context.Context, c Config, purge bool, step func(name string, fn func() error) error) error {
	var failed error
	note := func(err error) { failed = errors.Join(failed, err) }
	if Running(c.RunDir) {
		if err := stopAll(c, step); err != nil {
			// All of it is in one control group, which is emptied next.
			note(step("Killing what did not stop", func() error { return killAll(c, err) }))
		}
	}
	note(step("Removing namespaces, links, mounts and control groups", func() error { return c.removeTraces(ctx) }))
	if purge {
		note(step("Deleting all data", func() error { return os.RemoveAll(c.StateDir) }))
	}
	return failed
}

// stopAll stops every program in its stage, and the keeper with whatever else it
// has last.
func stopAll(c Config, step func(name string, fn func() error) error) error {
	keeper := c.keeper()
	for _, stage := range stages {
		if err := step(stage.name, func() error { return stopStage(keeper, stage.programs) }); err != nil {
			return err
		}
	}
	return step("Stopping the keeper", func() error { return errors.Join(keeper.Shutdown(), awaitKeeper(c.RunDir)) })
}

// killAll ends by force what could not be stopped, for the reason given.
func killAll(c Config, reason error) error {
	if err := EndStrays(); err != nil {
		return errors.Join(reason, err)
	}
	return awaitKeeper(c.RunDir)
}

func stopStage(keeper supervise.Client, programs []string) error {
	states, err := keeper.List()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(states))
	for i, s := range states {
		if slices.Contains(programs, programOf(s.Name)) {
			wg.Go(func() { errs[i] = keeper.Stop(s.Name) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

func awaitKeeper(runDir string) error {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !Running(runDir) {
			return nil
		}
	}
	return errors.New("the keeper has not ended")
}

// removeTraces removes what outlives the processes.
func (c Config) removeTraces(ctx context.Context) error {
	var failed error
	note := func(err error) { failed = errors.Join(failed, err) }
	if tree, err := cgroup.Open(); err == nil {
		note(tree.Remove(keep.Cgroup, 10*time.Second))
	}
	note(unmountBelow(c.StateDir))
	note(vpc.Teardown(ctx, c.Network()))
	note(hosts.Remove(hosts.File))
	note(removeMadeFolders(c))
	note(unmountBelow(c.RunDir))
	note(emptyFolder(c.RunDir, "up.lock"))
	return failed
}

// unmountBelow drops mounts under a folder, the deepest first. A node's own went
// with its mount namespace; what is here is the rest of a crash.
func unmountBelow(dir string) error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var failed error
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		fields := strings.Fields(lines[i])
		if len(fields) < 5 {
			continue
		}
		target := unescape(fields[4])
		if !strings.HasPrefix(target, dir+"/") {
			continue
		}
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil && err != unix.EINVAL {
			failed = errors.Join(failed, fmt.Errorf("unmounting %s: %w", target, err))
		}
	}
	return failed
}

// unescape reads the octal escapes of mountinfo.
func unescape(s string) string {
	for _, code := range []string{`\040`, `\011`, `\012`, `\134`} {
		n, _ := strconv.ParseUint(code[1:], 8, 8)
		s = strings.ReplaceAll(s, code, string(rune(n)))
	}
	return s
}

// emptyFolder removes what is in dir save keep, which others may hold locked.
func emptyFolder(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		if e.Name() != keep {
			failed = errors.Join(failed, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return failed
}

// madeFolders names the file that lists the host's folders made as mount points.
func (c Config) madeFolders() string { return c.state("made-folders") }

// makeFolders makes folders of the host that are not there, and writes down
// which, before it makes them.
func makeFolders(c Config, dirs []string) error {
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		f, err := os.OpenFile(c.madeFolders(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, dir)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeMadeFolders removes those of them that are empty still.
func removeMadeFolders(c Config) error {
	data, err := os.ReadFile(c.madeFolders())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, dir := range strings.Fields(string(data)) {
		if err := unix.Rmdir(dir); err != nil && err != syscall.ENOENT && err != syscall.ENOTEMPTY {
			return fmt.Errorf("removing %s: %w", dir, err)
		}
	}
	return os.Remove(c.madeFolders())
}
