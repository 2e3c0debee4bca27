// Package preflight finds out whether this machine can run eksact, before
// anything is made: what is missing, and the line that mends it.
package preflight

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/hint"
)

// Check is one thing the machine needs. A nil Err is a pass.
type Check struct {
	Name string
	Err  error
	// Mend is the line that mends it, if one does.
	Mend string
}

// Needs says what will be run.
type Needs struct {
	StateDir string
	Listen   string // address of the front door; "" when it is ours already
	Nodes    bool   // nodes and a network, not a control plane alone
}

// Run makes every check, in the order a reader would mend them.
func Run(n Needs) []Check {
	checks := []Check{Root()}
	if n.Nodes {
		checks = append(checks,
			program("runc", "runc"),
			program("nft", "nftables"),
			controlGroups(),
			filesystem("overlay"),
			namespaces(),
		)
	}
	checks = append(checks, disk(n.StateDir))
	if n.Listen != "" {
		checks = append(checks, port(n.Listen))
	}
	return checks
}

// First returns the first failed check as an error with its hint, or nil.
func First(checks []Check) error {
	for _, c := range checks {
		if c.Err == nil {
			continue
		}
		err := fmt.Errorf("%s: %w", c.Name, c.Err)
		if c.Mend != "" {
			return hint.Wrap(err, c.Mend, "eksact doctor shows all that is missing")
		}
		return err
	}
	return nil
}

// Root is the check that comes before anything is looked at that only root may
// see.
func Root() Check {
	c := Check{Name: "root", Mend: "run it as root, for instance with sudo"}
	if os.Geteuid() != 0 {
		c.Err = errors.New("nodes and networks need root, and this is not root")
	}
	return c
}

func program(name, pkg string) Check {
	c := Check{Name: name, Mend: "apt-get install -y " + pkg}
	if _, err := exec.LookPath(name); err != nil {
		// A shell without root's folders in PATH would not see it.
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
			if unix.Access(filepath.Join(dir, name), unix.X_OK) == nil {
				return c
			}
		}
		c.Err = errors.New("the program is not installed")
	}
	return c
}

// required are the controllers without which a kubelet does not start.
var required = []string{"cpu", "cpuset", "memory", "pids"}

func controlGroups() Check {
	c := Check{Name: "control groups", Mend: "mount them as your distribution does (systemd, or cgroupfs-mount), with the controllers " + strings.Join(required, ", ")}
	tree, err := cgroup.Open()
	if err != nil {
		c.Err = err
		return c
	}
	has := map[string]bool{}
	for _, name := range tree.Controllers() {
		has[name] = true
	}
	var missing []string
	for _, name := range required {
		if !has[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.Err = fmt.Errorf("the controllers %s are missing", strings.Join(missing, ", "))
	}
	return c
}

func filesystem(name string) Check {
	c := Check{Name: name + " file system", Mend: "modprobe " + name + ", or a kernel built with it"}
	f, err := os.Open("/proc/filesystems")
	if err != nil {
		c.Err = err
		return c
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 && fields[len(fields)-1] == name {
			return c
		}
	}
	if exec.Command("modprobe", name).Run() != nil {
		c.Err = errors.New("the kernel has none")
	}
	return c
}

func namespaces() Check {
	c := Check{Name: "namespaces", Mend: "a kernel with net, pid, mnt, uts and ipc namespaces"}
	for _, name := range []string{"net", "pid", "mnt", "uts", "ipc"} {
		if _, err := os.Stat("/proc/self/ns/" + name); err != nil {
			c.Err = fmt.Errorf("the kernel has no %s namespaces", name)
			return c
		}
	}
	return c
}

// minFree is what a cluster with two nodes and its images takes, with room for
// etcd to grow.
const minFree = 3 << 30

func disk(dir string) Check {
	c := Check{Name: "disk", Mend: "free some space, or put the state elsewhere with --state-dir"}
	for dir != "/" {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		c.Err = err
		return c
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < minFree {
		c.Err = fmt.Errorf("%s has %d MiB free, and a cluster needs %d MiB", dir, free>>20, minFree>>20)
	}
	return c
}

func port(address string) Check {
	c := Check{Name: "port " + address, Mend: "stop the program that has it (ss -ltnp shows which), or choose another with --listen"}
	l, err := net.Listen("tcp", address)
	if err != nil {
		c.Err = fmt.Errorf("the AWS front door can't listen there: %w", err)
		return c
	}
	l.Close()
	return c
}
