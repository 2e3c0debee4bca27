package lab

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/node/keep"
)

// traces is what of the machine eksact touches while it runs, by kind, one line
// for each thing.
type traces map[string][]string

// look notes the machine's state; state is the folder of a lab.
func look(state string) traces {
	return traces{
		"mount":         mounts(state),
		"link":          links(),
		"route":         routes(),
		"packet rule":   lines("nft", "-s", "list", "ruleset"),
		"hosts entry":   fileLines("/etc/hosts"),
		"setting":       settings(),
		"folder":        folders(),
		"control group": controlGroups(),
		"run file":      runFiles(),
	}
}

// left lists what is there now and was not before the lab, and the processes in
// places that were the lab's.
func (l *Lab) left(ours places) []string {
	var all []string
	now := look(l.State)
	for kind, things := range now {
		for _, thing := range things {
			if !slices.Contains(l.before[kind], thing) {
				all = append(all, kind+" "+thing)
			}
		}
		for _, thing := range l.before[kind] {
			if !slices.Contains(things, thing) {
				all = append(all, kind+" gone: "+thing)
			}
		}
	}
	slices.Sort(all)
	return append(all, l.processes(ours)...)
}

// Left lists what of a lab that was brought down, or never came up, is on the
// machine.
func (l *Lab) Left() []string { return l.left(places{}) }

// foreign begins the names of links that tests of other packages make on this machine
// (package vpctest) and that no eksact makes: they come and go at any time.
const foreign = "ekt"

// mounts lists the mount points of this mount namespace that lie where eksact
// mounts: those of others come and go. In /run/netns those are pods'.
func mounts(state string) []string {
	var all []string
	for _, line := range fileLines("/proc/self/mountinfo") {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		for _, place := range []string{state, RunDir, "/run/netns/cni-", "/run/containerd", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log", "/sys/fs/cgroup", "/etc/resolv.conf"} {
			if strings.HasPrefix(fields[4], place) {
				all = append(all, fields[4])
			}
		}
	}
	return all
}

// links lists the machine's network interfaces with their addresses, save foreign ones.
func links() []string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for _, i := range interfaces {
		if strings.HasPrefix(i.Name, foreign) {
			continue
		}
		addresses, _ := i.Addrs()
		all = append(all, fmt.Sprintf("%s %v", i.Name, addresses))
	}
	return all
}

// routes lists the machine's IPv4 routes, save those by foreign links.
func routes() []string {
	return slices.DeleteFunc(lines("ip", "-4", "route", "show", "table", "all"), func(route string) bool {
		_, by, _ := strings.Cut(route, " dev ")
		return strings.HasPrefix(by, foreign)
	})
}

// settings are the host's own network settings that a router would change.
func settings() []string {
	var all []string
	for _, name := range []string{"ip_forward", "conf/all/rp_filter", "conf/default/rp_filter", "conf/all/proxy_arp", "conf/all/route_localnet"} {
		if data, err := os.ReadFile("/proc/sys/net/ipv4/" + name); err == nil {
			all = append(all, name+"="+strings.TrimSpace(string(data)))
		}
	}
	return all
}

// folders are the host's that nodes use as mount points.
func folders() []string {
	var all []string
	for _, dir := range []string{"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni-eksact", "/etc/cni", "/run/containerd"} {
		if _, err := os.Stat(dir); err == nil {
			all = append(all, dir)
		}
	}
	return all
}

// controlGroups lists eksact's, in every hierarchy.
func controlGroups() []string {
	var all []string
	for _, pattern := range []string{"/sys/fs/cgroup" + keep.Cgroup, "/sys/fs/cgroup/*" + keep.Cgroup} {
		found, _ := filepath.Glob(pattern)
		all = append(all, found...)
	}
	return all
}

// runFiles lists the run directory; the lock against two ups at once may stay.
func runFiles() []string {
	var all []string
	filepath.WalkDir(RunDir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && path != RunDir && path != filepath.Join(RunDir, "up.lock") {
			all = append(all, path)
		}
		return nil
	})
	return all
}

// places are the namespaces that the lab's processes live in.
type places map[string]bool

var kinds = []string{"net", "mnt", "pid", "uts", "ipc"}

// places lists the namespaces of the lab, the machine's own left out. To be
// called while it runs.
func (l *Lab) places() places {
	all := places{}
	tree, err := cgroup.Open()
	if err != nil {
		return all
	}
	for _, pid := range tree.Processes(keep.Cgroup) {
		for _, kind := range kinds {
			if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind)); err == nil {
				all[ns] = true
			}
		}
	}
	// Not /proc/self: Go's first thread may be stuck in a namespace that it once made.
	for _, kind := range kinds {
		if ns, err := os.Readlink("/proc/thread-self/ns/" + kind); err == nil {
			delete(all, ns)
		}
	}
	files, _ := filepath.Glob(RunDir + "/netns/*")
	for _, file := range files {
		var info syscall.Stat_t
		if syscall.Stat(file, &info) == nil {
			all[fmt.Sprintf("net:[%d]", info.Ino)] = true
		}
	}
	return all
}

// processes lists those that are the lab's: by a namespace, by the control
// group, by the program, by the folders they were told.
func (l *Lab) processes(ours places) []string {
	programs := Programs(l.t)
	entries, _ := os.ReadDir("/proc")
	var all []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := "/proc/" + e.Name() + "/"
		stat, _ := os.ReadFile(proc + "stat")
		if dead(string(stat)) || child(string(stat)) {
			continue
		}
		program, _ := os.Readlink(proc + "exe")
		group, _ := os.ReadFile(proc + "cgroup")
		command, _ := os.ReadFile(proc + "cmdline")
		line := strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
		mine := strings.HasPrefix(program, programs+"/") || strings.Contains(string(group), keep.Cgroup+"/") ||
			strings.Contains(line, l.State)
		for _, kind := range kinds {
			ns, _ := os.Readlink(proc + "ns/" + kind)
			mine = mine || ours[ns]
		}
		if mine {
			all = append(all, fmt.Sprintf("process %d: %.200s", pid, line))
		}
	}
	return all
}

// dead reports whether a process has ended and only waits for its parent to
// notice: for one whose parent ended first, that is the machine's init.
func dead(stat string) bool {
	_, after, _ := strings.Cut(stat, ") ")
	return strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}

// child reports whether a process is one that the test started itself.
func child(stat string) bool {
	_, after, _ := strings.Cut(stat, ") ")
	fields := strings.Fields(after)
	return len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid())
}

func lines(name string, args ...string) []string {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.Output()
	if err != nil {
		return []string{fmt.Sprintf("%s can't be run: %v", name, err)}
	}
	return split(string(out))
}

func fileLines(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return split(string(data))
}

func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}
