// Package keep is the keeper, the process at the root of everything eksact
// starts on a machine.
//
// It is small on purpose, so that it need never be restarted: a supervisor with
// one process to begin with, the daemon, which then asks it for all others. It
// holds a lock for as long as it lives, by which others know that eksact runs
// here, and lives in a control group of its own.
package keep

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/supervise"
)

// Cgroup is the control group that all of eksact is in; the keeper and what it
// starts directly are in its child Own, for v2 allows processes in leaves only.
const (
	Cgroup = "/eksact"
	Own    = Cgroup + "/control"
)

// Socket and Lock are the keeper's files in the run directory.
func Socket(runDir string) string { return filepath.Join(runDir, "keeper.sock") }
func Lock(runDir string) string   { return filepath.Join(runDir, "keeper.lock") }

// Main runs the keeper until it is asked to shut down.
func Main(args []string) error {
	flags := flag.NewFlagSet("eksact-node keep", flag.ContinueOnError)
	runDir := flags.String("run-dir", "/run/eksact", "folder of sockets and locks")
	first := flags.String("first", "", "the first process, a supervise.Spec in JSON")
	group := flags.String("cgroup", Own, "control group to enter; empty for none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var spec supervise.Spec
	if err := json.Unmarshal([]byte(*first), &spec); err != nil {
		return fmt.Errorf("reading --first: %w", err)
	}
	if err := takeLock(Lock(*runDir)); err != nil {
		return err
	}
	if *group != "" {
		if err := enterGroup(*group); err != nil {
			return err
		}
	}
	// A terminal that goes away, or an interrupt meant for the command that
	// started us, is not for the keeper.
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	s, err := supervise.New()
	if err != nil {
		return err
	}
	l, err := listen(Socket(*runDir))
	if err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	go func() {
		<-end
		s.Shutdown()
		l.Close()
	}()
	if err := s.Ensure(spec); err != nil {
		return err
	}
	return s.Serve(l)
}

// held keeps the lock's file from being collected as garbage, and so closed.
var held *flock.Flock

// takeLock holds the lock until the process ends. Whoever asks whether a keeper
// runs tries the lock, and so may hold it for a moment.
func takeLock(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	held = flock.New(path)
	if ok, err := held.TryLockContext(ctx, 5*time.Millisecond); !ok {
		return fmt.Errorf("another keeper holds %s (%v)", path, err)
	}
	return nil
}

func enterGroup(path string) error {
	tree, err := cgroup.Open()
	if err != nil {
		return err
	}
	if err := tree.Make(path); err != nil {
		return err
	}
	return tree.Enter(path, os.Getpid())
}

func listen(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}
