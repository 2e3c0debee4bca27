package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/node/keep"
)

// Reach returns nil when eksact runs here and its owner asks, and otherwise why
// it can't be asked.
func Reach(runDir string) error {
	if Running(runDir) {
		return nil
	}
	if _, err := os.Stat(keep.Lock(runDir)); os.Geteuid() != 0 && !errors.Is(err, fs.ErrNotExist) {
		return hint.New("only root may ask the eksact that runs here", "run it as root, for instance with sudo")
	}
	return hint.New("eksact does not run here", "eksact up starts it")
}

// claim is the file of a run directory that says whose it is.
func (c Config) claim() string { return filepath.Join(c.RunDir, "state-dir") }

// Claim notes whose data runs behind the run directory, for as long as it runs.
func (c Config) Claim() error {
	return renameio.WriteFile(c.claim(), []byte(c.StateDir+"\n"), 0o644)
}

// DataOf is the state directory of what runs behind a run directory, and stateDir if
// nothing does.
func DataOf(runDir, stateDir string) string {
	text, err := os.ReadFile(Config{RunDir: runDir}.claim())
	if owner := strings.TrimSpace(string(text)); err == nil && owner != "" && Running(runDir) {
		return owner
	}
	return stateDir
}

// Ours refuses to lay hands on an eksact that runs here with other data, or behind
// another run directory: links, addresses and control groups are the machine's.
func (c Config) Ours() error {
	if !Running(c.RunDir) {
		if dir, ok := runsElsewhere(c.RunDir); ok {
			return hint.New("eksact runs on this machine already, with its sockets in "+dir, "eksact down --run-dir "+dir+" ends it")
		}
		return nil
	}
	text, err := os.ReadFile(c.claim())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner := strings.TrimSpace(string(text)); owner != c.StateDir {
		return hint.New(fmt.Sprintf("what runs on this machine has its data in %s, not in %s", owner, c.StateDir),
			"eksact down --state-dir "+owner+" ends it")
	}
	return nil
}

// runsElsewhere finds a keeper that lives behind another run directory, by its
// command line.
func runsElsewhere(runDir string) (dir string, ok bool) {
	tree, err := cgroup.Open()
	if err != nil {
		return "", false // without control groups nothing was started
	}
	for _, pid := range tree.Processes(keep.Cgroup) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(line), "\x00")
		if i := slices.Index(args, "--run-dir"); len(args) > 1 && args[1] == "keep" && i > 0 && i+1 < len(args) {
			if dir := args[i+1]; dir != runDir && Running(dir) {
				return dir, true
			}
		}
	}
	return "", false
}

// keepDescriptors keeps from the keeper, and so from all that runs, the files that
// whoever called us left open: a lock among them would be held until eksact down.
// An old kernel can't; it is no reason not to start.
func keepDescriptors() { _ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

// CheckEtcd refuses an external etcd that does not answer.
func (c Config) CheckEtcd(ctx context.Context) error {
	if len(c.EtcdEndpoints) == 0 {
		return nil
	}
	return hint.Wrap(c.relay().Probe(ctx), "look at --etcd-endpoints, and for https at --etcd-cacert, --etcd-cert and --etcd-key")
}
