package crash

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// traces are all things of a kind that a run could leave on the machine.
type traces map[string][]string

// look lists what is on the machine now.
func look(t *testing.T, state string) traces {
	t.Helper()
	all := traces{}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	links, err := netlink.LinkList()
	must(err)
	for _, l := range links {
		all["link"] = append(all["link"], l.Attrs().Name)
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, 0)
	must(err)
	for _, r := range routes {
		all["route"] = append(all["route"], r.String())
	}
	rules, err := netlink.RuleList(netlink.FAMILY_ALL)
	must(err)
	for _, r := range rules {
		all["routing rule"] = append(all["routing rule"], r.String())
	}
	ruleset, err := exec.Command("nft", "list", "ruleset").Output()
	must(err)
	all["packet rule"] = strings.Split(string(ruleset), "\n")
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	for line := range strings.Lines(string(mounts)) {
		all["mount"] = append(all["mount"], strings.Fields(line)[4])
	}
	for _, dir := range []string{"/run/eksact", "/run/netns", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni-eksact", "/run/containerd"} {
		all["file"] = append(all["file"], below(dir)...)
	}
	scratch, err := filepath.Glob("/tmp/eksact-*")
	must(err)
	all["file"] = append(all["file"], scratch...)
	hosts, err := os.ReadFile("/etc/hosts")
	must(err)
	all["line in /etc/hosts"] = strings.Split(string(hosts), "\n")
	all["control group"] = groups()
	all["process"] = processes(state)
	return all
}

// below lists what is in a folder, itself included.
func below(dir string) (all []string) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			all = append(all, path)
		}
		return nil
	})
	return all
}

func groups() (all []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.Contains(path, "eksact") {
			all = append(all, path)
		}
		return nil
	})
	return all
}

// processes lists those that run a program of ours, or on the state directory,
// the test's own excepted.
func processes(state string) (all []string) {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		pid := filepath.Base(filepath.Dir(path))
		exe, _ := os.Readlink(filepath.Join("/proc", pid, "exe"))
		command, _ := os.ReadFile(path)
		if pid != fmt.Sprint(os.Getpid()) && (filepath.Dir(exe) == filepath.Dir(program) || strings.Contains(string(command), state)) {
			all = append(all, pid+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return all
}

// left reports what is there now and was not before. The run directory's lock
// files stay, for others may hold them.
func left(t *testing.T, state string, before traces) {
	t.Helper()
	allowed := []string{"/run/eksact", "/run/eksact/up.lock"}
	for kind, now := range look(t, state) {
		for _, thing := range now {
			if !slices.Contains(before[kind], thing) && !slices.Contains(allowed, thing) {
				t.Errorf("left behind: %s %s", kind, thing)
			}
		}
	}
}
