package uplink

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/netns"
)

// prefix begins the names of the folders that namespaces are named in: then the pid of
// the test's process and a dash.
const prefix = "eksact-uplink-"

// folder makes one, and removes those of tests that were killed, whose cleanups never
// ran: a file that names a namespace is a mount, and keeps it.
func (h *Host) folder() string {
	h.t.Helper()
	h.must(sweep())
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	h.must(err)
	h.t.Cleanup(func() { h.must(remove(dir)) })
	return dir
}

// sweep removes the folders of processes that are no more.
func sweep() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); err == nil {
			continue
		}
		if err := remove(dir); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a folder and lets go of the namespaces that are named in it.
func remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := netns.Delete(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(dir)
}
