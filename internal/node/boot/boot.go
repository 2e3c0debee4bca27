// Package boot is a node's pid 1: it turns the namespaces it was started in into
// a machine of its own, and runs the node's programs on it.
//
// The keeper starts it in fresh mount, uts, ipc and pid namespaces, inside the
// node's network namespace. It sees the host's files, made private; over them it
// puts its own /proc, /sys, /run and /etc/resolv.conf, and binds folders of the
// node to where programs expect them (/var/lib/kubelet and so on). Then it
// supervises containerd and the kubelet, and whatever else the daemon asks for
// over its control socket.
//
// It outlives the daemon. Its end is the node's: the kernel kills all that is
// left in the pid namespace and drops the mounts.
package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/supervise"
)

// Config says what kind of machine to become. It is the file named on the
// command line.
type Config struct {
	Hostname string
	// Folders of the host to bind, by where they appear on the node.
	Binds map[string]string
	// ResolvConf and Hosts are the files that appear as /etc/resolv.conf and /etc/hosts.
	ResolvConf, Hosts string
	// Control is the path of the supervisor's socket.
	Control string
	// Cgroup is the control group of the node's pods.
	Cgroup string
	// Processes to run, in order. A process is started when the one before it
	// answers on its Ready socket.
	Processes []Process
}

// Process is a Spec and the unix socket that shows it to be ready, if any.
type Process struct {
	supervise.Spec
	Ready string `json:",omitempty"`
}

// Main runs the node described by the file at path, until it is told to end.
func Main(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if os.Getpid() != 1 {
		return errors.New("init: not pid 1: a node is started by its keeper, in namespaces of its own")
	}
	if err := c.furnish(); err != nil {
		return err
	}
	if err := freshCgroup(c.Cgroup); err != nil {
		return err
	}
	return c.run()
}

// freshCgroup makes the control group anew: one left by a node that was killed
// holds the groups of its dead pods, each of which costs a kubelet seconds. None
// of its pods can be alive, for they died with the pid namespace.
func freshCgroup(path string) error {
	tree, err := cgroup.Open()
	if err != nil {
		return err
	}
	if err := tree.Remove(path, 5*time.Second); err != nil {
		return err
	}
	return tree.Make(path)
}

func (c *Config) run() error {
	s, err := supervise.New()
	if err != nil {
		return err
	}
	if err := os.Remove(c.Control); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.Control, Net: "unix"})
	if err != nil {
		return err
	}
	if err := os.Chmod(c.Control, 0o600); err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	// What init says is the machine's console (EC2's GetConsoleOutput).
	console := slog.With("machine", c.Hostname)
	go func() {
		why := <-end
		console.Info("halting", "signal", why.String())
		s.Shutdown()
		halt()
	}()
	go func() { _ = s.Serve(l) }()
	for _, p := range c.Processes {
		begun := time.Now()
		console.Info("starting", "program", p.Name)
		if err := s.Ensure(p.Spec); err != nil {
			return err
		}
		if p.Ready != "" {
			await(p.Ready)
			console.Info("ready", "program", p.Name, "after", time.Since(begun).Round(time.Millisecond))
		}
	}
	select {} // children are reaped and restarted by the supervisor
}

// await returns when something listens on a unix socket. It never gives up: the
// supervisor goes on starting the program that will.
func await(path string) {
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// halt asks every process of the node to end, as a machine that is switched off
// does, gives them two seconds, and ends the node.
func halt() {
	_ = syscall.Kill(-1, syscall.SIGTERM)
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if alone() {
			break
		}
	}
	os.Exit(0)
}

// alone reports whether pid 1 is the only process left.
func alone() bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, e := range entries {
		name := e.Name()
		if name[0] < '0' || name[0] > '9' || name == "1" {
			continue
		}
		return false
	}
	return true
}

// furnish makes the node's view of the file system.
func (c *Config) furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	// The file behind a symbolic link may lie in /run, which is about to go.
	resolv, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		resolv = "/etc/resolv.conf"
	}
	steps := []func() error{
		func() error { return mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") },
		ownSys,
		func() error {
			return mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=256m")
		},
		func() error { return bindFile(c.ResolvConf, resolv) },
		c.bindHosts,
		c.bindFolders,
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "") },
		func() error { return unix.Sethostname([]byte(c.Hostname)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", kind, target, err)
	}
	return nil
}

// ownSys mounts sysfs anew, so that /sys/class/net shows this network
// namespace, and keeps the control groups where they were.
func ownSys() error {
	const groups = "/sys/fs/cgroup"
	aside, err := os.MkdirTemp("/tmp", "eksact-cgroup-")
	if err != nil {
		return err
	}
	defer os.Remove(aside)
	if err := mount(groups, aside, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	return mount(aside, groups, "", unix.MS_MOVE, "")
}

func (c *Config) bindFolders() error {
	for target, source := range c.Binds {
		if err := os.MkdirAll(source, 0o755); err != nil {
			return err
		}
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
	}
	return nil
}

// bindHosts hides the host's own names, where it has any: its block of ours leads to
// public addresses.
func (c *Config) bindHosts() error {
	target, err := filepath.EvalSymlinks("/etc/hosts")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return bindFile(c.Hosts, target)
}

func bindFile(source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) && strings.HasPrefix(target, "/run/") {
		if err := os.WriteFile(target, nil, 0o644); err != nil {
			return err
		}
	}
	return mount(source, target, "", unix.MS_BIND, "")
}
