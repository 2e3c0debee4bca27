// Package cgroup makes, enters and removes control groups by path, on cgroup v1
// (a tree for each controller) and v2 (one tree) alike.
//
// Everything eksact starts lives below one group, so that "down" can end it all
// even when the process that started it is gone, and kubelets find a root of
// their own (cgroupRoot) in every hierarchy.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tree is where the machine's control groups are mounted.
type Tree struct {
	root  string
	roots []string // of each hierarchy that groups are made in
	v2    bool
}

// Open finds the hierarchies under /sys/fs/cgroup.
func Open() (*Tree, error) { return openAt("/sys/fs/cgroup") }

func openAt(root string) (*Tree, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(root, &fs); err != nil {
		return nil, fmt.Errorf("no control groups at %s: %w", root, err)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return &Tree{root: root, roots: []string{root}, v2: true}, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	t := &Tree{root: root}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if unix.Statfs(dir, &fs) != nil || e.Type()&os.ModeSymlink != 0 {
			continue // cpu -> cpu,cpuacct and the like
		}
		if fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC {
			t.roots = append(t.roots, dir)
		}
	}
	if len(t.roots) == 0 {
		return nil, fmt.Errorf("no control group hierarchy is mounted under %s", root)
	}
	return t, nil
}

// V2 reports whether the machine has the unified hierarchy alone.
func (t *Tree) V2() bool { return t.v2 }

// Controllers lists the controllers that groups can be limited by.
func (t *Tree) Controllers() []string {
	if t.v2 {
		data, _ := os.ReadFile(filepath.Join(t.root, "cgroup.controllers"))
		return strings.Fields(string(data))
	}
	var all []string
	for _, dir := range t.roots {
		all = append(all, strings.Split(filepath.Base(dir), ",")...)
	}
	return all
}

// Make makes a group, its parents included, in every hierarchy: "/eksact/node".
func (t *Tree) Make(path string) error {
	for _, root := range t.roots {
		dir := root
		for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
			if t.v2 {
				if err := delegate(dir); err != nil {
					return err
				}
			}
			dir = filepath.Join(dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
				return fmt.Errorf("making control group %s: %w", dir, err)
			}
			if err := inheritCPUSet(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate gives a v2 group's children all the controllers it has itself.
func delegate(dir string) error {
	has, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(has)) {
		// One that can't be delegated (a realtime task holds cpu) is left out:
		// what needs it will say so by its name.
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+name), 0)
	}
	return nil
}

// inheritCPUSet fills a new v1 cpuset, which starts empty and admits no process.
func inheritCPUSet(dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(own)) > 0 || !strings.Contains(dir, "cpuset") {
			continue
		}
		parents, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), bytes.TrimSpace(parents), 0); err != nil {
			return fmt.Errorf("filling %s of control group %s: %w", file, dir, err)
		}
	}
	return nil
}

// Enter moves a process into a group that was made.
func (t *Tree) Enter(path string, pid int) error {
	for _, root := range t.roots {
		file := filepath.Join(root, path, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("entering control group %s: %w", filepath.Dir(file), err)
		}
	}
	return nil
}

// Processes lists the processes in a group and all groups below it.
func (t *Tree) Processes(path string) []int {
	var pids []int
	for _, root := range t.roots {
		walk(filepath.Join(root, path), func(dir string) {
			data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			for _, field := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
		})
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// Remove kills what is left in a group and below, and removes the groups. It
// gives up with an error when the kernel still holds on after the time given.
func (t *Tree) Remove(path string, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		for _, pid := range t.Processes(path) {
			if pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		err := t.removeEmpty(path)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (t *Tree) removeEmpty(path string) error {
	var failed error
	for _, root := range t.roots {
		var dirs []string
		walk(filepath.Join(root, path), func(dir string) { dirs = append(dirs, dir) })
		slices.Reverse(dirs) // children first
		for _, dir := range dirs {
			if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
				failed = fmt.Errorf("removing control group %s: %w", dir, err)
			}
		}
	}
	return failed
}

// walk visits dir and the groups below, parents first.
func walk(dir string, visit func(string)) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	visit(dir)
	for _, e := range entries {
		if e.IsDir() {
			walk(filepath.Join(dir, e.Name()), visit)
		}
	}
}
